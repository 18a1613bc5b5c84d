"""Watches an owner's entry: an alarm for every change of it, none missed, none twice.

Rule 1: what is younger than the confirmations does not count. Rule 2: the registry itself says whether there was
a change (``lastChange``), and the links between the events must lead from it back to the change that is known;
so a node cannot leave one out unnoticed. Rule 3: each checkpoint keeps its block's hash; when that is gone from the
chain, the watch says so and starts again from the last one that is still there. Rule 4: who keeps the cursor
resumes where the last watch stopped, whatever happened in between.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from xmtp_tee.client.chain import Block
from xmtp_tee.client.history.cursor import Checkpoint, Cursor
from xmtp_tee.client.history.events import UNKNOWN_BLOCK, Change, KeyEvent
from xmtp_tee.client.history.walk import KeyHistory
from xmtp_tee.client.registry_reader import RegistryReader

CONFIRMATIONS = 2
INTERVAL_SECONDS = 12.0


class AlarmKind(StrEnum):
    """What an alarm is about."""

    REGISTERED = "registered"
    ROTATED = "rotated"
    REVOKED = "revoked"
    STANDING = "standing"
    REORGANISED = "reorganised"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A change of an owner's entry; ``event`` is there for the first three kinds.

    Who keeps ``cursor`` once the alarm is dealt with loses none and may get some of the same look again.
    """

    kind: AlarmKind
    owner: str
    text: str
    block_number: int
    event: KeyEvent | None
    cursor: Cursor

    def as_dict(self) -> dict[str, object]:
        """Return the alarm as ``--json`` prints it."""
        return {
            "alarm": self.kind.value,
            "owner": self.owner,
            "text": self.text,
            "block": self.block_number,
            "event": None if self.event is None else self.event.as_dict(),
        }


class Watch:
    """The watch of one owner (checksummed), from now on or from a cursor on.

    ``confirmations`` is how many blocks must stand on a block before it counts.
    """

    def __init__(
        self,
        reader: RegistryReader,
        owner: str,
        *,
        cursor: Cursor | None = None,
        confirmations: int = CONFIRMATIONS,
    ) -> None:
        self._reader = reader
        self._history = KeyHistory(reader.chain, reader.deployment)
        self.owner = owner
        self._confirmations = confirmations
        if cursor is not None:
            where = reader.deployment
            cursor.require_for(where.chain_id, where.address("KeyRegistry"), owner)
        self._cursor = cursor

    @property
    def cursor(self) -> Cursor:
        """Where the watch stands; the first time, the newest block that counts."""
        if self._cursor is None:
            block = self._newest()
            self._cursor = self._start(self._checkpoint(block), self._standings(block))
        return self._cursor

    def poll(self) -> list[Alarm]:
        """Return what has changed since the cursor, oldest first, and move the cursor behind it.

        An error leaves the cursor where it was, so nothing is lost by it.

        :raises HistoryBroken: the node's events do not lead to what the registry says
        """
        cursor, rewound = self._still_there(self.cursor)
        block = self._newest()
        if block.number <= cursor.block_number:
            if rewound is None:
                return []
            # The chain is shorter than it was; what it holds is read once it has grown again.
            self._cursor = cursor
            number = cursor.block_number
            return [Alarm(AlarmKind.REORGANISED, self.owner, rewound, number, None, cursor)]
        checkpoint, standings = self._checkpoint(block), self._standings(block)
        events = self._events_between(cursor.checkpoints[-1], checkpoint)
        if self._reader.chain.block(block.number).hash != block.hash:
            # The chain moved while it was read. The next poll sees one chain or the other, not a mixture.
            return []
        found: list[tuple[AlarmKind, str, int, KeyEvent | None]] = []
        if rewound is not None:
            found.append((AlarmKind.REORGANISED, rewound, block.number, None))
        found += [(AlarmKind(e.change.value), _told(e), e.block_number, e) for e in events]
        found += [
            (AlarmKind.STANDING, text, block.number, None)
            for text in _standing_changes(cursor.standings, standings, events)
        ]
        self._cursor = cursor.moved(checkpoint, standings)
        # Only the last of them stands for the whole look.
        cursors = [cursor] * (len(found) - 1) + [self._cursor]
        return [
            Alarm(kind, self.owner, text, number, event, kept)
            for (kind, text, number, event), kept in zip(found, cursors, strict=False)
        ]

    def run(
        self,
        *,
        interval: float = INTERVAL_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Iterator[Alarm]:
        """Yield alarms for ever, with ``interval`` seconds between polls."""
        while True:
            yield from self.poll()
            sleep(interval)

    async def run_async(self, *, interval: float = INTERVAL_SECONDS) -> AsyncIterator[Alarm]:
        """Yield alarms for ever without blocking the event loop."""
        while True:
            for alarm in await asyncio.to_thread(self.poll):
                yield alarm
            await asyncio.sleep(interval)

    def __iter__(self) -> Iterator[Alarm]:
        return self.run()

    def __aiter__(self) -> AsyncIterator[Alarm]:
        return self.run_async()

    def _newest(self) -> Block:
        chain = self._reader.chain
        return chain.block(max(chain.block().number - self._confirmations, 0))

    def _checkpoint(self, block: Block) -> Checkpoint:
        last_change = self._history.last_change(self.owner, block=block.number)
        return Checkpoint(block.number, block.hash, last_change)

    def _start(self, checkpoint: Checkpoint, standings: dict[str, str]) -> Cursor:
        where = self._reader.deployment
        registry = where.address("KeyRegistry")
        return Cursor(where.chain_id, registry, self.owner, (checkpoint,), standings)

    def _standings(self, block: Block) -> dict[str, str]:
        [keys] = self._reader.lookup_keys([self.owner], block=block.number).values()
        return {"0x" + key.identity_key.hex(): key.standing_in_words for key in keys}

    def _still_there(self, cursor: Cursor) -> tuple[Cursor, str | None]:
        """Go back to the last checkpoint that is on the chain; say so if that is not the last one."""
        chain, kept = self._reader.chain, list(cursor.checkpoints)
        head = chain.block().number
        while kept and (
            kept[-1].number > head or chain.block(kept[-1].number).hash != kept[-1].hash
        ):
            kept.pop()
        if len(kept) == len(cursor.checkpoints):
            return cursor, None
        if kept:
            back = Cursor(
                cursor.chain_id, cursor.key_registry, cursor.owner, tuple(kept), cursor.standings
            )
        else:
            before = chain.block(max(self._reader.deployment.deployed_at_block - 1, 0))
            back = self._start(Checkpoint(before.number, before.hash, 0), {})
        gone = cursor.block_number
        return back, (
            f"the chain was reorganised below block {gone}, deeper than {self._confirmations} "
            f"confirmations; reading again from block {back.block_number}"
        )

    def _events_between(self, known: Checkpoint, now: Checkpoint) -> list[KeyEvent]:
        if now.last_change == known.last_change != UNKNOWN_BLOCK:
            return []
        if known.last_change == UNKNOWN_BLOCK:
            return self._history.in_blocks(self.owner, known.number + 1, now.number)
        found = self._history.newest_first(
            self.owner, now.last_change, now.number, until=known.last_change
        )
        return list(found)[::-1]


def _told(event: KeyEvent) -> str:
    key = f"0x{event.identity_key.hex()}"
    if event.terms is None:
        return f"the bundle {key} was revoked"
    what = "was registered" if event.change is Change.REGISTERED else "has a new pre-key"
    return f"the bundle {key} {what}: epoch {event.terms.epoch}, enclave {event.terms.authority}"


def _standing_changes(
    before: dict[str, str], now: dict[str, str], events: list[KeyEvent]
) -> Iterator[str]:
    """Say of each bundle that no event speaks of how its standing changed."""
    told = {"0x" + event.identity_key.hex() for event in events}
    for key in sorted((before.keys() & now.keys()) - told):
        if before[key] != now[key]:
            yield f"the bundle {key} was {before[key]} and is {now[key]} now"
