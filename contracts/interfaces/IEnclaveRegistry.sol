// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel, TcbStatus, TeeKind} from "./AttestationTypes.sol";
import {IAttestationRouter} from "./IAttestationRouter.sol";
import {IEnclavePolicy} from "./IEnclavePolicy.sol";

/// @notice What is recorded of an enclave. Whether it is trusted is not recorded: that is judged when asked.
/// @dev NONE -> ATTESTED <-> INVALIDATED: only a fresh attestation leads back. RETIRED and REVOKED are reached from
/// each of these three and left by nothing.
enum EnclaveState {
    NONE,
    ATTESTED,
    INVALIDATED,
    RETIRED,
    REVOKED
}

/// @notice An attestation of an enclave, under the address of its authority key.
/// @dev Its transport key is bound and announced in {IEnclaveRegistry.EnclaveAttested}, and not stored.
/// @param state NONE when nothing is recorded. RETIRED and REVOKED keep the other fields of the last attestation,
/// zeros when there was none.
/// @param tee The kind of environment.
/// @param blockNumber The block that its newest quote is bound to.
/// @param attestedAt When that quote was verified here, unix seconds.
/// @param expiresAt The first second at which the attestation no longer counts, unix seconds.
/// @param workload The workload id, taken from verified bytes.
/// @param platform The verifier's handle of the platform.
struct Enclave {
    EnclaveState state;
    TeeKind tee;
    uint64 blockNumber;
    uint64 attestedAt;
    uint64 expiresAt;
    bytes32 workload;
    bytes20 platform;
}

/// @title IEnclaveRegistry
/// @notice Answers one question: which enclaves are attested now? An enclave is named by its authority: the
/// address of a secp256k1 key that was made inside it and is bound into its quote.
///
/// One enclave may be attested by evidence of several kinds of environment, all of which bind its one authority. Each
/// kind has an attestation of its own, with its own workload, platform, expiry and renewals. The kind of the first never
/// changes, and the first must stand for the enclave to be trusted. How many kinds must stand, the policy says:
/// {IEnclavePolicy.teeDemand}.
/// @dev Normative description: docs/SPECIFICATION.md, EnclaveRegistry.
/// WARNING: a record says what was verified once. Trust is what {standing} says when it is asked.
/// WARNING: nothing here says that the enclave is alive, whom it serves, or which keys it holds.
interface IEnclaveRegistry {
    // --- events ------------------------------------------------------------------------------------

    /// @notice An enclave has been attested, for the first time or again.
    /// @dev Reader invariants: in this very transaction the verifier accepted evidence whose report data
    /// binds chain, this contract, `authority`, `transportKey` and the hash of block `blockNumber`; the
    /// policy accepted `workload` on this platform, with `status` and `advisories`; `blockNumber` is greater than in every
    /// earlier event of this authority and `tee`. Replaces what an earlier event of both said, invalidation included, and
    /// nothing that one of another kind said. The `tee` of an authority's first event is that of {enclave}.
    /// @param authority The address of the enclave's authority key.
    /// @param workload The workload id.
    /// @param platform The verifier's handle of the platform.
    /// @param tee The kind of environment.
    /// @param status The platform's security level at this moment.
    /// @param advisories What stood behind it: {PlatformJudgement.advisories}.
    /// @param transportKey The enclave's X25519 key for sessions.
    /// @param blockNumber The block that the evidence is bound to.
    /// @param expiresAt The first second at which this attestation no longer counts.
    event EnclaveAttested(
        address indexed authority,
        bytes32 indexed workload,
        bytes20 indexed platform,
        TeeKind tee,
        TcbStatus status,
        bytes32 advisories,
        bytes32 transportKey,
        uint64 blockNumber,
        uint64 expiresAt
    );

    /// @notice An attestation has been found to fail and no longer counts, whatever changes later.
    /// @dev Reader invariants: the attestation failed at this moment for a definite reason
    /// (an error of {IEnclavePolicy.refusal}, or {AttestationExpired}), never because it could not be judged. Only a later
    /// {EnclaveAttested} of this authority and kind restores it.
    /// @param authority The address of the enclave's authority key.
    /// @param tee The kind of the attestation; attestations of other kinds are untouched.
    /// @param reason The selector of the error that refused it.
    event AttestationInvalidated(address indexed authority, TeeKind indexed tee, bytes4 indexed reason);

    /// @notice An authority has ended for good, with its attestations of every kind: by its own signature, or by the policy's owner.
    /// @dev Reader invariants: emitted once for an authority, and no event of this authority follows. `state` is
    /// RETIRED or REVOKED. The authority may never have been attested.
    /// @param authority The address of the enclave's authority key.
    /// @param state RETIRED when the authority itself signed; REVOKED when the policy's owner decided.
    event EnclaveEnded(address indexed authority, EnclaveState indexed state);

    // --- errors: construction ----------------------------------------------------------------------

    /// @notice A contract this one depends on has no code.
    error NotAContract(address account);
    /// @notice The greatest age of a bound block must be 1 to 8191 blocks (EIP-2935).
    error MaxBlockAgeOutOfRange(uint256 got, uint256 limit);
    /// @notice The lifetime of an attestation must be 1 second to `limit` seconds.
    error AttestationTtlOutOfRange(uint64 got, uint64 limit);

    // --- errors: attesting -------------------------------------------------------------------------
    // BlockNotYetMined, BlockTooOld and BlockHashUnavailable come from the library BlockHistory.

    /// @notice The zero address cannot sign, so it is no authority.
    error AuthorityIsZero();
    /// @notice The evidence does not bind this chain, registry, authority, transport key and block.
    error ReportDataMismatch(bytes32 got, bytes32 expected);
    /// @notice The second half of the report data must be zero: nothing may be smuggled in.
    error ReportDataTailNotZero(bytes32 got);
    /// @notice A renewal must be bound to a newer block than the recorded attestation of its kind.
    error AttestationNotNewer(uint256 got, uint256 recorded);

    // --- errors: ending ----------------------------------------------------------------------------
    // The signature's own (ECDSAInvalidSignatureLength, ECDSAInvalidSignatureS, ECDSAInvalidSignature) are
    // OpenZeppelin's.

    /// @notice The retirement is not signed by the authority that it names.
    error RetirementSignerMismatch(address got, address expected);
    /// @notice Only the policy's owner revokes.
    error NotThePolicyOwner(address account);

    // --- errors: standing --------------------------------------------------------------------------

    /// @notice This authority was never attested.
    error EnclaveUnknown(address authority);
    /// @notice The attestation was found to fail; only a fresh one restores the authority.
    error EnclaveInvalidated(address authority);
    /// @notice The enclave has retired its authority, for good.
    error EnclaveRetired(address authority);
    /// @notice The policy's owner has revoked the authority, for good.
    error EnclaveRevoked(address authority);
    /// @notice The attestation's lifetime is over.
    error AttestationExpired(address authority, uint64 expiresAt);
    /// @notice The verifier gave no answer that can be read (out of gas included).
    error PlatformNotJudged(bytes20 platform);
    /// @notice Fewer kinds of environment stand behind the enclave than the policy demands.
    error TooFewTeeKinds(address authority);
    /// @notice The enclave does not pass; `reason` is the selector of the error that refuses it.
    error EnclaveNotTrusted(address authority, bytes4 reason);
    /// @notice The enclave passes, so there is nothing to invalidate.
    error EnclaveStillTrusted(address authority);
    /// @notice The enclave fails for a reason that may pass: a platform that cannot be judged now, or a kind of
    /// environment that is lacking. That suspends trust and invalidates nothing.
    error EnclaveSuspended(address authority, bytes4 reason);

    // --- actions -----------------------------------------------------------------------------------

    /// @notice Records an enclave from evidence, or renews its attestation by the evidence's kind, or adds one.
    /// @dev Permissionless: the evidence alone decides. Asks nothing of attestations of other kinds. Reverts, in this
    /// order: {AuthorityIsZero}, BlockNotYetMined, BlockTooOld, {EnclaveRetired}, {EnclaveRevoked},
    /// {IAttestationRouter.EvidenceEmpty}, {IAttestationRouter.TeeKindUnsupported}, {AttestationNotNewer},
    /// BlockHashUnavailable, every error of the verifier, {IAttestationRouter.TeeKindMismatch},
    /// {ReportDataTailNotZero}, {ReportDataMismatch}, every error of {IEnclavePolicy.requireAcceptable}.
    /// @param authority The address of the enclave's authority key.
    /// @param transportKey The enclave's X25519 key for sessions, 32 bytes.
    /// @param blockNumber The block that the evidence is bound to.
    /// @param evidence TEE kind (1 byte), then what the verifier of that TEE takes.
    function attest(address authority, bytes32 transportKey, uint64 blockNumber, bytes calldata evidence) external;

    /// @notice Makes definite failures lasting, so that they do not pass when their cause does: of every attestation of
    /// this authority that fails now, whatever its kind. One that is of a kind that does not count is no exception.
    /// @dev Permissionless. Reverts: {EnclaveUnknown}, {EnclaveRetired}, {EnclaveRevoked}; and when no attestation fails
    /// definitely: {EnclaveStillTrusted}, {EnclaveInvalidated} when the first attestation is already, {EnclaveSuspended}.
    /// @param authority The address of the enclave's authority key.
    function invalidate(address authority) external;

    /// @notice Ends an authority for good, by its own signature: an enclave that shuts down, or that suspects a leak.
    /// @dev Permissionless: anyone may bring it. No nonce and no deadline: it acts once, because it is final. Reverts,
    /// in this order: {EnclaveRetired}, {EnclaveRevoked}, the signature's own errors, {RetirementSignerMismatch}.
    /// WARNING: whoever holds a leaked authority key can do this too. What it can do is end.
    /// @param authority The address of the enclave's authority key; attested ever or not.
    /// @param signature Over {retirementDigest}, 65 bytes: r || s || v.
    function retire(address authority, bytes calldata signature) external;

    /// @notice Ends an authority for good, by decision of the policy's owner: a key that leaked.
    /// @dev The policy's owner only. Reverts, in this order: {NotThePolicyOwner}, {AuthorityIsZero}, {EnclaveRetired},
    /// {EnclaveRevoked}.
    /// @param authority The address of the enclave's authority key; attested ever or not.
    function revoke(address authority) external;

    // --- views -------------------------------------------------------------------------------------

    /// @notice Judges an enclave now: by the record, today's policy and the newest collateral.
    /// @dev Never reverts. Reasons, the first that holds: {EnclaveUnknown}, {EnclaveInvalidated},
    /// {EnclaveRetired}, {EnclaveRevoked}, {AttestationExpired}, {IEnclavePolicy.WorkloadNotTrusted}, the verifier's
    /// error or {PlatformNotJudged}, {IEnclavePolicy.PlatformDenied}, {IEnclavePolicy.FamilyDenied},
    /// {IEnclavePolicy.TcbStatusNotAccepted}; all of the first attestation. Then {TooFewTeeKinds}, when fewer of the kinds
    /// that the policy counts stand, the first among them, than it demands.
    /// @param authority The address of the enclave's authority key.
    /// @return trusted Whether it passes.
    /// @return reason Zero when it passes, else the selector of the error that refuses it.
    function standing(address authority) external view returns (bool trusted, bytes4 reason);

    /// @notice Returns when {standing} says trusted, and reverts otherwise.
    /// @dev Reverts: {EnclaveNotTrusted}.
    /// @param authority The address of the enclave's authority key.
    function requireTrusted(address authority) external view;

    /// @notice Returns when the first attestation's record alone stands: attested, not invalidated, not ended, not expired.
    /// @dev Reads one storage word. WARNING: asks neither the policy, whatever kinds it demands, nor the verifier, so it must not stand
    /// where trust is conferred; it is for actions whose result a reader judges again by {standing}.
    /// Reverts: {EnclaveNotTrusted} with {EnclaveUnknown}, {EnclaveInvalidated}, {EnclaveRetired}, {EnclaveRevoked} or
    /// {AttestationExpired}.
    /// @param authority The address of the enclave's authority key.
    function requireAttested(address authority) external view;

    /// @notice What is recorded of an enclave: its first attestation.
    /// @param authority The address of the enclave's authority key.
    /// @return record The record; `state` is NONE when there is none.
    function enclave(address authority) external view returns (Enclave memory record);

    /// @notice An enclave's attestation by one kind of environment, and how it stands now by itself.
    /// @dev Never reverts. Whether the enclave is trusted, {standing} says.
    /// @param authority The address of the enclave's authority key.
    /// @param tee The kind.
    /// @return record The attestation; `state` is NONE when there is none, and the end's when the authority has ended.
    /// @return reason Zero when it stands, else the first reason of {standing} that holds of it, {EnclaveUnknown} when
    /// there is none; never {TooFewTeeKinds}.
    function attestation(address authority, TeeKind tee) external view returns (Enclave memory record, bytes4 reason);

    /// @notice What a key of this enclave may claim now: the lowest of the ceiling, the level of the first attestation's
    /// workload and, while the policy demands kinds, the levels of the workloads of all that stand and count.
    /// @param authority The address of the enclave's authority key.
    /// @return level NONE when the enclave is not trusted now.
    function assuranceOf(address authority) external view returns (AssuranceLevel level);

    /// @notice What anything behind this deployment may claim at most.
    /// @return level SIMULATED under a development root, else MEMBER.
    function assuranceCeiling() external view returns (AssuranceLevel level);

    /// @notice The report data an enclave must bind: bytes 0 to 31; bytes 32 to 63 are zero.
    /// @dev keccak256(abi.encode(keccak256("EnclaveBinding(uint256 chainId,address enclaveRegistry,address
    /// authority,bytes32 transportKey,uint256 blockNumber,bytes32 blockHash)"), ...)), with this chain and
    /// this contract. Does not judge whether the block is recent or the hash is right.
    /// @param authority The address of the enclave's authority key.
    /// @param transportKey The enclave's X25519 key for sessions.
    /// @param blockNumber The bound block.
    /// @param blockHash Its hash.
    /// @return digest The binding.
    function bindingDigest(address authority, bytes32 transportKey, uint256 blockNumber, bytes32 blockHash)
        external
        view
        returns (bytes32 digest);

    /// @notice What an authority signs to retire.
    /// @dev EIP-712, type RetireEnclave(address authority), domain {name: "XMTP TEE EnclaveRegistry", version: "1",
    /// chainId, verifyingContract: this contract} (ERC-5267: eip712Domain()).
    /// @param authority The address of the enclave's authority key.
    /// @return digest The 32 bytes to sign.
    function retirementDigest(address authority) external view returns (bytes32 digest);

    /// @notice The verifier of evidence, fixed for ever, as its routes are.
    /// @return contract_ Its address.
    function verifier() external view returns (IAttestationRouter contract_);

    /// @notice The policy, fixed for ever.
    /// @return contract_ Its address.
    function policy() external view returns (IEnclavePolicy contract_);

    /// @notice How many blocks old a bound block may be.
    /// @return blocks 1 to 8191.
    function maxBlockAge() external view returns (uint256 blocks);

    /// @notice How long an attestation counts.
    /// @return seconds_ The lifetime in seconds.
    function attestationTtl() external view returns (uint64 seconds_);
}
