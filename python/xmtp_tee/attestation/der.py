"""A strict reader of DER (ITU-T X.690): one value at a time, shortest lengths, nothing left over."""

from __future__ import annotations

from typing import Self

from xmtp_tee.errors import InvalidEvidenceError

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
ENUMERATED = 0x0A
UTF8_STRING = 0x0C
PRINTABLE_STRING = 0x13
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
IA5_STRING = 0x16
SEQUENCE = 0x30
SET = 0x31


class Der:
    """The values of one container, read from the left. ``error`` is raised, naming ``what`` is read."""

    def __init__(self, data: bytes, what: str, error: type[InvalidEvidenceError]) -> None:
        self._data = data
        self._what = what
        self._error = error
        self._position = 0

    @property
    def exhausted(self) -> bool:
        """Whether every byte has been read."""
        return self._position == len(self._data)

    def next_is(self, tag: int) -> bool:
        """Whether another value follows, and has this tag."""
        return not self.exhausted and self._data[self._position] == tag

    def take(self, tag: int, size: int | None = None) -> bytes:
        """Return the content of the next value, which must have this tag (and size)."""
        got = self._byte()
        if got != tag:
            raise self.wrong("another type", f"tag 0x{got:02x}", f"tag 0x{tag:02x}")
        content = self._bytes(self._length())
        if size is not None and len(content) != size:
            raise self.wrong("a value of another size", len(content), size)
        return content

    def take_whole(self, tag: int) -> bytes:
        """Return the next value with its tag and length."""
        start = self._position
        self.take(tag)
        return self._data[start : self._position]

    def sequence(self, tag: int = SEQUENCE) -> Self:
        """Return a reader of the next value's content: a SEQUENCE unless another constructed tag is given."""
        return type(self)(self.take(tag), self._what, self._error)

    def unsigned(self, limit: int) -> int:
        """Return an INTEGER between 0 and ``limit``."""
        content = self.take(INTEGER)
        padded = len(content) > 1 and content[0] == 0 and content[1] < 0x80
        if not content or padded or content[0] >= 0x80:
            raise self.wrong("an integer that is negative or not minimal", content.hex(), "DER")
        value = int.from_bytes(content, "big")
        if value > limit:
            raise self.wrong("a number out of range", value, f"at most {limit}")
        return value

    def true(self) -> bool:
        """Return whether a BOOLEAN follows, which then must be TRUE: DER leaves a default of FALSE out."""
        if not self.next_is(BOOLEAN):
            return False
        content = self.take(BOOLEAN)
        if content != b"\xff":
            raise self.wrong("a BOOLEAN that is not the TRUE of DER", content.hex(), "ff")
        return True

    def bits(self) -> bytes:
        """Return the bytes of a BIT STRING without unused bits."""
        content = self.take(BIT_STRING)
        if content[:1] != b"\x00":
            raise self.wrong("a bit string with unused bits", content[:1].hex(), "00")
        return content[1:]

    def end(self) -> None:
        """Refuse what is left."""
        if not self.exhausted:
            left = len(self._data) - self._position
            raise self.wrong("bytes after the last value", f"{left} bytes", "none")

    def wrong(self, problem: str, got: object, expected: object) -> InvalidEvidenceError:
        """Return the error that says what stands here instead."""
        return self._error(f"{self._what} holds {problem}", got=got, expected=expected)

    def _length(self) -> int:
        length = self._byte()
        if length < 0x80:
            return length
        octets = length - 0x80
        if not 1 <= octets <= 3:
            raise self.wrong("a length of another form", length, "1 to 3 octets")
        length = int.from_bytes(self._bytes(octets), "big")
        if length < 0x80 or length >> (8 * (octets - 1)) == 0:
            raise self.wrong("a length that is not minimal", length, "the shortest form")
        return length

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, size: int) -> bytes:
        taken = self._data[self._position : self._position + size]
        if len(taken) != size:
            raise self.wrong("too few bytes", len(taken), size)
        self._position += size
        return taken
