// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DateTimeLib} from "solady/utils/DateTimeLib.sol";

import {Der} from "./Der.sol";

/// @title DerTime
/// @notice Reads the time of certificates and CRLs (RFC 5280, section 4.1.2.5) as unix seconds.
/// @dev Exactly `YYMMDDHHMMSSZ` as UTCTime for 1950 to 2049, `YYYYMMDDHHMMSSZ` as GeneralizedTime from 2050
/// on: no fractions, no offsets, no leap second, only days that the calendar has. Before 1970 is refused.
library DerTime {
    using Der for bytes;

    /// @notice Not a time in the one form that RFC 5280 allows for it.
    /// @param offset Where the value lies.
    /// @param text The first 15 characters of its content.
    error DerTimeInvalid(uint256 offset, bytes15 text);

    /// @notice Reads a Time.
    /// @return time Unix seconds.
    /// @return next Where the next value begins.
    function read(bytes memory der, uint256 offset, uint256 end) internal pure returns (uint40 time, uint256 next) {
        bool general = offset < end && der.byteAt(offset) == Der.GENERALIZED_TIME;
        uint256 length = general ? 15 : 13;
        uint256 start;
        (start, next) = der.enterExact(offset, end, general ? Der.GENERALIZED_TIME : Der.UTC_TIME, length);

        bytes15 text = bytes15(bytes32(der.wordAt(start)));
        // Every pair of digits as a number, the last pair's in the lowest byte.
        uint256 pairs;
        unchecked {
            // Bytes and sums of two of them; i counts to 7.
            uint256 word = der.wordAt(start);
            bool digits = true;
            for (uint256 i = length >> 1; i != 0; --i) {
                // Exactly the characters 0x30 to 0x39 give 0 to 9 here.
                uint256 tens = (word >> 248) ^ 0x30;
                uint256 ones = ((word >> 240) & 0xff) ^ 0x30;
                if (tens > 9 || ones > 9) digits = false;
                pairs = (pairs << 8) | ((tens * 10 + ones) & 0xff);
                word <<= 16;
            }
            // Z
            if (!digits || word >> 248 != 0x5a) revert DerTimeInvalid(offset, text);
        }

        uint256 year = uint8(pairs >> 40);
        if (general) year += 100 * uint256(uint8(pairs >> 48));
        else year += year < 50 ? 2000 : 1900;
        uint256 month = uint8(pairs >> 32);
        uint256 day = uint8(pairs >> 24);
        uint256 hour = uint8(pairs >> 16);
        uint256 minute = uint8(pairs >> 8);
        uint256 second = uint8(pairs);
        if (
            (general && year < 2050) || year < 1970
                || !DateTimeLib.isSupportedDateTime(year, month, day, hour, minute, second)
        ) revert DerTimeInvalid(offset, text);
        // The year 9999 ends at 253,402,300,799: 38 bits.
        time = uint40(DateTimeLib.dateTimeToTimestamp(year, month, day, hour, minute, second));
    }
}
