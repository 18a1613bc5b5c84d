"""Sealed rows in SQLite: write-ahead log, full synchronisation, one process at a time.

A store is born in a file beside its final name and linked there once it is complete and on disk, so
that a store file is either whole or absent. The schema is compared text by text at opening: the
host cannot smuggle in a trigger or a view.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from xmtp_tee.enclave.errors import (
    EnclaveAlreadyRunningError,
    StoreIncompleteError,
    StoreMissingError,
    StoreNotADatabaseError,
)
from xmtp_tee.enclave.integrity.history import Link
from xmtp_tee.enclave.records import SCHEMA
from xmtp_tee.enclave.sealing import Wrap
from xmtp_tee.enclave.storage.rows import Change, Document, Head, Row
from xmtp_tee.enclave.storage.sqlite_file import (
    APPLICATION_ID,
    TABLES,
    check_identity,
    refuse_orphans,
    remove_draft,
    sync_directory,
    typed_errors,
)
from xmtp_tee.wire.store_faults import StoreTamperedError, StoreUnavailableError

_EMPTY: Final = (
    *("DELETE FROM head", "DELETE FROM wraps", "DELETE FROM keys", "DELETE FROM tags"),
    *("DELETE FROM documents", "DELETE FROM nodes", "DELETE FROM history"),
)
_ROW: Final = "keys.id, keys.position, keys.epoch, keys.tags, keys.record, keys.secret"
_CACHE_KIB: Final = 32 << 10
"""Memory for database pages: bounded, and enough for the upper levels of every index."""


class SqliteRows:
    """A store in one SQLite file; see :class:`xmtp_tee.enclave.storage.rows.RowStore`."""

    shared: Final = False

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take over a connection; use :meth:`open`."""
        self._connection = connection

    @staticmethod
    def create(path: Path, change: Change, wraps: list[Wrap]) -> None:
        """Write a new store and put it in place, complete and durable, or leave nothing.

        :raises StoreIncompleteError: if a write-ahead log without a store lies there
        :raises EnclaveAlreadyRunningError: if a store has appeared at ``path`` meanwhile
        :raises StoreUnavailableError: if it cannot be written
        """
        refuse_orphans(path)
        draft = remove_draft(path)
        with typed_errors():
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            connection = sqlite3.connect(draft, isolation_level=None)
            try:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
                connection.execute("BEGIN IMMEDIATE")
                for statement in TABLES.values():
                    connection.execute(statement)
                store = SqliteRows(connection)
                for wrap in wraps:
                    store.put_wrap(wrap)
                store.apply(change)
                connection.execute("COMMIT")
            finally:
                connection.close()
            try:
                path.hardlink_to(draft)
            except FileExistsError:
                raise EnclaveAlreadyRunningError(
                    "A store has appeared while another was being made", got=path
                ) from None
            draft.unlink()
            sync_directory(path.parent)

    @classmethod
    def open(cls, path: Path) -> SqliteRows:
        """Open the store at ``path``, for this process alone.

        :raises StoreMissingError: if there is none
        :raises StoreNotADatabaseError: if the file is not a database, or a damaged one
        :raises StoreIncompleteError: if a table or the header is missing
        :raises StoreTamperedError: if the schema was altered
        :raises StoreSchemaUnsupportedError: if another version of xmtp-tee wrote it
        :raises StoreUnavailableError: if it cannot be read now
        """
        if not path.exists():
            refuse_orphans(path)
            raise StoreMissingError("There is no key store", got=path)
        remove_draft(path)
        with typed_errors():
            connection = sqlite3.connect(path, isolation_level=None, timeout=1.0)
            try:
                # Exclusive from the first access on: no other process reads or writes, and SQLite
                # keeps its index of the log in memory instead of a shared file.
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                connection.execute("PRAGMA trusted_schema = OFF")
                connection.execute("PRAGMA cell_size_check = ON")
                connection.execute("PRAGMA temp_store = MEMORY")
                connection.execute("PRAGMA mmap_size = 0")
                connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
                check_identity(connection, path)
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
                if mode != "wal":
                    raise StoreUnavailableError(
                        "The file system does not support a write-ahead log", got=mode
                    )
                connection.execute("PRAGMA synchronous = FULL")
            except BaseException:
                connection.close()
                raise
        return cls(connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See RowStore."""
        with typed_errors():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with typed_errors():
                self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def head(self) -> Head:
        """See RowStore."""
        found = self._all("SELECT store_id, schema, epoch, sealed FROM head")
        if len(found) != 1:
            raise StoreIncompleteError("The store has no header", got=f"{len(found)} headers")
        return Head(*_checked(found[0], bytes, int, int, bytes))

    def apply(self, change: Change) -> None:
        """See RowStore."""
        execute = self._connection.execute
        many = self._connection.executemany
        head, link = change.head, change.link
        try:
            with typed_errors():
                many(
                    "INSERT INTO keys (id, position, epoch, tags, record, secret) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    [_columns(row) for row in change.inserted],
                )
                many(
                    "INSERT INTO tags VALUES (?, ?, ?)",
                    [(*m, row.position) for row in change.inserted for m in row.memberships()],
                )
                for row in change.updated:
                    done = execute(
                        "UPDATE keys SET epoch = ?, record = ?, secret = ? "
                        "WHERE id = ? AND position = ?",
                        (row.epoch, row.record, row.secret, row.id, row.position),
                    )
                    if done.rowcount != 1:
                        raise StoreTamperedError("A key's row is gone", got=row.id.hex())
                for document_id, document in change.documents.items():
                    if document is None:
                        execute("DELETE FROM documents WHERE id = ?", (document_id,))
                    else:
                        values = (document.id, document.epoch, document.sealed)
                        execute("REPLACE INTO documents VALUES (?, ?, ?)", values)
                many(
                    "REPLACE INTO nodes VALUES (?, ?)",
                    [(_number(path), body) for path, body in change.nodes.items()],
                )
                execute(
                    "INSERT INTO history VALUES (?, ?, ?, ?)",
                    (link.epoch, link.state, link.previous, link.skip),
                )
                execute(
                    "REPLACE INTO head VALUES (0, ?, ?, ?, ?)",
                    (head.store_id, head.schema, head.epoch, head.sealed),
                )
        except sqlite3.IntegrityError:
            raise StoreTamperedError(
                "A new key's place is taken", got=f"epoch {head.epoch}"
            ) from None

    def supersede(self, change: Change, wraps: list[Wrap]) -> None:
        """See RowStore."""
        with self.transaction():
            with typed_errors():
                for statement in _EMPTY:
                    self._connection.execute(statement)
            for wrap in wraps:
                self.put_wrap(wrap)
            self.apply(change)

    def wraps(self) -> list[Wrap]:
        """See RowStore."""
        found = self._all("SELECT name, provider, key_check, wrapped FROM wraps ORDER BY name")
        return [Wrap(*_checked(each, str, str, bytes, bytes)) for each in found]

    def put_wrap(self, wrap: Wrap) -> None:
        """See RowStore."""
        with typed_errors():
            self._connection.execute(
                "REPLACE INTO wraps VALUES (?, ?, ?, ?)",
                (wrap.name, wrap.provider, wrap.check, wrap.wrapped),
            )

    def remove_wrap(self, name: str) -> None:
        """See RowStore."""
        with typed_errors():
            self._connection.execute("DELETE FROM wraps WHERE name = ?", (name,))

    def get(self, key_id: bytes) -> Row | None:
        """See RowStore."""
        found = self._rows("FROM keys WHERE id = ?", (key_id,))
        return found[0] if found else None

    def tagged(self, tag: bytes, after: int, limit: int) -> list[Row]:
        """See RowStore."""
        return self._rows(
            "FROM tags JOIN keys ON keys.position = tags.position "
            "WHERE tags.tag = ? AND tags.ordinal > ? ORDER BY tags.ordinal LIMIT ?",
            (tag, after, limit),
        )

    def page(self, after: int, limit: int) -> list[Row]:
        """See RowStore."""
        return self._rows("FROM keys WHERE position > ? ORDER BY position LIMIT ?", (after, limit))

    def node(self, path: bytes) -> bytes | None:
        """See RowStore."""
        found = self._all("SELECT body FROM nodes WHERE path = ?", (_number(path),))
        return bytes(_checked(found[0], bytes)[0]) if found else None

    def link(self, epoch: int) -> Link | None:
        """See RowStore."""
        found = self._all("SELECT * FROM history WHERE epoch = ?", (epoch,))
        return Link(*_checked(found[0], int, bytes, bytes, bytes)) if found else None

    def document(self, document_id: bytes) -> Document | None:
        """See RowStore."""
        found = self._all("SELECT * FROM documents WHERE id = ?", (document_id,))
        return Document(*_checked(found[0], bytes, int, bytes)) if found else None

    def documents(self) -> Iterator[Document]:
        """See RowStore."""
        for each in self._all("SELECT * FROM documents ORDER BY id"):
            yield Document(*_checked(each, bytes, int, bytes))

    def check(self) -> None:
        """See RowStore."""
        with typed_errors():
            (verdict,) = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise StoreNotADatabaseError(
                "The key store is damaged", got=str(verdict)[:200], cause="truncated or overwritten"
            )

    def close(self) -> None:
        """See RowStore."""
        self._connection.close()

    def _all(self, query: str, values: tuple[bytes | int, ...] = ()) -> list[tuple[object, ...]]:
        with typed_errors():
            return self._connection.execute(query, values).fetchall()

    def _rows(self, clause: str, values: tuple[bytes | int, ...]) -> list[Row]:
        # Only the constant clauses of this class get here.
        found = self._all(f"SELECT {_ROW} {clause}", values)
        return [Row(*_checked(each, bytes, int, int, bytes, bytes, bytes)) for each in found]


def _number(path: bytes) -> int:
    """Return a node's path as a number: a one, and the path behind it."""
    return int.from_bytes(b"\x01" + path, "big")


def _columns(row: Row) -> tuple[bytes | int, ...]:
    return row.id, row.position, row.epoch, row.tags, row.record, row.secret


def _checked(values: tuple[object, ...], *types: type) -> tuple[Any, ...]:
    """Return ``values`` if each has its type: a file written by other hands may hold anything."""
    if [type(value) for value in values] != list(types):
        raise StoreTamperedError("A column of the store holds a value of a wrong type")
    return values
