// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TcbStatus} from "../../interfaces/AttestationTypes.sol";
import {CompactInput} from "./CompactInput.sol";
import {JsonText} from "./JsonText.sol";

/// @title LevelText
/// @notice Writes the TCB levels of enclaves and TDX modules, and the end that all levels share.
/// @dev Compact form of the end of a level: `tcbDate 5 | status 1 | advisory count 1 | advisories 2 each`
/// (dates in unix seconds; an advisory is the number in INTEL-SA-ddddd). What is kept of it, 9 bytes:
/// `status 1 | first 8 bytes of keccak256(advisories, 2 bytes each) or 0 when there are none`.
/// Compact form of an isvsvn level: `isvsvn 2 | end`; kept: `isvsvn 2 | end 9`.
library LevelText {
    /// @notice A list of levels is empty.
    error LevelsMissing();
    /// @notice An enclave or a module is up to date, out of date or revoked; Intel defines no other status.
    error LevelStatusUnsupported(uint8 status);

    uint256 internal constant KEPT_LEVEL = 11;

    /// @dev Writes `},"tcbDate":"...","tcbStatus":"..."[,"advisoryIDs":[...]]}`.
    /// @return kept The 9 bytes kept, as a number.
    function end(uint256 to, uint256 input) internal pure returns (uint256, uint256, uint256 kept) {
        uint256 unixSeconds;
        uint256 status;
        uint256 count;
        (unixSeconds, input) = CompactInput.take(input, 5);
        (status, input) = CompactInput.take(input, 1);
        (count, input) = CompactInput.take(input, 1);
        to = JsonText.literal(to, '},"tcbDate":"', 13);
        to = JsonText.date(to, unixSeconds);
        to = JsonText.literal(to, '","tcbStatus":"', 15);
        to = JsonText.status(to, uint8(status));
        kept = status << 64;
        if (count == 0) return (JsonText.literal(to, '"}', 2), input, kept);

        (bytes32 digest,) = CompactInput.takeHash(input, 2 * count, to);
        kept |= uint256(digest) >> 192;
        to = JsonText.literal(to, '","advisoryIDs":[', 17);
        for (uint256 i = 0; i < count; ++i) {
            uint256 number;
            (number, input) = CompactInput.take(input, 2);
            to = JsonText.advisory(to, number);
        }
        // The last comma gives way to the bracket.
        return (JsonText.literal(to - 1, "]}", 2), input, kept);
    }

    /// @dev Writes `"tcbLevels":[{"tcb":{"isvsvn":...},...},...]` and keeps 11 bytes a level at `keep`.
    /// @param limit The end of the compact form: past it, no further level is read.
    /// @return count The number of levels.
    function isvSvnLevels(uint256 to, uint256 input, uint256 keep, uint256 limit)
        internal
        pure
        returns (uint256, uint256, uint256, uint256 count)
    {
        (count, input) = CompactInput.take(input, 1);
        if (count == 0) revert LevelsMissing();
        to = JsonText.literal(to, '"tcbLevels":[', 13);
        for (uint256 i = 0; i < count; ++i) {
            uint256 isvSvn;
            uint256 kept;
            (isvSvn, input) = CompactInput.take(input, 2);
            to = JsonText.literal(to, '{"tcb":{"isvsvn":', 17);
            to = JsonText.decimal(to, isvSvn);
            (to, input, kept) = end(to, input);
            _requireEnclaveStatus(uint8(kept >> 64));
            to = JsonText.literal(to, ",", 1);
            kept |= isvSvn << 72;
            assembly ("memory-safe") {
                mstore(keep, shl(168, kept))
            }
            keep += KEPT_LEVEL;
            if (input > limit) break;
        }
        return (JsonText.literal(to - 1, "]", 1), input, keep, count);
    }

    /// @dev Intel's libraries refuse any other status for a quoting enclave or a TDX module, or read it as
    /// out of date; refusing is the stricter reading.
    function _requireEnclaveStatus(uint8 status) private pure {
        if (
            status != uint8(TcbStatus.UP_TO_DATE) && status != uint8(TcbStatus.OUT_OF_DATE)
                && status != uint8(TcbStatus.REVOKED)
        ) revert LevelStatusUnsupported(status);
    }
}
