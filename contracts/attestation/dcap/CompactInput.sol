// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title CompactInput
/// @notice Reads the compact forms of collateral from calldata by a position that moves on.
/// @dev WARNING: reads past the end are not refused here: they give whatever follows in calldata. That is
/// harmless because everything read is written into the text whose signature is checked; the readers refuse
/// a position past the end after each element, and demand that the last one is exactly the end.
library CompactInput {
    /// @notice The compact form has other bytes than its own counts say.
    error CompactLengthMismatch(uint256 consumed, uint256 length);
    /// @notice A hex digit, upper or lower case, stands here in Intel's text.
    error HexDigitExpected(bytes1 got);

    /// @dev The next `size` bytes (1 to 32) as a number, and the position after them.
    function take(uint256 input, uint256 size) internal pure returns (uint256 value, uint256 next) {
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, size)), calldataload(input))
            next := add(input, size)
        }
    }

    /// @dev The next 32 bytes of calldata, the position left to the caller.
    function peek(uint256 input) internal pure returns (bytes32 value) {
        assembly ("memory-safe") {
            value := calldataload(input)
        }
    }

    /// @dev The value of the next `count` hex digits of either case (at most 32).
    function takeHexDigits(uint256 input, uint256 count) internal pure returns (uint256 value, uint256 next) {
        bytes32 text = peek(input);
        unchecked {
            // count <= 32 and a nibble is below 16, so the value stays below 2**128.
            for (uint256 i = 0; i < count; ++i) {
                uint256 character = uint8(text[i]);
                uint256 digit = character - 48;
                if (digit > 9) {
                    // Setting bit 5 makes a letter lower case; 'a' is 97.
                    digit = (character | 32) - 97;
                    if (digit > 5) revert HexDigitExpected(bytes1(uint8(character)));
                    digit += 10;
                }
                value = (value << 4) | digit;
            }
            next = input + count;
        }
    }

    /// @dev Copies `size` bytes to memory at `to` and returns their keccak256 and the position after them.
    function takeHash(uint256 input, uint256 size, uint256 to) internal pure returns (bytes32 digest, uint256 next) {
        assembly ("memory-safe") {
            calldatacopy(to, input, size)
            digest := keccak256(to, size)
            next := add(input, size)
        }
    }
}
