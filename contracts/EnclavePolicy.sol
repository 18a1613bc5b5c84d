// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {AssuranceLevel, PlatformJudgement, TcbStatus, TeeKind} from "./interfaces/AttestationTypes.sol";
import {IEnclavePolicy, Workload} from "./interfaces/IEnclavePolicy.sol";

/// @title EnclavePolicy
/// @notice Which code is trusted, on which platforms; see {IEnclavePolicy}.
contract EnclavePolicy is IEnclavePolicy, Ownable2Step {
    /// @dev `generation` counts removals and survives them. It is part of every exception's key, so a workload
    /// that returns finds none of its old exceptions.
    struct WorkloadRecord {
        AssuranceLevel level;
        uint40 addedAt;
        uint32 generation;
        bytes20 commitHash;
        string source;
    }

    /// @dev How many denials are in force. While there are none, a judgement reads this one word and no more.
    struct DenialCounts {
        uint128 platforms;
        uint128 families;
    }

    bytes32 private constant ANY_ADVISORIES = keccak256("xmtp-tee/policy/any-advisories");
    uint256 private constant LONGEST_EXCEPTION = 365 days;
    uint256 private constant LONGEST_WILDCARD = 90 days;

    /// @dev A workload is trusted exactly when its record's level is not NONE.
    mapping(bytes32 workload => WorkloadRecord record) private _workloads;
    mapping(bytes32 exceptionId => uint64 until) private _exceptions;
    DenialCounts private _denials;
    mapping(TeeKind tee => mapping(bytes16 instance => bool denied)) private _deniedPlatforms;
    mapping(TeeKind tee => mapping(bytes16 family => bool denied)) private _deniedFamilies;

    /// @notice Starts with an empty policy: nothing is trusted.
    /// @param owner_ Who decides what is trusted; not zero.
    constructor(address owner_) Ownable(owner_) {}

    // --- workloads -----------------------------------------------------------------------------------

    /// @inheritdoc IEnclavePolicy
    function addWorkload(bytes32 id, AssuranceLevel level, string calldata source, bytes20 commitHash)
        external
        onlyOwner
    {
        if (id == bytes32(0)) revert WorkloadIsZero();
        if (level == AssuranceLevel.NONE) revert AssuranceLevelMissing(id);
        if (bytes(source).length == 0) revert SourceMissing(id);
        if (isWorkloadTrusted(id)) revert WorkloadAlreadyTrusted(id);
        WorkloadRecord storage record = _workloads[id];
        record.level = level;
        record.addedAt = uint40(block.timestamp);
        record.commitHash = commitHash;
        record.source = source;
        emit WorkloadAdded(id, level, source, commitHash);
    }

    /// @inheritdoc IEnclavePolicy
    function removeWorkload(bytes32 id) external onlyOwner {
        if (!isWorkloadTrusted(id)) revert WorkloadNotTrusted(id);
        uint32 generation = _workloads[id].generation;
        delete _workloads[id];
        _workloads[id].generation = generation + 1;
        emit WorkloadRemoved(id);
    }

    // --- exceptions ----------------------------------------------------------------------------------

    /// @inheritdoc IEnclavePolicy
    function allowStatus(bytes32 id, TcbStatus status, bytes32 advisories, uint64 until) external onlyOwner {
        if (!isWorkloadTrusted(id)) revert WorkloadNotTrusted(id);
        if (status == TcbStatus.NONE || status == TcbStatus.UP_TO_DATE || status == TcbStatus.REVOKED) {
            revert TcbStatusNotAllowable(status);
        }
        uint256 latest = block.timestamp + (advisories == ANY_ADVISORIES ? LONGEST_WILDCARD : LONGEST_EXCEPTION);
        if (until <= block.timestamp || until > latest) revert DeadlineOutOfRange(until, block.timestamp + 1, latest);
        _exceptions[_exceptionId(id, _workloads[id].generation, status, advisories)] = until;
        emit StatusAllowed(id, status, advisories, until);
    }

    /// @inheritdoc IEnclavePolicy
    function withdrawStatus(bytes32 id, TcbStatus status, bytes32 advisories) external onlyOwner {
        bytes32 exceptionId = _exceptionId(id, _workloads[id].generation, status, advisories);
        if (_exceptions[exceptionId] == 0) revert StatusNotAllowed(id, status, advisories);
        delete _exceptions[exceptionId];
        emit StatusWithdrawn(id, status, advisories);
    }

    // --- denials -------------------------------------------------------------------------------------

    /// @inheritdoc IEnclavePolicy
    function denyPlatform(TeeKind tee, bytes16 instance) external onlyOwner {
        _requirePlatformId(tee, instance);
        if (_deniedPlatforms[tee][instance]) revert PlatformAlreadyDenied(tee, instance);
        _deniedPlatforms[tee][instance] = true;
        ++_denials.platforms;
        emit PlatformDenialAdded(tee, instance);
    }

    /// @inheritdoc IEnclavePolicy
    function allowPlatform(TeeKind tee, bytes16 instance) external onlyOwner {
        if (!_deniedPlatforms[tee][instance]) revert PlatformNotDenied(tee, instance);
        delete _deniedPlatforms[tee][instance];
        --_denials.platforms;
        emit PlatformDenialLifted(tee, instance);
    }

    /// @inheritdoc IEnclavePolicy
    function denyFamily(TeeKind tee, bytes16 family) external onlyOwner {
        _requirePlatformId(tee, family);
        if (_deniedFamilies[tee][family]) revert FamilyAlreadyDenied(tee, family);
        _deniedFamilies[tee][family] = true;
        ++_denials.families;
        emit FamilyDenialAdded(tee, family);
    }

    /// @inheritdoc IEnclavePolicy
    function allowFamily(TeeKind tee, bytes16 family) external onlyOwner {
        if (!_deniedFamilies[tee][family]) revert FamilyNotDenied(tee, family);
        delete _deniedFamilies[tee][family];
        --_denials.families;
        emit FamilyDenialLifted(tee, family);
    }

    // --- views ---------------------------------------------------------------------------------------

    /// @inheritdoc IEnclavePolicy
    function workload(bytes32 id) external view returns (Workload memory entry) {
        WorkloadRecord storage record = _workloads[id];
        return Workload(record.level, record.addedAt, record.commitHash, record.source);
    }

    /// @inheritdoc IEnclavePolicy
    function assuranceLevel(bytes32 id) external view returns (AssuranceLevel level) {
        return _workloads[id].level;
    }

    /// @inheritdoc IEnclavePolicy
    function statusAllowedUntil(bytes32 id, TcbStatus status, bytes32 advisories) external view returns (uint64 until) {
        return _exceptions[_exceptionId(id, _workloads[id].generation, status, advisories)];
    }

    /// @inheritdoc IEnclavePolicy
    function isPlatformDenied(TeeKind tee, bytes16 instance) external view returns (bool denied) {
        return _deniedPlatforms[tee][instance];
    }

    /// @inheritdoc IEnclavePolicy
    function isFamilyDenied(TeeKind tee, bytes16 family) external view returns (bool denied) {
        return _deniedFamilies[tee][family];
    }

    /// @inheritdoc IEnclavePolicy
    function refusal(bytes32 id, TeeKind tee, PlatformJudgement calldata judgement)
        external
        view
        returns (bytes4 reason)
    {
        return _refusal(id, tee, judgement);
    }

    /// @inheritdoc IEnclavePolicy
    function isAcceptable(bytes32 id, TeeKind tee, PlatformJudgement calldata judgement)
        external
        view
        returns (bool acceptable)
    {
        return _refusal(id, tee, judgement) == bytes4(0);
    }

    /// @inheritdoc IEnclavePolicy
    function requireAcceptable(bytes32 id, TeeKind tee, PlatformJudgement calldata judgement) external view {
        bytes4 reason = _refusal(id, tee, judgement);
        if (reason == bytes4(0)) return;
        if (reason == WorkloadNotTrusted.selector) revert WorkloadNotTrusted(id);
        if (reason == PlatformDenied.selector) revert PlatformDenied(tee, judgement.instance);
        if (reason == FamilyDenied.selector) revert FamilyDenied(tee, judgement.family);
        revert TcbStatusNotAccepted(id, judgement.status, judgement.advisories);
    }

    /// @inheritdoc IEnclavePolicy
    function anyAdvisories() external pure returns (bytes32 wildcard) {
        return ANY_ADVISORIES;
    }

    /// @notice Always reverts: a policy without an owner could not stop trusting anything.
    function renounceOwnership() public pure override {
        revert OwnershipCannotBeRenounced();
    }

    /// @inheritdoc IEnclavePolicy
    function isWorkloadTrusted(bytes32 id) public view returns (bool trusted) {
        return _workloads[id].level != AssuranceLevel.NONE;
    }

    // --- judgement -----------------------------------------------------------------------------------

    /// @dev Two words while nothing is denied and the platform is up to date.
    function _refusal(bytes32 id, TeeKind tee, PlatformJudgement calldata judgement) private view returns (bytes4) {
        WorkloadRecord storage record = _workloads[id];
        if (record.level == AssuranceLevel.NONE) return WorkloadNotTrusted.selector;
        DenialCounts memory denials = _denials;
        if (denials.platforms != 0 && _deniedPlatforms[tee][judgement.instance]) return PlatformDenied.selector;
        if (denials.families != 0 && _deniedFamilies[tee][judgement.family]) return FamilyDenied.selector;
        // The vendor calls only UP_TO_DATE free of known weaknesses.
        if (judgement.status == TcbStatus.UP_TO_DATE) return bytes4(0);
        if (_counts(_exceptionId(id, record.generation, judgement.status, judgement.advisories))) return bytes4(0);
        if (_counts(_exceptionId(id, record.generation, judgement.status, ANY_ADVISORIES))) return bytes4(0);
        return TcbStatusNotAccepted.selector;
    }

    function _counts(bytes32 exceptionId) private view returns (bool) {
        return block.timestamp < _exceptions[exceptionId];
    }

    function _exceptionId(bytes32 id, uint32 generation, TcbStatus status, bytes32 advisories)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(id, generation, status, advisories));
    }

    function _requirePlatformId(TeeKind tee, bytes16 platformId) private pure {
        if (tee == TeeKind.NONE) revert TeeKindMissing();
        if (platformId == bytes16(0)) revert PlatformIdIsZero(tee);
    }
}
