// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import {AssuranceLevel, PlatformJudgement, TcbStatus, TeeKind} from "./interfaces/AttestationTypes.sol";
import {IEnclavePolicy, Workload} from "./interfaces/IEnclavePolicy.sol";
import {IPolicyAdministration} from "./interfaces/IPolicyAdministration.sol";
import {PolicyAdministration} from "./policy/PolicyAdministration.sol";
import {TeeKinds} from "./policy/TeeKinds.sol";

/// @title EnclavePolicy
/// @notice Which code is trusted, on which platforms; see {IEnclavePolicy}.
contract EnclavePolicy is IEnclavePolicy, PolicyAdministration {
    using EnumerableSet for EnumerableSet.Bytes32Set;

    /// @dev `generation` counts removals and survives them. It is part of every exception's key, so a workload
    /// that returns finds none of its old exceptions.
    struct WorkloadRecord {
        AssuranceLevel level;
        uint40 addedAt;
        uint32 generation;
        bytes20 commitHash;
        string source;
    }

    /// @dev How many denials are in force, and how many of which kinds must stand. While nothing is denied and nothing
    /// demanded, a judgement reads this one word and no more.
    struct Restrictions {
        uint112 platforms;
        uint112 families;
        uint8 requiredKinds;
        uint8 kinds;
    }

    bytes32 private constant ANY_ADVISORIES = keccak256("xmtp-tee/policy/any-advisories");
    uint256 private constant LONGEST_EXCEPTION = 365 days;
    uint256 private constant LONGEST_WILDCARD = 90 days;

    /// @dev A workload is trusted exactly when its record's level is not NONE.
    mapping(bytes32 workload => WorkloadRecord record) private _workloads;
    /// @dev The same workloads, for those who want to see them all; no judgement reads it.
    EnumerableSet.Bytes32Set private _workloadIds;
    mapping(bytes32 exceptionId => uint64 until) private _exceptions;
    Restrictions private _restrictions;
    mapping(TeeKind tee => mapping(bytes16 instance => bool denied)) private _deniedPlatforms;
    mapping(TeeKind tee => mapping(bytes16 family => bool denied)) private _deniedFamilies;

    /// @notice Starts with an empty policy: nothing is trusted.
    /// @param owner_ Who decides what is trusted; not zero.
    /// @param additionDelay_ Seconds that an addition waits: 0, or 1 hour to 30 days.
    constructor(address owner_, uint32 additionDelay_) PolicyAdministration(owner_, additionDelay_) {}

    // --- workloads -----------------------------------------------------------------------------------

    /// @inheritdoc IEnclavePolicy
    function addWorkload(bytes32 id, AssuranceLevel level, string calldata source, bytes20 commitHash)
        external
        addition
    {
        _checkWorkload(id, level, source);
        if (!_workloadIds.add(id)) revert WorkloadAlreadyTrusted(id);
        WorkloadRecord storage record = _workloads[id];
        record.level = level;
        record.addedAt = uint40(block.timestamp);
        record.commitHash = commitHash;
        record.source = source;
        emit WorkloadAdded(id, level, source, commitHash);
    }

    /// @inheritdoc IEnclavePolicy
    function removeWorkload(bytes32 id) external onlyOwner {
        if (!_workloadIds.remove(id)) revert WorkloadNotTrusted(id);
        uint32 generation = _workloads[id].generation;
        delete _workloads[id];
        _workloads[id].generation = generation + 1;
        emit WorkloadRemoved(id);
    }

    // --- exceptions ----------------------------------------------------------------------------------

    /// @inheritdoc IEnclavePolicy
    function allowStatus(bytes32 id, TcbStatus status, bytes32 advisories, uint64 until) external addition {
        _checkStatus(status);
        if (!isWorkloadTrusted(id)) revert WorkloadNotTrusted(id);
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
        ++_restrictions.platforms;
        emit PlatformDenialAdded(tee, instance);
    }

    /// @inheritdoc IEnclavePolicy
    function allowPlatform(TeeKind tee, bytes16 instance) external addition {
        if (!_deniedPlatforms[tee][instance]) revert PlatformNotDenied(tee, instance);
        delete _deniedPlatforms[tee][instance];
        --_restrictions.platforms;
        emit PlatformDenialLifted(tee, instance);
    }

    /// @inheritdoc IEnclavePolicy
    function denyFamily(TeeKind tee, bytes16 family) external onlyOwner {
        _requirePlatformId(tee, family);
        if (_deniedFamilies[tee][family]) revert FamilyAlreadyDenied(tee, family);
        _deniedFamilies[tee][family] = true;
        ++_restrictions.families;
        emit FamilyDenialAdded(tee, family);
    }

    /// @inheritdoc IEnclavePolicy
    function allowFamily(TeeKind tee, bytes16 family) external addition {
        if (!_deniedFamilies[tee][family]) revert FamilyNotDenied(tee, family);
        delete _deniedFamilies[tee][family];
        --_restrictions.families;
        emit FamilyDenialLifted(tee, family);
    }

    // --- several kinds -------------------------------------------------------------------------------

    /// @inheritdoc IEnclavePolicy
    function demandKinds(uint8 required, uint8 kinds) external onlyOwner {
        _checkDemand(required, kinds);
        (uint8 currently, uint8 current) = teeDemand();
        // Of `required` kinds that count, so many at most did not count before; the others did.
        if (currently != 0 && required < currently + TeeKinds.count(kinds & ~current)) {
            revert DemandWouldLoosen(required, kinds, currently, current);
        }
        _setDemand(required, kinds);
    }

    /// @inheritdoc IEnclavePolicy
    function relaxKinds(uint8 required, uint8 kinds) external addition {
        _checkDemand(required, kinds);
        _setDemand(required, kinds);
    }

    // --- views ---------------------------------------------------------------------------------------

    /// @inheritdoc IEnclavePolicy
    function workload(bytes32 id) external view returns (Workload memory entry) {
        WorkloadRecord storage record = _workloads[id];
        return Workload(record.level, record.addedAt, record.commitHash, record.source);
    }

    /// @inheritdoc IEnclavePolicy
    function workloadCount() external view returns (uint256 count) {
        return _workloadIds.length();
    }

    /// @inheritdoc IEnclavePolicy
    function workloadIds(uint256 start, uint256 count) external view returns (bytes32[] memory ids) {
        uint256 total = _workloadIds.length();
        if (start >= total) return ids;
        return _workloadIds.values(start, count < total - start ? start + count : total);
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

    /// @inheritdoc PolicyAdministration
    function owner() public view override(IPolicyAdministration, PolicyAdministration) returns (address account) {
        return super.owner();
    }

    /// @inheritdoc IEnclavePolicy
    function teeDemand() public view returns (uint8 required, uint8 kinds) {
        return (_restrictions.requiredKinds, _restrictions.kinds);
    }

    /// @inheritdoc IEnclavePolicy
    function isWorkloadTrusted(bytes32 id) public view returns (bool trusted) {
        return _workloads[id].level != AssuranceLevel.NONE;
    }

    // --- additions -----------------------------------------------------------------------------------

    /// @inheritdoc PolicyAdministration
    function _canonicalAddition(bytes4 selector, bytes calldata arguments)
        internal
        pure
        override
        returns (bytes memory call)
    {
        if (selector == IEnclavePolicy.addWorkload.selector) {
            (bytes32 id, AssuranceLevel level, string memory source, bytes20 commitHash) =
                abi.decode(arguments, (bytes32, AssuranceLevel, string, bytes20));
            _checkWorkload(id, level, source);
            return abi.encodeCall(IEnclavePolicy.addWorkload, (id, level, source, commitHash));
        }
        if (selector == IEnclavePolicy.allowStatus.selector) {
            (bytes32 id, TcbStatus status, bytes32 advisories, uint64 until) =
                abi.decode(arguments, (bytes32, TcbStatus, bytes32, uint64));
            _checkStatus(status);
            return abi.encodeCall(IEnclavePolicy.allowStatus, (id, status, advisories, until));
        }
        if (selector == IEnclavePolicy.allowPlatform.selector || selector == IEnclavePolicy.allowFamily.selector) {
            (TeeKind tee, bytes16 platformId) = abi.decode(arguments, (TeeKind, bytes16));
            return abi.encodeWithSelector(selector, tee, platformId);
        }
        if (selector == IEnclavePolicy.relaxKinds.selector) {
            (uint8 required, uint8 kinds) = abi.decode(arguments, (uint8, uint8));
            _checkDemand(required, kinds);
            return abi.encodeCall(IEnclavePolicy.relaxKinds, (required, kinds));
        }
        return super._canonicalAddition(selector, arguments);
    }

    function _setDemand(uint8 required, uint8 kinds) private {
        (uint8 currently, uint8 current) = teeDemand();
        if (required == currently && kinds == current) revert DemandUnchanged(required, kinds);
        (_restrictions.requiredKinds, _restrictions.kinds) = (required, kinds);
        emit KindsDemanded(required, kinds);
    }

    /// @dev No demand has one form: none of no kinds.
    function _checkDemand(uint8 required, uint8 kinds) private pure {
        if (kinds & ~TeeKinds.ALL != 0 || required > TeeKinds.count(kinds) || (required == 0) != (kinds == 0)) {
            revert DemandInvalid(required, kinds);
        }
    }

    function _checkWorkload(bytes32 id, AssuranceLevel level, string memory source) private pure {
        if (id == bytes32(0)) revert WorkloadIsZero();
        if (level == AssuranceLevel.NONE) revert AssuranceLevelMissing(id);
        if (bytes(source).length == 0) revert SourceMissing(id);
    }

    function _checkStatus(TcbStatus status) private pure {
        if (status == TcbStatus.NONE || status == TcbStatus.UP_TO_DATE || status == TcbStatus.REVOKED) {
            revert TcbStatusNotAllowable(status);
        }
    }

    // --- judgement -----------------------------------------------------------------------------------

    /// @dev Two words while nothing is denied and the platform is up to date.
    function _refusal(bytes32 id, TeeKind tee, PlatformJudgement calldata judgement) private view returns (bytes4) {
        WorkloadRecord storage record = _workloads[id];
        if (record.level == AssuranceLevel.NONE) return WorkloadNotTrusted.selector;
        (uint112 platforms, uint112 families) = (_restrictions.platforms, _restrictions.families);
        if (platforms != 0 && _deniedPlatforms[tee][judgement.instance]) return PlatformDenied.selector;
        if (families != 0 && _deniedFamilies[tee][judgement.family]) return FamilyDenied.selector;
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
