"""The interface between the sealed store and a database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from xmtp_tee.enclave.integrity.history import Link
from xmtp_tee.enclave.sealing import Wrap

TAG_SIZE: Final = 16
ORDINAL_SIZE: Final = 8
MEMBERSHIP_SIZE: Final = TAG_SIZE + ORDINAL_SIZE


@dataclass(frozen=True, slots=True)
class Row:
    """A key as the host sees it.

    ``id``: the key id's 16 random bytes. ``position``: the place in the order of birth, from 1.
    ``epoch``: the number of the mutation that wrote the row. ``tags``: the indexes that the row
    stands in, each 16 bytes that rows of one owner or parent share, and its ordinal there, from 1
    (8 bytes, big-endian). ``record`` and ``secret``: sealed.
    """

    id: bytes
    position: int
    epoch: int
    tags: bytes
    record: bytes
    secret: bytes

    def memberships(self) -> Iterator[tuple[bytes, int]]:
        """Yield each tag with the row's ordinal in it."""
        for at in range(0, len(self.tags), MEMBERSHIP_SIZE):
            tag = self.tags[at : at + TAG_SIZE]
            yield tag, int.from_bytes(self.tags[at + TAG_SIZE : at + MEMBERSHIP_SIZE], "big")


@dataclass(frozen=True, slots=True)
class Head:
    """The one header of a store: ``epoch`` is the number of the last mutation, ``sealed`` the
    rest.
    """

    store_id: bytes
    schema: int
    epoch: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """A sealed text with a name. ``id``: 16 bytes that stand for the name. ``epoch``: as a row's."""

    id: bytes
    epoch: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """Everything that one mutation writes.

    ``inserted``, ``updated``: rows. ``documents``: by id, None to remove. ``nodes``: bodies of the
    tree's nodes by path.
    """

    head: Head
    link: Link
    inserted: tuple[Row, ...]
    updated: tuple[Row, ...]
    documents: Mapping[bytes, Document | None]
    nodes: Mapping[bytes, bytes]


class RowStore(Protocol):
    """What a database must do. Every method may raise StoreUnavailableError or
    StoreTamperedError.

    A database is not trusted: whatever comes out of it is compared with the sealed header before
    it is believed.
    """

    @property
    def shared(self) -> bool:
        """Whether other enclaves may write to the store while this one serves."""

    def transaction(self) -> AbstractContextManager[None]:
        """Begin a write transaction that excludes other writers; commit at the end, durably.

        An exception inside rolls everything back. When the block has been left normally, the change
        survives the death of the process and of the machine.
        """

    def head(self) -> Head:
        """Return the header."""

    def apply(self, change: Change) -> None:
        """Write a mutation. Only inside a transaction.

        :raises StoreTamperedError: if a new row's id or place is taken, or an updated row is gone
        """

    def supersede(self, change: Change, wraps: list[Wrap]) -> None:
        """Put a new store in the place of this one, complete and durable, or change nothing."""

    def wraps(self) -> list[Wrap]:
        """Return the wrapped store keys."""

    def put_wrap(self, wrap: Wrap) -> None:
        """Add a wrapped store key, or replace the one of its name. Only inside a transaction."""

    def remove_wrap(self, name: str) -> None:
        """Remove a wrapped store key, if it is there. Only inside a transaction."""

    def get(self, key_id: bytes) -> Row | None:
        """Return the row of an id."""

    def tagged(self, tag: bytes, after: int, limit: int) -> list[Row]:
        """Return up to ``limit`` rows of ``tag`` whose ordinal in it is greater than ``after``, in
        order.
        """

    def page(self, after: int, limit: int) -> list[Row]:
        """Return up to ``limit`` rows whose position is greater than ``after``, in order."""

    def node(self, path: bytes) -> bytes | None:
        """Return the body of a node of the tree."""

    def link(self, epoch: int) -> Link | None:
        """Return a link of the history."""

    def document(self, document_id: bytes) -> Document | None:
        """Return a document."""

    def documents(self) -> Iterator[Document]:
        """Yield every document."""

    def check(self) -> None:
        """Refuse a database that is damaged in itself. Linear in its size.

        :raises StoreTamperedError: if it is
        """

    def close(self) -> None:
        """Let go of the database."""
