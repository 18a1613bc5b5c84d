"""States of a store that somebody has seen, in a file: what an enclave is held against at its start.

JSON, format 1::

    {"format": 1, "authority": "0x...", "states": [{"epoch": 7, "chain": "0x..."}]}

``chain``: the 32 bytes of the store's chain, or their first 24 as a FreshnessAnchor contract keeps them. A file may
have 2 MiB, which is some 25,000 states.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.freshness import ANCHOR_CHAIN_SIZE
from xmtp_tee.attestation.json_text import load_json

FORMAT: Final = 1
CHAIN_SIZES: Final = (ANCHOR_CHAIN_SIZE, 32)


@dataclass(frozen=True, slots=True, order=True)
class KnownState:
    """A store was at ``epoch`` (from 1), with ``chain`` (24 or 32 bytes)."""

    epoch: int
    chain: bytes

    def __post_init__(self) -> None:
        if not 0 < self.epoch < 1 << 64 or len(self.chain) not in CHAIN_SIZES:
            raise FieldError(
                "A known state is malformed.",
                got=f"epoch {self.epoch}, {len(self.chain)} bytes of chain",
                expected="an epoch from 1, and 24 or 32 bytes",
            )


@dataclass(frozen=True, slots=True)
class KnownStates:
    """States of the store of one authority (20 bytes); at least one."""

    authority: bytes
    states: tuple[KnownState, ...]

    def to_json(self) -> str:
        """Return the file's content."""
        document = {
            "format": FORMAT,
            "authority": checksum_address(self.authority),
            "states": [{"epoch": s.epoch, "chain": "0x" + s.chain.hex()} for s in self.states],
        }
        return json.dumps(document, separators=(",", ":")) + "\n"

    @classmethod
    def from_json(cls, text: str) -> KnownStates:
        """Read what :meth:`to_json` wrote.

        :raises FieldError: if it is anything else, or names no state
        """
        try:
            document = load_json(text)
            if document["format"] != FORMAT:
                raise ValueError(f"format {document['format']}")
            states = tuple(
                KnownState(_epoch(each["epoch"]), _chain(each["chain"]))
                for each in document["states"]
            )
            authority = parse_address(document["authority"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FieldError(
                "The known states cannot be read.", got=f"{type(error).__name__}: {error}"[:200]
            ) from None
        if not states:
            raise FieldError("The file names no known state.")
        return cls(authority, states)


def _epoch(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("an epoch is a number")
    return value


def _chain(value: object) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError("a chain is 0x and hex")
    return bytes.fromhex(value[2:])
