// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {AssuranceLevel, TcbStatus} from "./interfaces/AttestationTypes.sol";
import {IEnclavePolicy, Workload} from "./interfaces/IEnclavePolicy.sol";

/// @title EnclavePolicy
/// @notice Which code is trusted; see {IEnclavePolicy}.
contract EnclavePolicy is IEnclavePolicy, Ownable2Step {
    /// @dev A workload is trusted exactly when its entry's level is not NONE.
    mapping(bytes32 workload => Workload entry) private _workloads;

    /// @notice Starts with an empty policy: nothing is trusted.
    /// @param owner_ Who decides which workloads are trusted; not zero.
    constructor(address owner_) Ownable(owner_) {}

    /// @inheritdoc IEnclavePolicy
    function addWorkload(bytes32 id, AssuranceLevel level, string calldata source, bytes20 commitHash)
        external
        onlyOwner
    {
        if (id == bytes32(0)) revert WorkloadIsZero();
        if (level == AssuranceLevel.NONE) revert AssuranceLevelMissing(id);
        if (bytes(source).length == 0) revert SourceMissing(id);
        if (isWorkloadTrusted(id)) revert WorkloadAlreadyTrusted(id);
        _workloads[id] = Workload(level, uint64(block.timestamp), commitHash, source);
        emit WorkloadAdded(id, level, source, commitHash);
    }

    /// @inheritdoc IEnclavePolicy
    function removeWorkload(bytes32 id) external onlyOwner {
        if (!isWorkloadTrusted(id)) revert WorkloadNotTrusted(id);
        delete _workloads[id];
        emit WorkloadRemoved(id);
    }

    /// @inheritdoc IEnclavePolicy
    function workload(bytes32 id) external view returns (Workload memory entry) {
        return _workloads[id];
    }

    /// @inheritdoc IEnclavePolicy
    function assuranceLevel(bytes32 id) external view returns (AssuranceLevel level) {
        return _workloads[id].level;
    }

    /// @inheritdoc IEnclavePolicy
    function isAcceptable(bytes32 id, TcbStatus status) external view returns (bool acceptable) {
        return isWorkloadTrusted(id) && _isStatusAccepted(status);
    }

    /// @inheritdoc IEnclavePolicy
    function requireAcceptable(bytes32 id, TcbStatus status) external view {
        if (!isWorkloadTrusted(id)) revert WorkloadNotTrusted(id);
        if (!_isStatusAccepted(status)) revert TcbStatusNotAccepted(id, status);
    }

    /// @notice Always reverts: a policy without an owner could not stop trusting a workload.
    function renounceOwnership() public pure override {
        revert OwnershipCannotBeRenounced();
    }

    /// @inheritdoc IEnclavePolicy
    function isWorkloadTrusted(bytes32 id) public view returns (bool trusted) {
        return _workloads[id].level != AssuranceLevel.NONE;
    }

    /// @dev The vendor calls only UP_TO_DATE free of known weaknesses, so only that is accepted.
    function _isStatusAccepted(TcbStatus status) private pure returns (bool) {
        return status == TcbStatus.UP_TO_DATE;
    }
}
