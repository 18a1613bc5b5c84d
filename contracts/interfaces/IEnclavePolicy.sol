// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel, PlatformJudgement, TcbStatus, TeeKind} from "./AttestationTypes.sol";
import {IPolicyAdministration} from "./IPolicyAdministration.sol";

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
/// @notice Answers one question: which code is trusted, on which platforms?
/// @dev Normative description: docs/SPECIFICATION.md, EnclavePolicy.
///
/// A trusted workload is acceptable on a platform that is UP_TO_DATE and not denied. Any other status takes an
/// exception: this workload, this status, these advisories, until a deadline. An exception never lifts a
/// denial, never covers REVOKED, and ends with its workload's entry: adding the workload again brings none back.
/// The policy can demand that the key of an enclave is bound by evidence of several kinds of environment at once, so
/// that a forger has to break the chains of several vendors: {teeDemand}. Whether that many stand, IEnclaveRegistry says.
/// Five functions are additions, which wait under a lock; the rest acts at once: {IPolicyAdministration}.
/// WARNING: the policy's owner decides which measurements count. It cannot touch a key, an attestation or a
/// registry: nothing here calls another contract.
interface IEnclavePolicy is IPolicyAdministration {
    // --- events ------------------------------------------------------------------------------------

    /// @notice A workload is trusted from now on.
    /// @dev Reader invariants: cannot emit while the workload is trusted; `level` is not NONE and `source`
    /// is not empty. {WorkloadAdded} without a later {WorkloadRemoved} is what is trusted. The whole policy is
    /// that; {StatusAllowed} without a later {StatusWithdrawn} of the same three values or {WorkloadRemoved} of
    /// the same workload, until its deadline; every denial that is added and not lifted; and the last {KindsDemanded}.
    /// @param workload The workload id.
    /// @param level What a key inside it may claim at most.
    /// @param source Where the source lies.
    /// @param commitHash The source's commit.
    event WorkloadAdded(bytes32 indexed workload, AssuranceLevel level, string source, bytes20 commitHash);

    /// @notice A workload is no longer trusted; every enclave that runs it has lost its standing.
    /// @dev Reader invariants: cannot emit without an earlier {WorkloadAdded} of the same workload that no
    /// {WorkloadRemoved} has answered yet. Acts at once: there is no grace. Ends all of its exceptions.
    /// @param workload The workload id.
    event WorkloadRemoved(bytes32 indexed workload);

    /// @notice A workload is acceptable on platforms with this status and these advisories, until a deadline.
    /// @dev Reader invariants: the workload is trusted; `status` is none of NONE, UP_TO_DATE, REVOKED; `until`
    /// lies ahead, at most 365 days, with {anyAdvisories} at most 90. Replaces the deadline that an earlier
    /// event with the same three values gave.
    /// @param workload The workload id.
    /// @param status The platform's security level.
    /// @param advisories The commitment that {PlatformJudgement} must carry, or {anyAdvisories}.
    /// @param until The first second at which this no longer counts, unix seconds.
    event StatusAllowed(bytes32 indexed workload, TcbStatus indexed status, bytes32 indexed advisories, uint64 until);

    /// @notice An exception has been withdrawn.
    /// @dev Reader invariants: cannot emit without an earlier {StatusAllowed} of the same three values that no
    /// {StatusWithdrawn} and no {WorkloadRemoved} has answered yet. Acts at once.
    /// @param workload The workload id.
    /// @param status The platform's security level.
    /// @param advisories As in {StatusAllowed}.
    event StatusWithdrawn(bytes32 indexed workload, TcbStatus indexed status, bytes32 indexed advisories);

    /// @notice Nothing on this platform is acceptable from now on.
    /// @dev Reader invariants: emitted only while the platform is not denied. Acts at once on every enclave.
    /// @param tee The kind of environment.
    /// @param instance Which platform: Intel's PPID for SGX and TDX.
    event PlatformDenialAdded(TeeKind indexed tee, bytes16 indexed instance);

    /// @notice The platform is judged by its family and status again.
    /// @dev Reader invariants: emitted only while the platform is denied.
    /// @param tee The kind of environment.
    /// @param instance Which platform.
    event PlatformDenialLifted(TeeKind indexed tee, bytes16 indexed instance);

    /// @notice Nothing on platforms of this family is acceptable from now on.
    /// @dev Reader invariants: emitted only while the family is not denied. Acts at once on every enclave.
    /// @param tee The kind of environment.
    /// @param family Which family: Intel's FMSPC, left-aligned, for SGX and TDX.
    event FamilyDenialAdded(TeeKind indexed tee, bytes16 indexed family);

    /// @notice Platforms of this family are judged one by one again.
    /// @dev Reader invariants: emitted only while the family is denied.
    /// @param tee The kind of environment.
    /// @param family Which family.
    event FamilyDenialLifted(TeeKind indexed tee, bytes16 indexed family);

    /// @notice So many of these kinds of environment must stand behind an enclave from now on.
    /// @dev Reader invariants: the last event is what {teeDemand} says; without any, nothing is demanded. It differs from
    /// the event before. It lets an enclave pass that failed only with an {IPolicyAdministration.AdditionExecuted} before
    /// it, or in a policy without a lock. Acts at once on every enclave.
    /// @param required How many; zero: none is demanded.
    /// @param kinds Which count: bit n stands for the kind of value n.
    event KindsDemanded(uint8 indexed required, uint8 indexed kinds);

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
    /// @notice The platform's security level does not suffice for this workload: it is not UP_TO_DATE, and no
    /// exception that counts now names this status with these advisories.
    error TcbStatusNotAccepted(bytes32 workload, TcbStatus status, bytes32 advisories);
    /// @notice This very platform is denied.
    error PlatformDenied(TeeKind tee, bytes16 instance);
    /// @notice This family of platforms is denied.
    error FamilyDenied(TeeKind tee, bytes16 family);
    /// @notice No exception can name this status: UP_TO_DATE needs none, NONE and REVOKED never get one.
    error TcbStatusNotAllowable(TcbStatus status);
    /// @notice An exception must end after `earliest` - 1 and not after `latest`, unix seconds.
    error DeadlineOutOfRange(uint64 got, uint256 earliest, uint256 latest);
    /// @notice There is no such exception.
    error StatusNotAllowed(bytes32 workload, TcbStatus status, bytes32 advisories);
    /// @notice A denial must say which kind of environment it is about.
    error TeeKindMissing();
    /// @notice Zero stands for "not known" and names no platform and no family.
    error PlatformIdIsZero(TeeKind tee);
    /// @notice The platform is denied already.
    error PlatformAlreadyDenied(TeeKind tee, bytes16 instance);
    /// @notice The platform is not denied.
    error PlatformNotDenied(TeeKind tee, bytes16 instance);
    /// @notice The family is denied already.
    error FamilyAlreadyDenied(TeeKind tee, bytes16 family);
    /// @notice The family is not denied.
    error FamilyNotDenied(TeeKind tee, bytes16 family);

    /// @notice Only kinds that there are count, no more can be required than count, and none of none is the one form of
    /// no demand.
    error DemandInvalid(uint8 required, uint8 kinds);
    /// @notice An enclave might pass that fails under the present demand: that takes {relaxKinds}.
    error DemandWouldLoosen(uint8 required, uint8 kinds, uint8 currentlyRequired, uint8 currentKinds);
    /// @notice This is demanded already.
    error DemandUnchanged(uint8 required, uint8 kinds);

    // --- changes -----------------------------------------------------------------------------------
    // Each is the owner's alone and reverts OwnableUnauthorizedAccount first. An addition then reverts, under a lock,
    // AdditionNotScheduled, AdditionNotYetExecutable or AdditionLapsed.

    /// @notice Trusts a workload from now on. An addition.
    /// @dev Reverts, in this order: {WorkloadIsZero}, {AssuranceLevelMissing}, {SourceMissing},
    /// {WorkloadAlreadyTrusted}.
    /// @param workload The workload id: a hash over TEE kind, measurement registers and attributes.
    /// @param level What a key inside it may claim at most; not NONE.
    /// @param source Where the source lies; not empty.
    /// @param commitHash The source's git commit, or zero when it is none.
    function addWorkload(bytes32 workload, AssuranceLevel level, string calldata source, bytes20 commitHash) external;

    /// @notice Stops trusting a workload, at once, and ends its exceptions for ever.
    /// @dev Reverts: {WorkloadNotTrusted}.
    /// @param workload The workload id.
    function removeWorkload(bytes32 workload) external;

    /// @notice Makes a trusted workload acceptable on platforms with a status other than UP_TO_DATE, until a
    /// deadline. Called again with the same first three values, replaces the deadline. An addition.
    /// @dev Reverts, in this order: {TcbStatusNotAllowable}, {WorkloadNotTrusted}, {DeadlineOutOfRange}.
    /// WARNING: {anyAdvisories} accepts weaknesses that are not published yet. Name the advisories.
    /// @param workload The workload id.
    /// @param status The platform's security level; not NONE, UP_TO_DATE or REVOKED.
    /// @param advisories What {PlatformJudgement.advisories} must be, exactly. Zero: a judgement without any
    /// advisory, never "whatever they are"; that is {anyAdvisories}.
    /// @param until The first second at which this no longer counts, unix seconds: from the next second on, at
    /// most 365 days ahead, with {anyAdvisories} at most 90. Counted when this is called, not when it is scheduled.
    function allowStatus(bytes32 workload, TcbStatus status, bytes32 advisories, uint64 until) external;

    /// @notice Withdraws an exception, at once.
    /// @dev Reverts: {StatusNotAllowed}.
    /// @param workload The workload id.
    /// @param status The platform's security level.
    /// @param advisories As given to {allowStatus}.
    function withdrawStatus(bytes32 workload, TcbStatus status, bytes32 advisories) external;

    /// @notice Denies a platform: every enclave on it loses its standing at once.
    /// @dev Reverts, in this order: {TeeKindMissing}, {PlatformIdIsZero}, {PlatformAlreadyDenied}.
    /// @param tee The kind of environment.
    /// @param instance Which platform: Intel's PPID for SGX and TDX.
    function denyPlatform(TeeKind tee, bytes16 instance) external;

    /// @notice Lifts the denial of a platform. An addition.
    /// @dev Reverts: {PlatformNotDenied}.
    /// @param tee The kind of environment.
    /// @param instance Which platform.
    function allowPlatform(TeeKind tee, bytes16 instance) external;

    /// @notice Denies a family of platforms: every enclave on one of them loses its standing at once.
    /// @dev Reverts, in this order: {TeeKindMissing}, {PlatformIdIsZero}, {FamilyAlreadyDenied}.
    /// @param tee The kind of environment.
    /// @param family Which family: Intel's FMSPC, left-aligned, for SGX and TDX.
    function denyFamily(TeeKind tee, bytes16 family) external;

    /// @notice Lifts the denial of a family. An addition.
    /// @dev Reverts: {FamilyNotDenied}.
    /// @param tee The kind of environment.
    /// @param family Which family.
    function allowFamily(TeeKind tee, bytes16 family) external;

    /// @notice Demands more of every enclave, at once.
    /// @dev Whatever meets this demand must meet the present one: if there is one, `required` must be at least the
    /// present number plus one for each kind that does not count now. Reverts, in this order: {DemandInvalid},
    /// {DemandWouldLoosen}, {DemandUnchanged}.
    /// WARNING: SGX and TDX have one vendor and one root. To demand two vendors, let only one of the two count, or
    /// require more.
    /// @param required How many kinds must stand.
    /// @param kinds Which count: bit n stands for the kind of value n.
    function demandKinds(uint8 required, uint8 kinds) external;

    /// @notice Demands something else of every enclave, less too. An addition.
    /// @dev Reverts, in this order: {DemandInvalid}, {DemandUnchanged}.
    /// @param required How many kinds must stand; zero: none is demanded.
    /// @param kinds Which count; zero exactly when `required` is.
    function relaxKinds(uint8 required, uint8 kinds) external;

    // --- views -------------------------------------------------------------------------------------

    /// @notice How many of which kinds of environment must stand behind an enclave.
    /// @return required How many; zero: none is demanded, the enclave's first attestation suffices.
    /// @return kinds Which count: bit n stands for the kind of value n; zero exactly when `required` is.
    function teeDemand() external view returns (uint8 required, uint8 kinds);

    /// @notice Whether the workload is trusted now.
    /// @param workload The workload id.
    /// @return trusted True when it is in the policy.
    function isWorkloadTrusted(bytes32 workload) external view returns (bool trusted);

    /// @notice The policy's entry.
    /// @param workload The workload id.
    /// @return entry The entry; `level` is NONE when the workload is not trusted.
    function workload(bytes32 workload) external view returns (Workload memory entry);

    /// @notice How many workloads are trusted now.
    /// @return count How many.
    function workloadCount() external view returns (uint256 count);

    /// @notice A page of the trusted workloads. Never reverts.
    /// @dev The order is none that is promised, and a removal changes it: read all pages at one block.
    /// @param start The index of the first, from 0.
    /// @param count How many at most.
    /// @return ids The workload ids from `start` on; fewer than `count`, or none, at the end.
    function workloadIds(uint256 start, uint256 count) external view returns (bytes32[] memory ids);

    /// @notice What a key inside this workload may claim at most.
    /// @param workload The workload id.
    /// @return level NONE when the workload is not trusted.
    function assuranceLevel(bytes32 workload) external view returns (AssuranceLevel level);

    /// @notice The deadline of an exception that is recorded, passed or not.
    /// @param workload The workload id.
    /// @param status The platform's security level.
    /// @param advisories As given to {allowStatus}.
    /// @return until Unix seconds; 0 when there is none.
    function statusAllowedUntil(bytes32 workload, TcbStatus status, bytes32 advisories)
        external
        view
        returns (uint64 until);

    /// @notice Whether a platform itself is denied.
    /// @param tee The kind of environment.
    /// @param instance Which platform.
    /// @return denied True from {denyPlatform} to {allowPlatform}.
    function isPlatformDenied(TeeKind tee, bytes16 instance) external view returns (bool denied);

    /// @notice Whether a family of platforms is denied.
    /// @param tee The kind of environment.
    /// @param family Which family.
    /// @return denied True from {denyFamily} to {allowFamily}.
    function isFamilyDenied(TeeKind tee, bytes16 family) external view returns (bool denied);

    /// @notice Judges a workload on a platform now. Never reverts.
    /// @dev The first that holds of {WorkloadNotTrusted}, {PlatformDenied}, {FamilyDenied},
    /// {TcbStatusNotAccepted}.
    /// @param workload The workload id.
    /// @param tee The kind of environment.
    /// @param judgement What the verifier says of the platform now.
    /// @return reason Zero when acceptable, else the selector of the error that refuses it.
    function refusal(bytes32 workload, TeeKind tee, PlatformJudgement calldata judgement)
        external
        view
        returns (bytes4 reason);

    /// @notice Whether {refusal} finds nothing. Never reverts.
    /// @param workload The workload id.
    /// @param tee The kind of environment.
    /// @param judgement What the verifier says of the platform now.
    /// @return acceptable True when acceptable now.
    function isAcceptable(bytes32 workload, TeeKind tee, PlatformJudgement calldata judgement)
        external
        view
        returns (bool acceptable);

    /// @notice Returns when {isAcceptable}, and reverts otherwise.
    /// @dev Reverts: {WorkloadNotTrusted}, {PlatformDenied}, {FamilyDenied}, {TcbStatusNotAccepted}, in this
    /// order.
    /// @param workload The workload id.
    /// @param tee The kind of environment.
    /// @param judgement What the verifier says of the platform now.
    function requireAcceptable(bytes32 workload, TeeKind tee, PlatformJudgement calldata judgement) external view;

    /// @notice What {allowStatus} takes in place of a commitment to accept whatever advisories there are.
    /// @return wildcard keccak256("xmtp-tee/policy/any-advisories"), which no list of advisories hashes to.
    function anyAdvisories() external pure returns (bytes32 wildcard);
}
