"""Searches for events page by page: nodes bound the range of ``eth_getLogs`` or the size of its answer, each
in its own way, so the page adapts to what the node takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import LogMalformed, RequestRefused
from xmtp_tee.client.logs import Log

FIRST_PAGE = 10_000
LARGEST_PAGE = 1_000_000
# A topic to match at each place: None for any, or one of several.
Topics: TypeAlias = Sequence[bytes | Sequence[bytes] | None]


class Pager:
    """Which range to ask for next: halved when the node refuses, doubled after a success. No I/O."""

    def __init__(self, first: int, last: int, *, page: int = FIRST_PAGE) -> None:
        self._next = first
        self._last = last
        self._page = page

    @property
    def done(self) -> bool:
        """Whether every block has been covered."""
        return self._next > self._last

    @property
    def range(self) -> tuple[int, int]:
        """The first and the last block to ask for now, both included."""
        return self._next, min(self._next + self._page - 1, self._last)

    def answered(self) -> None:
        """Go on behind the present range."""
        self._next = self.range[1] + 1
        self._page = min(self._page * 2, LARGEST_PAGE)

    def refused(self) -> bool:
        """Ask for less; False when one block was too much already."""
        first, last = self.range
        if first == last:
            return False
        self._page = (last - first + 1) // 2
        return True


def find_logs(
    chain: Chain, address: str, topics: Topics, first: int, last: int, *, page: int = FIRST_PAGE
) -> Iterator[Log]:
    """Yield a contract's logs in blocks ``first`` to ``last`` (both included), oldest first.

    A log that was not asked for, or out of order, is an error: a node that answers another question may
    also leave something out.

    :raises RequestRefused: the node refuses even a single block
    :raises LogMalformed: the answer is not what was asked for
    """
    pager = Pager(first, last, page=page)
    while not pager.done:
        start, end = pager.range
        try:
            answer = chain.request("eth_getLogs", _filter(address, topics, start, end))
        except RequestRefused:
            if not pager.refused():
                raise
            continue
        yield from _checked(answer, address, topics, start, end)
        pager.answered()


def _filter(address: str, topics: Topics, start: int, end: int) -> dict[str, object]:
    return {
        "address": address,
        "fromBlock": hex(start),
        "toBlock": hex(end),
        "topics": [
            None
            if topic is None
            else "0x" + topic.hex()
            if isinstance(topic, bytes)
            else ["0x" + one.hex() for one in topic]
            for topic in topics
        ],
    }


def _checked(answer: object, address: str, topics: Topics, start: int, end: int) -> list[Log]:
    if not isinstance(answer, list):
        raise LogMalformed("the node's logs are no list", got=type(answer).__name__)
    logs = [Log.from_json(raw) for raw in answer]
    wanted = bytes.fromhex(address.removeprefix("0x"))
    previous = (-1, -1)
    for log in logs:
        if (
            log.address != wanted
            or not start <= log.block_number <= end
            or not _matches(log, topics)
        ):
            raise LogMalformed(
                "the node shows a log that was not asked for",
                got=f"block {log.block_number}, address 0x{log.address.hex()}",
                expected=f"blocks {start} to {end}, address {address}",
            )
        if log.position <= previous:
            raise LogMalformed(
                "the node's logs are not in order", got=log.position, expected=f"after {previous}"
            )
        previous = log.position
    return logs


def _matches(log: Log, topics: Topics) -> bool:
    if len(log.topics) < len(topics):
        return False
    return all(
        wanted is None or (got == wanted if isinstance(wanted, bytes) else got in wanted)
        for got, wanted in zip(log.topics, topics, strict=False)
    )
