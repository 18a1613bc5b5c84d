"""The host's database: where each stream was left, and messages as the enclave sealed them.

It holds no key and no plaintext. Whoever reads it learns what the node knows: group ids, times, sizes. It
may be lost: installation and conversations live in the enclave; the history that was sealed here is gone then.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xmtp_tee.client.xmtp.errors import DatabaseError
from xmtp_tee.client.xmtp.models import Consent

_SCHEMA: Final = 1
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS cursors (topic BLOB PRIMARY KEY, cursor INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS messages (
    place INTEGER PRIMARY KEY,
    group_id BLOB NOT NULL,
    message_id BLOB NOT NULL,
    sealed BLOB NOT NULL,
    own INTEGER NOT NULL,
    UNIQUE (group_id, message_id)
) STRICT;
CREATE TABLE IF NOT EXISTS consents (group_id BLOB PRIMARY KEY, consent TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class SealedMessage:
    """A message that only the enclave can open."""

    message_id: bytes
    sealed: bytes
    own: bool


class Database:
    """One installation's. Not for several threads at once."""

    def __init__(self, path: str | os.PathLike[str], installation_id: bytes) -> None:
        """Open the file (mode 0600), made if it is not there; ``:memory:`` keeps nothing.

        :raises DatabaseError: it is another installation's, of another release, or no database
        """
        try:
            if os.fspath(path) != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            # What is written here the enclave may forget, so it must be on disk.
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(_TABLES)
            self._claim("schema", str(_SCHEMA))
            self._claim("installation", installation_id.hex())
        except (sqlite3.Error, OSError) as error:
            raise DatabaseError(
                "The client's database cannot be opened", got=str(path), cause=str(error)
            ) from error

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    # --- streams ----------------------------------------------------------------------------------

    def cursor(self, topic: bytes) -> int:
        """Return the node's id up to which a topic was read."""
        row = self._connection.execute(
            "SELECT cursor FROM cursors WHERE topic = ?", (topic,)
        ).fetchone()
        return int(row[0]) if row else 0

    def advance(self, topic: bytes, cursor: int) -> None:
        """Note that a topic was read up to here; it never goes back."""
        self._connection.execute(
            "INSERT INTO cursors VALUES (?1, ?2) "
            "ON CONFLICT (topic) DO UPDATE SET cursor = max(cursor, ?2)",
            (topic, cursor),
        )

    # --- messages ---------------------------------------------------------------------------------

    def add_message(self, group_id: bytes, message: SealedMessage) -> None:
        """Keep a message; one that is known stays as it was."""
        self._connection.execute(
            "INSERT OR IGNORE INTO messages (group_id, message_id, sealed, own) VALUES (?, ?, ?, ?)",
            (group_id, message.message_id, message.sealed, message.own),
        )

    def messages(self, group_id: bytes, limit: int) -> list[SealedMessage]:
        """Return the newest messages of a group, oldest first."""
        rows = self._connection.execute(
            "SELECT message_id, sealed, own FROM messages WHERE group_id = ? "
            "ORDER BY place DESC LIMIT ?",
            (group_id, limit),
        ).fetchall()
        return [SealedMessage(row[0], row[1], bool(row[2])) for row in reversed(rows)]

    # --- consent ----------------------------------------------------------------------------------

    def consent(self, group_id: bytes) -> Consent:
        """Return whether the user wants a conversation."""
        row = self._connection.execute(
            "SELECT consent FROM consents WHERE group_id = ?", (group_id,)
        ).fetchone()
        return Consent(row[0]) if row else Consent.UNKNOWN

    def set_consent(self, group_id: bytes, consent: Consent) -> None:
        """Note it."""
        self._connection.execute(
            "INSERT INTO consents VALUES (?1, ?2) ON CONFLICT (group_id) DO UPDATE SET consent = ?2",
            (group_id, consent.value),
        )

    @contextmanager
    def change(self) -> Iterator[None]:
        """All or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _claim(self, name: str, value: str) -> None:
        self._connection.execute("INSERT OR IGNORE INTO about VALUES (?, ?)", (name, value))
        [found] = self._connection.execute(
            "SELECT value FROM about WHERE name = ?", (name,)
        ).fetchone()
        if found != value:
            self._connection.close()
            raise DatabaseError(f"The database is of another {name}", got=found, expected=value)
