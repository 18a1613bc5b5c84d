"""Where a contract keeps a variable: solc's storage layout, read for the few forms that are proven here. No I/O.

Source: Solidity documentation, "Layout of State Variables in Storage". A mapping's value lies at
keccak256(key as a word . slot); an array's element i at slot + i words; a struct's members where the layout says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from xmtp_tee.client.state_proof.errors import LayoutUnknown
from xmtp_tee.hashing import keccak256


@dataclass(frozen=True, slots=True)
class Place:
    """A value in storage: its word, and within the word its offset from the low end and its size, in bytes."""

    slot: int
    offset: int
    size: int
    kind: str
    types: Mapping[str, Any]

    def at(self, key: bytes) -> Place:
        """Return a mapping's value for a key: a word as the ABI pads it (addresses and enums left, bytesN right)."""
        entry = self._entry("mapping")
        if len(key) != 32:
            raise LayoutUnknown("a mapping's key is no word", got=f"{len(key)} bytes", expected=32)
        slot = int.from_bytes(keccak256(key + self.slot.to_bytes(32, "big")), "big")
        return _place(slot, 0, entry["value"], self.types)

    def member(self, name: str) -> Place:
        """Return a struct's member."""
        for member in self._entry("inplace").get("members", ()):
            if member["label"] == name:
                slot = self.slot + int(member["slot"])
                return _place(slot, int(member["offset"]), member["type"], self.types)
        raise LayoutUnknown("the struct has no such member", got=name, expected=self.kind)

    def element(self, index: int) -> Place:
        """Return an element of an array of fixed length whose elements take whole words."""
        entry = self._entry("inplace")
        base = self.types.get(entry.get("base", ""))
        if base is None or int(base["numberOfBytes"]) % 32 or not 0 <= index < self.size // 32:
            raise LayoutUnknown("this is no array of words with that element", got=self.kind)
        words = int(base["numberOfBytes"]) // 32
        return _place(self.slot + index * words, 0, entry["base"], self.types)

    def read(self, word: int) -> int:
        """Return the value within its storage word."""
        return (word >> (8 * self.offset)) & ((1 << (8 * self.size)) - 1)

    def _entry(self, encoding: str) -> Mapping[str, Any]:
        entry: Mapping[str, Any] = self.types[self.kind]
        if entry["encoding"] != encoding:
            raise LayoutUnknown(
                "the variable is stored in another form", got=entry["encoding"], expected=encoding
            )
        return entry


def variable(contract: str, name: str) -> Place:
    """Return a state variable of a contract, by the layout that this package carries.

    :raises LayoutUnknown: the layout names no such contract or variable
    """
    layout = _manifest().get(contract)
    if layout is None:
        raise LayoutUnknown("the layout of the contract is not known", got=contract)
    for entry in layout["storage"]:
        if entry["label"] == name:
            return _place(int(entry["slot"]), int(entry["offset"]), entry["type"], layout["types"])
    raise LayoutUnknown("the contract has no such variable", got=f"{contract}.{name}")


@cache
def _manifest() -> dict[str, Any]:
    """Return ``{contract: {"storage": [...], "types": {...}}}``, as solc writes each layout."""
    file = resources.files("xmtp_tee.client").joinpath("storage_layout.json")
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


def _place(slot: int, offset: int, kind: str, types: Mapping[str, Any]) -> Place:
    if kind not in types:
        raise LayoutUnknown("the layout does not describe a type", got=kind)
    return Place(slot, offset, int(types[kind]["numberOfBytes"]), kind, types)
