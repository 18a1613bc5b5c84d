// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Der
/// @notice A strict reader of DER (ITU-T X.690, section 10 and 11): one value has one encoding, all else reverts.
/// @dev Works on offsets into one byte array. A value is read with `offset`, where its tag must lie, and `end`, the
/// end of the value that contains it; reading gives the content's bounds [start, stop), and `stop` is where the
/// next value begins. Whoever opens a constructed value calls {finish} when it has read all of it.
///
/// ██ WARNING ██
/// `end` must not exceed the array's length. It never does when the first `end` is `der.length` and every other
/// one comes from this library.
library Der {
    uint8 internal constant BOOLEAN = 0x01;
    uint8 internal constant INTEGER = 0x02;
    uint8 internal constant BIT_STRING = 0x03;
    uint8 internal constant OCTET_STRING = 0x04;
    uint8 internal constant OBJECT_IDENTIFIER = 0x06;
    uint8 internal constant ENUMERATED = 0x0a;
    uint8 internal constant UTC_TIME = 0x17;
    uint8 internal constant GENERALIZED_TIME = 0x18;
    uint8 internal constant SEQUENCE = 0x30;

    /// @notice A value needs more bytes than its container has left.
    error DerTruncated(uint256 offset, uint256 needed, uint256 available);
    /// @notice Another type was expected here.
    error DerTagMismatch(uint256 offset, uint8 got, uint8 expected);
    /// @notice The length is indefinite, has leading zeros, is in the long form though short, or has more
    /// than 3 octets. `got` is its first octet.
    error DerLengthInvalid(uint256 offset, uint8 got);
    /// @notice The content has another length than its type or its field demands, in bytes.
    error DerContentLengthMismatch(uint256 offset, uint256 got, uint256 expected);
    /// @notice A container holds bytes after its last value.
    error DerTrailingBytes(uint256 offset, uint256 end);
    /// @notice The integer is empty or padded with a zero octet that it does not need.
    error DerIntegerNotMinimal(uint256 offset);
    /// @notice The integer is negative.
    error DerIntegerNegative(uint256 offset);
    /// @notice The integer exceeds what its field allows.
    error DerIntegerTooLarge(uint256 offset, uint256 limit);
    /// @notice DER writes TRUE as 0xff; FALSE is 0x00.
    error DerBooleanInvalid(uint256 offset, uint8 got);
    /// @notice The object identifier is empty or longer than 31 octets.
    error DerObjectIdentifierInvalid(uint256 offset, uint256 length);
    /// @notice The bit string does not consist of whole bytes.
    error DerSignatureUnusedBits(uint256 offset, uint8 got);
    /// @notice Unused bits of a bit string are too many, or not zero, or trailing zero bits were not dropped.
    error DerBitStringInvalid(uint256 offset);

    /// @notice The byte at an offset.
    function byteAt(bytes memory der, uint256 offset) internal pure returns (uint8 value) {
        assembly ("memory-safe") {
            value := byte(0, mload(add(add(der, 32), offset)))
        }
    }

    /// @notice 32 bytes from an offset. Those behind the array's end are whatever memory holds: mask them.
    function wordAt(bytes memory der, uint256 offset) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(add(der, 32), offset))
        }
    }

    /// @notice Whether the next bytes are exactly the first `length` bytes (1 to 32) of `expected`.
    function startsWith(bytes memory der, uint256 offset, uint256 end, bytes32 expected, uint256 length)
        internal
        pure
        returns (bool)
    {
        if (offset + length > end) return false;
        return (wordAt(der, offset) ^ uint256(expected)) >> (8 * (32 - length)) == 0;
    }

    /// @notice Reads a header. The content is der[start:stop].
    function enter(bytes memory der, uint256 offset, uint256 end, uint8 tag)
        internal
        pure
        returns (uint256 start, uint256 stop)
    {
        unchecked {
            // Offsets and ends lie within an array in memory, and a length has 3 octets at most: no sum comes near
            // 2**256. A difference is taken of an end and an offset below it, or for an error's argument.
            if (offset + 2 > end) revert DerTruncated(offset, 2, end - offset);
            uint256 word = wordAt(der, offset);
            uint256 got = word >> 248;
            if (got != tag) revert DerTagMismatch(offset, uint8(got), tag);
            uint256 length = (word >> 240) & 0xff;
            start = offset + 2;
            if (length >= 0x80) {
                uint256 size = length - 0x80;
                if (size == 0 || size > 3) revert DerLengthInvalid(offset + 1, uint8(length));
                if (start + size > end) revert DerTruncated(offset, 2 + size, end - offset);
                uint256 value = (word << 16) >> (256 - 8 * size);
                // The long form is for lengths from 128 on, and its first octet is not zero.
                if (value < 0x80 || value >> (8 * (size - 1)) == 0) {
                    revert DerLengthInvalid(offset + 1, uint8(length));
                }
                start += size;
                length = value;
            }
            stop = start + length;
            if (stop > end) revert DerTruncated(offset, stop - offset, end - offset);
        }
    }

    /// @notice Reads a header whose content must have this many bytes.
    function enterExact(bytes memory der, uint256 offset, uint256 end, uint8 tag, uint256 length)
        internal
        pure
        returns (uint256 start, uint256 stop)
    {
        (start, stop) = enter(der, offset, end, tag);
        if (stop - start != length) revert DerContentLengthMismatch(offset, stop - start, length);
    }

    /// @notice Reverts unless a container has been read to its end.
    function finish(uint256 offset, uint256 end) internal pure {
        if (offset != end) revert DerTrailingBytes(offset, end);
    }

    /// @notice Reads the header of an INTEGER that is not negative; its magnitude is der[start:next], at least one byte,
    /// without the zero octet that keeps the sign.
    function enterUnsigned(bytes memory der, uint256 offset, uint256 end)
        internal
        pure
        returns (uint256 start, uint256 next)
    {
        (start, next) = enter(der, offset, end, INTEGER);
        unchecked {
            // next >= start, as {enter} gives them.
            if (next == start) revert DerIntegerNotMinimal(offset);
            uint256 word = wordAt(der, start);
            if (word >> 255 != 0) revert DerIntegerNegative(offset);
            if (word >> 248 == 0 && next - start > 1) {
                // A zero octet only stands before an octet whose top bit would make the value negative.
                if ((word >> 247) & 1 == 0) revert DerIntegerNotMinimal(offset);
                ++start;
            }
        }
    }

    /// @notice Reads an INTEGER from 0 to `limit`.
    function unsigned(bytes memory der, uint256 offset, uint256 end, uint256 limit)
        internal
        pure
        returns (uint256 value, uint256 next)
    {
        uint256 start;
        (start, next) = enterUnsigned(der, offset, end);
        unchecked {
            uint256 length = next - start;
            if (length > 32) revert DerIntegerTooLarge(offset, limit);
            value = wordAt(der, start) >> (8 * (32 - length));
        }
        if (value > limit) revert DerIntegerTooLarge(offset, limit);
    }

    /// @notice Reads the header of a BIT STRING of whole bytes that reaches exactly to `end`; they are
    /// der[start:stop].
    function enterLastBits(bytes memory der, uint256 offset, uint256 end)
        internal
        pure
        returns (uint256 start, uint256 stop)
    {
        (start, stop) = enter(der, offset, end, BIT_STRING);
        finish(stop, end);
        if (start == stop) revert DerTruncated(start, 1, 0);
        uint8 unused = byteAt(der, start);
        if (unused != 0) revert DerSignatureUnusedBits(start, unused);
        ++start;
    }

    /// @notice Reads a BOOLEAN.
    function boolean(bytes memory der, uint256 offset, uint256 end) internal pure returns (bool value, uint256 next) {
        uint256 start;
        (start, next) = enterExact(der, offset, end, BOOLEAN, 1);
        uint8 got = byteAt(der, start);
        if (got != 0 && got != 0xff) revert DerBooleanInvalid(offset, got);
        value = got != 0;
    }

    /// @notice Reads an OCTET STRING of `length` bytes (1 to 32), left-aligned in the result.
    function octets(bytes memory der, uint256 offset, uint256 end, uint256 length)
        internal
        pure
        returns (bytes32 value, uint256 next)
    {
        uint256 start;
        (start, next) = enterExact(der, offset, end, OCTET_STRING, length);
        unchecked {
            uint256 unused = 8 * (32 - length);
            value = bytes32((wordAt(der, start) >> unused) << unused);
        }
    }

    /// @notice Reads an OBJECT IDENTIFIER as a number that is unique to it: its length in the top byte, its
    /// content in the lowest bytes.
    function objectIdentifier(bytes memory der, uint256 offset, uint256 end)
        internal
        pure
        returns (uint256 oid, uint256 next)
    {
        uint256 start;
        (start, next) = enter(der, offset, end, OBJECT_IDENTIFIER);
        unchecked {
            uint256 length = next - start;
            if (length == 0 || length > 31) revert DerObjectIdentifierInvalid(offset, length);
            oid = (length << 248) | (wordAt(der, start) >> (8 * (32 - length)));
        }
    }

    /// @notice Reads a BIT STRING of 1 to 16 bits whose unused bits are zero: bit 0 is the result's top bit.
    function bits16(bytes memory der, uint256 offset, uint256 end)
        internal
        pure
        returns (uint16 bits, uint256 unused, uint256 next)
    {
        uint256 start;
        (start, next) = enter(der, offset, end, BIT_STRING);
        uint256 length = next - start;
        if (length != 2 && length != 3) revert DerContentLengthMismatch(offset, length, 2);
        uint256 word = wordAt(der, start);
        unused = word >> 248;
        bits = uint16(word >> 232);
        if (length == 2) {
            bits &= 0xff00;
            // As seen from the right of 16 bits.
            unused += 8;
        }
        if (word >> 248 > 7 || bits & ((1 << unused) - 1) != 0) revert DerBitStringInvalid(offset);
    }

    /// @notice Reads a named-bit BIT STRING of 1 to 16 bits (X.690 11.2.2): bit 0 is the result's top bit.
    function namedBits(bytes memory der, uint256 offset, uint256 end)
        internal
        pure
        returns (uint16 bits, uint256 next)
    {
        uint256 unused;
        (bits, unused, next) = bits16(der, offset, end);
        // Seen from the right, the first bit that is used must be the first that is set.
        if ((bits >> unused) & 1 == 0) revert DerBitStringInvalid(offset);
    }
}
