// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Environment, IDcapVerifier} from "../../interfaces/IDcapVerifier.sol";
import {MemoryBytes} from "./MemoryBytes.sol";

/// @title TdxQuote
/// @notice Reads compact TDX quotes of version 4 (Intel TDX DCAP Quoting Library API, appendix A.3).
/// @dev A quote is handled by the address in memory at which its compact form starts:
/// ```
/// 0    header 48        version 2 | attestation key type 2 | TEE type 4 | reserved 4 | QE vendor id 16
///                       | user data 20; numbers are little-endian
/// 48   TD report 584    TEE_TCB_SVN 16 | MRSEAM 48 | MRSIGNERSEAM 48 | SEAMATTRIBUTES 8 | TDATTRIBUTES 8
///                       | XFAM 8 | MRTD 48 | MRCONFIGID 48 | MROWNER 48 | MROWNERCONFIG 48 | RTMR 4 x 48
///                       | REPORTDATA 64
/// 632  quote signature 64
/// 696  attestation key 64
/// 760  QE report 384    CPUSVN 16 | MISCSELECT 4 | reserved 28 | ATTRIBUTES 16 | MRENCLAVE 32 | reserved 32
///                       | MRSIGNER 32 | reserved 96 | ISVPRODID 2 | ISVSVN 2 | reserved 60 | REPORTDATA 64
/// 1144 QE report signature 64
/// 1208 QE authentication data 32
/// ```
/// WARNING: reading does not verify. Nothing read counts before both signatures have been checked.
library TdxQuote {
    uint256 private constant _AUTH_DATA = 1208;
    uint256 private constant _AUTH_DATA_SIZE = 32;
    uint256 private constant _HEADER_AND_BODY = 632;
    uint256 private constant _BODY = 48;
    uint256 private constant _SIGNATURE = 632;
    uint256 private constant _ATTESTATION_KEY = 696;
    uint256 private constant _QE_REPORT = 760;
    uint256 private constant _QE_REPORT_SIZE = 384;
    uint256 private constant _QE_SIGNATURE = 1144;

    /// @dev Version 4, key type 2, TEE type 0x81, no reserved bits, Intel's vendor id.
    bytes28 private constant _HEADER = 0x040002008100000000000000939a7233f79c4ca9940a0db3957f0607;
    /// @dev TDATTRIBUTES that may be set, as dcap-qvl has it: ICSSD 16, 18 to 22, LASS 27, SEPT_VE_DISABLE 28,
    /// PKS 30, KL 31, TPA 62, PERFMON 63. Left out are all of TUD, MIGRATABLE 29 (a TD that migrates takes its
    /// secrets out of this platform), and every bit that no published module defines. Bit 0 is the lowest of the
    /// first byte.
    bytes8 private constant _ATTRIBUTES_ALLOWED = 0x00007dd8000000c0;
    /// @dev SEPT_VE_DISABLE: without it the host can inject faults into the TD by unmapping its memory.
    bytes8 private constant _ATTRIBUTES_REQUIRED = 0x0000001000000000;
    bytes32 private constant _WORKLOAD_TAG = keccak256("xmtp-tee/workload/tdx/v1");

    /// @dev Copies a compact quote into memory, once.
    function load(bytes calldata compact) internal pure returns (uint256 quote) {
        if (compact.length < _AUTH_DATA) revert IDcapVerifier.EvidenceTooShort(compact.length, _AUTH_DATA);
        uint256 authDataSize = compact.length - _AUTH_DATA;
        if (authDataSize != _AUTH_DATA_SIZE) revert IDcapVerifier.QeAuthDataSize(authDataSize, _AUTH_DATA_SIZE);
        assembly ("memory-safe") {
            quote := mload(0x40)
            calldatacopy(quote, compact.offset, compact.length)
            mstore(0x40, add(quote, and(add(compact.length, 31), not(31))))
        }
    }

    /// @dev Refuses every header but that of an Intel TDX quote, version 4, with an ECDSA P-256 key.
    function requireHeader(uint256 quote) internal pure {
        bytes32 header = MemoryBytes.word(quote);
        if (bytes28(header) == _HEADER) return;
        uint16 version = _littleEndian(header);
        if (version != 4) revert IDcapVerifier.QuoteVersionUnsupported(version);
        uint16 keyType = _littleEndian(header << 16);
        if (keyType != 2) revert IDcapVerifier.AttestationKeyTypeUnsupported(keyType);
        uint32 teeType = (uint32(_littleEndian(header << 48)) << 16) | _littleEndian(header << 32);
        if (teeType != 0x81) revert IDcapVerifier.TeeTypeUnsupported(teeType);
        bytes4 reserved = bytes4(header << 64);
        if (reserved != 0) revert IDcapVerifier.QuoteHeaderReservedSet(reserved);
        revert IDcapVerifier.QeVendorUnknown(bytes16(header << 96));
    }

    /// @dev Refuses a TD under debug or with attributes that weaken it, and a TDX module with attributes.
    function requireProduction(uint256 quote) internal pure {
        bytes8 seamAttributes = bytes8(MemoryBytes.word(quote + _BODY + 112));
        if (seamAttributes != 0) revert IDcapVerifier.SeamAttributesNotZero(seamAttributes);
        bytes8 attributes = bytes8(MemoryBytes.word(quote + _BODY + 120));
        // The first byte holds bits 0 to 7, TUD: DEBUG and seven reserved for more of its kind.
        if (attributes[0] != 0) revert IDcapVerifier.DebugEnclave(attributes);
        if (attributes & ~_ATTRIBUTES_ALLOWED != 0 || attributes & _ATTRIBUTES_REQUIRED != _ATTRIBUTES_REQUIRED) {
            revert IDcapVerifier.TdAttributesRefused(attributes, _ATTRIBUTES_ALLOWED, _ATTRIBUTES_REQUIRED);
        }
    }

    /// @dev TEE_TCB_SVN.
    function teeTcbSvn(uint256 quote) internal pure returns (bytes16) {
        return bytes16(MemoryBytes.word(quote + _BODY));
    }

    /// @dev The workload id: the tag, then TDATTRIBUTES to RTMR3, 400 contiguous bytes.
    function workload(uint256 quote) internal pure returns (bytes32 id) {
        bytes32 tag = _WORKLOAD_TAG;
        assembly ("memory-safe") {
            // Hashed in free memory, which stays free.
            let free := mload(0x40)
            mstore(free, tag)
            mcopy(add(free, 32), add(quote, 168), 400)
            id := keccak256(free, 432)
        }
    }

    /// @dev REPORTDATA, both halves.
    function reportData(uint256 quote) internal pure returns (bytes32 head, bytes32 tail) {
        return (MemoryBytes.word(quote + 568), MemoryBytes.word(quote + 600));
    }

    /// @dev The digest that the attestation key signed, its signature and the key.
    function signedPart(uint256 quote)
        internal
        view
        returns (bytes32 digest, uint256 r, uint256 s, uint256 x, uint256 y)
    {
        digest = MemoryBytes.sha256Of(quote, _HEADER_AND_BODY);
        r = uint256(MemoryBytes.word(quote + _SIGNATURE));
        s = uint256(MemoryBytes.word(quote + _SIGNATURE + 32));
        x = uint256(MemoryBytes.word(quote + _ATTESTATION_KEY));
        y = uint256(MemoryBytes.word(quote + _ATTESTATION_KEY + 32));
    }

    /// @dev The digest that the PCK key signed, and its signature.
    function qeSignedPart(uint256 quote) internal view returns (bytes32 digest, uint256 r, uint256 s) {
        digest = MemoryBytes.sha256Of(quote + _QE_REPORT, _QE_REPORT_SIZE);
        r = uint256(MemoryBytes.word(quote + _QE_SIGNATURE));
        s = uint256(MemoryBytes.word(quote + _QE_SIGNATURE + 32));
    }

    /// @dev Refuses a QE report whose data is not SHA-256(attestation key || authentication data) and zeros.
    function requireKeyBinding(uint256 quote) internal view {
        uint256 free;
        assembly ("memory-safe") {
            // Key and data do not adjoin in the quote; they do in free memory, which stays free.
            free := mload(0x40)
            mcopy(free, add(quote, _ATTESTATION_KEY), 64)
            mcopy(add(free, 64), add(quote, _AUTH_DATA), _AUTH_DATA_SIZE)
        }
        bytes32 expected = MemoryBytes.sha256Of(free, 64 + _AUTH_DATA_SIZE);
        bytes32 got = MemoryBytes.word(quote + _QE_REPORT + 320);
        if (got != expected) revert IDcapVerifier.QeReportDataMismatch(got, expected);
        bytes32 tail = MemoryBytes.word(quote + _QE_REPORT + 352);
        if (tail != 0) revert IDcapVerifier.QeReportDataTailNotZero(tail);
    }

    /// @dev The quoting enclave and the TDX module's signer.
    function environment(uint256 quote) internal pure returns (Environment memory found) {
        uint256 report = quote + _QE_REPORT;
        found.qeMiscselect = bytes4(MemoryBytes.word(report + 16));
        found.qeAttributes = bytes16(MemoryBytes.word(report + 48));
        found.qeMrSigner = MemoryBytes.word(report + 128);
        bytes32 isv = MemoryBytes.word(report + 256);
        found.qeIsvProdId = _littleEndian(isv);
        found.qeIsvSvn = _littleEndian(isv << 16);
        found.seamSigner = MemoryBytes.keccak(quote + _BODY + 64, 48);
    }

    /// @dev The number in the first two bytes, little-endian.
    function _littleEndian(bytes32 word) private pure returns (uint16) {
        return uint16(uint256(word) >> 248) | uint16((uint256(word) >> 240) << 8);
    }
}
