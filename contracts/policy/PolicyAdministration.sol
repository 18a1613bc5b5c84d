// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import {IPolicyAdministration} from "../interfaces/IPolicyAdministration.sol";

/// @title PolicyAdministration
/// @notice Who may change the policy, and how fast; see {IPolicyAdministration}.
abstract contract PolicyAdministration is IPolicyAdministration, Ownable2Step {
    using EnumerableSet for EnumerableSet.AddressSet;

    /// @dev Zero where nothing is scheduled. `term` says under which owner it was: a new owner inherits nothing.
    struct Announcement {
        uint64 executableAt;
        uint64 term;
    }

    uint256 private constant SHORTEST_DELAY = 1 hours;
    uint256 private constant LONGEST_DELAY = 30 days;
    uint64 private constant WINDOW = 14 days;

    uint32 private immutable ADDITION_DELAY;

    EnumerableSet.AddressSet private _guardians;
    mapping(bytes32 id => Announcement announcement) private _announcements;
    /// @dev Counts the owners there have been.
    uint64 private _term;

    /// @dev Reverts: OwnableInvalidOwner, AdditionDelayOutOfRange.
    /// @param owner_ Who decides; not zero.
    /// @param additionDelay_ Seconds that an addition waits: 0, or 1 hour to 30 days.
    constructor(address owner_, uint32 additionDelay_) Ownable(owner_) {
        if (additionDelay_ != 0 && (additionDelay_ < SHORTEST_DELAY || additionDelay_ > LONGEST_DELAY)) {
            revert AdditionDelayOutOfRange(additionDelay_, SHORTEST_DELAY, LONGEST_DELAY);
        }
        ADDITION_DELAY = additionDelay_;
        emit AdditionDelayFixed(additionDelay_);
    }

    /// @dev An addition: the owner's alone, and under a lock only as it was announced.
    modifier addition() {
        _checkOwner();
        if (ADDITION_DELAY != 0) _execute(keccak256(msg.data));
        _;
    }

    // --- the lock ------------------------------------------------------------------------------------

    /// @inheritdoc IPolicyAdministration
    function scheduleAddition(bytes calldata call) external onlyOwner returns (bytes32 id) {
        if (ADDITION_DELAY == 0) revert AdditionsNotLocked();
        if (call.length < 4) revert AdditionNotSchedulable(bytes4(call));
        bytes4 selector = bytes4(call[:4]);
        id = keccak256(call);
        // One encoding for one addition: otherwise a cancelled one could wait under a second id, unnoticed.
        if (keccak256(_canonicalAddition(selector, call[4:])) != id) revert AdditionNotCanonical(selector);

        (uint64 executableAt, uint64 lapsesAt) = scheduledAddition(id);
        if (block.timestamp < lapsesAt) revert AdditionAlreadyScheduled(id, executableAt);
        executableAt = uint64(block.timestamp) + ADDITION_DELAY;
        _announcements[id] = Announcement(executableAt, _term);
        emit AdditionScheduled(id, call, executableAt, executableAt + WINDOW);
    }

    /// @inheritdoc IPolicyAdministration
    function cancelAddition(bytes32 id) external {
        if (msg.sender != owner() && !isGuardian(msg.sender)) revert NeitherOwnerNorGuardian(msg.sender);
        (uint64 executableAt,) = scheduledAddition(id);
        if (executableAt == 0) revert AdditionNotScheduled(id);
        delete _announcements[id];
        emit AdditionCancelled(id, msg.sender);
    }

    // --- guardians -----------------------------------------------------------------------------------

    /// @inheritdoc IPolicyAdministration
    function addGuardian(address guardian) external addition {
        _checkGuardian(guardian);
        if (!_guardians.add(guardian)) revert GuardianAlreadyAdded(guardian);
        emit GuardianAdded(guardian);
    }

    /// @inheritdoc IPolicyAdministration
    function removeGuardian(address guardian) external onlyOwner {
        if (!_guardians.remove(guardian)) revert NotAGuardian(guardian);
        emit GuardianRemoved(guardian);
    }

    // --- views ---------------------------------------------------------------------------------------

    /// @inheritdoc IPolicyAdministration
    function additionDelay() external view returns (uint32 seconds_) {
        return ADDITION_DELAY;
    }

    /// @inheritdoc IPolicyAdministration
    function guardians() external view returns (address[] memory accounts) {
        return _guardians.values();
    }

    /// @notice Always reverts: a policy without an owner could not stop trusting anything.
    function renounceOwnership() public pure override {
        revert OwnershipCannotBeRenounced();
    }

    /// @inheritdoc IPolicyAdministration
    function owner() public view virtual override(Ownable, IPolicyAdministration) returns (address account) {
        return super.owner();
    }

    /// @inheritdoc IPolicyAdministration
    function scheduledAddition(bytes32 id) public view returns (uint64 executableAt, uint64 lapsesAt) {
        Announcement memory announced = _announcements[id];
        if (announced.executableAt == 0 || announced.term != _term) return (0, 0);
        return (announced.executableAt, announced.executableAt + WINDOW);
    }

    /// @inheritdoc IPolicyAdministration
    function isGuardian(address account) public view returns (bool guardian) {
        return _guardians.contains(account);
    }

    /// @dev With the owner end the owner's announcements.
    function _transferOwnership(address newOwner) internal override {
        ++_term;
        super._transferOwnership(newOwner);
    }

    /// @dev Decodes the arguments of an addition and encodes them again, having checked what can be known about them
    /// before their time. Reverts: {AdditionNotSchedulable} for any other selector.
    function _canonicalAddition(bytes4 selector, bytes calldata arguments)
        internal
        pure
        virtual
        returns (bytes memory call)
    {
        if (selector != IPolicyAdministration.addGuardian.selector) revert AdditionNotSchedulable(selector);
        address guardian = abi.decode(arguments, (address));
        _checkGuardian(guardian);
        return abi.encodeCall(IPolicyAdministration.addGuardian, (guardian));
    }

    /// @dev Uses an announcement up.
    function _execute(bytes32 id) private {
        (uint64 executableAt, uint64 lapsesAt) = scheduledAddition(id);
        if (executableAt == 0) revert AdditionNotScheduled(id);
        if (block.timestamp < executableAt) revert AdditionNotYetExecutable(id, executableAt);
        if (block.timestamp >= lapsesAt) revert AdditionLapsed(id, lapsesAt);
        delete _announcements[id];
        emit AdditionExecuted(id);
    }

    function _checkGuardian(address guardian) private pure {
        if (guardian == address(0)) revert GuardianIsZero();
    }
}
