// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDcapVerifier} from "../../interfaces/IDcapVerifier.sol";
import {MemoryBytes} from "./MemoryBytes.sol";

/// @title TdReport
/// @notice Reads TD reports as quotes hold them (Intel TDX DCAP Quoting Library API, appendix A.3.2).
/// @dev A report is handled by its address in memory:
/// ```
/// 0    TEE_TCB_SVN 16 | MRSEAM 48 | MRSIGNERSEAM 48 | SEAMATTRIBUTES 8 | TDATTRIBUTES 8 | XFAM 8 | MRTD 48
///      | MRCONFIGID 48 | MROWNER 48 | MROWNERCONFIG 48 | RTMR 4 x 48 | REPORTDATA 64
/// 584  TDX 1.5 only: TEE_TCB_SVN2 16 | MRSERVICETD 48
/// ```
library TdReport {
    uint256 internal constant SIZE_10 = 584;
    uint256 internal constant SIZE_15 = 648;
    uint256 internal constant REPORT_DATA = 520;

    /// @dev TDATTRIBUTES that may be set, as dcap-qvl has it: ICSSD 16, 18 to 22, LASS 27, SEPT_VE_DISABLE 28,
    /// PKS 30, KL 31, TPA 62, PERFMON 63. Left out are all of TUD, MIGRATABLE 29 (a TD that migrates takes its
    /// secrets out of this platform), and every bit that no published module defines. Bit 0 is the lowest of the
    /// first byte.
    bytes8 private constant _ATTRIBUTES_ALLOWED = 0x00007dd8000000c0;
    /// @dev SEPT_VE_DISABLE: without it the host can inject faults into the TD by unmapping its memory.
    bytes8 private constant _ATTRIBUTES_REQUIRED = 0x0000001000000000;
    bytes32 private constant _WORKLOAD_TAG = keccak256("xmtp-tee/workload/tdx/v1");
    bytes32 private constant _WORKLOAD_TAG_15 = keccak256("xmtp-tee/workload/tdx-1.5/v1");

    /// @dev Refuses a TD under debug or with attributes that weaken it, and a TDX module with attributes.
    function requireProduction(uint256 report) internal pure {
        bytes8 seamAttributes = bytes8(MemoryBytes.word(report + 112));
        if (seamAttributes != 0) revert IDcapVerifier.SeamAttributesNotZero(seamAttributes);
        bytes8 attributes = bytes8(MemoryBytes.word(report + 120));
        // The first byte holds bits 0 to 7, TUD: DEBUG and seven reserved for more of its kind.
        if (attributes[0] != 0) revert IDcapVerifier.DebugEnclave(attributes);
        if (attributes & ~_ATTRIBUTES_ALLOWED != 0 || attributes & _ATTRIBUTES_REQUIRED != _ATTRIBUTES_REQUIRED) {
            revert IDcapVerifier.TdAttributesRefused(attributes, _ATTRIBUTES_ALLOWED, _ATTRIBUTES_REQUIRED);
        }
    }

    /// @dev The workload id: the tag, TDATTRIBUTES to RTMR3, 400 contiguous bytes, and for TDX 1.5 MRSERVICETD.
    function workload(uint256 report, bool td15) internal pure returns (bytes32 id) {
        bytes32 tag = td15 ? _WORKLOAD_TAG_15 : _WORKLOAD_TAG;
        assembly ("memory-safe") {
            // Hashed in free memory, which stays free.
            let free := mload(0x40)
            mstore(free, tag)
            mcopy(add(free, 32), add(report, 120), 400)
            if td15 { mcopy(add(free, 432), add(report, 600), 48) }
            id := keccak256(free, add(432, mul(td15, 48)))
        }
    }

    /// @dev keccak256 of MRSIGNERSEAM.
    function seamSigner(uint256 report) internal pure returns (bytes32) {
        return MemoryBytes.keccak(report + 64, 48);
    }
}
