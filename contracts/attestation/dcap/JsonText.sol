// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TcbStatus} from "../../interfaces/AttestationTypes.sol";

/// @title JsonText
/// @notice Writes the words of Intel's JSON into memory: literals, numbers, hex, dates, statuses, advisories.
/// @dev Every function takes the memory address to write at and returns the one after the text. A value has
/// one text only: numbers carry no leading zeros, hex is upper case, dates are UTC to the second.
/// WARNING: nothing is allocated. Each write may touch up to 63 bytes after the returned address, so the
/// caller writes strictly upwards, at or above the free memory pointer, and allocates nothing in between.
library JsonText {
    /// @notice The date lies after the year 9999, which four digits cannot say.
    error DateOutOfRange(uint256 unixSeconds);
    /// @notice The status is none of Intel's.
    error StatusUnknown(uint8 status);

    /// @dev 9999-12-31T23:59:59Z.
    uint256 private constant LATEST_DATE = 253_402_300_799;

    /// @dev Writes the first `length` bytes of `text`, at most 32.
    function literal(uint256 to, bytes32 text, uint256 length) internal pure returns (uint256) {
        assembly ("memory-safe") {
            mstore(to, text)
        }
        return to + length;
    }

    /// @dev Writes a number below 10**10 in decimal, without leading zeros.
    function decimal(uint256 to, uint256 value) internal pure returns (uint256 end) {
        assembly ("memory-safe") {
            // Digits are collected from the right into the low end of a word, then shifted to the top.
            let digits := 0
            let bits := 0
            for {} 1 {} {
                digits := or(digits, shl(bits, add(48, mod(value, 10))))
                bits := add(bits, 8)
                value := div(value, 10)
                if iszero(value) { break }
            }
            mstore(to, shl(sub(256, bits), digits))
            end := add(to, shr(3, bits))
        }
    }

    /// @dev Writes 16 bytes as 32 upper-case hex digits.
    function hex16(uint256 to, bytes16 value) internal pure returns (uint256) {
        uint256 x = uint128(value);
        unchecked {
            // Each step doubles the distance between halves until every nibble has a byte of its own.
            x = (x | (x << 64)) & 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff;
            x = (x | (x << 32)) & 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
            x = (x | (x << 16)) & 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;
            x = (x | (x << 8)) & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
            x = (x | (x << 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            // A nibble above 9 carries into bit 4 when 6 is added; those get 7 more, from '9' + 1 to 'A'.
            // No byte overflows: the largest sum is 15 + 48 + 7.
            uint256 letters = ((x + 0x0606060606060606060606060606060606060606060606060606060606060606) >> 4)
                & 0x0101010101010101010101010101010101010101010101010101010101010101;
            x += 0x3030303030303030303030303030303030303030303030303030303030303030 + letters * 7;
        }
        return literal(to, bytes32(x), 32);
    }

    /// @dev Writes the first `count` bytes of `value`, at most 16, as upper-case hex.
    function hexBytes(uint256 to, bytes16 value, uint256 count) internal pure returns (uint256) {
        hex16(to, value);
        return to + 2 * count;
    }

    /// @dev Writes `YYYY-MM-DDThh:mm:ssZ`, 20 characters.
    function date(uint256 to, uint256 unixSeconds) internal pure returns (uint256) {
        if (unixSeconds > LATEST_DATE) revert DateOutOfRange(unixSeconds);
        unchecked {
            // Civil date from days (Howard Hinnant's algorithm): years are counted from 1 March of year 0,
            // in eras of 400 years = 146,097 days. Every intermediate is far below 2**256 and non-negative.
            uint256 z = unixSeconds / 86_400 + 719_468;
            uint256 era = z / 146_097;
            uint256 dayOfEra = z - era * 146_097;
            uint256 yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
            uint256 dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
            uint256 shifted = (5 * dayOfYear + 2) / 153;
            uint256 day = dayOfYear - (153 * shifted + 2) / 5 + 1;
            uint256 month = shifted < 10 ? shifted + 3 : shifted - 9;
            uint256 year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
            uint256 second = unixSeconds % 86_400;
            uint256 text = (_two(year / 100) << 144) | (_two(year % 100) << 128) | (_two(month) << 104)
                | (_two(day) << 80) | (_two(second / 3600) << 56) | (_two(second / 60 % 60) << 32)
                | (_two(second % 60) << 8)
                | uint256(uint160(bytes20("\x00\x00\x00\x00-\x00\x00-\x00\x00T\x00\x00:\x00\x00:\x00\x00Z")));
            return literal(to, bytes32(text << 96), 20);
        }
    }

    /// @dev Two decimal digits of a number below 100, as two ASCII bytes.
    function _two(uint256 value) private pure returns (uint256) {
        unchecked {
            // value / 10 <= 9 and value % 10 <= 9, so neither digit leaves its byte.
            return ((value / 10) << 8) + (value % 10) + 0x3030;
        }
    }

    /// @dev Writes Intel's name of a status (PCS API v4, `tcbStatus`) without quotes.
    function status(uint256 to, uint8 value) internal pure returns (uint256) {
        if (value == uint8(TcbStatus.UP_TO_DATE)) return literal(to, "UpToDate", 8);
        if (value == uint8(TcbStatus.OUT_OF_DATE)) return literal(to, "OutOfDate", 9);
        if (value == uint8(TcbStatus.SW_HARDENING_NEEDED)) return literal(to, "SWHardeningNeeded", 17);
        if (value == uint8(TcbStatus.CONFIGURATION_NEEDED)) return literal(to, "ConfigurationNeeded", 19);
        if (value == uint8(TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED)) {
            return literal(literal(to, "ConfigurationAndSWHardeningNeede", 32), "d", 1);
        }
        if (value == uint8(TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED)) {
            return literal(to, "OutOfDateConfigurationNeeded", 28);
        }
        if (value == uint8(TcbStatus.REVOKED)) return literal(to, "Revoked", 7);
        revert StatusUnknown(value);
    }

    /// @dev Writes `"INTEL-SA-ddddd",`: a number below 100,000, zero-padded, quoted, with its comma.
    function advisory(uint256 to, uint256 id) internal pure returns (uint256 end) {
        assembly ("memory-safe") {
            let digits := add(48, mod(id, 10))
            digits := or(digits, shl(8, add(48, mod(div(id, 10), 10))))
            digits := or(digits, shl(16, add(48, mod(div(id, 100), 10))))
            digits := or(digits, shl(24, add(48, mod(div(id, 1000), 10))))
            digits := or(digits, shl(32, add(48, mod(div(id, 10000), 10))))
            // 10 characters, 5 digits, 2 characters.
            mstore(to, or('"INTEL-SA-\x00\x00\x00\x00\x00",', shl(136, digits)))
            end := add(to, 17)
        }
    }
}
