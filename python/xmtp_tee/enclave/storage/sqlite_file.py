"""The SQLite file: what it must look like, and how its failures are named."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from xmtp_tee.enclave.errors import (
    StoreIncompleteError,
    StoreNotADatabaseError,
    StoreSchemaUnsupportedError,
)
from xmtp_tee.enclave.records import SCHEMA
from xmtp_tee.wire.store_faults import StoreTamperedError, StoreUnavailableError

APPLICATION_ID: Final = 0x584D5445
"""``XMTE`` in SQLite's header."""

TABLES: Final = {
    "head": (
        "CREATE TABLE head (slot INTEGER PRIMARY KEY CHECK (slot = 0), store_id BLOB NOT NULL, "
        "schema INTEGER NOT NULL, epoch INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT"
    ),
    "wraps": (
        "CREATE TABLE wraps (name TEXT PRIMARY KEY, provider TEXT NOT NULL, "
        "key_check BLOB NOT NULL, wrapped BLOB NOT NULL) STRICT"
    ),
    "keys": (
        "CREATE TABLE keys (position INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, "
        "epoch INTEGER NOT NULL, tags BLOB NOT NULL, record BLOB NOT NULL, "
        "secret BLOB NOT NULL) STRICT"
    ),
    "tags": (
        "CREATE TABLE tags (tag BLOB NOT NULL, ordinal INTEGER NOT NULL, "
        "position INTEGER NOT NULL, PRIMARY KEY (tag, ordinal)) STRICT, WITHOUT ROWID"
    ),
    "documents": (
        "CREATE TABLE documents (id BLOB PRIMARY KEY, epoch INTEGER NOT NULL, "
        "sealed BLOB NOT NULL) STRICT, WITHOUT ROWID"
    ),
    "nodes": (
        # An integer key: its tree has the bodies in its leaves alone, and three levels at 65,536.
        "CREATE TABLE nodes (path INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT"
    ),
    "history": (
        "CREATE TABLE history (epoch INTEGER PRIMARY KEY, state BLOB NOT NULL, "
        "previous BLOB NOT NULL, skip BLOB NOT NULL) STRICT"
    ),
}


def check_identity(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse anything but a store of this schema; see :meth:`SqliteRows.open`."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise StoreNotADatabaseError("The file is not a key store of xmtp-tee", got=path)
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    if schema != SCHEMA:
        raise StoreSchemaUnsupportedError(
            "The store has another schema than this version reads",
            got=schema,
            expected=SCHEMA,
            cause="a newer xmtp-tee has written it" if schema > SCHEMA else None,
        )
    # Names prove nothing: an index that SQLite has made itself is one without a text.
    found = [
        (kind, name, table, text)
        for kind, name, table, text in connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_schema"
        )
        if not (kind == "index" and text is None)
    ]
    if missing := TABLES.keys() - {name for kind, name, _, _ in found if kind == "table"}:
        raise StoreIncompleteError("The store lacks tables", got=", ".join(sorted(missing)))
    if sorted(found, key=repr) != sorted(
        (("table", name, name, text) for name, text in TABLES.items()), key=repr
    ):
        raise StoreTamperedError("The store's schema was altered")


def refuse_orphans(path: Path) -> None:
    """Refuse a write-ahead log whose store is gone: SQLite would replay it into a new one."""
    for suffix in ("-wal", "-journal"):
        orphan = path.with_name(path.name + suffix)
        if not path.exists() and orphan.exists():
            raise StoreIncompleteError(
                "A database log lies there without its store",
                got=orphan,
                cause="the store file was removed; bring it back, or move the log away",
            )


def remove_draft(path: Path) -> Path:
    """Remove what an interrupted birth left, its journal too: SQLite would replay it into the next
    draft.
    """
    draft = path.with_name(f"{path.name}.birth")
    for leftover in (draft, draft.with_name(f"{draft.name}-journal")):
        leftover.unlink(missing_ok=True)
    return draft


def sync_directory(directory: Path) -> None:
    """Make the names in ``directory`` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def typed_errors() -> Iterator[None]:
    """Turn the database's errors into ours. Constraint violations pass: their meaning depends on
    the place.
    """
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.OperationalError as error:
        name = error.sqlite_errorname if hasattr(error, "sqlite_errorname") else "unknown"
        raise StoreUnavailableError(
            "The key store cannot be read or written now",
            got=name,
            cause="the disk is full, the file is locked or read-only, or the disk fails",
        ) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError, OverflowError) as error:
        raise StoreNotADatabaseError(
            "The key store is damaged", got=str(error)[:200], cause="truncated or overwritten"
        ) from error
    except OSError as error:
        raise StoreUnavailableError(
            "The key store's file cannot be written", got=error.strerror
        ) from error
