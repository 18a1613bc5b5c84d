"""Freshness anchors: where an enclave keeps, outside of its store, how far the store has come.

A store that lies behind its anchor was put back; one that does not descend from it was forked. Either
is refused at the start. The host owns the store, so an anchor is worth as much as the place is out of
the host's reach: ``file`` is for tests and for a disk that somebody else owns. Clients' receipts
(``client.freshness``) and the contract (``FreshnessAnchor``) need no anchor in here: who reads them has
the enclave prove that its state descends from theirs. ``known`` reads a file of such states that the host
brings to a start; it can make the enclave refuse, and nothing else.
"""

from __future__ import annotations

from typing import Protocol

from xmtp_tee.enclave.integrity.history import Point


class Anchor(Protocol):
    """Where the last state is kept."""

    name: str

    def latest(self, store_id: bytes) -> Point | None:
        """Return the last state that was anchored, or None.

        :raises AnchorUnavailableError: if it cannot be read, which is not the same as none
        """

    def advance(self, store_id: bytes, point: Point) -> None:
        """Keep a state, before the mutation that made it is acknowledged.

        :raises AnchorUnavailableError: if it cannot be kept
        """


class NoAnchor:
    """Nothing is kept: a store that was put back as a whole is noticed by clients alone."""

    name = "none"

    def latest(self, store_id: bytes) -> Point | None:
        """See Anchor."""
        return None

    def advance(self, store_id: bytes, point: Point) -> None:
        """See Anchor."""
