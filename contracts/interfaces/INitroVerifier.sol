// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAttestationVerifier} from "./IAttestationVerifier.sol";
import {IP384} from "./IP384.sol";

/// @notice What is remembered of a certificate that was verified down to the pinned root.
/// @param parent The id of its issuer's certificate; zero for the root.
/// @param notAfter The last second of its validity, unix seconds.
/// @param ca Whether it is a CA's; else it signs documents.
/// @param pathLength How many CAs may stand below it.
/// @param revoked Whether its issuer has revoked it. Final.
struct NitroCertificateRecord {
    bytes20 parent;
    uint40 notAfter;
    bool ca;
    uint8 pathLength;
    bool revoked;
}

/// @title INitroVerifier
/// @notice Verifies AWS Nitro Enclaves attestation documents down to the pinned root (AWS, Nitro Enclaves Attestation
/// Process; RFC 9052, COSE_Sign1 with ES384; RFC 8949, CBOR; RFC 5280).
/// @dev Evidence is
/// `0x00 | document length 2 | document | witness length 2 | witness | count 1 | count times (witness length 2 | witness)`,
/// numbers big-endian. The document is as the security module makes it, an untagged COSE_Sign1. The first witness is
/// {IP384}'s for the document's signature. The others are for the last `count` certificates of the chain `cabundle,
/// certificate`, in that order: 0 when the leaf is known here, 1 when it is new and its issuer known, and so on. Witnesses
/// for certificates that turn out to be known are skipped.
///
/// The id of a certificate is the first 20 bytes of keccak256 over its signed part (TBSCertificate, DER): not over its
/// signature, which has a twin. The platform's handle is the leaf's id. A leaf stands for one run of one enclave on one
/// instance, and lives three hours.
///
/// The workload id is keccak256 over the tag keccak256("xmtp-tee/workload/nitro/v1"), 32 bytes, and PCR0, PCR1, PCR2 and
/// PCR8, 48 bytes each; PCR8 is zero for an image that is not signed.
///
/// report data: user_data, filled up with zeros to 64 bytes.
///
/// Judgement: always UP_TO_DATE, since AWS publishes no levels. `instance` is the first 16 bytes of keccak256 over the
/// instance's id, the text before "-enc" in module_id, so that a denial outlives a restart; `family` is zero.
///
/// How long is a platform judged? {IAttestationVerifier-verify} demands that every certificate of the chain is valid now.
/// {IAttestationVerifier-judgePlatform} demands that each was valid until at most {certificateGrace} ago. The leaf would
/// otherwise end every attestation within three hours; the grace, fixed at deployment, says for how long what was
/// verified in time may be believed.
///
/// Who may revoke: the CA that issued a certificate, by a CRL that it signed and that anyone may bring. It takes effect at
/// the next read on everything below that certificate, and is final. That a CRL is fresh is NOT demanded, because AWS
/// promises none for the lower levels and says that revocation must not be checked; the lifetimes (regional CA three
/// weeks, zonal a week, instance a day, leaf three hours) do most of its work. A single machine is shut out by
/// EnclavePolicy's deny-list.
///
/// ██ WARNING ██ It does NOT decide
/// - whether the workload is trusted, whether the document is fresh, or what its user data binds: the caller does;
/// - what nonce and public_key say: the binding stands in user_data alone;
/// - on which role or instance the enclave runs (PCR3, PCR4): they are not part of the workload id;
/// - whether this instance is honest.
/// Signatures are malleable: never use a hash of evidence as an identity or replay key.
interface INitroVerifier is IAttestationVerifier {
    // --- events ------------------------------------------------------------------------------------

    /// @notice A certificate has been verified down to the pinned root and is remembered.
    /// @dev Reader invariants: emitted once per id, in the transaction that verified it; only `revoked` ever changes
    /// afterwards. It may be expired or revoked by the time this is read.
    event CertificateAccepted(bytes20 indexed id, bytes20 indexed parent, bool ca, uint40 notAfter, uint256 serial);

    /// @notice The enclave's leaf certificate has been verified: `platform` is its id.
    /// @dev Reader invariants: emitted once per platform, with its {CertificateAccepted}.
    event PlatformRecorded(bytes20 indexed platform, bytes16 indexed instance);

    /// @notice A certificate has been revoked.
    /// @dev Reader invariants: emitted once per (issuer, serial); final; the list's signature by the issuer was checked.
    /// @param issuer keccak256 of the issuer's DER name.
    event SerialRevoked(bytes32 indexed issuer, uint256 serial);

    // --- errors: construction ----------------------------------------------------------------------

    /// @notice The address given for P384 has no code.
    error P384NotAContract(address p384);
    /// @notice The grace exceeds the bound.
    error GraceTooLong(uint64 got, uint64 limit);
    /// @notice The certificate given as the root does not name itself as its issuer.
    error RootNotSelfIssued(bytes32 issuer, bytes32 subject);

    // --- errors: form ------------------------------------------------------------------------------

    /// @notice The first byte of the evidence is no known form.
    error EvidenceFormUnsupported(uint8 form);
    /// @notice The evidence ends too early.
    error EvidenceTooShort(uint256 got, uint256 needed);
    /// @notice The evidence has bytes behind its last witness.
    error EvidenceTooLong(uint256 got, uint256 expected);
    /// @notice There are more witnesses than certificates below the root.
    error TooManyWitnesses(uint256 got, uint256 limit);
    /// @notice The document is not an untagged COSE_Sign1 with the protected header {1: -35} (ES384), no other header, and
    /// a signature of 96 bytes.
    error CoseUnsupported();
    /// @notice The document has a field that AWS does not define. `key` is its name, its length in the top byte.
    error DocumentFieldUnknown(uint256 offset, uint256 key);
    /// @notice A field occurs twice.
    error DocumentFieldDuplicate(uint256 offset, uint256 key);
    /// @notice Fields are missing. A bit for each: 0 module_id, 1 digest, 2 timestamp, 3 pcrs, 4 certificate, 5 cabundle.
    error DocumentFieldsMissing(uint256 got, uint256 required);
    /// @notice A field's value has a length that AWS does not allow.
    error DocumentFieldLength(uint256 offset, uint256 got, uint256 limit);
    /// @notice PCRs are hashed by another function than SHA-384.
    error DigestUnsupported();
    /// @notice The PCRs are not 0 to 15 (and perhaps some up to 31) in ascending order.
    error PcrUnexpected(uint256 got, uint256 expected);
    /// @notice A PCR has not 48 bytes.
    error PcrLength(uint256 index, uint256 got);
    /// @notice There is no user_data.
    error UserDataMissing();
    /// @notice user_data has more than 64 bytes.
    error UserDataTooLong(uint256 got);
    /// @notice module_id has no instance before "-enc", or is not the first label of the leaf's common name.
    error ModuleMismatch();

    // --- errors: what runs -------------------------------------------------------------------------

    /// @notice PCR0, PCR1 or PCR2 is all zero: the enclave runs in debug mode.
    /// @param attributes Which PCR, in the last byte.
    error DebugEnclave(bytes8 attributes);

    // --- errors: genuineness -----------------------------------------------------------------------
    // A wrong signature reverts with an error of {IP384}.

    /// @notice The document's time, in milliseconds, lies outside of the leaf's validity or in the future.
    error TimestampOutOfRange(uint256 got, uint256 earliest, uint256 latest);
    /// @notice The chain does not begin at the pinned root, or the certificate is new and no witness was given for it.
    error CertificateUnknown(bytes20 id);
    /// @notice No platform with this handle has been verified.
    error PlatformUnknown(bytes20 platform);
    /// @notice The issuer's name is not the subject name of the certificate before it.
    error IssuerMismatch(bytes32 got, bytes32 expected);
    /// @notice The certificate names another key as its issuer's.
    error IssuerKeyIdMismatch(bytes20 got, bytes20 expected);
    /// @notice The certificate before it admits no CA below it.
    error PathTooLong(bytes20 parent);
    /// @notice A certificate that signs documents is used as a CA, or the other way round.
    error CertificateRoleMismatch(bytes20 id, bool ca);
    /// @notice The certificate is not valid yet.
    error CertificateNotYetValid(uint256 notBefore, uint256 time);
    /// @notice The certificate, or one above it, has expired; at a judgement: longer ago than the grace.
    error CertificateExpired(uint256 notAfter, uint256 time);
    /// @notice The certificate, or one above it, was revoked by its issuer.
    error CertificateRevoked(bytes20 id);
    /// @notice Another certificate of this issuer has the same serial number.
    error SerialTaken(bytes32 revocationKey, bytes20 id);

    // --- errors: CRLs ------------------------------------------------------------------------------

    /// @notice The issuer may not sign CRLs.
    error CrlSignMissing(uint16 keyUsage);
    /// @notice The CRL is from the future.
    error CrlNotYetValid(uint256 thisUpdate, uint256 time);

    // --- submissions (anyone) ----------------------------------------------------------------------

    /// @notice Revokes what a CRL of a known CA lists, so far as it is not revoked already.
    /// @dev About 900,000 gas, 25,000 for each 128 bytes of the list and 24,000 for each new entry. An old list is accepted
    /// too: what it revokes is revoked for ever. A list that is too long for one transaction is brought in parts.
    /// @param der The CRL, X.509 v2, DER, signed with ecdsa-with-SHA384.
    /// @param issuer The CA's certificate, DER; it and all above it must count now.
    /// @param witness {IP384}'s for the CRL's signature.
    /// @param first The index of the first entry to revoke.
    /// @param count How many to revoke at most.
    function submitCrl(bytes calldata der, bytes calldata issuer, bytes calldata witness, uint256 first, uint256 count)
        external;

    // --- views -------------------------------------------------------------------------------------

    /// @notice What is remembered of a certificate. Reverts with {CertificateUnknown}.
    /// @dev It says nothing of those above it.
    function certificate(bytes20 id) external view returns (NitroCertificateRecord memory);

    /// @notice Whether a certificate was revoked.
    /// @param issuer keccak256 of the issuer's DER name.
    function isRevoked(bytes32 issuer, uint256 serial) external view returns (bool);

    /// @notice The id of the pinned root's certificate.
    function rootId() external view returns (bytes20);

    /// @notice How long after the end of its certificates a platform is still judged, in seconds.
    function certificateGrace() external view returns (uint64);

    /// @notice The contract that computes SHA-384.
    function sha384() external view returns (address hasher);

    /// @notice The contract that checks signatures over P-384.
    function p384() external view returns (IP384);
}
