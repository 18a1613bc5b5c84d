"""Where a watch stands: what it has seen, in a form that a file keeps. No I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from xmtp_tee.attestation.json_text import load_json
from xmtp_tee.client.history.errors import CursorInvalid

FORMAT = 1
# After a deeper reorganisation than the confirmations, the watch goes back to the last of these that still holds.
KEPT = 16


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A block whose state was read: number, hash (32 bytes) and the owner's last change at it."""

    number: int
    hash: bytes
    last_change: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a watch of one owner has seen. ``checkpoints`` are ascending; the last is where it stands.

    ``standings`` has a word for each active bundle at the last checkpoint, by identity key in hex.
    """

    chain_id: int
    key_registry: str
    owner: str
    checkpoints: tuple[Checkpoint, ...]
    standings: dict[str, str] = field(default_factory=dict)

    @property
    def block_number(self) -> int:
        """The last block that is known."""
        return self.checkpoints[-1].number

    def moved(self, checkpoint: Checkpoint, standings: dict[str, str]) -> Cursor:
        """Return the cursor after one more checkpoint."""
        kept = (*self.checkpoints, checkpoint)[-KEPT:]
        return replace(self, checkpoints=kept, standings=standings)

    def require_for(self, chain_id: int, key_registry: str, owner: str) -> None:
        """Raise :class:`CursorInvalid` unless it belongs to this owner in this registry."""
        mine = (self.chain_id, self.key_registry.lower(), self.owner.lower())
        wanted = (chain_id, key_registry.lower(), owner.lower())
        if mine != wanted:
            raise CursorInvalid("the cursor is of another watch", got=mine, expected=wanted)

    def to_json(self) -> str:
        """Return the cursor as text; :meth:`from_json` reads it back."""
        document = {
            "format": FORMAT,
            "chainId": self.chain_id,
            "keyRegistry": self.key_registry,
            "owner": self.owner,
            "checkpoints": [
                {"number": c.number, "hash": "0x" + c.hash.hex(), "lastChange": c.last_change}
                for c in self.checkpoints
            ],
            "standings": self.standings,
        }
        return json.dumps(document, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Cursor:
        """Read a cursor.

        :raises CursorInvalid: it is not one
        """
        try:
            document = load_json(text)
            if document["format"] != FORMAT:
                raise CursorInvalid(
                    "the cursor has another format", got=document["format"], expected=FORMAT
                )
            cursor = cls(
                chain_id=_natural(document["chainId"]),
                key_registry=_text(document["keyRegistry"]),
                owner=_text(document["owner"]),
                checkpoints=tuple(_checkpoint(entry) for entry in document["checkpoints"]),
                standings={_text(k): _text(v) for k, v in document["standings"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CursorInvalid(
                "the cursor cannot be read", got=type(error).__name__, expected="what a watch wrote"
            ) from error
        numbers = [checkpoint.number for checkpoint in cursor.checkpoints]
        if not numbers or numbers != sorted(set(numbers)):
            raise CursorInvalid("the cursor's checkpoints do not ascend", got=numbers)
        return cursor


def _checkpoint(entry: dict[str, object]) -> Checkpoint:
    block_hash = bytes.fromhex(_text(entry["hash"]).removeprefix("0x"))
    if len(block_hash) != 32:
        raise ValueError("hash")
    return Checkpoint(_natural(entry["number"]), block_hash, _natural(entry["lastChange"]))


def _natural(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("natural number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value
