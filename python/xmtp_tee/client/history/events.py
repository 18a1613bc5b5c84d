"""The KeyRegistry's events, typed. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TypeAlias

from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.client.chain_errors import LogMalformed
from xmtp_tee.client.logs import Log, decode_log, event_entry, topic_of

CONTRACT = "KeyRegistry"
# What the registry writes in place of a block number that does not fit: search for the change.
UNKNOWN_BLOCK = 2**32 - 1


class Change(StrEnum):
    """What happened to a bundle; the values are the names that are printed."""

    REGISTERED = "registered"
    ROTATED = "rotated"
    REVOKED = "revoked"


_EVENTS = {
    Change.REGISTERED: "KeyBundleRegistered",
    Change.ROTATED: "PreKeyRotated",
    Change.REVOKED: "KeyBundleRevoked",
}

AGENT_EVENT = "AgentBundleRegistered"
_OTHERS = (AGENT_EVENT, "Paused", "Unpaused")


@dataclass(frozen=True, slots=True)
class BundleTerms:
    """What a registration or a rotation published.

    Keys are 32 bytes, the signature 64, ``authority`` is checksummed, ``expires_at`` is unix seconds.
    ``provenance`` is None in the event of a rotation: it is the registration's.
    """

    authority: str
    pre_key: bytes
    pre_key_signature: bytes
    epoch: int
    expires_at: int
    provenance: Provenance | None


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """One change of one bundle.

    ``owner`` is checksummed, ``identity_key`` 32 bytes. ``terms`` is None for a revocation.
    ``previous_change`` is the block of the owner's change before this one: 0 where there was none, this very
    block where there were several in it, ``UNKNOWN_BLOCK`` where it must be searched for.
    """

    change: Change
    owner: str
    identity_key: bytes
    terms: BundleTerms | None
    previous_change: int
    block_number: int
    block_hash: bytes
    index: int
    transaction: str

    @property
    def position(self) -> tuple[int, int]:
        """Where it stands on the chain: block, then index within the block."""
        return self.block_number, self.index

    def as_dict(self) -> dict[str, object]:
        """Return the event as ``--json`` prints it."""
        shown: dict[str, object] = {
            "change": self.change.value,
            "owner": self.owner,
            "identity_key": "0x" + self.identity_key.hex(),
            "block": self.block_number,
            "transaction": self.transaction,
            "previous_change": None
            if self.previous_change == UNKNOWN_BLOCK
            else self.previous_change,
        }
        if self.terms is not None:
            shown |= {
                "authority": self.terms.authority,
                "pre_key": "0x" + self.terms.pre_key.hex(),
                "pre_key_signature": "0x" + self.terms.pre_key_signature.hex(),
                "epoch": self.terms.epoch,
                "expires_at": self.terms.expires_at,
            }
            if self.terms.provenance is not None:
                shown["provenance"] = self.terms.provenance.label
        return shown


@dataclass(frozen=True, slots=True)
class AgentEvent:
    """The registration just before was made for an agent (ERC-8004), whose holder was ``holder``."""

    agent_id: int
    owner: str
    identity_key: bytes
    holder: str
    block_number: int
    index: int


@dataclass(frozen=True, slots=True)
class PauseEvent:
    """Registration and rotation were stopped, or go on."""

    paused: bool
    block_number: int
    index: int


RegistryEvent: TypeAlias = KeyEvent | AgentEvent | PauseEvent


def key_event_topics() -> list[bytes]:
    """Return the first topics of the three events."""
    return [topic_of(event_entry(CONTRACT, name)) for name in _EVENTS.values()]


def owner_topic(owner: str) -> bytes:
    """Return an owner as an indexed topic: 12 zero bytes, then the address."""
    return bytes(12) + parse_address(owner)


@cache
def _changes() -> dict[bytes, Change]:
    return {topic_of(event_entry(CONTRACT, name)): change for change, name in _EVENTS.items()}


def decode_key_event(log: Log) -> KeyEvent:
    """Return the event of a log.

    :raises LogMalformed: it is none of the three, or its values are out of range
    """
    change = _changes().get(log.topics[0])
    if change is None:
        raise LogMalformed("a log is no key event", got="0x" + log.topics[0].hex())
    entry = event_entry(CONTRACT, _EVENTS[change])
    values = decode_log(entry, log)
    terms = None
    if change is not Change.REVOKED:
        terms = BundleTerms(
            authority=_checksummed(values["authority"]),
            pre_key=bytes(values["preKey"]),
            pre_key_signature=bytes(values["preKeySignature"]),
            epoch=int(values["epoch"]),
            expires_at=int(values["expiresAt"]),
            provenance=_provenance(values.get("provenance")),
        )
    return KeyEvent(
        change=change,
        owner=_checksummed(values["owner"]),
        identity_key=bytes(values["identityKey"]),
        terms=terms,
        previous_change=int(values["previousChange"]),
        block_number=log.block_number,
        block_hash=log.block_hash,
        index=log.index,
        transaction=log.transaction,
    )


def registry_topics() -> list[bytes]:
    """Return the first topics of every event that the replay takes."""
    return key_event_topics() + [topic_of(event_entry(CONTRACT, name)) for name in _OTHERS]


def decode_event(log: Log) -> RegistryEvent:
    """Return the event of a log with one of :func:`registry_topics`.

    :raises LogMalformed: it is none of them, or its values are out of range
    """
    name = next((n for n in _OTHERS if log.topics[0] == topic_of(event_entry(CONTRACT, n))), None)
    if name is None:
        return decode_key_event(log)
    values = decode_log(event_entry(CONTRACT, name), log)
    if name == AGENT_EVENT:
        return AgentEvent(
            agent_id=int(values["agentId"]),
            owner=_checksummed(values["owner"]),
            identity_key=bytes(values["identityKey"]),
            holder=_checksummed(values["holder"]),
            block_number=log.block_number,
            index=log.index,
        )
    return PauseEvent(name == "Paused", log.block_number, log.index)


def decode_key_events(logs: Iterable[Log]) -> list[KeyEvent]:
    """Return the events of logs, in the same order."""
    return [decode_key_event(log) for log in logs]


def _provenance(value: int | None) -> Provenance | None:
    if value is None:
        return None
    try:
        return Provenance(value)
    except ValueError as error:
        raise LogMalformed("a provenance is unknown", got=value) from error


def _checksummed(address: str) -> str:
    return checksum_address(parse_address(address))
