// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title ByteOrder
/// @notice Turns little-endian numbers around.
library ByteOrder {
    /// @notice The 32 bytes of a word in the opposite order.
    function reverse(uint256 word) internal pure returns (uint256 reversed) {
        // Bytes trade places in pairs, then pairs, fours, eights and halves.
        uint256 mask = 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
        reversed = ((word >> 8) & mask) | ((word & mask) << 8);
        mask = 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;
        reversed = ((reversed >> 16) & mask) | ((reversed & mask) << 16);
        mask = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
        reversed = ((reversed >> 32) & mask) | ((reversed & mask) << 32);
        mask = 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff;
        reversed = ((reversed >> 64) & mask) | ((reversed & mask) << 64);
        reversed = (reversed >> 128) | (reversed << 128);
    }

    /// @notice The first 8 bytes of a word as a little-endian number.
    function first64(uint256 word) internal pure returns (uint64) {
        return uint64(reverse(word));
    }
}
