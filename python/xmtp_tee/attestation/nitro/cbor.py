"""Strict CBOR (RFC 8949), as much of it as Nitro writes: one value has one encoding, and nothing else is read.

Integers, byte strings, text, arrays, maps, true, false and null; lengths definite and shortest; map keys integers or
text, none twice; nothing left over. Tags, floating point numbers and other simple values are refused. The one
exception is AWS's own: since 2026 the Nitro Secure Module writes the outermost map of a payload with indefinite
length (0xbf ... 0xff), so that form can be allowed for the outermost map alone.
"""

from __future__ import annotations

from typing import TypeAlias

from xmtp_tee.attestation.errors import CborMalformedError

Cbor: TypeAlias = "int | bytes | str | bool | list[Cbor] | dict[int | str, Cbor] | None"

MAX_DEPTH = 6
"""Documents have three levels; replies of the device four."""
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_ARGUMENT_SIZES = {24: 1, 25: 2, 26: 4, 27: 8}
_INDEFINITE = 31
_BREAK = 0xFF
_SIMPLES: dict[int, bool | None] = {20: False, 21: True, 22: None}


def decode(data: bytes, what: str, *, indefinite_outer_map: bool = False) -> Cbor:
    """Return the one value that ``data`` encodes; ``what`` names it in errors.

    :raises CborMalformedError: another encoding than the strict one, or bytes behind it
    """
    reader = _Reader(data, what)
    value = reader.value(MAX_DEPTH, indefinite=indefinite_outer_map)
    if reader.position != len(data):
        raise reader.wrong("bytes after the value", f"{len(data) - reader.position} bytes", "none")
    return value


def encode(value: Cbor) -> bytes:
    """Return the strict encoding; maps keep their order.

    :raises TypeError: a value of another type
    """
    if value is None or isinstance(value, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
    if isinstance(value, int):
        return _head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
    if isinstance(value, bytes):
        return _head(_BYTES, len(value)) + value
    if isinstance(value, str):
        return _head(_TEXT, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _head(_ARRAY, len(value)) + b"".join(encode(item) for item in value)
    if isinstance(value, dict):
        pairs = b"".join(encode(key) + encode(item) for key, item in value.items())
        return _head(_MAP, len(value)) + pairs
    raise TypeError(f"CBOR of {type(value).__name__}")


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for code, size in _ARGUMENT_SIZES.items():
        if argument < 1 << 8 * size:
            return bytes([major << 5 | code]) + argument.to_bytes(size, "big")
    raise TypeError("an integer of more than 64 bits")


class _Reader:
    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what
        self.position = 0

    def value(self, depth: int, *, indefinite: bool = False) -> Cbor:
        if depth == 0:
            raise self.wrong("values nested too deep", f"more than {MAX_DEPTH}", MAX_DEPTH)
        initial = self._take(1)[0]
        major, information = initial >> 5, initial & 0x1F
        if major == _MAP and information == _INDEFINITE and indefinite:
            return self._map(None, depth)
        if major == _SIMPLE:
            if information not in _SIMPLES:
                raise self.wrong("a value of another type", f"0x{initial:02x}", "false, true, null")
            return _SIMPLES[information]
        argument = self._argument(information, initial)
        if major == _UNSIGNED:
            return argument
        if major == _NEGATIVE:
            return -1 - argument
        if major == _BYTES:
            return self._take(argument)
        if major == _TEXT:
            return self._text(argument)
        if major == _ARRAY:
            return [self.value(depth - 1) for _ in range(self._bounded(argument))]
        if major == _MAP:
            return self._map(self._bounded(argument), depth)
        raise self.wrong("a tag", f"0x{initial:02x}", "no tags")

    def wrong(self, problem: str, got: object, expected: object) -> CborMalformedError:
        return CborMalformedError(f"{self._what} holds {problem}.", got=got, expected=expected)

    def _argument(self, information: int, initial: int) -> int:
        if information < 24:
            return information
        size = _ARGUMENT_SIZES.get(information)
        if size is None:
            raise self.wrong("a length of another form", f"0x{initial:02x}", "a definite length")
        argument = int.from_bytes(self._take(size), "big")
        if argument < 24 or (size > 1 and argument < 1 << 4 * size):
            raise self.wrong("a number that is not in its shortest form", argument, "the shortest")
        return argument

    def _bounded(self, count: int) -> int:
        # Every item takes a byte at least: a count beyond that cannot hold, and must cost no memory.
        left = len(self._data) - self.position
        if count > left:
            raise self.wrong("more items than bytes", count, f"at most {left}")
        return count

    def _map(self, count: int | None, depth: int) -> Cbor:
        found: dict[int | str, Cbor] = {}
        while count is None or len(found) < count:
            if count is None and self._data[self.position : self.position + 1] == bytes([_BREAK]):
                self.position += 1
                break
            key = self.value(depth - 1)
            if isinstance(key, bool) or not isinstance(key, int | str):
                raise self.wrong("a key of another type", type(key).__name__, "an integer or text")
            if key in found:
                raise self.wrong("a key twice", repr(key)[:40], "each key once")
            found[key] = self.value(depth - 1)
        return found

    def _text(self, size: int) -> str:
        try:
            return self._take(size).decode("utf-8", errors="strict")
        except UnicodeDecodeError as error:
            raise self.wrong("text that is not UTF-8", error.reason, "UTF-8") from error

    def _take(self, size: int) -> bytes:
        taken = self._data[self.position : self.position + size]
        if len(taken) != size:
            raise self.wrong("too few bytes", len(taken), size)
        self.position += size
        return taken
