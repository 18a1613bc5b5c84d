"""A store by its name: a path (SQLite) or a URL (PostgreSQL)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from xmtp_tee.enclave.errors import StoreMissingError
from xmtp_tee.enclave.sealing import Wrap
from xmtp_tee.enclave.storage.rows import Change, RowStore

Birth = Callable[[Callable[[Change, list[Wrap]], None]], None]
"""Makes a new store and hands it to the function that it is given."""


def is_url(name: str) -> bool:
    """Return whether a store's name is a URL, which no path begins like."""
    return name.startswith(("postgresql://", "postgres://"))


def open_rows(name: str, birth: Birth | None) -> RowStore:
    """Open the database of a store; if there is none, have one born first.

    ``birth``: None refuses to.

    :raises StoreMissingError: if there is none and none may be made
    :raises XmtpTeeError: whatever :meth:`SqliteRows.open` or :meth:`PostgresRows.open` refuse
    """
    if is_url(name):
        # Imported on use: an enclave over SQLite has no network client in it.
        from xmtp_tee.enclave.storage.postgresql import PostgresRows

        try:
            return PostgresRows.open(name)
        except StoreMissingError:
            if birth is None:
                raise
            birth(lambda change, wraps: PostgresRows.create(name, change, wraps))
            return PostgresRows.open(name)
    from xmtp_tee.enclave.storage.sqlite import SqliteRows

    path = Path(name)
    try:
        return SqliteRows.open(path)
    except StoreMissingError:
        if birth is None:
            raise
        birth(lambda change, wraps: SqliteRows.create(path, change, wraps))
        return SqliteRows.open(path)
