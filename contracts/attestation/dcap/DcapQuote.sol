// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TeeKind} from "../../interfaces/AttestationTypes.sol";
import {Environment, IDcapVerifier} from "../../interfaces/IDcapVerifier.sol";
import {MemoryBytes} from "./MemoryBytes.sol";
import {SgxReport} from "./SgxReport.sol";
import {TdReport} from "./TdReport.sol";

/// @notice A compact quote in memory. Addresses are of memory.
/// @param tee SGX for version 3, TDX for versions 4 and 5.
/// @param td15 Whether the body is a TD report of TDX 1.5.
/// @param start Where the header begins; the signature covers all from here to `auth`.
/// @param body Where the report begins.
/// @param auth Where the signature and what follows it begin.
struct Quote {
    TeeKind tee;
    bool td15;
    uint256 start;
    uint256 body;
    uint256 auth;
}

/// @title DcapQuote
/// @notice Reads compact quotes: SGX version 3 (Intel SGX ECDSA Quote Library API, appendix A.4), TDX versions 4 and
/// 5 (Intel TDX DCAP Quoting Library API, appendix A.3).
/// @dev The parts of a compact quote, {IDcapVerifier} says which body belongs to which version:
/// ```
/// header 48             version 2 | attestation key type 2 | TEE type 4 | version 3: QE SVN 2, PCE SVN 2; else
///                       reserved 4 | QE vendor id 16 | user data 20; numbers are little-endian
/// body                  see {SgxReport} and {TdReport}
/// 0    quote signature 64, from here on offsets from `auth`
/// 64   attestation key 64
/// 128  QE report 384    an SGX report
/// 512  QE report signature 64
/// 576  QE authentication data 32
/// ```
/// QE SVN and PCE SVN of version 3 are signed and not used: the QE report and the PCK certificate say the same with
/// more authority.
/// WARNING: reading does not verify. Nothing read counts before both signatures have been checked.
library DcapQuote {
    uint256 private constant _HEADER_SIZE = 48;
    uint256 private constant _DESCRIPTOR_SIZE = 6;
    uint256 private constant _ATTESTATION_KEY = 64;
    uint256 private constant _QE_REPORT = 128;
    uint256 private constant _QE_SIGNATURE = 512;
    uint256 private constant _AUTH_DATA = 576;
    uint256 private constant _AUTH_DATA_SIZE = 32;

    /// @dev Key type 2, TEE type, no reserved bits, Intel's vendor id. Before them stands the version.
    bytes28 private constant _HEADER_SGX = 0x030002000000000000000000939a7233f79c4ca9940a0db3957f0607;
    bytes28 private constant _HEADER_TDX_4 = 0x040002008100000000000000939a7233f79c4ca9940a0db3957f0607;
    bytes28 private constant _HEADER_TDX_5 = 0x050002008100000000000000939a7233f79c4ca9940a0db3957f0607;
    /// @dev Version 3 has the SVNs of QE and PCE where the others have reserved bytes.
    bytes28 private constant _SVNS = 0x0000000000000000ffffffff00000000000000000000000000000000;
    /// @dev Body type 2 and size 584, body type 3 and size 648, little-endian.
    bytes6 private constant _TD_10 = 0x020048020000;
    bytes6 private constant _TD_15 = 0x030088020000;

    /// @dev Copies a compact quote into memory, once, and refuses every header, body type and length but those of
    /// Intel's quotes with an ECDSA P-256 key.
    function load(bytes calldata compact) internal pure returns (Quote memory quote) {
        uint256 length = compact.length;
        if (length < _HEADER_SIZE + _DESCRIPTOR_SIZE) {
            revert IDcapVerifier.EvidenceTooShort(length, _HEADER_SIZE + _DESCRIPTOR_SIZE);
        }
        uint256 start;
        assembly ("memory-safe") {
            start := mload(0x40)
            calldatacopy(start, compact.offset, length)
            mstore(0x40, add(start, and(add(length, 31), not(31))))
        }
        bytes28 header = bytes28(MemoryBytes.word(start));
        quote.start = start;
        quote.tee = TeeKind.TDX;
        uint256 body = _HEADER_SIZE;
        uint256 size = TdReport.SIZE_10;
        if (header == _HEADER_TDX_5) {
            bytes6 descriptor = bytes6(MemoryBytes.word(start + _HEADER_SIZE));
            body = _HEADER_SIZE + _DESCRIPTOR_SIZE;
            if (descriptor == _TD_15) {
                (quote.td15, size) = (true, TdReport.SIZE_15);
            } else if (descriptor != _TD_10) {
                revert IDcapVerifier.QuoteBodyUnsupported(
                    _littleEndian(bytes32(descriptor)), _littleEndian32(bytes32(descriptor) << 16)
                );
            }
        } else if (header & ~_SVNS == _HEADER_SGX) {
            (quote.tee, size) = (TeeKind.SGX, SgxReport.SIZE);
        } else if (header != _HEADER_TDX_4) {
            _refuseHeader(header);
        }
        quote.body = start + body;
        quote.auth = quote.body + size;
        size += body + _AUTH_DATA;
        if (length < size) revert IDcapVerifier.EvidenceTooShort(length, size);
        size = length - size;
        if (size != _AUTH_DATA_SIZE) revert IDcapVerifier.QeAuthDataSize(size, _AUTH_DATA_SIZE);
    }

    /// @dev Refuses what runs under debug or with attributes that weaken it.
    function requireProduction(Quote memory quote) internal pure {
        if (quote.tee == TeeKind.SGX) SgxReport.requireProduction(quote.body);
        else TdReport.requireProduction(quote.body);
    }

    /// @dev The workload id, see {IDcapVerifier}.
    function workload(Quote memory quote) internal pure returns (bytes32 id) {
        if (quote.tee == TeeKind.SGX) return SgxReport.workload(quote.body);
        return TdReport.workload(quote.body, quote.td15);
    }

    /// @dev REPORTDATA, both halves: at the end of an SGX report, at byte 520 of either TD report.
    function reportData(Quote memory quote) internal pure returns (bytes32 head, bytes32 tail) {
        uint256 offset = quote.body + (quote.tee == TeeKind.SGX ? SgxReport.REPORT_DATA : TdReport.REPORT_DATA);
        return (MemoryBytes.word(offset), MemoryBytes.word(offset + 32));
    }

    /// @dev The digest that the attestation key signed, its signature and the key.
    function signedPart(Quote memory quote)
        internal
        view
        returns (bytes32 digest, uint256 r, uint256 s, uint256 x, uint256 y)
    {
        uint256 auth = quote.auth;
        digest = MemoryBytes.sha256Of(quote.start, auth - quote.start);
        r = uint256(MemoryBytes.word(auth));
        s = uint256(MemoryBytes.word(auth + 32));
        x = uint256(MemoryBytes.word(auth + _ATTESTATION_KEY));
        y = uint256(MemoryBytes.word(auth + _ATTESTATION_KEY + 32));
    }

    /// @dev The digest that the PCK key signed, and its signature.
    function qeSignedPart(Quote memory quote) internal view returns (bytes32 digest, uint256 r, uint256 s) {
        uint256 auth = quote.auth;
        digest = MemoryBytes.sha256Of(auth + _QE_REPORT, SgxReport.SIZE);
        r = uint256(MemoryBytes.word(auth + _QE_SIGNATURE));
        s = uint256(MemoryBytes.word(auth + _QE_SIGNATURE + 32));
    }

    /// @dev Refuses a QE report whose data is not SHA-256(attestation key || authentication data) and zeros.
    function requireKeyBinding(Quote memory quote) internal view {
        uint256 auth = quote.auth;
        uint256 free;
        assembly ("memory-safe") {
            // Key and data do not adjoin in the quote; they do in free memory, which stays free.
            free := mload(0x40)
            mcopy(free, add(auth, _ATTESTATION_KEY), 64)
            mcopy(add(free, 64), add(auth, _AUTH_DATA), _AUTH_DATA_SIZE)
        }
        bytes32 expected = MemoryBytes.sha256Of(free, 64 + _AUTH_DATA_SIZE);
        uint256 data = auth + _QE_REPORT + SgxReport.REPORT_DATA;
        bytes32 got = MemoryBytes.word(data);
        if (got != expected) revert IDcapVerifier.QeReportDataMismatch(got, expected);
        bytes32 tail = MemoryBytes.word(data + 32);
        if (tail != 0) revert IDcapVerifier.QeReportDataTailNotZero(tail);
    }

    /// @dev The quoting enclave and, for TDX, the TDX module; the SVNs of the PCK certificate are left to the caller.
    function environment(Quote memory quote) internal pure returns (Environment memory found) {
        uint256 report = quote.auth + _QE_REPORT;
        found.qeMiscselect = bytes4(MemoryBytes.word(report + 16));
        found.qeAttributes = bytes16(MemoryBytes.word(report + 48));
        found.qeMrSigner = MemoryBytes.word(report + 128);
        bytes32 isv = MemoryBytes.word(report + 256);
        found.qeIsvProdId = _littleEndian(isv);
        found.qeIsvSvn = _littleEndian(isv << 16);
        if (quote.tee == TeeKind.TDX) {
            found.seamSigner = TdReport.seamSigner(quote.body);
            found.teeTcbSvn = bytes16(MemoryBytes.word(quote.body));
        }
    }

    /// @dev Says what is wrong with a header that is none of the three.
    function _refuseHeader(bytes28 start) private pure {
        bytes32 header = bytes32(start);
        uint16 version = _littleEndian(header);
        if (version < 3 || version > 5) revert IDcapVerifier.QuoteVersionUnsupported(version);
        uint16 keyType = _littleEndian(header << 16);
        if (keyType != 2) revert IDcapVerifier.AttestationKeyTypeUnsupported(keyType);
        uint32 teeType = _littleEndian32(header << 32);
        if (teeType != (version == 3 ? 0 : 0x81)) revert IDcapVerifier.TeeTypeUnsupported(teeType);
        bytes4 reserved = bytes4(header << 64);
        if (version != 3 && reserved != 0) revert IDcapVerifier.QuoteHeaderReservedSet(reserved);
        revert IDcapVerifier.QeVendorUnknown(bytes16(header << 96));
    }

    /// @dev The number in the first two bytes, little-endian.
    function _littleEndian(bytes32 word) private pure returns (uint16) {
        return uint16(uint256(word) >> 248) | uint16((uint256(word) >> 240) << 8);
    }

    /// @dev The number in the first four bytes, little-endian.
    function _littleEndian32(bytes32 word) private pure returns (uint32) {
        return (uint32(_littleEndian(word << 16)) << 16) | _littleEndian(word);
    }
}
