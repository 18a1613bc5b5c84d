"""The bundled ABI manifest: one source for every contract's functions, events and errors."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from xmtp_tee.hashing import keccak256

# An ABI entry, as solc writes it. Its shape is solc's to define, hence `Any`.
AbiEntry = dict[str, Any]


@cache
def manifest() -> dict[str, list[AbiEntry]]:
    """Return ``{contract name: ABI}`` from ``abi.json``."""
    text = resources.files("xmtp_tee.client").joinpath("abi.json").read_text(encoding="utf-8")
    loaded: dict[str, list[AbiEntry]] = json.loads(text)
    return loaded


def contract_abi(name: str) -> list[AbiEntry]:
    """Return the ABI of one contract. Raises KeyError for a name that the manifest lacks."""
    return manifest()[name]


def canonical_type(parameter: AbiEntry) -> str:
    """Return a parameter's type as it enters a selector: tuples spelt out."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(canonical_type(component) for component in parameter["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def signature(entry: AbiEntry) -> str:
    """Return ``name(type,type)`` of a function, an event or an error."""
    types = ",".join(canonical_type(parameter) for parameter in entry["inputs"])
    return f"{entry['name']}({types})"


def selector(entry: AbiEntry) -> bytes:
    """Return the first 4 bytes of Keccak-256 over the signature."""
    return keccak256(signature(entry).encode())[:4]


@cache
def errors_by_selector() -> dict[bytes, AbiEntry]:
    """Return every custom error of every contract, by selector.

    A revert bubbles up from a contract that the caller may not have called, so all are looked through.
    """
    known: dict[bytes, AbiEntry] = {}
    for entry in (*_BUILT_IN, *(entry for abi in manifest().values() for entry in abi)):
        if entry.get("type") == "error":
            known.setdefault(selector(entry), entry)
    return known


def error_name(selector_bytes: bytes) -> str:
    """Return the custom error's name for a selector, or the selector in hex if no contract declares it."""
    entry = errors_by_selector().get(selector_bytes)
    return "0x" + selector_bytes.hex() if entry is None else str(entry["name"])


# Solidity's own two.
_BUILT_IN: tuple[AbiEntry, ...] = (
    {"type": "error", "name": "Error", "inputs": [{"name": "reason", "type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)
