// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Cbor
/// @notice A strict reader of CBOR (RFC 8949): definite lengths, the shortest form of every number (section 4.2.1), all
/// else reverts. The one exception is for the caller to make: {isIndefiniteMap}.
/// @dev Works on offsets into one byte array. An item is read with `offset`, where its head must lie, and `end`, the end
/// of what contains it. `end` must not exceed the array's length.
library Cbor {
    // Major types, in the upper three bits of a head.
    uint8 internal constant UNSIGNED = 0x00;
    uint8 internal constant BYTES = 0x40;
    uint8 internal constant TEXT = 0x60;
    uint8 internal constant ARRAY = 0x80;
    uint8 internal constant MAP = 0xa0;

    uint8 private constant _NULL = 0xf6;
    uint8 private constant _INDEFINITE_MAP = 0xbf;
    uint8 private constant _BREAK = 0xff;

    /// @notice An item needs more bytes than its container has left.
    error CborTruncated(uint256 offset, uint256 needed, uint256 available);
    /// @notice Another type was expected here. `got` is the head's first byte.
    error CborTypeMismatch(uint256 offset, uint8 got, uint8 expected);
    /// @notice A length is indefinite, or a head is of a form that does not exist.
    error CborHeadInvalid(uint256 offset, uint8 got);
    /// @notice A number is not in its shortest form.
    error CborNotMinimal(uint256 offset);
    /// @notice A container holds bytes after its last item.
    error CborTrailingBytes(uint256 offset, uint256 end);

    /// @notice Reads a head: the number, the length or the count in it, and where it ends.
    function head(bytes memory data, uint256 offset, uint256 end, uint8 major)
        internal
        pure
        returns (uint256 value, uint256 next)
    {
        unchecked {
            // Offsets and ends lie within an array in memory: no sum comes near 2**256.
            if (offset + 1 > end) revert CborTruncated(offset, 1, end - offset);
            uint256 word = _wordAt(data, offset);
            uint8 got = uint8(word >> 248);
            if (got & 0xe0 != major) revert CborTypeMismatch(offset, got, major);
            value = got & 0x1f;
            if (value < 24) return (value, offset + 1);
            if (value > 27) revert CborHeadInvalid(offset, got);
            // 24, 25, 26, 27: 1, 2, 4 or 8 bytes follow.
            uint256 size = 1 << (value - 24);
            next = offset + 1 + size;
            if (next > end) revert CborTruncated(offset, 1 + size, end - offset);
            value = (word << 8) >> (256 - 8 * size);
            // What half the bytes, or none, could hold is not in its shortest form.
            if (size == 1 ? value < 24 : value >> (4 * size) == 0) revert CborNotMinimal(offset);
        }
    }

    /// @notice Reads a byte or text string. Its content is data[start:stop], and `stop` is where the next item begins.
    function text(bytes memory data, uint256 offset, uint256 end, uint8 major)
        internal
        pure
        returns (uint256 start, uint256 stop)
    {
        uint256 length;
        (length, start) = head(data, offset, end, major);
        unchecked {
            // Compared before it is added: a length has 64 bits.
            if (length > end - start) revert CborTruncated(offset, length, end - start);
            stop = start + length;
        }
    }

    /// @notice Whether null stands here.
    function isNull(bytes memory data, uint256 offset, uint256 end) internal pure returns (bool) {
        return offset < end && _byteAt(data, offset) == _NULL;
    }

    /// @notice Whether a map of indefinite length begins here.
    function isIndefiniteMap(bytes memory data, uint256 offset, uint256 end) internal pure returns (bool) {
        return offset < end && _byteAt(data, offset) == _INDEFINITE_MAP;
    }

    /// @notice Whether the break that ends an item of indefinite length stands here.
    function isBreak(bytes memory data, uint256 offset, uint256 end) internal pure returns (bool) {
        return offset < end && _byteAt(data, offset) == _BREAK;
    }

    /// @notice Reverts unless a container has been read to its end.
    function finish(uint256 offset, uint256 end) internal pure {
        if (offset != end) revert CborTrailingBytes(offset, end);
    }

    function _byteAt(bytes memory data, uint256 offset) private pure returns (uint8 value) {
        assembly ("memory-safe") {
            value := byte(0, mload(add(add(data, 32), offset)))
        }
    }

    function _wordAt(bytes memory data, uint256 offset) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(add(data, 32), offset))
        }
    }
}
