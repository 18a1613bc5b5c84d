"""A document of typed data as wallets get it (``eth_signTypedData_v4``): JSON, read strictly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from xmtp_tee.hashing import keccak256
from xmtp_tee.typed_data.types import (
    MAX_DEPTH,
    Struct,
    Types,
    array_of,
    check_types,
    encode_type,
)
from xmtp_tee.typed_data.values import Value, encode, read
from xmtp_tee.wire.refusals import TypedDataInvalidError

MAX_DOCUMENT: Final = 16 << 10
"""Bytes of a document."""
MAX_ELEMENTS: Final = 1_024
"""Of one array."""

DOMAIN: Final = {
    "name": "string",
    "version": "string",
    "chainId": "uint256",
    "verifyingContract": "address",
    "salt": "bytes32",
}
"""The fields that a domain may have, in EIP-712's order, and their types."""

_DOMAIN_NAME: Final = "EIP712Domain"


@dataclass(frozen=True, slots=True)
class TypedData:
    """A document that was understood.

    ``type``: encodeType of the primary type. ``domain``: its fields' values. ``leaves``: each leaf
    of the message as (dotted name, type, value), elements of arrays one by one.
    """

    type: str
    domain: dict[str, Value]
    leaves: tuple[tuple[str, str, Value], ...]
    digest: bytes
    """The 32 bytes that are signed."""


def parse_typed_data(document: bytes) -> TypedData:
    """Read a document and hash it.

    :raises TypedDataInvalidError: not JSON; a key twice; a field missing, superfluous or of a wrong
        type; anything that EIP-712 does not have
    """
    if len(document) > MAX_DOCUMENT:
        raise TypedDataInvalidError(
            "The document is too long", got=f"{len(document)} bytes", expected=f"<= {MAX_DOCUMENT}"
        )
    plain = _load(document)
    _require_keys("document", plain, {"types", "primaryType", "domain", "message"})
    types = _types(plain["types"])
    primary = plain["primaryType"]
    if not isinstance(primary, str) or primary not in types or primary == _DOMAIN_NAME:
        raise TypedDataInvalidError("The primary type is not defined", got=repr(primary)[:80])
    domain, separator = _domain(plain["domain"], types)
    found: list[tuple[str, str, Value]] = []
    hashed = _struct_hash(primary, plain["message"], types, "", found, 0)
    return TypedData(
        type=encode_type(primary, types),
        domain=domain,
        leaves=tuple(found),
        digest=keccak256(b"\x19\x01" + separator + hashed),
    )


def _load(document: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise TypedDataInvalidError("An object has two values under one key")
        return made

    def refuse(text: str) -> None:
        raise TypedDataInvalidError("Typed data has no such number", got=text[:80])

    try:
        plain = json.loads(
            document.decode(), object_pairs_hook=unique, parse_float=refuse, parse_constant=refuse
        )
    except (ValueError, RecursionError):
        raise TypedDataInvalidError("The document is not JSON") from None
    if not isinstance(plain, dict):
        raise TypedDataInvalidError("The document is not an object", got=type(plain).__name__)
    return plain


def _types(plain: object) -> dict[str, Struct]:
    if not isinstance(plain, dict):
        raise TypedDataInvalidError("'types' is not an object", got=type(plain).__name__)
    types: dict[str, Struct] = {}
    for name, fields in plain.items():
        if not isinstance(fields, list):
            raise TypedDataInvalidError("A struct is not a list of fields", got=repr(name)[:80])
        types[name] = tuple(_field(name, each) for each in fields)
    check_types(types)
    return types


def _field(struct: str, plain: object) -> tuple[str, str]:
    _require_keys(f"a field of {struct}", plain, {"name", "type"})
    kind, name = plain["type"], plain["name"]  # type: ignore[index]
    if not isinstance(kind, str) or not isinstance(name, str):
        raise TypedDataInvalidError("A field's name or type is no text", got=repr(struct)[:80])
    return kind, name


def _domain(plain: object, types: Types) -> tuple[dict[str, Value], bytes]:
    if not isinstance(plain, dict) or not plain or set(plain) - set(DOMAIN):
        raise TypedDataInvalidError("Not a domain", expected="some of " + ", ".join(DOMAIN))
    fields = tuple((kind, name) for name, kind in DOMAIN.items() if name in plain)
    if types.get(_DOMAIN_NAME, fields) != fields:
        raise TypedDataInvalidError(
            "The domain's type is not that of its fields",
            got=encode_type(_DOMAIN_NAME, types)[:200],
            expected=encode_type(_DOMAIN_NAME, {_DOMAIN_NAME: fields}),
        )
    values = {name: read(kind, plain[name]) for kind, name in fields}
    type_hash = keccak256(encode_type(_DOMAIN_NAME, {_DOMAIN_NAME: fields}).encode())
    words = (encode(kind, values[name]) for kind, name in fields)
    return values, keccak256(type_hash + b"".join(words))


def _struct_hash(
    name: str,
    plain: object,
    types: Types,
    prefix: str,
    found: list[tuple[str, str, Value]],
    depth: int,
) -> bytes:
    if depth > MAX_DEPTH:
        raise TypedDataInvalidError("The message is too deep", expected=f"<= {MAX_DEPTH} levels")
    _require_keys(name, plain, {field for _, field in types[name]})
    words = [keccak256(encode_type(name, types).encode())]
    for kind, field in types[name]:
        value = plain[field]  # type: ignore[index]
        words.append(_encode(kind, value, types, prefix + field, found, depth))
    return keccak256(b"".join(words))


def _encode(
    kind: str,
    plain: object,
    types: Types,
    path: str,
    found: list[tuple[str, str, Value]],
    depth: int,
) -> bytes:
    if (array := array_of(kind)) is not None:
        element, length = array
        words = (
            _encode(element, each, types, path, found, depth + 1)
            for each in _elements(path, plain, length, depth)
        )
        return keccak256(b"".join(words))
    if kind in types:
        return _struct_hash(kind, plain, types, f"{path}.", found, depth + 1)
    value = read(kind, plain)
    found.append((path, kind, value))
    return encode(kind, value)


def _elements(path: str, plain: object, length: int | None, depth: int) -> Iterator[object]:
    if depth > MAX_DEPTH:
        raise TypedDataInvalidError("The message is too deep", expected=f"<= {MAX_DEPTH} levels")
    if not isinstance(plain, list) or len(plain) > MAX_ELEMENTS:
        raise TypedDataInvalidError(
            "Not an array, or too long a one", got=path[:80], expected=f"<= {MAX_ELEMENTS} elements"
        )
    if length is not None and len(plain) != length:
        raise TypedDataInvalidError(
            "An array has another length than its type", got=len(plain), expected=length
        )
    yield from plain


def _require_keys(what: str, plain: object, expected: set[str]) -> None:
    if not isinstance(plain, dict) or set(plain) != expected:
        got = sorted(map(str, plain)) if isinstance(plain, dict) else type(plain).__name__
        raise TypedDataInvalidError(
            f"The fields of {what} are not those of its type",
            got=str(got)[:200],
            expected=", ".join(sorted(expected))[:200],
        )
