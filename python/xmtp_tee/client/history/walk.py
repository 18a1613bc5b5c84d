"""Reads an owner's history from the chain along its links: one small query per block with a change."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from xmtp_tee.client.chain import Chain
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.history.errors import HistoryBroken
from xmtp_tee.client.history.events import (
    CONTRACT,
    UNKNOWN_BLOCK,
    KeyEvent,
    RegistryEvent,
    decode_event,
    decode_key_events,
    key_event_topics,
    owner_topic,
    registry_topics,
)
from xmtp_tee.client.log_search import Topics, find_logs
from xmtp_tee.client.logs import Log


class KeyHistory:
    """The key events of one deployment's KeyRegistry."""

    def __init__(self, chain: Chain, deployment: Deployment) -> None:
        self.chain = chain
        self.deployment = deployment
        self._registry = chain.contract(CONTRACT, deployment.address(CONTRACT))

    def last_change(self, owner: str, *, block: int | None = None) -> int:
        """Return the block of the owner's last change as the registry says it (at ``block``).

        0 where there was none, ``UNKNOWN_BLOCK`` where it must be searched for. ``owner`` is checksummed.
        """
        function = self._registry.functions.lastChange(owner)
        return int(self.chain.read(function, block=block))

    def of_owner(self, owner: str, head: int | None = None) -> list[KeyEvent]:
        """Return every change of an owner's bundles up to block ``head``, oldest first.

        The registry's state at ``head`` is asked where the links begin, so it must be recent; by default it is the
        newest block. Of several changes in one block the links say that there were some, not how many.

        :raises HistoryBroken: a link leads nowhere, or the events do not fit it
        """
        if head is None:
            head = self.chain.block().number
        return list(self.newest_first(owner, self.last_change(owner, block=head), head))[::-1]

    def newest_first(
        self, owner: str, change: int, head: int, *, until: int = 0
    ) -> Iterator[KeyEvent]:
        """Yield the changes from the one in block ``change`` back to the one after block ``until``.

        ``head`` is the newest block that counts. Where a link does not say its block, the blocks between
        are searched, page by page.

        :raises HistoryBroken: a link leads nowhere, the events do not fit it, or it passes ``until`` by
        """
        after = head + 1
        while change not in {0, until}:
            if change == UNKNOWN_BLOCK:
                yield from reversed(self.search(self._topics(owner), until + 1, after - 1))
                return
            if not until < change < after:
                raise _dead_end(owner, change, f"a block after {until} and before {after}")
            events = self.in_blocks(owner, change, change)
            _require_linked(owner, change, events)
            yield from reversed(events)
            after, change = change, events[0].previous_change
        if change != until:
            raise _dead_end(owner, change, f"the known change in block {until}")

    def in_blocks(self, owner: str, first: int, last: int) -> list[KeyEvent]:
        """Return an owner's changes in blocks ``first`` to ``last``, oldest first, by search."""
        return self.search(self._topics(owner), first, last)

    def of_identity_key(self, identity_key: bytes) -> list[KeyEvent]:
        """Return the changes of every bundle of an identity key (32 bytes), whoever registered it."""
        return self.search([key_event_topics(), None, identity_key])

    def of_everyone(self, *, last: int | None = None) -> list[RegistryEvent]:
        """Return everything that the replay takes, up to block ``last``, oldest first."""
        return [decode_event(log) for log in self._logs([registry_topics()], None, last)]

    def search(
        self, topics: Topics, first: int | None = None, last: int | None = None
    ) -> list[KeyEvent]:
        """Return the key events that match, page by page; by default since the deployment."""
        return decode_key_events(self._logs(topics, first, last))

    def _logs(self, topics: Topics, first: int | None, last: int | None) -> Iterator[Log]:
        since = self.deployment.deployed_at_block
        return find_logs(
            self.chain,
            self.deployment.address(CONTRACT),
            topics,
            since if first is None else max(first, since),
            self.chain.block().number if last is None else last,
        )

    @staticmethod
    def _topics(owner: str) -> Topics:
        return [key_event_topics(), owner_topic(owner)]


def _require_linked(owner: str, block: int, events: list[KeyEvent]) -> None:
    """Within a block, every event but the first names this very block."""
    if not events:
        raise HistoryBroken(
            "the block that a link names holds no change of this owner",
            got=f"block {block}",
            expected=f"a key event of {owner}",
            cause="the node does not keep old logs, or leaves events out",
        )
    for earlier, later in pairwise(events):
        if later.previous_change != min(earlier.block_number, UNKNOWN_BLOCK):
            raise _dead_end(owner, later.previous_change, f"block {earlier.block_number}")


def _dead_end(owner: str, got: int, expected: str) -> HistoryBroken:
    return HistoryBroken(
        "the links of a history do not lead from change to change",
        got=f"block {got} as the change before, of {owner}",
        expected=expected,
        cause="the node leaves events out, or the chain was reorganised in between; try again",
    )
