"""RLP, strictly: one encoding per value (Ethereum yellow paper, appendix B). No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from xmtp_tee.client.state_proof.errors import RlpInvalid

Item: TypeAlias = "bytes | list[Item]"

# A trie node nests two levels at most, a header one. What is deeper is an attack on the stack.
_DEEPEST = 16


def encode(item: bytes | Sequence[Item]) -> bytes:
    """Return the encoding of a byte string, or of a list of items."""
    if isinstance(item, bytes | bytearray):
        data = bytes(item)
        if len(data) == 1 and data[0] < 0x80:
            return data
        return _prefix(len(data), 0x80) + data
    body = b"".join(encode(member) for member in item)
    return _prefix(len(body), 0xC0) + body


def encode_uint(value: int) -> bytes:
    """Return the encoding of an integer: big-endian without leading zeros, zero as the empty string."""
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def decode(data: bytes) -> Item:
    """Read exactly one item.

    :raises RlpInvalid: truncated, followed by more bytes, not the shortest form, or nested too deeply
    """
    item, end = _read(data, 0, len(data), 0)
    if end != len(data):
        raise RlpInvalid("bytes follow the RLP item", got=f"{len(data) - end} bytes", expected=0)
    return item


def decode_list(data: bytes) -> list[Item]:
    """Read exactly one item, which must be a list."""
    item = decode(data)
    if not isinstance(item, list):
        raise RlpInvalid("the RLP item is a byte string", expected="a list")
    return item


def decode_uint(item: Item) -> int:
    """Return the integer that a byte string stands for; leading zeros are refused."""
    if not isinstance(item, bytes):
        raise RlpInvalid("the RLP item is a list", expected="an integer")
    if item[:1] == b"\0":
        raise RlpInvalid("the integer has a leading zero", got="0x" + item.hex())
    return int.from_bytes(item, "big")


def _prefix(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size


def _read(data: bytes, start: int, limit: int, depth: int) -> tuple[Item, int]:
    """Read the item at ``start``, which must end at ``limit`` at the latest; return it and its end."""
    if start >= limit:
        raise RlpInvalid("the RLP item is missing", got=f"end of data at byte {limit}")
    if depth > _DEEPEST:
        raise RlpInvalid("the RLP lists are nested too deeply", expected=f"at most {_DEEPEST}")
    first = data[start]
    if first < 0x80:
        return data[start : start + 1], start + 1
    is_list = first >= 0xC0
    body, end = _bounds(data, start, limit, first - (0xC0 if is_list else 0x80))
    if not is_list:
        if end - body == 1 and data[body] < 0x80:
            raise RlpInvalid("a byte below 0x80 is its own encoding", got=f"prefix at byte {start}")
        return data[body:end], end
    members: list[Item] = []
    while body < end:
        member, body = _read(data, body, end, depth + 1)
        members.append(member)
    return members, end


def _bounds(data: bytes, start: int, limit: int, code: int) -> tuple[int, int]:
    """Return where the body begins and ends; ``code`` is the first byte less the kind's offset."""
    if code < 56:
        body, length = start + 1, code
    else:
        size = code - 55
        body = start + 1 + size
        if body > limit:
            raise RlpInvalid("the RLP length is truncated", got=f"end of data at byte {limit}")
        digits = data[start + 1 : body]
        length = int.from_bytes(digits, "big")
        if digits[0] == 0 or length < 56:
            raise RlpInvalid("the RLP length is not in its shortest form", got="0x" + digits.hex())
    if length > limit - body:
        raise RlpInvalid(
            "the RLP item is truncated", got=f"{limit - body} bytes", expected=f"{length} bytes"
        )
    return body, body + length
