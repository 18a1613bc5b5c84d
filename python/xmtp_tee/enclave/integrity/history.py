"""The chain over all states of a store, by which a later state is told from another one.

Every mutation (epoch n) makes one link::

    chain(n) = MAC(n, state(n), chain(n - 1), chain(n - lowest set bit of n))

The sealed header holds the last value. Whoever remembers ``(m, chain(m))`` of an earlier time, be it
this enclave, a client or a contract, has the enclave prove that its present state descends from that
one: walking back along the second link takes at most the square of log2(n) steps. A store that was put
back has a smaller epoch; one that was forked has another value at m, whatever its epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from xmtp_tee.wire.store_faults import StoreForkedError, StoreRolledBackError

CHAIN_SIZE: Final = 32
_LEAST_CHAIN: Final = 24
GENESIS: Final = bytes(CHAIN_SIZE)
"""``chain(0)``, before the birth of the store (epoch 1)."""


@dataclass(frozen=True, slots=True)
class Link:
    """What ``chain(n)`` is made of. ``state``: bytes that stand for the whole store after the
    mutation.
    """

    epoch: int
    state: bytes
    previous: bytes
    skip: bytes


class LinkSource(Protocol):
    """Where links lie. It is not trusted."""

    def link(self, epoch: int) -> Link | None:
        """Return the link of an epoch, or None."""


Mac = Callable[[bytes, bytes], bytes]
"""``mac(label, data)``: a keyed 32-byte digest."""


@dataclass(frozen=True, slots=True)
class Point:
    """One state of a store: the number of a mutation, and the chain up to it (32 bytes).

    A state that was kept elsewhere may have the first 24 bytes alone.
    """

    epoch: int
    chain: bytes


class History:
    """The chain, read from links that the host keeps."""

    def __init__(self, source: LinkSource, mac: Mac) -> None:
        """Read from ``source``; believe what ``mac`` confirms."""
        self._source = source
        self._mac = mac

    def next(self, now: Point, state: bytes) -> tuple[Point, Link]:
        """Return the point after ``now``, and the link to be stored with it.

        :raises StoreForkedError: if the links of the past are not those that led to ``now``
        """
        epoch = now.epoch + 1
        skip = epoch - (epoch & -epoch)
        target = now.chain if skip == now.epoch else self.ancestor(now, skip).chain
        link = Link(epoch, state, now.chain, target)
        return Point(epoch, self._value(link)), link

    def ancestor(self, now: Point, epoch: int) -> Point:
        """Return the state of an earlier ``epoch`` from which ``now`` provably descends.

        :raises StoreRolledBackError: if ``now`` lies before that epoch
        :raises StoreForkedError: if the links do not lead there
        """
        if epoch > now.epoch:
            raise StoreRolledBackError(
                "The store is older than it has been",
                got=f"epoch {now.epoch}",
                expected=f"at least epoch {epoch}",
                cause="an older copy of the store was put back",
            )
        at = now
        while at.epoch > epoch:
            link = self._source.link(at.epoch)
            if link is None or link.epoch != at.epoch or self._value(link) != at.chain:
                raise StoreForkedError(
                    "The store's history has a break",
                    got=f"epoch {at.epoch}: {'no link' if link is None else 'another link'}",
                    cause="links were changed or removed, or are another copy's",
                )
            back = at.epoch - (at.epoch & -at.epoch)
            at = Point(back, link.skip) if back >= epoch else Point(at.epoch - 1, link.previous)
        return at

    def require_descent(self, now: Point, earlier: Point) -> None:
        """Return if ``now`` is ``earlier`` or descends from it.

        :raises StoreRolledBackError: if it lies before
        :raises StoreForkedError: if it descends from another state of that epoch
        """
        if len(earlier.chain) < _LEAST_CHAIN:
            raise ValueError(f"a state is known by {_LEAST_CHAIN} bytes of its chain at least")
        if self.ancestor(now, earlier.epoch).chain[: len(earlier.chain)] != earlier.chain:
            raise StoreForkedError(
                "The store descends from another past than the one that is known",
                got=f"another state at epoch {earlier.epoch}",
                cause="two copies of the store went on separately, and this is the other one",
            )

    def _value(self, link: Link) -> bytes:
        data = link.epoch.to_bytes(8, "big") + link.previous + link.skip + link.state
        return self._mac(b"history link", data)
