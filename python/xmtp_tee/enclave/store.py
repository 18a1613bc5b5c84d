"""The sealed key store: records and private keys over a database that the host owns.

What the host sees: the number of keys, their order of birth, which rows share an owner or a parent
(not whose), sizes, and when it changes. What it cannot do unnoticed: read or change a record or a
private key, exchange two, add or remove one, or put an older version of one back;
:meth:`SealedStore.verify` checks the whole store against the sealed header, and every read checks
its row.

WARNING: putting an older copy of the WHOLE store back before a start is not noticed; a freshness
anchor outside the host's reach must come for that. While the enclave runs, it is noticed at the
next mutation.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.enclave.draft import Draft, open_head, open_row, seal_head, set_element
from xmtp_tee.enclave.errors import StoreIncompleteError, StoreSchemaUnsupportedError
from xmtp_tee.enclave.private_keys import wiped
from xmtp_tee.enclave.purposes import Purpose
from xmtp_tee.enclave.records import ID_SIZE, SCHEMA, HeadBody, KeyRecord, secret_data
from xmtp_tee.enclave.sealing import Sealer, provider_of, unwrap_store_key
from xmtp_tee.enclave.storage.rows import Head, Row, RowStore
from xmtp_tee.wire.faults import StoreTamperedError, StoreUnavailableError

MAX_EPOCH: Final = 1 << 31
_CACHED_RECORDS: Final = 4096


class SealedStore:
    """One store, opened. Not thread-safe: the enclave has one writer."""

    def __init__(self, rows: RowStore, sealer: Sealer, head: Head, body: HeadBody) -> None:
        """Use :meth:`open`."""
        self._rows = rows
        self._sealer = sealer
        self._head = head
        self._body = body
        self._cache: OrderedDict[str, KeyRecord] = OrderedDict()

    @classmethod
    def open(cls, rows: RowStore, driver: Driver) -> SealedStore:
        """Unseal the store. Nothing is written; :meth:`verify` checks the rows.

        :raises StoreSealedElsewhereError: if it was sealed under another root or driver
        :raises StoreTamperedError: if wrap or header were changed
        :raises StoreSchemaUnsupportedError: if the header has another schema
        """
        head = rows.head()
        if head.schema != SCHEMA:
            raise StoreSchemaUnsupportedError(
                "The store's header has another schema", got=head.schema, expected=SCHEMA
            )
        wraps = [wrap for wrap in rows.wraps() if wrap.name == "platform"]
        if len(wraps) != 1:
            raise StoreIncompleteError("The store has no wrapped key for this platform")
        with wiped(driver.seal_root()) as root:
            store_key = unwrap_store_key(wraps[0], root, head.store_id, provider_of(driver))
        with wiped(store_key):
            sealer = Sealer(store_key, head.store_id)
        return cls(rows, sealer, head, open_head(sealer, head))

    @property
    def store_id(self) -> bytes:
        """The 16 random bytes that name this store."""
        return self._head.store_id

    @property
    def epoch(self) -> int:
        """The number of the last mutation."""
        return self._head.epoch

    @property
    def count(self) -> int:
        """How many keys there are."""
        return self._body.count

    def verify(self) -> None:
        """Open every record and compare the set of all rows with the sealed header. Linear in their
        number.

        :raises StoreTamperedError: if a row was changed, moved, exchanged, added, removed or rolled
        back
        """
        self._rows.check()
        digest = count = 0
        for count, row in enumerate(self._rows.scan(), start=1):
            self._open(row)
            if row.position != count:
                raise StoreTamperedError("The order of the keys has a gap", got=row.position)
            digest ^= set_element(self._sealer, row)
        if count != self._body.count or digest.to_bytes(32, "big") != self._body.set_digest:
            raise StoreTamperedError(
                "The keys are not those that the header knows",
                got=f"{count} keys",
                expected=f"{self._body.count} keys, unchanged",
                cause="rows were changed, added, removed, or put back to an older state",
            )
        for key_id, purpose in (
            (self._body.authority_id, Purpose.AUTHORITY),
            (self._body.transport_id, Purpose.TRANSPORT),
        ):
            record = self.get(key_id)
            if record is None or record.purpose is not purpose:
                raise StoreTamperedError(f"The store has no {purpose} key")

    def authority(self) -> KeyRecord:
        """Return the record of the key that certifies bundles."""
        return self._require(self._body.authority_id)

    def transport(self) -> KeyRecord:
        """Return the record of the key that the enclave is spoken to under."""
        return self._require(self._body.transport_id)

    def get(self, key_id: str) -> KeyRecord | None:
        """Return a key's record, or None if there is no such key."""
        if (record := self._cache.get(key_id)) is not None:
            self._cache.move_to_end(key_id)
            return record
        if (row := self._row(key_id)) is None:
            return None
        record = self._open(row)
        self._remember(record)
        return record

    @contextmanager
    def secret(self, record: KeyRecord) -> Iterator[bytearray]:
        """Lend the private key of ``record``; it is overwritten at the end of the block.

        :raises StoreTamperedError: if the row is gone, was changed, or is not this record's
        """
        row = self._row(record.id)
        if row is None or self._open(row) != record:
            raise StoreTamperedError("A key's row is not what it was", got=record.id)
        data = secret_data(self.store_id, row.epoch, record)
        with wiped(self._sealer.open("secret", row.secret, data)) as secret:
            yield secret

    def identity_of(self, owner: bytes) -> KeyRecord | None:
        """Return the owner's identity key, or None."""
        for record in self._tagged(self._sealer.tag(b"owner", owner), 0, 1)[0]:
            if record.purpose is not Purpose.IDENTITY or record.owner != owner:
                raise StoreTamperedError("An owner's key is not an identity key", got=record.id)
            return record
        return None

    def last_pre_key(self, identity_key_id: str) -> KeyRecord | None:
        """Return the identity key's newest pre-key, or None.

        :raises StoreTamperedError: if one of its predecessors is missing
        """
        tag = self._sealer.tag(b"parent", bytes.fromhex(identity_key_id))
        row, count = self._rows.last_tagged(tag)
        if row is None:
            return None
        record = self._open(row)
        if record.epoch != count:
            raise StoreTamperedError("Pre-keys are missing", got=count, expected=record.epoch)
        return record

    def pre_keys(
        self, identity_key_id: str, after: int, limit: int
    ) -> tuple[list[KeyRecord], int | None]:
        """Return a page of the identity key's pre-keys, and the cursor of the next page."""
        tag = self._sealer.tag(b"parent", bytes.fromhex(identity_key_id))
        return self._tagged(tag, after, limit)

    def page(
        self, owner: bytes | None, after: int, limit: int
    ) -> tuple[list[KeyRecord], int | None]:
        """Return a page of all keys, or of those directly under ``owner``, and the next page's
        cursor.
        """
        if owner is not None:
            return self._tagged(self._sealer.tag(b"owner", owner), after, limit)
        return self._paged(self._rows.page(after, limit), limit)

    @contextmanager
    def mutation(self) -> Iterator[Draft]:
        """Open a change: what is added to the draft is on disk when the block has been left, or not
        at all.

        :raises StoreTamperedError: if the store was put back to an older state under the running
        enclave
        :raises StoreUnavailableError: if it cannot be written; then nothing has changed
        """
        with self._rows.transaction():
            if self._rows.head() != self._head:
                raise StoreTamperedError(
                    "The store is not in the state in which this enclave left it",
                    cause="it was rolled back, or another process has written to it",
                )
            if self._head.epoch >= MAX_EPOCH:
                raise StoreUnavailableError("The store has used up its mutations", got=MAX_EPOCH)
            epoch = self._head.epoch + 1
            digest = int.from_bytes(self._body.set_digest, "big")
            draft = Draft(self._sealer, self.store_id, epoch, self._body.count, digest)
            yield draft
            for row in draft.rows:
                self._rows.insert(row)
            body = msgspec.structs.replace(
                self._body, count=draft.count, set_digest=draft.digest.to_bytes(32, "big")
            )
            head = seal_head(self._sealer, self.store_id, epoch, body)
            self._rows.write_head(head)
        self._head, self._body = head, body
        for record in draft.records:
            self._remember(record)

    def close(self) -> None:
        """Forget the keys and let go of the database."""
        self._cache.clear()
        self._sealer.close()
        self._rows.close()

    def _require(self, key_id: str) -> KeyRecord:
        record = self.get(key_id)
        if record is None:
            raise StoreTamperedError("A key of the enclave itself is missing", got=key_id)
        return record

    def _row(self, key_id: str) -> Row | None:
        try:
            raw = bytes.fromhex(key_id)
        except ValueError:
            return None
        # The text is compared too: fromhex also takes capitals and blanks, and an id has one
        # spelling.
        return self._rows.get(raw) if len(raw) == ID_SIZE and raw.hex() == key_id else None

    def _open(self, row: Row) -> KeyRecord:
        return open_row(self._sealer, self.store_id, row)

    def _tagged(self, tag: bytes, after: int, limit: int) -> tuple[list[KeyRecord], int | None]:
        return self._paged(self._rows.tagged(tag, after, limit), limit)

    def _paged(self, rows: list[Row], limit: int) -> tuple[list[KeyRecord], int | None]:
        cursor = rows[-1].position if len(rows) == limit else None
        return [self._open(row) for row in rows], cursor

    def _remember(self, record: KeyRecord) -> None:
        self._cache[record.id] = record
        if len(self._cache) > _CACHED_RECORDS:
            self._cache.popitem(last=False)
