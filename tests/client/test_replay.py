"""The replay takes exactly the histories that a registry can write."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.client.history.errors import HistoryBroken
from xmtp_tee.client.history.events import (
    UNKNOWN_BLOCK,
    AgentEvent,
    BundleTerms,
    Change,
    KeyEvent,
    PauseEvent,
)
from xmtp_tee.client.history.replay import MAX_ACTIVE, RegistryState

OWNER, STRANGER = "0x" + "11" * 20, "0x" + "22" * 20


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


@dataclass
class Writer:
    """Writes the events of a registry that obeys its rules; a model of its own, as plain as can be."""

    block: int = 10
    index: int = 0
    events: list[KeyEvent] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)
    epochs: dict[tuple[str, bytes], int] = field(default_factory=dict)
    active: dict[str, dict[bytes, int]] = field(default_factory=dict)

    def emit(self, change: Change, owner: str, identity_key: bytes, *, epoch: int = 0) -> None:
        terms = None
        if change is not Change.REVOKED:
            terms = BundleTerms(
                authority="0x" + "aa" * 20,
                pre_key=key(10_000 + 1_000 * int.from_bytes(identity_key, "big") + epoch),
                pre_key_signature=bytes(64),
                epoch=epoch,
                expires_at=2_000_000_000,
                provenance=Provenance.GENERATED if change is Change.REGISTERED else None,
            )
        self.events.append(
            KeyEvent(
                change=change,
                owner=owner,
                identity_key=identity_key,
                terms=terms,
                previous_change=self.last.get(owner, 0),
                block_number=self.block,
                block_hash=bytes(32),
                index=self.index,
                transaction="0x" + "00" * 32,
            )
        )
        self.last[owner] = min(self.block, UNKNOWN_BLOCK)
        self.index += 1

    def register(self, owner: str, number: int) -> None:
        held = self.active.setdefault(owner, {})
        if (owner, key(number)) in self.epochs or len(held) == MAX_ACTIVE:
            return
        held[key(number)] = min(set(range(MAX_ACTIVE)) - set(held.values()))
        self.epochs[owner, key(number)] = 1
        self.emit(Change.REGISTERED, owner, key(number), epoch=1)

    def rotate(self, owner: str, number: int, step: int) -> None:
        if key(number) in self.active.get(owner, {}):
            self.epochs[owner, key(number)] += step
            self.emit(Change.ROTATED, owner, key(number), epoch=self.epochs[owner, key(number)])

    def revoke(self, owner: str, number: int) -> None:
        if self.active.get(owner, {}).pop(key(number), None) is not None:
            self.emit(Change.REVOKED, owner, key(number))


steps = st.lists(
    st.tuples(
        st.sampled_from(["register", "rotate", "revoke", "mine"]),
        st.sampled_from([OWNER, STRANGER]),
        st.integers(1, 14),
        st.integers(1, 3),
    ),
    max_size=60,
)


def written(moves: list[tuple[str, str, int, int]], *, first_block: int = 10) -> Writer:
    writer = Writer(block=first_block)
    for what, owner, number, step in moves:
        if what == "register":
            writer.register(owner, number)
        elif what == "rotate":
            writer.rotate(owner, number, step)
        elif what == "revoke":
            writer.revoke(owner, number)
        else:
            writer.block, writer.index = writer.block + step, 0
    return writer


@given(steps)
def test_replay_rebuilds_what_the_model_holds(moves: list[tuple[str, str, int, int]]) -> None:
    writer = written(moves)
    state = RegistryState.of(writer.events)
    for owner in (OWNER, STRANGER):
        held = writer.active.get(owner, {})
        assert [bundle.identity_key for bundle in state.active(owner)] == sorted(
            held, key=held.__getitem__
        )
        assert [bundle.position for bundle in state.active(owner)] == sorted(held.values())
        assert state.last_change(owner) == writer.last.get(owner, 0)
        for bundle in state.bundles(owner):
            assert bundle.revoked is (bundle.identity_key not in held)
            assert bundle.terms.epoch == writer.epochs[owner, bundle.identity_key]
            assert bundle.terms.provenance is Provenance.GENERATED


@given(steps)
def test_saturated_links_replay(moves: list[tuple[str, str, int, int]]) -> None:
    writer = written(moves, first_block=UNKNOWN_BLOCK - 3)
    state = RegistryState.of(writer.events)
    for owner, last in writer.last.items():
        assert state.last_change(owner) == last <= UNKNOWN_BLOCK


@given(steps, st.data())
def test_history_with_a_block_left_out_is_refused(
    moves: list[tuple[str, str, int, int]], data: st.DataObject
) -> None:
    """All of an owner's changes in one block, unless they are the newest: then nothing follows to tell."""
    events = [event for event in written(moves).events if event.owner == OWNER]
    blocks = sorted({event.block_number for event in events})[:-1]
    if not blocks:
        return
    gone = data.draw(st.sampled_from(blocks))
    with pytest.raises(HistoryBroken):
        RegistryState.of(event for event in events if event.block_number != gone)


@given(steps, st.data())
def test_repeated_or_swapped_events_are_refused(
    moves: list[tuple[str, str, int, int]], data: st.DataObject
) -> None:
    events = [event for event in written(moves).events if event.owner == OWNER]
    if len(events) < 2:
        return
    place = data.draw(st.integers(0, len(events) - 2))
    repeated = [*events[: place + 1], *events[place:]]
    swapped = [*events[:place], events[place + 1], events[place], *events[place + 2 :]]
    for bent in (repeated, swapped):
        with pytest.raises(HistoryBroken):
            RegistryState.of(bent)


def history() -> list[KeyEvent]:
    writer = Writer()
    writer.register(OWNER, 1)
    writer.block += 1
    writer.rotate(OWNER, 1, 1)
    writer.block += 1
    writer.revoke(OWNER, 1)
    return writer.events


def test_impossible_events_are_refused() -> None:
    registered, rotated, revoked = history()
    assert rotated.terms
    old = replace(rotated.terms, epoch=1)
    same = replace(rotated.terms, pre_key=registered.terms.pre_key if registered.terms else b"")
    other = replace(rotated.terms, provenance=Provenance.IMPORTED)
    for events in (
        [rotated],
        [revoked],
        [replace(registered, terms=None)],
        [replace(registered, terms=replace(rotated.terms, epoch=0))],
        [replace(registered, terms=replace(rotated.terms, provenance=None))],
        [replace(registered, previous_change=3)],
        [registered, replace(rotated, terms=old)],
        [registered, replace(rotated, terms=same)],
        [registered, replace(rotated, terms=other)],
        [registered, replace(rotated, terms=None)],
        [registered, replace(rotated, identity_key=key(2))],
        [registered, rotated, revoked, replace(rotated, block_number=20, previous_change=12)],
        [registered, rotated, revoked, replace(registered, block_number=20, previous_change=12)],
        [registered, replace(registered, block_number=20, previous_change=10)],
    ):
        with pytest.raises(HistoryBroken):
            RegistryState.of(events)


def test_eleventh_active_bundle_is_refused() -> None:
    writer = Writer()
    for number in range(1, 11):
        writer.register(OWNER, number)
    writer.emit(Change.REGISTERED, OWNER, key(11), epoch=1)
    with pytest.raises(HistoryBroken, match="unbroken"):
        RegistryState.of(writer.events)


def test_refused_event_leaves_the_state_as_it_was() -> None:
    registered, rotated, revoked = history()
    state = RegistryState.of([registered])
    before = (state.bundles(OWNER), state.last_change(OWNER))
    with pytest.raises(HistoryBroken):
        state.apply(revoked)
    assert (state.bundles(OWNER), state.last_change(OWNER)) == before
    state.apply(rotated)


def test_pause_stops_all_but_revocations() -> None:
    registered, rotated, revoked = history()
    state = RegistryState.of([registered, PauseEvent(True, 10, 5)])
    assert state.paused
    with pytest.raises(HistoryBroken):
        state.apply(rotated)
    state.apply(replace(revoked, previous_change=10))
    state.apply(PauseEvent(False, 13, 0))
    for repeated in (PauseEvent(False, 14, 0), PauseEvent(False, 15, 0)):
        with pytest.raises(HistoryBroken):
            state.apply(repeated)


def test_agents_holder_is_recorded_with_the_registration_alone() -> None:
    registered, rotated, _ = history()
    noted = AgentEvent(7, OWNER, key(1), STRANGER, 10, 1)
    state = RegistryState.of([registered, noted, rotated])
    assert state.agent_holder(7, key(1)) == STRANGER
    assert state.agent_holder(8, key(1)) is None
    for events in ([noted], [registered, rotated, replace(noted, block_number=11)]):
        with pytest.raises(HistoryBroken):
            RegistryState.of(events)
