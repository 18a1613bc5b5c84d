// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CompactInput} from "./CompactInput.sol";
import {JsonText} from "./JsonText.sol";

/// @title Decorations
/// @notice The names that Intel's TCB info v3 repeats at each component: `,"category":"...","type":"..."`.
/// @dev Given once per component position and used for all levels. Compact form of a position:
/// `category length 1 | type length 1 | category | type`; length 0 means that the member is absent.
///
/// A name is printable ASCII without `"`, `\`, `{`, `}`, `[` and `]`. So a name cannot end its string, open
/// another object or hide one: nothing that follows can be swallowed into it.
library Decorations {
    /// @notice The character may not stand in a name.
    error DecorationCharacter(uint256 position, bytes1 character);

    /// @dev `{"svn":0`, which stands before the decoration of a component whose SVN is 0.
    uint256 internal constant HEAD = 8;
    uint256 private constant _ONES = 0x0101010101010101010101010101010101010101010101010101010101010101;
    uint256 private constant _TOPS = 0x8080808080808080808080808080808080808080808080808080808080808080;

    /// @dev Reads the names of 16 components and writes the components with SVN 0, one after the other, each
    /// with the comma after it: `{"svn":0<decoration>},`.
    /// @return table The address of 16 words, each `address << 16 | length` of a component's text.
    /// @return next The position after the names.
    function read(uint256 input) internal pure returns (uint256 table, uint256 next) {
        assembly ("memory-safe") {
            table := mload(0x40)
        }
        uint256 to = table + 16 * 32;
        for (uint256 position = 0; position < 16; ++position) {
            uint256 lengths;
            (lengths, input) = CompactInput.take(input, 2);
            uint256 start = to;
            to = JsonText.literal(to, '{"svn":0', HEAD);
            if (lengths >> 8 != 0) {
                to = JsonText.literal(to, ',"category":"', 13);
                (to, input) = _name(to, input, lengths >> 8, position);
            }
            if (lengths & 0xff != 0) {
                to = JsonText.literal(to, ',"type":"', 9);
                (to, input) = _name(to, input, lengths & 0xff, position);
            }
            to = JsonText.literal(to, "},", 2);
            assembly ("memory-safe") {
                mstore(add(table, shl(5, position)), or(shl(16, start), sub(to, start)))
            }
        }
        assembly ("memory-safe") {
            mstore(0x40, and(add(to, 63), not(31)))
        }
        return (table, input);
    }

    /// @dev Writes the 16 components with the SVNs in the first 16 bytes of `svns`: `[{"svn":...},...]`. This
    /// writes most of a TCB info's text, hence assembly; JsonText.literal and JsonText.decimal in a loop would
    /// be its plain version, and Python's is the one it is tested against.
    function components(uint256 to, bytes32 svns, uint256 table) internal pure returns (uint256 end) {
        assembly ("memory-safe") {
            mstore8(to, 0x5b) // [
            to := add(to, 1)
            // SVNs are taken from the top of a word that holds nothing else, so that the rest being zero
            // means that all components left are those of the table.
            let left := and(svns, shl(128, sub(shl(128, 1), 1)))
            for { let last := add(table, 480) } iszero(gt(table, last)) { table := add(table, 32) } {
                let entry := mload(table)
                let text := shr(16, entry)
                if iszero(left) {
                    let ending := mload(last)
                    let length := sub(add(shr(16, ending), and(ending, 0xffff)), text)
                    mcopy(to, text, length)
                    to := add(to, length)
                    break
                }
                let svn := byte(0, left)
                left := shl(8, left)
                mstore(to, '{"svn":')
                to := add(to, 7)
                if gt(svn, 9) {
                    if gt(svn, 99) {
                        mstore8(to, add(48, div(svn, 100)))
                        to := add(to, 1)
                        svn := mod(svn, 100)
                    }
                    mstore8(to, add(48, div(svn, 10)))
                    to := add(to, 1)
                    svn := mod(svn, 10)
                }
                mstore8(to, add(48, svn))
                let length := sub(and(entry, 0xffff), HEAD)
                mcopy(add(to, 1), add(text, HEAD), length)
                to := add(add(to, 1), length)
            }
            mstore8(sub(to, 1), 0x5d) // ] over the last comma
            end := to
        }
    }

    /// @dev Writes a name and the quote after it.
    function _name(uint256 to, uint256 input, uint256 length, uint256 position)
        private
        pure
        returns (uint256, uint256)
    {
        assembly ("memory-safe") {
            calldatacopy(to, input, length)
        }
        // Words of 32 characters; in the last one, letters stand in for the characters after the name.
        for (uint256 offset = 0; offset < length; offset += 32) {
            uint256 word;
            assembly ("memory-safe") {
                word := mload(add(to, offset))
            }
            uint256 left = length - offset;
            if (left < 32) {
                uint256 foreign = type(uint256).max >> (8 * left);
                word = (word & ~foreign) | (0x41 * _ONES & foreign);
            }
            if (_holdsForbidden(word)) _revertForbidden(word, position);
        }
        return (JsonText.literal(to + length, '"', 1), input + length);
    }

    /// @dev Whether any byte is below 0x20, above 0x7e, or one of the six. The tests of a byte for zero and
    /// for being less are exact about whether there is such a byte, though not about which (Warren, Hacker's
    /// Delight, 6-1); {_revertForbidden} is the plain version.
    function _holdsForbidden(uint256 word) private pure returns (bool) {
        unchecked {
            uint256 found = (word - 0x20 * _ONES) & ~word;
            found |= (word + _ONES) | word;
            found |= _zeroAt(word ^ (0x22 * _ONES)) | _zeroAt(word ^ (0x5b * _ONES)) | _zeroAt(word ^ (0x5c * _ONES));
            found |= _zeroAt(word ^ (0x5d * _ONES)) | _zeroAt(word ^ (0x7b * _ONES)) | _zeroAt(word ^ (0x7d * _ONES));
            return found & _TOPS != 0;
        }
    }

    function _zeroAt(uint256 word) private pure returns (uint256) {
        unchecked {
            return (word - _ONES) & ~word;
        }
    }

    function _revertForbidden(uint256 word, uint256 position) private pure {
        for (uint256 i = 0; i < 32; ++i) {
            bytes1 character = bytes32(word)[i];
            bool bracket = character == "[" || character == "]" || character == "{" || character == "}";
            bool control = uint8(character) < 0x20 || uint8(character) > 0x7e;
            if (bracket || control || character == '"' || character == "\\") {
                revert DecorationCharacter(position, character);
            }
        }
        // The two versions disagree, which tests show they never do: refuse.
        revert DecorationCharacter(position, 0);
    }
}
