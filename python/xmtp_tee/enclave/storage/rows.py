"""The interface between the sealed store and a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from xmtp_tee.enclave.sealing import Wrap


@dataclass(frozen=True, slots=True)
class Row:
    """A key as the host sees it.

    ``id``: the key id's 16 random bytes. ``tag``: 16 bytes that rows of one owner or parent share.
    ``position``: the place in the order of birth, from 1. ``epoch``: the number of the mutation
    that wrote the row. ``record`` and ``secret``: sealed; ``secret`` is empty once the key is
    destroyed.
    """

    id: bytes
    tag: bytes
    position: int
    epoch: int
    record: bytes
    secret: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The one header of a store: ``epoch`` is the number of the last mutation, ``sealed`` the
    rest.
    """

    store_id: bytes
    schema: int
    epoch: int
    sealed: bytes


class RowStore(Protocol):
    """What a database must do. Every method may raise StoreUnavailableError or
    StoreTamperedError.
    """

    def transaction(self) -> AbstractContextManager[None]:
        """Begin a write transaction that excludes other writers; commit at the end, durably.

        An exception inside rolls everything back. When the block has been left normally, the change
        survives the death of the process and of the machine.
        """

    def head(self) -> Head:
        """Return the header."""

    def write_head(self, head: Head) -> None:
        """Replace the header. Only inside a transaction."""

    def wraps(self) -> list[Wrap]:
        """Return the wrapped store keys."""

    def insert(self, row: Row) -> None:
        """Add a row. Only inside a transaction.

        :raises StoreTamperedError: if the id is taken
        """

    def get(self, key_id: bytes) -> Row | None:
        """Return the row of an id."""

    def tagged(self, tag: bytes, after: int, limit: int) -> list[Row]:
        """Return up to ``limit`` rows of ``tag`` whose position is greater than ``after``, in
        order.
        """

    def last_tagged(self, tag: bytes) -> tuple[Row | None, int]:
        """Return the last row of ``tag``, and how many there are."""

    def page(self, after: int, limit: int) -> list[Row]:
        """Return up to ``limit`` rows whose position is greater than ``after``, in order."""

    def scan(self) -> Iterator[Row]:
        """Yield every row, in order."""

    def check(self) -> None:
        """Refuse a database whose indexes and tables disagree: a row could be there and not be
        found.

        :raises StoreTamperedError: if they do
        """

    def close(self) -> None:
        """Let go of the database."""
