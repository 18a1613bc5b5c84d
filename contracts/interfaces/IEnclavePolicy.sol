// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel, TcbStatus} from "./AttestationTypes.sol";

/// @notice A trusted workload: code that somebody can rebuild and measure again.
/// @param level What a key inside this code may claim at most; NONE when the workload is not trusted.
/// @param addedAt When it was added, unix seconds.
/// @param commitHash The source's git commit (SHA-1, 20 bytes); zero when the source is not a commit.
/// @param source Where the source lies, for people: a URL, or a package with its version.
struct Workload {
    AssuranceLevel level;
    uint64 addedAt;
    bytes20 commitHash;
    string source;
}

/// @title IEnclavePolicy
/// @notice Answers one question: which code is trusted, on platforms of which security level?
/// @dev Normative description: docs/SPECIFICATION.md, EnclavePolicy.
/// WARNING: the policy's owner decides which measurements count. It cannot touch a key, an attestation or a
/// registry: nothing here calls another contract.
interface IEnclavePolicy {
    // --- events ------------------------------------------------------------------------------------

    /// @notice A workload is trusted from now on.
    /// @dev Reader invariants: cannot emit while the workload is trusted; `level` is not NONE and `source`
    /// is not empty. The set of {WorkloadAdded} without a later {WorkloadRemoved} is the whole policy.
    /// @param workload The workload id.
    /// @param level What a key inside it may claim at most.
    /// @param source Where the source lies.
    /// @param commitHash The source's commit.
    event WorkloadAdded(bytes32 indexed workload, AssuranceLevel level, string source, bytes20 commitHash);

    /// @notice A workload is no longer trusted; every enclave that runs it has lost its standing.
    /// @dev Reader invariants: cannot emit without an earlier {WorkloadAdded} of the same workload that no
    /// {WorkloadRemoved} has answered yet. Acts at once: there is no grace.
    /// @param workload The workload id.
    event WorkloadRemoved(bytes32 indexed workload);

    // --- errors ------------------------------------------------------------------------------------

    /// @notice The workload id zero is never trusted.
    error WorkloadIsZero();
    /// @notice A trusted workload must say what it may claim.
    error AssuranceLevelMissing(bytes32 workload);
    /// @notice A trusted workload must say where its source lies.
    error SourceMissing(bytes32 workload);
    /// @notice The workload is trusted already; to change its entry, remove it first.
    error WorkloadAlreadyTrusted(bytes32 workload);
    /// @notice The workload is not in the policy (any more).
    error WorkloadNotTrusted(bytes32 workload);
    /// @notice The platform's security level does not suffice for this workload.
    error TcbStatusNotAccepted(bytes32 workload, TcbStatus status);
    /// @notice A policy without an owner could not remove a workload: ownership can only be handed on.
    error OwnershipCannotBeRenounced();

    // --- administration ----------------------------------------------------------------------------

    /// @notice Trusts a workload from now on.
    /// @dev Owner only. Reverts: {WorkloadIsZero}, {AssuranceLevelMissing}, {SourceMissing},
    /// {WorkloadAlreadyTrusted}, OwnableUnauthorizedAccount.
    /// @param workload The workload id: a hash over TEE kind, measurement registers and attributes.
    /// @param level What a key inside it may claim at most; not NONE.
    /// @param source Where the source lies; not empty.
    /// @param commitHash The source's git commit, or zero when it is none.
    function addWorkload(bytes32 workload, AssuranceLevel level, string calldata source, bytes20 commitHash) external;

    /// @notice Stops trusting a workload, at once.
    /// @dev Owner only. Reverts: {WorkloadNotTrusted}, OwnableUnauthorizedAccount.
    /// @param workload The workload id.
    function removeWorkload(bytes32 workload) external;

    // --- views -------------------------------------------------------------------------------------

    /// @notice Whether the workload is trusted now.
    /// @param workload The workload id.
    /// @return trusted True when it is in the policy.
    function isWorkloadTrusted(bytes32 workload) external view returns (bool trusted);

    /// @notice The policy's entry.
    /// @param workload The workload id.
    /// @return entry The entry; `level` is NONE when the workload is not trusted.
    function workload(bytes32 workload) external view returns (Workload memory entry);

    /// @notice What a key inside this workload may claim at most.
    /// @param workload The workload id.
    /// @return level NONE when the workload is not trusted.
    function assuranceLevel(bytes32 workload) external view returns (AssuranceLevel level);

    /// @notice Whether the workload is trusted now, and on a platform of this security level. Never reverts.
    /// @param workload The workload id.
    /// @param status The platform's security level.
    /// @return acceptable True when both are.
    function isAcceptable(bytes32 workload, TcbStatus status) external view returns (bool acceptable);

    /// @notice Returns when {isAcceptable}, and reverts otherwise.
    /// @dev Reverts: {WorkloadNotTrusted} first, then {TcbStatusNotAccepted}.
    /// @param workload The workload id.
    /// @param status The platform's security level.
    function requireAcceptable(bytes32 workload, TcbStatus status) external view;
}
