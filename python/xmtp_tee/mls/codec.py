"""The presentation language: RFC 9420, section 2.1, on top of TLS's (RFC 8446, section 3).

Integers are big-endian; a vector has its length in front, as 1, 2 or 4 bytes in the shortest form
(section 2.1.2); an optional value has a byte 0 or 1 in front. Whatever can be written in one way
only is read in that way only, so a structure's bytes can be kept beside it and hashed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from xmtp_tee.mls.errors import (
    LengthPrefixError,
    TooLargeError,
    TrailingBytesError,
    TruncatedError,
    UnknownVariantError,
)

T = TypeVar("T")

MAX_VECTOR: Final = (1 << 30) - 1
"""The longest vector that can be written."""


class Reader:
    """Reads a structure's fields in order; every method raises an MlsDecodeError."""

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self._end = len(data) if end is None else end
        self._position = start

    @property
    def position(self) -> int:
        """The place of the next byte, for :meth:`since`."""
        return self._position

    @property
    def remaining(self) -> int:
        """The number of bytes left."""
        return self._end - self._position

    def since(self, position: int) -> bytes:
        """Return the bytes read from ``position`` up to now."""
        return self._data[position : self._position]

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes.

        :raises TruncatedError: if fewer are left
        """
        start = self._position
        end = start + count
        if end > self._end:
            raise TruncatedError("A structure is cut off", got=self._end - start, expected=count)
        self._position = end
        return self._data[start:end]

    def u8(self) -> int:
        """Return the next byte."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Return a 2-byte integer."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """Return a 4-byte integer."""
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        """Return an 8-byte integer."""
        return int.from_bytes(self.take(8), "big")

    def length(self) -> int:
        """Return a vector's length.

        :raises LengthPrefixError: not the shortest form, or the prefix 11
        """
        first = self.u8()
        if first < 0x40:
            return first
        if first < 0x80:
            value, least = (first & 0x3F) << 8 | self.u8(), 0x40
        elif first < 0xC0:
            value, least = (first & 0x3F) << 24 | int.from_bytes(self.take(3), "big"), 0x4000
        else:
            raise LengthPrefixError("A vector's length has a forbidden prefix", got=hex(first))
        if value < least:
            raise LengthPrefixError("A vector's length is not in its shortest form", got=value)
        return value

    def opaque(self) -> bytes:
        """Return the bytes of a vector."""
        position = self._position
        # The usual case, spelt out: a tree of 1,000 leaves holds 10,000 of these.
        if position < self._end:
            length = self._data[position]
            end = position + 1 + length
            if length < 0x40 and end <= self._end:
                self._position = end
                return self._data[position + 1 : end]
        return self.take(self.length())

    def vector(self, decode: Callable[[Reader], T]) -> tuple[T, ...]:
        """Return the elements of a vector of structures."""
        length = self.length()
        if length > self.remaining:
            raise TruncatedError("A structure is cut off", got=self.remaining, expected=length)
        # Read in place: what is in it may be secret, and a copy would have to be overwritten.
        body = Reader(self._data, self._position, self._position + length)
        self._position = body._end
        elements = []
        while body._position < body._end:
            elements.append(decode(body))
        return tuple(elements)

    def optional(self, decode: Callable[[Reader], T]) -> T | None:
        """Return a value that may be absent.

        :raises UnknownVariantError: a presence byte other than 0 and 1
        """
        match self.u8():
            case 0:
                return None
            case 1:
                return decode(self)
            case other:
                raise UnknownVariantError("Presence is 0 or 1", got=other)

    def finish(self) -> None:
        """Refuse what is left.

        :raises TrailingBytesError: if anything is
        """
        if self._position != self._end:
            raise TrailingBytesError("Bytes follow after the end", got=self.remaining, expected=0)


def decode_whole(decode: Callable[[Reader], T], data: bytes, limit: int = MAX_VECTOR) -> T:
    """Return the structure that is all of ``data``.

    :raises TooLargeError: more than ``limit`` bytes
    :raises MlsDecodeError: not such a structure, or bytes after it
    """
    if len(data) > limit:
        raise TooLargeError("Too many bytes", got=len(data), expected=f"<= {limit}")
    reader = Reader(data)
    value = decode(reader)
    reader.finish()
    return value


def u8(value: int) -> bytes:
    """Return a 1-byte integer."""
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    """Return a 2-byte integer."""
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    """Return a 4-byte integer."""
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    """Return an 8-byte integer."""
    return value.to_bytes(8, "big")


def length_prefix(length: int) -> bytes:
    """Return a vector's length in the shortest form.

    :raises TooLargeError: beyond 2**30 - 1
    """
    if length < 0x40:
        return length.to_bytes(1, "big")
    if length < 0x4000:
        return (length | 0x4000).to_bytes(2, "big")
    if length <= MAX_VECTOR:
        return (length | 0x80000000).to_bytes(4, "big")
    raise TooLargeError("A vector is too long to be written", got=length, expected=MAX_VECTOR)


def opaque(data: bytes) -> bytes:
    """Return ``data`` as a vector."""
    return length_prefix(len(data)) + data


def vector(elements: Iterable[bytes]) -> bytes:
    """Return encoded elements as a vector."""
    return opaque(b"".join(elements))


Parts = list[bytes]
"""An encoding that is not joined yet, so that secrets in it are the objects themselves and no copies."""


def opaque_part(data: bytes) -> Parts:
    """Return ``data`` as a vector."""
    return [length_prefix(len(data)), data]


def vector_of_parts(elements: Iterable[Parts]) -> Parts:
    """Return encoded elements as a vector."""
    flat = [part for element in elements for part in element]
    return [length_prefix(sum(map(len, flat))), *flat]


def optional(encoded: bytes | None) -> bytes:
    """Return an encoded value that may be absent."""
    return b"\x00" if encoded is None else b"\x01" + encoded


def read_u16_list(reader: Reader) -> tuple[int, ...]:
    """Return a vector of 2-byte integers."""
    return split_u16(reader.opaque())


def split_u16(data: bytes) -> tuple[int, ...]:
    """Return the 2-byte integers that ``data`` consists of.

    :raises TruncatedError: an odd number of bytes
    """
    if len(data) % 2:
        raise TruncatedError("A list of 2-byte integers is cut off", got=len(data))
    return tuple(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))


def u16_list(values: Iterable[int]) -> bytes:
    """Return a vector of 2-byte integers."""
    return vector(map(u16, values))
