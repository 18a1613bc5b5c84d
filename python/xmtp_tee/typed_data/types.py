"""Types of EIP-712: structs of atomic types, dynamic types, structs and arrays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from xmtp_tee.wire.refusals import TypedDataInvalidError

Field = tuple[str, str]
"""(type, name)."""
Struct = tuple[Field, ...]
Types = Mapping[str, Struct]

MAX_STRUCTS: Final = 32
MAX_FIELDS: Final = 64
MAX_DEPTH: Final = 8
"""Structs and arrays inside one another."""

MAX_LEAVES: Final = 1024
"""Of a type, with the structs on the way: structs that hold one another several times have
exponentially many.
"""

_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,63}")
_ARRAY: Final = re.compile(r"(.+)\[([1-9][0-9]{0,3})?\]")
_STRUCT: Final = re.compile(r"([A-Za-z_$][A-Za-z0-9_$]*)\(([^()]*)\)")
_ATOMIC: Final = frozenset(
    {"address", "bool", "string", "bytes"}
    | {f"bytes{size}" for size in range(1, 33)}
    | {f"{kind}{8 * size}" for kind in ("uint", "int") for size in range(1, 33)}
)


def is_atomic(name: str) -> bool:
    """Whether a type is no struct and no array."""
    return name in _ATOMIC


def array_of(name: str) -> tuple[str, int | None] | None:
    """Return (element type, fixed length or None) of an array type, or None of another type."""
    found = _ARRAY.fullmatch(name)
    return None if found is None else (found[1], int(found[2]) if found[2] else None)


def base_type(name: str) -> str:
    """Return the type inside all arrays."""
    while (array := array_of(name)) is not None:
        name = array[0]
    return name


def check_types(types: Types) -> None:
    """Return if every name is possible and every type is there.

    :raises TypedDataInvalidError: otherwise
    """
    if len(types) > MAX_STRUCTS:
        raise TypedDataInvalidError(
            "Too many structs", got=len(types), expected=f"<= {MAX_STRUCTS}"
        )
    for name, fields in types.items():
        if not _NAME.fullmatch(name) or name in _ATOMIC:
            raise TypedDataInvalidError("Not a name for a struct", got=repr(name)[:80])
        if len(fields) > MAX_FIELDS:
            raise TypedDataInvalidError("Too many fields", got=name, expected=f"<= {MAX_FIELDS}")
        names = [field for _, field in fields]
        if len(set(names)) != len(names):
            raise TypedDataInvalidError("A struct has two fields of one name", got=name)
        for kind, field in fields:
            if not _NAME.fullmatch(field):
                raise TypedDataInvalidError("Not a name for a field", got=repr(field)[:80])
            base = base_type(kind)
            if base not in _ATOMIC and base not in types:
                raise TypedDataInvalidError("An unknown type", got=repr(kind)[:80])


def dependencies(primary: str, types: Types) -> set[str]:
    """Return the structs that ``primary`` is made of, itself among them."""
    found: set[str] = set()
    pending = [primary]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += [base_type(kind) for kind, _ in types[name] if base_type(kind) in types]
    return found


def encode_type(primary: str, types: Types) -> str:
    """Return EIP-712's encodeType: the struct, then those it is made of, by name."""
    others = sorted(dependencies(primary, types) - {primary})
    return "".join(
        f"{name}({','.join(f'{kind} {field}' for kind, field in types[name])})"
        for name in (primary, *others)
    )


def parse_type(text: str) -> tuple[str, dict[str, Struct]]:
    """Return (primary struct, all structs) of what :func:`encode_type` gives.

    :raises TypedDataInvalidError: if it is anything else
    """
    found = _STRUCT.findall(text)
    if not found or "".join(f"{name}({fields})" for name, fields in found) != text:
        raise TypedDataInvalidError("Not an EIP-712 type", got=repr(text)[:200])
    types: dict[str, Struct] = {}
    for name, fields in found:
        types[name] = tuple(_fields(fields))
    check_types(types)
    if encode_type(found[0][0], types) != text:
        raise TypedDataInvalidError(
            "The type is not in EIP-712's order",
            got=text[:200],
            expected=encode_type(found[0][0], types)[:200],
        )
    return found[0][0], types


def leaves(primary: str, types: Types) -> dict[str, str]:
    """Return the atomic type of each leaf by its dotted name; arrays do not show in the name.

    :raises TypedDataInvalidError: if structs lie too deep inside one another, or the leaves are too
        many
    """
    found: dict[str, str] = {}
    pending = [("", primary, 0)]
    structs = 0
    while pending:
        prefix, name, depth = pending.pop()
        structs += 1
        if structs + len(found) > MAX_LEAVES:
            raise TypedDataInvalidError("The type has too many leaves", expected=f"<= {MAX_LEAVES}")
        if depth > MAX_DEPTH:
            raise TypedDataInvalidError("The type is too deep", expected=f"<= {MAX_DEPTH} levels")
        for kind, field in types[name]:
            base, path = base_type(kind), f"{prefix}{field}"
            if base in types:
                pending.append((f"{path}.", base, depth + 1))
            else:
                found[path] = base
    return found


def _fields(text: str) -> Iterable[Field]:
    for part in text.split(",") if text else ():
        kind, _, name = part.partition(" ")
        yield kind, name
