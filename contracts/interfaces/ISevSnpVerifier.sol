// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAttestationVerifier} from "./IAttestationVerifier.sol";
import {IP384} from "./IP384.sol";

/// @notice A product line of AMD's, which has a root key (ARK) of its own. Values are part of the evidence: append only.
enum SnpProduct {
    NONE,
    MILAN,
    GENOA,
    TURIN
}

/// @notice What a deployment pins of a product line.
/// @param product Which.
/// @param floor The least reported TCB that counts as up to date, see {ISevSnpVerifier-floorOf}; not zero.
/// @param arkKeyHash keccak256 of the modulus, 512 bytes, of the product's root key (ARK).
/// @param askKeyHash The same of the key that certifies chips (ASK).
/// @param asvkKeyHash The same of the key that certifies cloud providers' keys (ASVK); zero: none is accepted.
struct ProductRoot {
    SnpProduct product;
    uint64 floor;
    bytes32 arkKeyHash;
    bytes32 askKeyHash;
    bytes32 asvkKeyHash;
}

/// @notice A pinned key that its pinned root has certified, and that certifies endorsement keys: ASK (VCEKs) or ASVK
/// (VLEKs).
/// @param modulus Where its RSA modulus lies, as the code of a contract; zero when there is no such key.
/// @param notAfter The last second in which it and the ARK are valid, unix seconds.
/// @param revoked Whether the ARK has revoked this certificate of it.
/// @param subject keccak256 of its name, DER.
/// @param serial The certificate's serial number.
struct Signer {
    address modulus;
    uint40 notAfter;
    bool revoked;
    bytes32 subject;
    uint256 serial;
}

/// @notice A platform whose report was verified: what {IAttestationVerifier-judgePlatform} judges again. One slot.
/// @param product Its product line.
/// @param vlek Whether its reports are signed by a cloud provider's key (VLEK), not the chip's own (VCEK).
/// @param reportedTcb REPORTED_TCB, for which its endorsement key was certified.
/// @param instance The first 16 bytes of keccak256(CHIP_ID, 64 bytes); zero when the chip's id is masked.
/// @param notAfter The last second of its certificate, unix seconds.
struct SnpPlatform {
    SnpProduct product;
    bool vlek;
    uint64 reportedTcb;
    bytes16 instance;
    uint40 notAfter;
}

/// @title ISevSnpVerifier
/// @notice Verifies AMD SEV-SNP attestation reports down to the pinned roots: report versions 2 to 5 (SEV-SNP Firmware
/// ABI Specification, AMD 56860, table ATTESTATION_REPORT), of Milan, Genoa and Turin, signed by a VCEK or a VLEK (AMD
/// 57230, Versioned Chip Endorsement Key Certificate and KDS Interface Specification).
/// @dev Evidence is one of
/// - `0x00 | product 1 | x 48 | y 48 | report 1184 | witness`, when the platform is known here;
/// - `0x01 | signer 1 | certificate length 2 | VCEK or VLEK certificate DER | report 1184 | witness`, which brings it.
///
/// Numbers are big-endian. `signer` is twice the product, plus 1 for a VLEK. x and y are the endorsement key. The report
/// is as the firmware makes it, with r and s in little-endian and nothing but zeros behind them. The witness, the rest,
/// is {IP384}'s for the report's signature.
///
/// The workload id is keccak256 over the tag keccak256("xmtp-tee/workload/sev-snp/v1"), 32 bytes, and then of the report
/// - bytes 0x04 to 0x33: GUEST_SVN 4 | POLICY 8 | FAMILY_ID 16 | IMAGE_ID 16 | VMPL 4;
/// - bytes 0x90 to 0x13f: MEASUREMENT 48 | HOST_DATA 32 | ID_KEY_DIGEST 48 | AUTHOR_KEY_DIGEST 48.
///
/// The platform's handle is the first 20 bytes of keccak256(abi.encode(uint256(4), product, instance, reported TCB,
/// keccak256(x || y))): all that its certificate says, so that a record under a handle stands for the certificate.
///
/// Judgement: UP_TO_DATE when each of the eight components of the reported TCB is at or above the product's floor, else
/// OUT_OF_DATE with `zero 23 | product 1 | reported TCB 8` as `advisories`, which EnclavePolicy's exceptions name: the
/// products write different versions alike. `instance` is as in {SnpPlatform}, `family` the product's name in ASCII:
/// "Milan", "Genoa" or "Turin".
///
/// A TCB is a number of 64 bits, the report's eight bytes read as little-endian. From the lowest byte up: Milan and
/// Genoa boot loader, TEE, four zeros, SNP, microcode; Turin FMC, boot loader, TEE, SNP, three zeros, microcode.
///
/// Who may raise a floor: the floor keeper, fixed at deployment; floors never fall. AMD signs no statement of which
/// TCB is good, so somebody has to read its bulletins. A keeper can only take trust away, and EnclavePolicy can except
/// a TCB from a floor for a time. Without a keeper the floors stand for ever.
///
/// Revocation: AMD's lists are the ARKs', so they name ASKs and ASVKs, by serial number. A list may be brought by
/// anyone; what it names ends, at the next read, for every platform below it. The certificate is what is revoked: one
/// that the ARK issues later for the same pinned key, under another serial number, takes its place. That a list is fresh
/// is NOT demanded: what an old one revoked is revoked. VCEKs and VLEKs all have the serial number 0, so AMD revokes none
/// of them by a list. A chip is shut out by EnclavePolicy's deny-list (instance), a product line by family, an old TCB by
/// the floor.
///
/// ██ WARNING ██ It does NOT decide
/// - whether the workload is trusted, whether the status is acceptable, whether the report is fresh, or what its
///   report data binds: the caller does;
/// - whether this PLATFORM is honest: a tapped memory bus (Battering RAM, TEE.fail) gives genuine reports;
/// - at which TCB the guest was launched (LAUNCH_TCB), and what PLATFORM_INFO says;
/// - with a VLEK, which chip made the report: the key is shared by a cloud provider's machines, and the chip's id may be
///   masked;
/// - which of the harmless policy bits are set, and at which VMPL the report was asked for: they are part of the workload
///   id. Debug, migration agents, unknown policy bits and a VMPL above 3 (a report for the host) are refused here.
/// Signatures are malleable: never use a hash of evidence as an identity or replay key.
interface ISevSnpVerifier is IAttestationVerifier {
    // --- events ------------------------------------------------------------------------------------

    /// @notice The product's root has been found to certify the pinned key that certifies endorsement keys.
    /// @dev Reader invariants: the signature by the pinned ARK was checked in this very transaction; the key of a product
    /// and kind is always the same, and `notAfter` grows.
    /// @param keyHash keccak256 of the modulus, 512 bytes.
    event SignerAccepted(SnpProduct indexed product, bool indexed vlek, bytes32 indexed keyHash, uint40 notAfter);

    /// @notice A product's root has revoked a certificate that it issued.
    /// @dev Reader invariants: emitted once per product and serial number; final; the list's signature by the pinned ARK
    /// was checked in this very transaction.
    event SerialRevoked(SnpProduct indexed product, uint256 serial);

    /// @notice A product's floor has been set (`from` is zero, at construction) or raised.
    /// @dev Reader invariants: no component of `to` is below that of `from`.
    event FloorRaised(SnpProduct indexed product, uint64 from, uint64 to);

    /// @notice A platform has passed verification with a certificate that is new here, or is valid for longer.
    /// @dev Reader invariants: emitted in the transaction that verified the certificate and a report; what is behind the
    /// handle never changes, but for `notAfter`, which only grows.
    event PlatformRecorded(
        bytes20 indexed platform,
        SnpProduct indexed product,
        bytes16 indexed instance,
        bool vlek,
        uint64 reportedTcb,
        uint40 notAfter
    );

    // --- errors: construction ----------------------------------------------------------------------

    /// @notice The address given for P384 has no code.
    error P384NotAContract(address p384);
    /// @notice At least one product.
    error ProductsMissing();
    /// @notice A product is given twice, or is NONE.
    error ProductUnexpected(SnpProduct product);
    /// @notice A floor is zero: it would call everything up to date.
    error FloorMissing(SnpProduct product);
    /// @notice AMD's roots and others are never pinned together.
    error RootsMixed(SnpProduct product, bool development);

    // --- errors: signers ---------------------------------------------------------------------------

    /// @notice The key in a certificate is not the pinned one. keccak256 of the moduli; zero: none is pinned.
    error PinnedKeyMismatch(bytes32 got, bytes32 expected);
    /// @notice The certificate does not outlast that of the signer in force.
    error SignerNotNewer(uint256 notAfter, uint256 current);
    /// @notice A certificate's name does not end as AMD's does: keccak256 of the name.
    error NameMismatch(SnpProduct product, bytes32 name);
    /// @notice The path length constraint is not the one required; 2^256 - 1 when it is absent.
    error PathLengthMismatch(uint256 got, uint256 expected);

    // --- errors: revocation ------------------------------------------------------------------------

    /// @notice The root's certificate does not allow it to sign revocation lists.
    error CrlSignMissing(uint16 keyUsage);
    /// @notice The list names another key as its issuer's.
    error IssuerKeyIdMismatch(bytes20 got, bytes20 expected);
    /// @notice The list is from the future.
    error CrlNotYetValid(uint256 thisUpdate, uint256 time);
    /// @notice The product's root has revoked this certificate, which was to be accepted, or itself.
    error SerialIsRevoked(SnpProduct product, uint256 serial);
    /// @notice The product's root has revoked the certificate of the key that certified the endorsement key.
    error SignerRevoked(SnpProduct product, bool vlek);

    // --- errors: floors ----------------------------------------------------------------------------

    /// @notice Only the floor keeper raises floors.
    error NotFloorKeeper(address sender, address keeper);
    /// @notice A component would fall, or none would rise.
    error FloorNotRaised(SnpProduct product, uint64 got, uint64 current);

    // --- errors: form ------------------------------------------------------------------------------

    /// @notice The first byte of the evidence is no known form.
    error EvidenceFormUnsupported(uint8 form);
    /// @notice The evidence ends too early.
    error EvidenceTooShort(uint256 got, uint256 needed);
    /// @notice No such product or signer, or it was not submitted. `id` is the byte in the evidence.
    error SignerUnknown(uint8 id);
    /// @notice The report's version is not verified here.
    error ReportVersionUnsupported(uint32 version);
    /// @notice The report is not signed by ECDSA P-384 with SHA-384 (1).
    error SignatureAlgorithmNotEcdsaP384(uint32 algorithm);
    /// @notice The report's flags have unknown bits, or it says to be signed by another kind of key than was given.
    /// @param flags Bytes 0x48 to 0x4b. Bit 0: author key present, bit 1: the chip's key is masked, bits 2 to 4: the key.
    error SigningKeyMismatch(uint32 flags, bool vlek);
    /// @notice Bytes that the report's version reserves are set.
    error ReportReservedSet(uint256 offset);
    /// @notice Bytes behind r or s are set.
    error SignatureNotPadded();
    /// @notice A report that the host asked for, or of no VMPL there is.
    error VmplUnsupported(uint32 vmpl);
    /// @notice The report, of version 3 or later, comes from a processor of another product: CPUID's family and model.
    error ProcessorMismatch(SnpProduct product, uint8 family, uint8 model);
    /// @notice A TCB has bytes that its product reserves.
    error TcbReservedSet(SnpProduct product, uint64 tcb);

    // --- errors: what runs -------------------------------------------------------------------------

    /// @notice The guest may be debugged: POLICY, bit 19, is set.
    /// @param attributes POLICY: 8 bytes, little-endian.
    error DebugEnclave(bytes8 attributes);
    /// @notice POLICY has a bit that is not allowed (a migration agent, an unknown one) or lacks one that is required (17).
    error GuestPolicyRefused(uint64 policy, uint64 allowed, uint64 required);

    // --- errors: genuineness -----------------------------------------------------------------------
    // A wrong signature of the report reverts with an error of {IP384}, of a certificate with one of {RsaPss4096}.

    /// @notice The issuer's name is not the subject name of the key that is to have signed.
    error IssuerMismatch(bytes32 got, bytes32 expected);
    /// @notice The certificate is not valid yet.
    error CertificateNotYetValid(uint256 notBefore, uint256 time);
    /// @notice The certificate, or one above it, has expired.
    error CertificateExpired(uint256 notAfter, uint256 time);
    /// @notice The certificate was issued for another TCB than the report names.
    error CertificateTcbMismatch(uint64 certified, uint64 reported);
    /// @notice The certificate was issued for another chip. keccak256 of both ids, 64 bytes.
    error CertificateChipMismatch(bytes32 certified, bytes32 reported);
    /// @notice No platform with this handle has been verified.
    error PlatformUnknown(bytes20 platform);

    // --- submissions (anyone) ----------------------------------------------------------------------

    /// @notice Accepts the certificate of the pinned key that certifies a product's VCEKs (ASK) or VLEKs (ASVK), as its
    /// common name says.
    /// @dev About 1,600,000 gas, once for each. Issued by the pinned ARK; CA with path length 0; may sign certificates. A
    /// later certificate of the key takes the place of one that ends earlier.
    /// @param product The product.
    /// @param ark The root's self-signed certificate, DER.
    /// @param signer The certificate, DER.
    function submitSigner(SnpProduct product, bytes calldata ark, bytes calldata signer) external;

    /// @notice Revokes what a list of a product's root names, so far as it is not revoked already.
    /// @dev About 1,500,000 gas, and 24,000 for each new entry. Of version 2, complete, signed by the pinned ARK, issued by
    /// now.
    /// @param product The product.
    /// @param ark The root's self-signed certificate, DER.
    /// @param crl The list, DER.
    function submitCrl(SnpProduct product, bytes calldata ark, bytes calldata crl) external;

    // --- floors ------------------------------------------------------------------------------------

    /// @notice Raises a product's floor. Only the floor keeper.
    /// @dev Ends, at the next read, what stands on platforms below it, unless the policy excepts their TCB.
    /// @param product The product.
    /// @param floor No component below the present floor's, one above.
    function raiseFloor(SnpProduct product, uint64 floor) external;

    // --- views -------------------------------------------------------------------------------------

    /// @notice The least reported TCB of a product that counts as up to date, component by component; zero when the
    /// product is not verified here.
    function floorOf(SnpProduct product) external view returns (uint64 floor);

    /// @notice Who may raise floors; zero: nobody.
    function floorKeeper() external view returns (address keeper);

    /// @notice The key that certifies a product's VCEKs, or its VLEKs.
    function signerOf(SnpProduct product, bool vlek) external view returns (Signer memory);

    /// @notice Whether a product's root has revoked the certificate with this serial number.
    function isRevoked(SnpProduct product, uint256 serial) external view returns (bool);

    /// @notice What is recorded of a platform. Reverts with {PlatformUnknown}.
    function platform(bytes20 handle) external view returns (SnpPlatform memory);

    /// @notice The contract that checks signatures over P-384.
    function p384() external view returns (IP384);
}
