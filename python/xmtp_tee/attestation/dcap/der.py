"""A strict reader of the DER in Intel's SGX extension (X.690): one value at a time, nothing left over."""

from __future__ import annotations

from xmtp_tee.attestation.dcap.errors import PckCertificateError

INTEGER = 0x02
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
ENUMERATED = 0x0A
SEQUENCE = 0x30


class Der:
    """The values of one container, read from the left."""

    def __init__(self, data: bytes, what: str = "the SGX extension") -> None:
        self._data = data
        self._what = what
        self._position = 0

    @property
    def exhausted(self) -> bool:
        return self._position == len(self._data)

    def take(self, tag: int, size: int | None = None) -> bytes:
        """Return the content of the next value, which must have this tag (and size)."""
        got = self._byte()
        if got != tag:
            raise self._wrong("another type", f"tag 0x{got:02x}", f"tag 0x{tag:02x}")
        length = self._byte()
        if length >= 0x80:
            octets = length - 0x80
            if not 1 <= octets <= 3:
                raise self._wrong("a length of another form", length, "1 to 3 octets")
            length = int.from_bytes(self._bytes(octets), "big")
            if length < 0x80 or length >> (8 * (octets - 1)) == 0:
                raise self._wrong("a length that is not minimal", length, "the shortest form")
        content = self._bytes(length)
        if size is not None and length != size:
            raise self._wrong("a value of another size", length, size)
        return content

    def sequence(self) -> Der:
        return Der(self.take(SEQUENCE), self._what)

    def unsigned(self, limit: int) -> int:
        content = self.take(INTEGER)
        padded = len(content) > 1 and content[0] == 0 and content[1] < 0x80
        if not content or padded or content[0] >= 0x80:
            raise self._wrong("an integer that is negative or not minimal", content.hex(), "DER")
        value = int.from_bytes(content, "big")
        if value > limit:
            raise self._wrong("a number out of range", value, f"at most {limit}")
        return value

    def end(self) -> None:
        if not self.exhausted:
            left = len(self._data) - self._position
            raise self._wrong("bytes after the last value", f"{left} bytes", "none")

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, size: int) -> bytes:
        taken = self._data[self._position : self._position + size]
        if len(taken) != size:
            raise self._wrong("too few bytes", len(taken), size)
        self._position += size
        return taken

    def _wrong(self, problem: str, got: object, expected: object) -> PckCertificateError:
        return PckCertificateError(f"{self._what} holds {problem}", got=got, expected=expected)
