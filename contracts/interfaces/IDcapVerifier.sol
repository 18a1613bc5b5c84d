// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TcbStatus, TeeKind} from "./AttestationTypes.sol";
import {IAttestationVerifier} from "./IAttestationVerifier.sol";
import {IDcapCertificates} from "./IDcapCertificates.sol";
import {IDcapCollateral} from "./IDcapCollateral.sol";

/// @notice The parts of a platform that Intel judges by a level of their own.
enum TcbPart {
    PLATFORM,
    TDX_MODULE,
    QUOTING_ENCLAVE
}

/// @notice A platform whose quote was verified: what {IAttestationVerifier-platformStatus} judges again.
/// @dev Two slots; a known platform's verification reads the second alone.
/// @param pckId Its PCK certificate, see {IDcapCertificates-pckRecord}.
/// @param teeTcbSvn TEE_TCB_SVN of the TD report; zero for SGX.
/// @param environment The index of its {Environment}.
/// @param tee The kind of quote.
/// @param judged The last judgement by {IAttestationVerifier-verify}.
/// @param judgedUnder Which collateral gave that judgement: the first 11 bytes of
/// keccak256(abi.encode(content of the TCB info, content of the QE identity)). Under other collateral the
/// judgement says nothing.
struct Platform {
    bytes32 pckId;
    bytes16 teeTcbSvn;
    uint24 environment;
    TeeKind tee;
    TcbStatus judged;
    bytes11 judgedUnder;
}

/// @notice What many platforms share: the quoting enclave as its report describes it, and who signed the TDX
/// module.
/// @param qeMrSigner MRSIGNER of the quoting enclave.
/// @param qeAttributes ATTRIBUTES of the quoting enclave.
/// @param qeMiscselect MISCSELECT of the quoting enclave.
/// @param qeIsvProdId ISVPRODID of the quoting enclave.
/// @param qeIsvSvn ISVSVN of the quoting enclave.
/// @param seamSigner keccak256 of MRSIGNERSEAM; zero for SGX.
struct Environment {
    bytes32 qeMrSigner;
    bytes16 qeAttributes;
    bytes4 qeMiscselect;
    uint16 qeIsvProdId;
    uint16 qeIsvSvn;
    bytes32 seamSigner;
}

/// @title IDcapVerifier
/// @notice Verifies Intel DCAP quotes down to the pinned root: TDX quotes of version 4 with ECDSA P-256 keys.
/// @dev Evidence is one of
/// - `0x00 | pckId 32 | x 32 | y 32 | compact quote`, when the platform's PCK certificate is stored;
/// - `0x01 | leaf length 2 | PCK certificate DER | compact quote`, which stores it first.
///
/// The compact quote is `header 48 | TD report 584 | quote signature 64 | attestation key 64 | QE report 384
/// | QE report signature 64 | QE authentication data 32`: the quote without its length fields and its
/// PEM chain.
///
/// ██ WARNING ██ It does NOT decide
/// - whether the workload is trusted: anybody may run anything in a genuine TD. EnclavePolicy does;
/// - whether the TCB status is acceptable: it is returned. Only REVOKED and "no level" are refused here;
/// - whether the quote is fresh, or what its report data binds: the caller compares report data;
/// - whether this PLATFORM is honest. Machines whose memory bus was tapped (WireTap, Battering RAM, TEE.fail)
///   make genuine quotes with status UpToDate;
/// - that collateral is Intel's newest: it is the newest that was submitted here, and not lapsed;
/// - which of the harmless TD attributes are set: they are part of the workload id. Debug, migration and
///   unknown attributes are refused here, and SEPT_VE_DISABLE is required.
/// Signatures are malleable: never use a hash of evidence as an identity or replay key.
interface IDcapVerifier is IAttestationVerifier, IDcapCertificates, IDcapCollateral {
    // --- events ------------------------------------------------------------------------------------

    /// @notice A platform has passed verification for the first time in this configuration.
    /// @dev Reader invariants: emitted once per handle, in the transaction that verified its quote; what is
    /// behind the handle never changes.
    event PlatformRecorded(
        bytes32 indexed platform, bytes32 indexed pckId, TeeKind indexed tee, bytes16 teeTcbSvn, uint24 environment
    );

    // --- errors: form ------------------------------------------------------------------------------

    /// @notice The first byte of the evidence is no known form.
    error EvidenceFormUnsupported(uint8 form);
    /// @notice The evidence ends too early.
    error EvidenceTooShort(uint256 got, uint256 needed);
    /// @notice The QE authentication data, the rest of the evidence, has another size than Intel's, in bytes.
    error QeAuthDataSize(uint256 got, uint256 expected);
    /// @notice The quote's version is not verified here.
    error QuoteVersionUnsupported(uint16 version);
    /// @notice The attestation key is not ECDSA over P-256 (2).
    error AttestationKeyTypeUnsupported(uint16 keyType);
    /// @notice The quote is not of a TDX trust domain (0x81).
    error TeeTypeUnsupported(uint32 teeType);
    /// @notice Reserved bytes of the header are set.
    error QuoteHeaderReservedSet(bytes4 got);
    /// @notice The quoting enclave is not Intel's.
    error QeVendorUnknown(bytes16 vendorId);

    // --- errors: genuineness -----------------------------------------------------------------------

    /// @notice The attestation key did not sign header and report.
    error QuoteSignatureInvalid(bytes32 digest);
    /// @notice The platform's PCK key did not sign the QE report.
    error QeReportSignatureInvalid(bytes32 digest, bytes32 pckId);
    /// @notice The QE report does not bind the attestation key and the authentication data.
    error QeReportDataMismatch(bytes32 got, bytes32 expected);
    /// @notice Bytes 32 to 63 of the QE report's data are not zero.
    error QeReportDataTailNotZero(bytes32 got);

    // --- errors: what runs -------------------------------------------------------------------------

    /// @notice The TD is under debug: bits 0 to 7 (TUD) of its attributes are not all zero.
    /// @param attributes TDATTRIBUTES, 8 bytes, little-endian.
    error DebugEnclave(bytes8 attributes);
    /// @notice TDATTRIBUTES has a bit that is not allowed or lacks one that is required (SEPT_VE_DISABLE).
    error TdAttributesRefused(bytes8 attributes, bytes8 allowed, bytes8 required);
    /// @notice SEAMATTRIBUTES are not zero.
    error SeamAttributesNotZero(bytes8 got);
    /// @notice The TDX module's signer, or the attributes that Intel expects of it, are others.
    /// @param version TEE_TCB_SVN[1], 0 for modules of the first generation.
    /// @param gotSigner keccak256 of MRSIGNERSEAM.
    error TdxModuleMismatch(uint8 version, bytes32 gotSigner, bytes32 expectedSigner, bytes8 expectedAttributes);
    /// @notice The TCB info has no identity for this TDX module.
    error TdxModuleUnknown(uint8 version);
    /// @notice The quoting enclave's MISCSELECT under the mask is another.
    error QeMiscselectMismatch(bytes4 got, bytes4 expected);
    /// @notice The quoting enclave's ATTRIBUTES under the mask are others.
    error QeAttributesMismatch(bytes16 got, bytes16 expected);
    /// @notice The quoting enclave is signed by another key.
    error QeSignerMismatch(bytes32 got, bytes32 expected);
    /// @notice The quoting enclave is another product.
    error QeProductMismatch(uint16 got, uint16 expected);

    // --- errors: security level --------------------------------------------------------------------

    /// @notice No TCB level lies at or below the platform.
    error TcbLevelNotFound(bytes16 sgxSvns, uint16 pcesvn, bytes16 tdxSvns);
    /// @notice No level of this TDX module lies at or below its SVN.
    error TdxModuleLevelNotFound(uint8 version, uint8 isvSvn);
    /// @notice No level of the quoting enclave lies at or below its ISVSVN.
    error QeLevelNotFound(uint16 isvSvn);
    /// @notice Intel has revoked the level that this part of the platform is at.
    error TcbRevoked(TcbPart part);
    /// @notice No platform with this handle has been verified.
    error PlatformUnknown(bytes32 platform);
    /// @notice No environment has this index.
    error EnvironmentUnknown(uint256 index);
    /// @notice All indices of environments are taken.
    error TooManyEnvironments(uint256 limit);

    // --- views -------------------------------------------------------------------------------------

    /// @notice What is recorded of a platform. Reverts with {PlatformUnknown}.
    function platform(bytes32 handle) external view returns (Platform memory);

    /// @notice A recorded environment. Reverts with {EnvironmentUnknown}.
    function environment(uint24 index) external view returns (Environment memory);
}
