"""One connection to a PostgreSQL server: its URL, its statements, and how its failures are named.

The driver is pg8000: the server is in the hands of the host, and a parser in Python cannot be made to
overwrite memory by what it sends.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import pg8000.native  # type: ignore[import-untyped]
from pg8000.exceptions import DatabaseError, InterfaceError  # type: ignore[import-untyped]

from xmtp_tee.enclave.errors import ConfigurationError, StoreIncompleteError
from xmtp_tee.wire.store_faults import StoreTamperedError, StoreUnavailableError

TIMEOUT: Final = 20.0
"""Seconds for the server to answer one statement."""

_SETTINGS: Final = (
    # A commit is durable when it has been acknowledged, whatever the server's default says.
    "SET synchronous_commit = on",
    # Another enclave holds the header for milliseconds; a dead one's lock goes with its connection.
    "SET lock_timeout = '10s'",
    "SET idle_in_transaction_session_timeout = '30s'",
    "SET search_path = pg_catalog",
)
_DUPLICATES: Final = frozenset({"23505", "42P06", "42P07"})
_MISSING: Final = frozenset({"3F000", "42P01", "42703"})


class DuplicateError(Exception):
    """A row, table or schema is there already."""


class Connection:
    """A connection that comes back after a loss, but never inside a transaction."""

    def __init__(self, url: str) -> None:
        """Connect.

        :raises ConfigurationError: if the URL is no PostgreSQL URL
        :raises StoreUnavailableError: if nobody answers, or access is denied
        """
        self._arguments = arguments_of(url)
        self._native: pg8000.native.Connection | None = None
        self._statements: dict[str, Any] = {}
        self._in_transaction = False
        with self._typed_errors():
            self._connected()

    def run(self, statement: str, **values: object) -> list[list[Any]]:
        """Run one statement with named values (``:name``) and return its rows."""
        with self._typed_errors():
            prepared = self._statements.get(statement)
            if prepared is None or self._native is None:
                prepared = self._connected().prepare(statement)
                self._statements[statement] = prepared
            return list(prepared.run(**values) or [])

    def script(self, *statements: str) -> None:
        """Run statements that need no preparation."""
        with self._typed_errors():
            for statement in statements:
                self._connected().run(statement)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begin; commit at the end, or roll back when an exception comes."""
        self.script("BEGIN")
        self._in_transaction = True
        try:
            yield
            self.script("COMMIT")
        except BaseException:
            with contextlib.suppress(StoreUnavailableError, StoreTamperedError, DuplicateError):
                self.script("ROLLBACK")
            raise
        finally:
            self._in_transaction = False

    def close(self) -> None:
        """Hang up."""
        native, self._native = self._native, None
        self._statements.clear()
        if native is not None:
            with contextlib.suppress(InterfaceError, DatabaseError, OSError):
                native.close()

    def _connected(self) -> pg8000.native.Connection:
        if self._native is None:
            if self._in_transaction:
                raise InterfaceError("lost inside a transaction")
            native = pg8000.native.Connection(**self._arguments)
            for setting in _SETTINGS:
                native.run(setting)
            self._native = native
        return self._native

    @contextmanager
    def _typed_errors(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            raise _typed(error) from None
        except (InterfaceError, OSError) as error:
            self.close()
            raise StoreUnavailableError(
                "The database does not answer",
                got=type(error).__name__,
                cause="the connection was lost; what was not acknowledged may have been written",
            ) from None
        except (ValueError, UnicodeDecodeError, IndexError, KeyError) as error:
            self.close()
            raise StoreTamperedError(
                "The database's answer is malformed", got=type(error).__name__
            ) from None


def arguments_of(url: str) -> dict[str, Any]:
    """Return what pg8000 needs of ``postgresql://user:password@host:port/database?sslmode=...``.

    A ``host`` in the query that begins with a slash is the folder of a Unix socket. ``sslmode``:
    ``disable`` or ``verify-full``; ``sslrootcert``: a PEM file.

    :raises ConfigurationError: if it says anything else; the text does not show the password
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    host = options.pop("host", parts.hostname or "")
    user = options.pop("user", unquote(parts.username or ""))
    mode, root = options.pop("sslmode", "disable"), options.pop("sslrootcert", None)
    database = unquote(parts.path.lstrip("/"))
    if options or mode not in ("disable", "verify-full") or not (host and user and database):
        raise ConfigurationError(
            "The store's URL is not understood",
            got=", ".join(sorted(options)) or "a part is missing, or sslmode is another",
            expected="postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or "
            "postgresql:///DATABASE?host=/FOLDER&user=USER; sslmode=disable|verify-full, sslrootcert",
        )
    port = parts.port or 5432
    arguments: dict[str, Any] = {
        "user": user,
        "database": database,
        "password": unquote(parts.password) if parts.password else None,
        "timeout": TIMEOUT,
        "ssl_context": ssl.create_default_context(cafile=root) if mode != "disable" else False,
        "application_name": "xmtp-tee",
    }
    if host.startswith("/"):
        return arguments | {"unix_sock": f"{host}/.s.PGSQL.{port}"}
    return arguments | {"host": host, "port": port}


def _typed(error: DatabaseError) -> Exception:
    details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    state = str(details.get("C", "unknown"))
    if state in _DUPLICATES:
        return DuplicateError(state)
    if state in _MISSING:
        return StoreIncompleteError("The store lacks a table or column", got=f"SQLSTATE {state}")
    return StoreUnavailableError(
        "The database refuses",
        got=f"SQLSTATE {state}",
        cause="it is full, shutting down, overloaded, or access is denied",
    )
