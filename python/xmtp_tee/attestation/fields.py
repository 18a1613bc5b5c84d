"""Checks of the fields that go into hashed structures: an encoding of a wrong length means something else."""

from __future__ import annotations

import re

from xmtp_tee.attestation.errors import FieldError

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


def require_length(name: str, value: bytes, length: int) -> None:
    """Refuse ``value`` unless it is bytes of exactly ``length``.

    :raises FieldError: naming the field, its length and the rule
    """
    if not isinstance(value, bytes):
        raise FieldError(f"{name} must be bytes.", got=type(value).__name__, expected="bytes")
    if len(value) != length:
        raise FieldError(f"{name} has the wrong length.", got=len(value), expected=length)


def require_uint(name: str, value: int, bits: int) -> None:
    """Refuse ``value`` unless it is an integer that fits in ``bits`` bits.

    :raises FieldError: naming the field, its value and the rule
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError(f"{name} must be an integer.", got=type(value).__name__, expected="int")
    if not 0 <= value < 1 << bits:
        raise FieldError(f"{name} is out of range.", got=value, expected=f"0..2**{bits}-1")


def uint_word(value: int) -> bytes:
    """Return ``value`` as a 32-byte big-endian word of the contract ABI."""
    return value.to_bytes(32, "big")


def address_word(address: bytes) -> bytes:
    """Return a 20-byte address as a 32-byte word of the contract ABI (left-padded)."""
    return bytes(12) + address


def parse_hex(name: str, value: object) -> bytes:
    """Return the bytes of ``0x``-prefixed hexadecimal text.

    :raises FieldError: naming the field: not text, no prefix, an odd number of digits, other characters
    """
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise FieldError(f"{name} is not hexadecimal text.", expected="0x and pairs of hex digits")
    return bytes.fromhex(value[2:])
