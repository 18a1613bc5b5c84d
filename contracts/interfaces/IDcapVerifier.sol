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

/// @notice A platform whose quote was verified: what {IAttestationVerifier-judgePlatform} judges again.
/// @dev Two slots, and a third for advisories; a known platform's verification reads one of them, or two when it
/// is not up to date. What is said of the PCK certificate is said under {PckRecord}.
/// @param revocationKey Under which the PCK certificate is revoked.
/// @param fmspc Selects the TCB info.
/// @param pceid Selects the TCB info.
/// @param notAfter The last second of the PCK certificate, unix seconds.
/// @param ca The index of the CA that issued the PCK certificate.
/// @param pcesvn The security version of the provisioning certification enclave.
/// @param ppid The platform provisioning id.
/// @param environment The index of its {Environment}.
/// @param tee The kind of quote.
/// @param judged The status in the last judgement by {IAttestationVerifier-verify}.
/// @param judgedUnder Which collateral gave that judgement: the first 11 bytes of
/// keccak256(abi.encode(content of the TCB info, content of the QE identity)), the lowest bit set. Under other collateral the
/// judgement says nothing.
/// @param advisories The advisories in the last judgement.
struct Platform {
    bytes16 revocationKey;
    bytes6 fmspc;
    bytes2 pceid;
    uint40 notAfter;
    uint8 ca;
    uint16 pcesvn;
    bytes16 ppid;
    uint24 environment;
    TeeKind tee;
    TcbStatus judged;
    bytes11 judgedUnder;
    bytes32 advisories;
}

/// @notice What many platforms share: all that is judged but for PCESVN, that is the SVNs of CPU and TDX module,
/// the quoting enclave as its report describes it, and who signed the TDX module.
/// @dev Its id is keccak256(abi.encode(the fields in this order)).
/// @param qeMrSigner MRSIGNER of the quoting enclave.
/// @param qeAttributes ATTRIBUTES of the quoting enclave.
/// @param qeMiscselect MISCSELECT of the quoting enclave.
/// @param qeIsvProdId ISVPRODID of the quoting enclave.
/// @param qeIsvSvn ISVSVN of the quoting enclave.
/// @param seamSigner keccak256 of MRSIGNERSEAM; zero for SGX.
/// @param componentSvns The 16 SGX TCB component SVNs, from the PCK certificate.
/// @param teeTcbSvn TEE_TCB_SVN of the TD report; zero for SGX.
struct Environment {
    bytes32 qeMrSigner;
    bytes16 qeAttributes;
    bytes4 qeMiscselect;
    uint16 qeIsvProdId;
    uint16 qeIsvSvn;
    bytes32 seamSigner;
    bytes16 componentSvns;
    bytes16 teeTcbSvn;
}

/// @title IDcapVerifier
/// @notice Verifies Intel DCAP quotes with ECDSA P-256 keys down to the pinned root: SGX quotes of version 3, TDX
/// quotes of version 4, TDX quotes of version 5 with a TD report of TDX 1.0 or of TDX 1.5.
/// @dev Evidence is one of
/// - `0x00 | x 32 | y 32 | PCK words 64 | compact quote`, when the platform's PCK certificate is known here;
/// - `0x01 | leaf length 2 | PCK certificate DER | compact quote`, which brings it.
///
/// x and y are the PCK certificate's key, the PCK words its content as {PckRecord} defines it. Both together are
/// what pckId commits to, so that none of it need be stored.
///
/// The compact quote is the quote without its length fields and its PEM chain:
/// `header 48 | body | quote signature 64 | attestation key 64 | QE report 384 | QE report signature 64
/// | QE authentication data 32`. The body is
/// - version 3: the SGX report, 384 bytes (the compact quote: 1,040);
/// - version 4: the TD report of TDX 1.0, 584 bytes (1,240);
/// - version 5: body type u16 and body size u32, little-endian, then the TD report: type 2, TDX 1.0, 584 bytes
///   (1,246), or type 3, TDX 1.5, 648 bytes (1,310). The signature covers type and size too.
///
/// The workload id is keccak256 over a tag, 32 bytes, and what follows it without padding:
/// - SGX: keccak256("xmtp-tee/workload/sgx/v1"), then bytes 16 to 319 of the report, 304 bytes: MISCSELECT 4
///   | reserved 12 | ISVEXTPRODID 16 | ATTRIBUTES 16 | MRENCLAVE 32 | reserved 32 | MRSIGNER 32 | reserved 32
///   | CONFIGID 64 | ISVPRODID 2 | ISVSVN 2 | CONFIGSVN 2 | reserved 42 | ISVFAMILYID 16;
/// - TDX 1.0 (version 4 or 5): keccak256("xmtp-tee/workload/tdx/v1"), then bytes 120 to 519 of the TD report, 400
///   bytes: TDATTRIBUTES 8 | XFAM 8 | MRTD 48 | MRCONFIGID 48 | MROWNER 48 | MROWNERCONFIG 48 | RTMR 4 x 48;
/// - TDX 1.5: keccak256("xmtp-tee/workload/tdx-1.5/v1"), the same 400 bytes, then MRSERVICETD, bytes 600 to 647.
///
/// The advisories of a judgement are `platform 8 | TDX module 8 | quoting enclave 8 | zero 8`. Each part is the
/// first 8 bytes of keccak256 over the numbers of the matching level's list (the ddddd of INTEL-SA-ddddd), 2 bytes
/// each, big-endian, in Intel's order; zero when the level has no list. TCB info of version 2 has no lists: there
/// the platform's part is 8 times 0xff, which says "not known". All 32 bytes are zero when the status is
/// UP_TO_DATE.
///
/// TDX 1.5: the status is judged by TEE_TCB_SVN, the module that started the TD. Where Intel's library refines
/// OutOfDate to "TD relaunch advised", because TEE_TCB_SVN2 says that the module was replaced by a newer one since,
/// this contract keeps OUT_OF_DATE (or OUT_OF_DATE_CONFIGURATION_NEEDED): never the better of the two.
///
/// ██ WARNING ██ It does NOT decide
/// - whether the workload is trusted: anybody may run anything in a genuine TD. EnclavePolicy does;
/// - whether the TCB status is acceptable: it is returned. Only REVOKED and "no level" are refused here;
/// - whether the quote is fresh, or what its report data binds: the caller compares report data;
/// - whether this PLATFORM is honest. Machines whose memory bus was tapped (WireTap, Battering RAM, TEE.fail)
///   make genuine quotes with status UpToDate;
/// - that collateral is Intel's newest: it is the newest that was submitted here, and not lapsed;
/// - which of the harmless TD attributes are set: they are part of the workload id. Debug, migration and
///   unknown attributes are refused here, and SEPT_VE_DISABLE is required. Of SGX attributes, DEBUG,
///   PROVISION_KEY, EINITTOKEN_KEY and unknown ones are refused, and INIT is required.
/// Signatures are malleable: never use a hash of evidence as an identity or replay key.
interface IDcapVerifier is IAttestationVerifier, IDcapCertificates, IDcapCollateral {
    // --- events ------------------------------------------------------------------------------------

    /// @notice A platform has passed verification for the first time in this configuration.
    /// @dev Reader invariants: emitted once per handle, in the transaction that verified its quote; what is
    /// behind the handle never changes.
    event PlatformRecorded(
        bytes20 indexed platform, bytes32 indexed pckId, TeeKind indexed tee, bytes16 teeTcbSvn, uint24 environment
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
    /// @notice The quote is not of the kind that its version is verified for: 0 (SGX) for version 3, 0x81 (TDX) for
    /// versions 4 and 5.
    error TeeTypeUnsupported(uint32 teeType);
    /// @notice Reserved bytes of the header are set.
    error QuoteHeaderReservedSet(bytes4 got);
    /// @notice The body of a quote of version 5 is neither a TD report of TDX 1.0 (type 2, 584 bytes) nor one of TDX
    /// 1.5 (type 3, 648 bytes).
    error QuoteBodyUnsupported(uint16 bodyType, uint32 bodySize);
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

    /// @notice What runs is under debug: bits 0 to 7 (TUD) of TDATTRIBUTES are not all zero, or bit 1 (DEBUG) of the
    /// SGX attributes is set.
    /// @param attributes TDATTRIBUTES, or the flags of the SGX ATTRIBUTES: 8 bytes, little-endian.
    error DebugEnclave(bytes8 attributes);
    /// @notice TDATTRIBUTES has a bit that is not allowed or lacks one that is required (SEPT_VE_DISABLE).
    error TdAttributesRefused(bytes8 attributes, bytes8 allowed, bytes8 required);
    /// @notice The flags of the SGX ATTRIBUTES have a bit that is not allowed (PROVISION_KEY, EINITTOKEN_KEY, unknown
    /// ones) or lack one that is required (INIT).
    error SgxAttributesRefused(bytes8 attributes, bytes8 allowed, bytes8 required);
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
    error PlatformUnknown(bytes20 platform);
    /// @notice No environment has this index.
    error EnvironmentUnknown(uint256 index);
    /// @notice All indices of environments are taken.
    error TooManyEnvironments(uint256 limit);

    // --- views -------------------------------------------------------------------------------------

    /// @notice What is recorded of a platform. Reverts with {PlatformUnknown}.
    function platform(bytes20 handle) external view returns (Platform memory);

    /// @notice A recorded environment. Reverts with {EnvironmentUnknown}.
    function environment(uint24 index) external view returns (Environment memory);
}
