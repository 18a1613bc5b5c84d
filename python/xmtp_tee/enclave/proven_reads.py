"""What the database answers, believed only when the tree has confirmed it: keys, lists of them, documents.

A key that was confirmed is kept in memory until it changes. Which state of the store the tree is of, and what to do
when another enclave has written meanwhile, is the store's matter.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from xmtp_tee.enclave.draft import Facts, document_digest, document_id_of, open_document, open_row
from xmtp_tee.enclave.private_keys import wiped
from xmtp_tee.enclave.records import ID_SIZE, KeyRecord, secret_data
from xmtp_tee.enclave.storage.rows import Document, Row, RowStore
from xmtp_tee.wire.store_faults import StoreTamperedError

_CACHED_KEYS: Final = 4096
_PAGE: Final = 1000

Page = tuple[list[KeyRecord], int | None]
"""Records, and the next page's cursor."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A row that the tree has confirmed, and the record in it."""

    row: Row
    record: KeyRecord


class ProvenReads:
    """Every method may raise StoreTamperedError: something is not what the tree says. Not thread-safe."""

    def __init__(self, rows: RowStore, facts: Facts, store_id: bytes) -> None:
        self._rows = rows
        self._facts = facts
        self._sealer = facts.sealer
        self._store_id = store_id
        self._cache: OrderedDict[str, Opened] = OrderedDict()

    def key(self, key_id: str) -> Opened | None:
        """Return a key, or None if there provably is none."""
        if (opened := self._cache.get(key_id)) is not None:
            self._cache.move_to_end(key_id)
            return opened
        try:
            raw = bytes.fromhex(key_id)
        except ValueError:
            return None
        # The text is compared too: fromhex also takes capitals and blanks, and an id has one
        # spelling.
        if len(raw) != ID_SIZE or raw.hex() != key_id:
            return None
        row = self._rows.get(raw)
        if row is None or row.id != raw:
            if self._facts.row(raw) is not None:
                raise StoreTamperedError("A key's row is gone", got=key_id)
            return None
        opened = self._cache[key_id] = self._confirmed(row)
        if len(self._cache) > _CACHED_KEYS:
            self._cache.popitem(last=False)
        return opened

    @contextmanager
    def secret(self, opened: Opened) -> Iterator[bytearray]:
        """Lend the private half of a key; it is overwritten at the end of the block."""
        data = secret_data(self._store_id, opened.row.epoch, opened.record)
        with wiped(self._sealer.open("secret", opened.row.secret, data)) as secret:
            yield secret

    def tagged(self, tag: bytes, after: int, limit: int) -> Page:
        """Return a page of the keys under a tag, oldest first, none left out."""
        members = self._facts.members(tag)
        end = min(after + limit, members)
        if after >= end:
            return [], None
        found = self._rows.tagged(tag, after, limit)
        ordinals = [dict(row.memberships()).get(tag) for row in found]
        if ordinals != list(range(after + 1, end + 1)):
            raise StoreTamperedError(
                "Keys of one owner or parent are missing",
                got=f"{len(found)} keys",
                expected=f"{end - after} keys",
            )
        return [self._confirmed(row).record for row in found], end if end < members else None

    def page(self, after: int, limit: int, count: int) -> Page:
        """Return a page of all ``count`` keys in the order of birth, none left out."""
        end = min(after + limit, count)
        if after >= end:
            return [], None
        found = self._rows.page(after, limit)
        if [row.position for row in found] != list(range(after + 1, end + 1)):
            raise StoreTamperedError(
                "The order of the keys has a gap",
                got=f"{len(found)} keys after {after}",
                expected=f"{count} keys in all",
                cause="rows were added or removed",
            )
        return [self._confirmed(row).record for row in found], end if end < count else None

    def scan(self) -> Iterator[Opened]:
        """Yield every key that the database has; whether these are all, the caller counts."""
        after = 0
        while rows := self._rows.page(after, _PAGE):
            yield from map(self._confirmed, rows)
            after = rows[-1].position

    def document(self, name: str) -> bytes | None:
        """Return the document of this name, an object of the caller's own, or None if there provably is none."""
        document_id = document_id_of(self._sealer, name)
        known = self._facts.document(document_id)
        if known is None:
            return None
        return self._opened_document(self._rows.document(document_id), known)[1]

    def documents(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and the body of every document that the database has."""
        for found in self._rows.documents():
            yield self._opened_document(found, self._facts.document(found.id))

    def forget(self, key_ids: Iterable[str]) -> None:
        """Read these keys anew the next time."""
        for key_id in key_ids:
            self._cache.pop(key_id, None)

    def forget_all(self) -> None:
        """Read every key anew the next time."""
        self._cache.clear()

    def _opened_document(self, found: Document | None, known: bytes | None) -> tuple[str, bytes]:
        if found is None or document_digest(self._sealer, found) != known:
            raise StoreTamperedError("A document is not the one that was written last")
        return open_document(self._sealer, self._store_id, found)

    def _confirmed(self, row: Row) -> Opened:
        self._facts.require_row(row)
        return Opened(row, open_row(self._sealer, self._store_id, row))
