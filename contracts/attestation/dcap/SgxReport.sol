// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDcapVerifier} from "../../interfaces/IDcapVerifier.sol";
import {MemoryBytes} from "./MemoryBytes.sol";

/// @title SgxReport
/// @notice Reads SGX reports: an application's and the quoting enclave's own (Intel SGX ECDSA Quote Library API,
/// appendix A.4, "Enclave Report Body").
/// @dev A report is handled by its address in memory, 384 bytes:
/// ```
/// 0    CPUSVN 16 | MISCSELECT 4 | reserved 12 | ISVEXTPRODID 16 | ATTRIBUTES 16 | MRENCLAVE 32 | reserved 32
///      | MRSIGNER 32 | reserved 32 | CONFIGID 64 | ISVPRODID 2 | ISVSVN 2 | CONFIGSVN 2 | reserved 42
///      | ISVFAMILYID 16 | REPORTDATA 64
/// ```
library SgxReport {
    uint256 internal constant SIZE = 384;
    uint256 internal constant REPORT_DATA = 320;

    /// @dev Flags that may be set (Intel SDM volume 3D, "ATTRIBUTES"): INIT 0, MODE64BIT 2, CET 6, KSS 7, AEXNOTIFY
    /// 10. Left out are DEBUG 1, PROVISION_KEY 4 and EINITTOKEN_KEY 5, which only Intel's own enclaves need, and
    /// every bit that is reserved. Bit 0 is the lowest of the first byte.
    bytes8 private constant _FLAGS_ALLOWED = 0xc504000000000000;
    bytes8 private constant _FLAGS_REQUIRED = 0x0100000000000000;
    bytes8 private constant _DEBUG = 0x0200000000000000;
    bytes32 private constant _WORKLOAD_TAG = keccak256("xmtp-tee/workload/sgx/v1");

    /// @dev Refuses an enclave under debug or with flags that an application has no use for.
    function requireProduction(uint256 report) internal pure {
        bytes8 flags = bytes8(MemoryBytes.word(report + 48));
        if (flags & _DEBUG != 0) revert IDcapVerifier.DebugEnclave(flags);
        if (flags & ~_FLAGS_ALLOWED != 0 || flags & _FLAGS_REQUIRED != _FLAGS_REQUIRED) {
            revert IDcapVerifier.SgxAttributesRefused(flags, _FLAGS_ALLOWED, _FLAGS_REQUIRED);
        }
    }

    /// @dev The workload id: the tag, then MISCSELECT to ISVFAMILYID, 304 contiguous bytes.
    function workload(uint256 report) internal pure returns (bytes32 id) {
        bytes32 tag = _WORKLOAD_TAG;
        assembly ("memory-safe") {
            // Hashed in free memory, which stays free.
            let free := mload(0x40)
            mstore(free, tag)
            mcopy(add(free, 32), add(report, 16), 304)
            id := keccak256(free, 336)
        }
    }
}
