"""Rebuilds the registry's state from its key events, and refuses a log that no registry can have written.

    state = RegistryState()
    for event in events:                  # all of them, or all of one owner, oldest first
        state.apply(event)
    state.bundle(owner, identity_key)     # what getKeyBundle(owner, identityKey) says
    state.active(owner)                   # what getKeyBundles(owner) says
    state.last_change(owner)              # what lastChange(owner) says

Rule 1: (owner, identity key) goes NONE -> ACTIVE -> REVOKED and never back. Rule 2: an epoch only grows.
Rule 3: an active bundle has a position of its own among ten, the lowest that was free. Rule 4: each event
names the block of the owner's change before it. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from xmtp_tee.client.history.errors import HistoryBroken
from xmtp_tee.client.history.events import (
    UNKNOWN_BLOCK,
    AgentEvent,
    BundleTerms,
    Change,
    KeyEvent,
    PauseEvent,
    RegistryEvent,
)

MAX_ACTIVE = 10


@dataclass(frozen=True, slots=True)
class ReplayedBundle:
    """A bundle as the events leave it. ``terms`` are the newest; ``position`` counts while it is active."""

    owner: str
    identity_key: bytes
    terms: BundleTerms
    revoked: bool
    position: int
    registered_at: int
    changed_at: int


@dataclass(slots=True)
class _Owner:
    bundles: dict[bytes, ReplayedBundle] = field(default_factory=dict)
    positions: list[bytes | None] = field(default_factory=lambda: [None] * MAX_ACTIVE)
    last_change: int = 0
    last_position: tuple[int, int] = (-1, -1)


class RegistryState:
    """The state of all owners whose events were applied."""

    def __init__(self) -> None:
        self._owners: dict[str, _Owner] = {}
        self._holders: dict[tuple[int, bytes], str] = {}
        self.paused = False

    @classmethod
    def of(cls, events: Iterable[RegistryEvent]) -> RegistryState:
        """Return the state after these events, oldest first."""
        state = cls()
        for event in events:
            state.apply(event)
        return state

    def apply(self, event: RegistryEvent) -> None:
        """Take the next event.

        :raises HistoryBroken: it cannot follow what was applied before; the state is unchanged then
        """
        if isinstance(event, KeyEvent):
            self._apply_change(event)
        elif isinstance(event, AgentEvent):
            self._apply_agent(event)
        else:
            self._apply_pause(event)

    def _apply_change(self, event: KeyEvent) -> None:
        if self.paused and event.change is not Change.REVOKED:
            raise _broken(event, f"is {event.change.value} during a pause")
        owner = self._owners.get(event.owner) or _Owner()
        _require_next(owner, event)
        if event.change is Change.REGISTERED:
            _register(owner, event)
        elif event.change is Change.ROTATED:
            _rotate(owner, event)
        else:
            _revoke(owner, event)
        owner.last_change = min(event.block_number, UNKNOWN_BLOCK)
        owner.last_position = event.position
        self._owners[event.owner] = owner

    def _apply_agent(self, event: AgentEvent) -> None:
        bundle = self.bundle(event.owner, event.identity_key)
        if bundle is None or bundle.registered_at != event.block_number:
            raise HistoryBroken(
                "an agent's holder was recorded without a registration",
                got=f"agent {event.agent_id} in block {event.block_number}",
            )
        self._holders[event.agent_id, event.identity_key] = event.holder

    def _apply_pause(self, event: PauseEvent) -> None:
        if event.paused == self.paused:
            raise HistoryBroken("a pause begins or ends twice", got=f"block {event.block_number}")
        self.paused = event.paused

    @property
    def owners(self) -> list[str]:
        """Everyone who ever changed a bundle, in order of the first change."""
        return list(self._owners)

    def bundle(self, owner: str, identity_key: bytes) -> ReplayedBundle | None:
        """Return a bundle, revoked ones included; None where there never was one."""
        found = self._owners.get(owner)
        return None if found is None else found.bundles.get(identity_key)

    def bundles(self, owner: str) -> list[ReplayedBundle]:
        """Return every bundle that the owner ever registered, in order of registration."""
        found = self._owners.get(owner)
        return [] if found is None else list(found.bundles.values())

    def active(self, owner: str) -> list[ReplayedBundle]:
        """Return the active bundles by position."""
        found = self._owners.get(owner)
        keys = [] if found is None else [key for key in found.positions if key is not None]
        return [] if found is None else [found.bundles[key] for key in keys]

    def agent_holder(self, agent_id: int, identity_key: bytes) -> str | None:
        """Return who held the agent when it registered this bundle, None if it did not."""
        return self._holders.get((agent_id, identity_key))

    def last_change(self, owner: str) -> int:
        """Return the block of the owner's last change, 0 where there was none."""
        found = self._owners.get(owner)
        return 0 if found is None else found.last_change


def _require_next(owner: _Owner, event: KeyEvent) -> None:
    if event.position <= owner.last_position:
        raise _broken(event, "is out of order", expected=f"after {owner.last_position}")
    if event.previous_change != owner.last_change:
        raise _broken(
            event,
            f"names block {event.previous_change} as the owner's previous change",
            expected=f"block {owner.last_change}; events in between are missing",
        )


def _register(owner: _Owner, event: KeyEvent) -> None:
    if event.identity_key in owner.bundles:
        raise _broken(event, "registers a bundle that was there before")
    if None not in owner.positions:
        raise _broken(event, "registers an eleventh bundle", expected=f"at most {MAX_ACTIVE}")
    terms = _terms(event)
    if terms.provenance is None:
        raise _broken(event, "does not say where the key came from")
    position = owner.positions.index(None)
    owner.positions[position] = event.identity_key
    owner.bundles[event.identity_key] = ReplayedBundle(
        owner=event.owner,
        identity_key=event.identity_key,
        terms=terms,
        revoked=False,
        position=position,
        registered_at=event.block_number,
        changed_at=event.block_number,
    )


def _rotate(owner: _Owner, event: KeyEvent) -> None:
    bundle, terms = _active(owner, event), _terms(event)
    if terms.epoch <= bundle.terms.epoch:
        raise _broken(event, f"goes to epoch {terms.epoch}", expected=f"> {bundle.terms.epoch}")
    if terms.provenance not in {None, bundle.terms.provenance}:
        raise _broken(event, "changes the provenance", expected=str(bundle.terms.provenance))
    if terms.pre_key == bundle.terms.pre_key:
        raise _broken(event, "keeps the pre-key")
    owner.bundles[event.identity_key] = replace(
        bundle,
        terms=replace(terms, provenance=bundle.terms.provenance),
        changed_at=event.block_number,
    )


def _revoke(owner: _Owner, event: KeyEvent) -> None:
    bundle = _active(owner, event)
    owner.positions[bundle.position] = None
    owner.bundles[event.identity_key] = replace(bundle, revoked=True, changed_at=event.block_number)


def _active(owner: _Owner, event: KeyEvent) -> ReplayedBundle:
    bundle = owner.bundles.get(event.identity_key)
    if bundle is None or bundle.revoked:
        raise _broken(event, f"is {event.change.value} without being active")
    return bundle


def _terms(event: KeyEvent) -> BundleTerms:
    if event.terms is None or event.terms.epoch == 0:
        raise _broken(event, "publishes no epoch")
    return event.terms


def _broken(event: KeyEvent, what: str, *, expected: str | None = None) -> HistoryBroken:
    return HistoryBroken(
        "the events do not make one unbroken history",
        got=f"the event at block {event.block_number}, index {event.index} of {event.owner} {what}",
        expected=expected,
        cause="the node left events out, or shows another chain's",
    )
