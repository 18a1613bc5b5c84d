"""Sealed rows in PostgreSQL: several enclaves over one store.

Writers take turns: a mutation locks the header's row, compares it with the one it knows, takes over
what others have written if it descends from that (``SealedStore``), and commits the new header with its
rows. So no update is lost, no epoch is used twice, and an enclave that lost its connection in the middle
has written nothing or all. The database is as little trusted as a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from xmtp_tee.enclave.errors import (
    EnclaveAlreadyRunningError,
    StoreIncompleteError,
    StoreMissingError,
)
from xmtp_tee.enclave.integrity.history import Link
from xmtp_tee.enclave.sealing import Wrap
from xmtp_tee.enclave.storage.postgresql_link import Connection, DuplicateError
from xmtp_tee.enclave.storage.rows import Change, Document, Head, Row
from xmtp_tee.wire.store_faults import StoreTamperedError

TABLES: Final = (
    "CREATE SCHEMA xmtp_tee",
    "CREATE TABLE xmtp_tee.head (slot integer PRIMARY KEY CHECK (slot = 0), "
    "store_id bytea NOT NULL, schema bigint NOT NULL, epoch bigint NOT NULL, sealed bytea NOT NULL)",
    "CREATE TABLE xmtp_tee.wraps (name text PRIMARY KEY, provider text NOT NULL, "
    "key_check bytea NOT NULL, wrapped bytea NOT NULL)",
    "CREATE TABLE xmtp_tee.keys (position bigint PRIMARY KEY, id bytea NOT NULL UNIQUE, "
    "epoch bigint NOT NULL, tags bytea NOT NULL, record bytea NOT NULL, secret bytea NOT NULL)",
    "CREATE TABLE xmtp_tee.tags (tag bytea NOT NULL, ordinal bigint NOT NULL, "
    "position bigint NOT NULL, PRIMARY KEY (tag, ordinal))",
    "CREATE TABLE xmtp_tee.documents (id bytea PRIMARY KEY, epoch bigint NOT NULL, "
    "sealed bytea NOT NULL)",
    "CREATE TABLE xmtp_tee.nodes (path bytea PRIMARY KEY, body bytea NOT NULL)",
    "CREATE TABLE xmtp_tee.history (epoch bigint PRIMARY KEY, state bytea NOT NULL, "
    "previous bytea NOT NULL, skip bytea NOT NULL)",
)
_ROW: Final = "k.id, k.position, k.epoch, k.tags, k.record, k.secret"
_COUNT: Final = "WITH done AS ({}) SELECT count(*) FROM done"
_INSERT_KEYS: Final = (
    "INSERT INTO xmtp_tee.keys (id, position, epoch, tags, record, secret) "
    "SELECT * FROM unnest(CAST(:ids AS bytea[]), CAST(:positions AS bigint[]), "
    "CAST(:epochs AS bigint[]), CAST(:tags AS bytea[]), CAST(:records AS bytea[]), "
    "CAST(:secrets AS bytea[]))"
)
_INSERT_TAGS: Final = (
    "INSERT INTO xmtp_tee.tags SELECT * FROM unnest(CAST(:tags AS bytea[]), "
    "CAST(:ordinals AS bigint[]), CAST(:positions AS bigint[]))"
)
_UPDATE_KEYS: Final = _COUNT.format(
    "UPDATE xmtp_tee.keys k SET epoch = n.epoch, record = n.record, secret = n.secret "
    "FROM unnest(CAST(:ids AS bytea[]), CAST(:positions AS bigint[]), CAST(:epochs AS bigint[]), "
    "CAST(:records AS bytea[]), CAST(:secrets AS bytea[])) "
    "AS n(id, position, epoch, record, secret) "
    "WHERE k.id = n.id AND k.position = n.position RETURNING 1"
)
_PUT_NODES: Final = (
    "INSERT INTO xmtp_tee.nodes SELECT * FROM unnest(CAST(:paths AS bytea[]), "
    "CAST(:bodies AS bytea[])) ON CONFLICT (path) DO UPDATE SET body = excluded.body"
)
_PUT_DOCUMENT: Final = (
    "INSERT INTO xmtp_tee.documents VALUES (:id, :epoch, :sealed) "
    "ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, sealed = excluded.sealed"
)
_PUT_HEAD: Final = (
    "INSERT INTO xmtp_tee.head VALUES (0, :store_id, :schema, :epoch, :sealed) ON CONFLICT (slot) "
    "DO UPDATE SET store_id = excluded.store_id, schema = excluded.schema, epoch = excluded.epoch, "
    "sealed = excluded.sealed"
)
_PUT_WRAP: Final = (
    "INSERT INTO xmtp_tee.wraps VALUES (:name, :provider, :key_check, :wrapped) "
    "ON CONFLICT (name) DO UPDATE SET provider = excluded.provider, "
    "key_check = excluded.key_check, wrapped = excluded.wrapped"
)


class PostgresRows:
    """A store in one PostgreSQL database; see :class:`xmtp_tee.enclave.storage.rows.RowStore`."""

    shared: Final = True

    def __init__(self, connection: Connection) -> None:
        """Take over a connection; use :meth:`open`."""
        self._connection = connection

    @staticmethod
    def create(url: str, change: Change, wraps: list[Wrap]) -> None:
        """Make a new store, complete and durable, or leave nothing.

        :raises EnclaveAlreadyRunningError: if a store has appeared meanwhile
        :raises StoreUnavailableError: if the server does not answer
        """
        connection = Connection(url)
        try:
            store = PostgresRows(connection)
            with connection.transaction():
                connection.script(*TABLES)
                for wrap in wraps:
                    store.put_wrap(wrap)
                store.apply(change)
        except DuplicateError:
            raise EnclaveAlreadyRunningError(
                "A store has appeared while another was being made"
            ) from None
        finally:
            connection.close()

    @classmethod
    def open(cls, url: str) -> PostgresRows:
        """Open the store in a database.

        :raises StoreMissingError: if there is none
        :raises StoreIncompleteError: if a table or the header is missing
        :raises StoreUnavailableError: if the server does not answer
        """
        connection = Connection(url)
        try:
            found = connection.run("SELECT 1 FROM pg_namespace WHERE nspname = 'xmtp_tee'")
            if not found:
                raise StoreMissingError("There is no key store in the database")
            store = cls(connection)
            store.head()
        except BaseException:
            connection.close()
            raise
        return store

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See RowStore. The header's row is locked: writers take turns."""
        try:
            with self._connection.transaction():
                self._connection.run("SELECT 1 FROM xmtp_tee.head FOR UPDATE")
                yield
        except DuplicateError:
            raise StoreTamperedError("A new key's place is taken") from None

    def head(self) -> Head:
        """See RowStore."""
        found = self._connection.run("SELECT store_id, schema, epoch, sealed FROM xmtp_tee.head")
        if len(found) != 1:
            raise StoreIncompleteError("The store has no header", got=f"{len(found)} headers")
        return Head(*_checked(found[0], bytes, int, int, bytes))

    def apply(self, change: Change) -> None:
        """See RowStore."""
        run, inserted, updated = self._connection.run, change.inserted, change.updated
        if inserted:
            run(
                _INSERT_KEYS,
                ids=[row.id for row in inserted],
                positions=[row.position for row in inserted],
                epochs=[row.epoch for row in inserted],
                tags=[row.tags for row in inserted],
                records=[row.record for row in inserted],
                secrets=[row.secret for row in inserted],
            )
            members = [(*pair, row.position) for row in inserted for pair in row.memberships()]
            run(
                _INSERT_TAGS,
                tags=[tag for tag, _, _ in members],
                ordinals=[ordinal for _, ordinal, _ in members],
                positions=[position for _, _, position in members],
            )
        if updated:
            ((done,),) = run(
                _UPDATE_KEYS,
                ids=[row.id for row in updated],
                positions=[row.position for row in updated],
                epochs=[row.epoch for row in updated],
                records=[row.record for row in updated],
                secrets=[row.secret for row in updated],
            )
            if done != len(updated):
                raise StoreTamperedError("A key's row is gone", got=f"{done} of {len(updated)}")
        for document_id, document in change.documents.items():
            if document is None:
                run("DELETE FROM xmtp_tee.documents WHERE id = :id", id=document_id)
            else:
                run(_PUT_DOCUMENT, id=document.id, epoch=document.epoch, sealed=document.sealed)
        if change.nodes:
            run(_PUT_NODES, paths=list(change.nodes), bodies=list(change.nodes.values()))
        link, head = change.link, change.head
        run(
            "INSERT INTO xmtp_tee.history VALUES (:epoch, :state, :previous, :skip)",
            epoch=link.epoch,
            state=link.state,
            previous=link.previous,
            skip=link.skip,
        )
        run(
            _PUT_HEAD,
            store_id=head.store_id,
            schema=head.schema,
            epoch=head.epoch,
            sealed=head.sealed,
        )

    def supersede(self, change: Change, wraps: list[Wrap]) -> None:
        """See RowStore."""
        with self.transaction():
            self._connection.script("DROP SCHEMA xmtp_tee CASCADE", *TABLES)
            for wrap in wraps:
                self.put_wrap(wrap)
            self.apply(change)

    def wraps(self) -> list[Wrap]:
        """See RowStore."""
        found = self._connection.run(
            "SELECT name, provider, key_check, wrapped FROM xmtp_tee.wraps ORDER BY name"
        )
        return [Wrap(*_checked(each, str, str, bytes, bytes)) for each in found]

    def put_wrap(self, wrap: Wrap) -> None:
        """See RowStore."""
        self._connection.run(
            _PUT_WRAP,
            name=wrap.name,
            provider=wrap.provider,
            key_check=wrap.check,
            wrapped=wrap.wrapped,
        )

    def remove_wrap(self, name: str) -> None:
        """See RowStore."""
        self._connection.run("DELETE FROM xmtp_tee.wraps WHERE name = :name", name=name)

    def get(self, key_id: bytes) -> Row | None:
        """See RowStore."""
        found = self._rows("FROM xmtp_tee.keys k WHERE k.id = :id", id=key_id)
        return found[0] if found else None

    def tagged(self, tag: bytes, after: int, limit: int) -> list[Row]:
        """See RowStore."""
        return self._rows(
            "FROM xmtp_tee.tags t JOIN xmtp_tee.keys k ON k.position = t.position "
            "WHERE t.tag = :tag AND t.ordinal > :after ORDER BY t.ordinal LIMIT :limit",
            tag=tag,
            after=after,
            limit=limit,
        )

    def page(self, after: int, limit: int) -> list[Row]:
        """See RowStore."""
        return self._rows(
            "FROM xmtp_tee.keys k WHERE k.position > :after ORDER BY k.position LIMIT :limit",
            after=after,
            limit=limit,
        )

    def node(self, path: bytes) -> bytes | None:
        """See RowStore."""
        found = self._connection.run(
            "SELECT body FROM xmtp_tee.nodes WHERE path = :path", path=path
        )
        return bytes(_checked(found[0], bytes)[0]) if found else None

    def link(self, epoch: int) -> Link | None:
        """See RowStore."""
        found = self._connection.run(
            "SELECT epoch, state, previous, skip FROM xmtp_tee.history WHERE epoch = :epoch",
            epoch=epoch,
        )
        return Link(*_checked(found[0], int, bytes, bytes, bytes)) if found else None

    def document(self, document_id: bytes) -> Document | None:
        """See RowStore."""
        found = self._connection.run(
            "SELECT id, epoch, sealed FROM xmtp_tee.documents WHERE id = :id", id=document_id
        )
        return Document(*_checked(found[0], bytes, int, bytes)) if found else None

    def documents(self) -> Iterator[Document]:
        """See RowStore."""
        for each in self._connection.run(
            "SELECT id, epoch, sealed FROM xmtp_tee.documents ORDER BY id"
        ):
            yield Document(*_checked(each, bytes, int, bytes))

    def check(self) -> None:
        """See RowStore. The server keeps its own files; what it answers is checked row by row."""

    def close(self) -> None:
        """See RowStore."""
        self._connection.close()

    def _rows(self, clause: str, **values: object) -> list[Row]:
        # Only the constant clauses of this class get here.
        found = self._connection.run(f"SELECT {_ROW} {clause}", **values)
        return [Row(*_checked(each, bytes, int, int, bytes, bytes, bytes)) for each in found]


def _checked(values: list[Any], *types: type) -> tuple[Any, ...]:
    """Return ``values`` if each has its type: the server belongs to the host."""
    if [type(value) for value in values] != list(types):
        raise StoreTamperedError("A column of the store holds a value of a wrong type")
    return tuple(values)
