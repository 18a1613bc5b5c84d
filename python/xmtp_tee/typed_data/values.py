"""Values of EIP-712's atomic types: read from JSON, encoded into a word, written as one text."""

from __future__ import annotations

import re
from typing import Final

from xmtp_tee.attestation.address import parse_address
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.hashing import keccak256
from xmtp_tee.wire.refusals import TypedDataInvalidError

Value = int | bool | str | bytes

_BYTES: Final = re.compile(r"0x((?:[0-9a-fA-F]{2})*)")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,77})")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")


def read(kind: str, value: object) -> Value:
    """Return a JSON value as one of the atomic type ``kind``.

    Numbers are JSON integers, decimal texts or 0x texts; bytes and addresses 0x texts.

    :raises TypedDataInvalidError: if it does not fit
    """
    match kind:
        case "string":
            # JSON can name half of a surrogate pair, which no UTF-8 has.
            if isinstance(value, str) and _is_text(value):
                return value
        case "bool":
            if isinstance(value, bool):
                return value
        case "address":
            if isinstance(value, str):
                return _address(value)
        case _ if kind.startswith("bytes"):
            if isinstance(value, str) and (found := _BYTES.fullmatch(value)):
                data = bytes.fromhex(found[1])
                if kind == "bytes" or len(data) == int(kind[5:]):
                    return data
        case _:
            return _integer(kind, value)
    raise _wrong(kind, value)


def encode(kind: str, value: Value) -> bytes:
    """Return the 32-byte word of a value (EIP-712, "Definition of encodeData")."""
    if isinstance(value, bool):
        return int(value).to_bytes(32, "big")
    if isinstance(value, int):
        return (value % (1 << 256)).to_bytes(32, "big")
    if isinstance(value, str):
        return keccak256(value.encode())
    if kind == "bytes":
        return keccak256(value)
    return value.rjust(32, b"\x00") if kind == "address" else value.ljust(32, b"\x00")


def text_of(value: Value) -> str:
    """Return a value as the one text that conditions are compared with."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value)


def read_text(kind: str, text: str) -> Value:
    """Return the value that a condition's text stands for.

    :raises TypedDataInvalidError: if it does not fit the type
    """
    if kind == "bool":
        if text in ("true", "false"):
            return text == "true"
        raise _wrong(kind, text)
    return read(kind, text)


def _address(text: str) -> bytes:
    try:
        return parse_address(text)
    except FieldError as error:
        raise TypedDataInvalidError(
            "Not an address", got=error.got, expected=error.expected
        ) from None


def _integer(kind: str, value: object) -> int:
    if isinstance(value, str):
        if _DECIMAL.fullmatch(value):
            value = int(value)
        elif _HEX.fullmatch(value):
            value = int(value, 16)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(kind, value)
    signed = kind.startswith("int")
    bits = int(kind[3:] if signed else kind[4:])
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= value <= high:
        raise _wrong(kind, value)
    return value


def _is_text(value: str) -> bool:
    return not any(0xD800 <= ord(character) < 0xE000 for character in value)


def _wrong(kind: str, value: object) -> TypedDataInvalidError:
    return TypedDataInvalidError(
        f"A value is no {kind}", got=repr(value)[:80], expected=f"a value of the type {kind}"
    )
