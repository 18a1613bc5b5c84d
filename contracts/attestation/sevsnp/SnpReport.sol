// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Sha384} from "../../crypto/Sha384.sol";
import {SliceHash} from "../../crypto/SliceHash.sol";
import {ByteOrder} from "../../encoding/ByteOrder.sol";
import {Der} from "../../encoding/Der.sol";
import {Uint384} from "../../interfaces/IP384.sol";
import {ISevSnpVerifier, SnpProduct} from "../../interfaces/ISevSnpVerifier.sol";

/// @title SnpReport
/// @notice Reads attestation reports (AMD 56860, table ATTESTATION_REPORT), versions 2 to 5, 1,184 bytes.
/// @dev WARNING: reading does not verify. Nothing read counts before the signature has been checked.
/// ```
/// 0x000 VERSION 4 | GUEST_SVN 4 | POLICY 8 | FAMILY_ID 16 | IMAGE_ID 16 | VMPL 4 | SIGNATURE_ALGO 4 | CURRENT_TCB 8
/// 0x040 PLATFORM_INFO 8 | flags 4 | reserved 4 | REPORT_DATA 64
/// 0x090 MEASUREMENT 48 | HOST_DATA 32 | ID_KEY_DIGEST 48 | AUTHOR_KEY_DIGEST 48 | REPORT_ID 32 | REPORT_ID_MA 32
/// 0x180 REPORTED_TCB 8 | version 3 on: CPUID 3 | reserved | 0x1a0 CHIP_ID 64 | 0x1e0 COMMITTED_TCB 8
/// 0x1e8 CURRENT version 3 | reserved 1 | COMMITTED version 3 | reserved 1 | LAUNCH_TCB 8
/// 0x1f8 version 5: mitigation vectors 16 | reserved up to 0x2a0
/// 0x2a0 r 72 | s 72 | zero 368
/// ```
library SnpReport {
    using SliceHash for bytes;
    using Der for bytes;

    uint256 internal constant SIZE = 1184;
    uint256 private constant _SIGNED = 0x2a0;
    uint256 private constant _S = 0x2e8;
    uint256 private constant _SIGNATURE_END = 0x330;

    uint256 private constant _GUEST = 0x04;
    uint256 private constant _POLICY = 0x08;
    uint256 private constant _VMPL = 0x30;
    uint256 private constant _ALGORITHM = 0x34;
    uint256 private constant _FLAGS = 0x48;
    uint256 private constant _REPORT_DATA = 0x50;
    uint256 private constant _MEASUREMENT = 0x90;
    uint256 private constant _REPORTED_TCB = 0x180;
    uint256 private constant _CPUID = 0x188;
    uint256 private constant _CHIP_ID = 0x1a0;
    uint256 private constant _CHIP_ID_END = 0x1e0;

    /// @dev POLICY: the ABI's version 0 to 15, SMT 16, always one 17, SINGLE_SOCKET 20, CXL_ALLOW 21, MEM_AES_256_XTS 22,
    /// RAPL_DIS 23, CIPHERTEXT_HIDING_DRAM 24, PAGE_SWAP_DISABLE 25. Left out are MIGRATE_MA 18 (a migration agent gets
    /// what the guest is), DEBUG 19, and every bit that no published version defines.
    uint64 private constant _POLICY_ALLOWED = 0x03f3ffff;
    uint64 private constant _POLICY_REQUIRED = 1 << 17;
    uint64 private constant _POLICY_DEBUG = 1 << 19;
    bytes32 private constant _WORKLOAD_TAG = keccak256("xmtp-tee/workload/sev-snp/v1");

    /// @dev Refuses versions, algorithms, reserved bytes and a signing key other than those that are verified here, and
    /// guests that can be debugged or migrated; and, from version 3 on, processors of another product.
    function requireForm(bytes memory report, SnpProduct product, bool vlek) internal pure {
        uint32 version = _uint32(report, 0);
        if (version < 2 || version > 5) revert ISevSnpVerifier.ReportVersionUnsupported(version);
        _requirePolicy(report);
        uint32 vmpl = _uint32(report, _VMPL);
        if (vmpl > 3) revert ISevSnpVerifier.VmplUnsupported(vmpl);
        uint32 algorithm = _uint32(report, _ALGORITHM);
        if (algorithm != 1) revert ISevSnpVerifier.SignatureAlgorithmNotEcdsaP384(algorithm);
        uint32 flags = _uint32(report, _FLAGS);
        // Bit 0 says whether there is an author key, which the author key's digest says too.
        if (flags & ~uint32(1) != (vlek ? 4 : 0)) revert ISevSnpVerifier.SigningKeyMismatch(flags, vlek);
        _requireReservedClear(report, version);
        if (version != 2) _requireProcessor(report, product);
    }

    /// @dev The workload id, see {ISevSnpVerifier}.
    function workload(bytes memory report) internal pure returns (bytes32 id) {
        bytes32 tag = _WORKLOAD_TAG;
        assembly ("memory-safe") {
            // Hashed in free memory, which stays free.
            let free := mload(0x40)
            let data := add(report, 0x20)
            mstore(free, tag)
            mcopy(add(free, 0x20), add(data, _GUEST), 0x30)
            mcopy(add(free, 0x50), add(data, _MEASUREMENT), 0xb0)
            id := keccak256(free, 0x100)
        }
    }

    /// @dev REPORT_DATA, both halves.
    function reportData(bytes memory report) internal pure returns (bytes32 head, bytes32 tail) {
        return (bytes32(report.wordAt(_REPORT_DATA)), bytes32(report.wordAt(_REPORT_DATA + 32)));
    }

    /// @dev REPORTED_TCB.
    function reportedTcb(bytes memory report, SnpProduct product) internal pure returns (uint64 tcb) {
        tcb = ByteOrder.first64(report.wordAt(_REPORTED_TCB));
        uint64 reserved = product == SnpProduct.TURIN ? 0x00ffffff00000000 : 0x0000ffffffff0000;
        if (tcb & reserved != 0) revert ISevSnpVerifier.TcbReservedSet(product, tcb);
    }

    /// @dev keccak256 of CHIP_ID, zero when it is masked.
    function chip(bytes memory report) internal pure returns (bytes32) {
        if (report.wordAt(_CHIP_ID) | report.wordAt(_CHIP_ID + 32) == 0) return 0;
        return report.keccakOf(_CHIP_ID, _CHIP_ID_END);
    }

    /// @dev The digest that the endorsement key signed, and its signature.
    function signedPart(bytes memory report)
        internal
        pure
        returns (Uint384 memory digest, Uint384 memory r, Uint384 memory s)
    {
        digest = Sha384.hashSlice(report, 0, _SIGNED);
        r = _littleEndian384(report, _SIGNED);
        s = _littleEndian384(report, _S);
        uint256 seen = 0;
        for (uint256 offset = _SIGNATURE_END; offset + 32 <= SIZE; offset += 32) {
            seen |= report.wordAt(offset);
        }
        // 368 bytes are 11 words and a half.
        if (seen | report.wordAt(SIZE - 32) != 0) revert ISevSnpVerifier.SignatureNotPadded();
    }

    function _requirePolicy(bytes memory report) private pure {
        uint256 word = report.wordAt(_POLICY);
        uint64 policy = ByteOrder.first64(word);
        if (policy & _POLICY_DEBUG != 0) revert ISevSnpVerifier.DebugEnclave(bytes8(bytes32(word)));
        if (policy & ~_POLICY_ALLOWED != 0 || policy & _POLICY_REQUIRED == 0) {
            revert ISevSnpVerifier.GuestPolicyRefused(policy, _POLICY_ALLOWED, _POLICY_REQUIRED);
        }
    }

    /// @dev CPUID's family and model, as AMD gives them to the cores of each product (AMD 57230): Milan 19h 00h-0Fh, Genoa
    /// with Siena and Bergamo 19h 10h-1Fh and A0h-AFh, Turin 1Ah 00h-11h.
    function _requireProcessor(bytes memory report, SnpProduct product) private pure {
        uint256 word = report.wordAt(_CPUID);
        (uint8 family, uint8 model) = (uint8(word >> 248), uint8(word >> 240));
        bool known = product == SnpProduct.MILAN
            ? family == 0x19 && model < 0x10
            : product == SnpProduct.TURIN
                ? family == 0x1a && model < 0x12
                : family == 0x19 && (model >> 4 == 1 || model >> 4 == 0xa);
        if (!known) revert ISevSnpVerifier.ProcessorMismatch(product, family, model);
    }

    /// @dev What a version reserves is zero: a later version that gives it a meaning has another number.
    function _requireReservedClear(bytes memory report, uint32 version) private pure {
        _requireClear(report, 0x4c, 4);
        _requireClear(report, version == 2 ? 0x188 : 0x18b, version == 2 ? 24 : 21);
        _requireClear(report, 0x1eb, 1);
        _requireClear(report, 0x1ef, 1);
        // Up to 0x2a0 in steps of 8 bytes, then of whole words.
        if (version < 5) _requireClear(report, 0x1f8, 16);
        _requireClear(report, 0x208, 24);
        for (uint256 offset = 0x220; offset < _SIGNED; offset += 32) {
            _requireClear(report, offset, 32);
        }
    }

    function _requireClear(bytes memory report, uint256 offset, uint256 length) private pure {
        if (report.wordAt(offset) >> (8 * (32 - length)) != 0) revert ISevSnpVerifier.ReportReservedSet(offset);
    }

    /// @dev A number of 72 bytes, little-endian, of which 48 may be used.
    function _littleEndian384(bytes memory report, uint256 offset) private pure returns (Uint384 memory) {
        uint256 upper = ByteOrder.reverse(report.wordAt(offset + 32));
        uint64 top = uint64(report.wordAt(offset + 40));
        if (upper >> 128 != 0 || top != 0) revert ISevSnpVerifier.SignatureNotPadded();
        return Uint384(upper, ByteOrder.reverse(report.wordAt(offset)));
    }

    function _uint32(bytes memory report, uint256 offset) private pure returns (uint32) {
        return uint32(ByteOrder.reverse(report.wordAt(offset)));
    }
}
