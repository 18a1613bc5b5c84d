"""Where a store may lie: the same tests run over SQLite and over PostgreSQL, as the host sees them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.enclave.support import NOW, FixedDriver
from tests.support.postgres import Cluster
from xmtp_tee.enclave.birth import give_birth
from xmtp_tee.enclave.private_keys import Entropy, kernel_entropy
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.storage.opening import open_rows
from xmtp_tee.enclave.store import SealedStore

TABLES = ("head", "wraps", "keys", "tags", "documents", "nodes", "history")
Snapshot = dict[str, list[tuple[Any, ...]]]


class Place(Protocol):
    """A store's database, and what its owner, the host, can do to it. SQL has ``?`` for values."""

    name: str

    def execute(self, sql: str, *values: object) -> None: ...

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]: ...


@dataclass
class SqlitePlace:
    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    def execute(self, sql: str, *values: object) -> None:
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute(sql, values)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.path)
        found = connection.execute(sql, values).fetchall()
        connection.close()
        return found


@dataclass
class PostgresPlace:
    cluster: Cluster
    name: str = field(default="")

    def __post_init__(self) -> None:
        self.name = self.name or self.cluster.emptied()

    def execute(self, sql: str, *values: object) -> None:
        self._run(sql, values)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._run(sql, values) or []]

    def _run(self, sql: str, values: tuple[object, ...]) -> list[list[Any]] | None:
        names = [f"v{number}" for number in range(len(values))]
        for name in names:
            sql = sql.replace("?", f":{name}", 1)
        connection = self.cluster.connect(self.name)
        try:
            connection.run("SET search_path = xmtp_tee")
            return connection.run(sql, **dict(zip(names, values, strict=True)))
        finally:
            connection.close()


def open_store(
    place: Place, driver: FixedDriver | None = None, entropy: Entropy = kernel_entropy
) -> SealedStore:
    """Open the store at ``place`` as the enclave does, born first if it is not there."""
    driver = driver or FixedDriver()
    rows = open_rows(place.name, lambda create: give_birth(create, driver, NOW, entropy))
    try:
        return SealedStore.open(rows, driver)
    except BaseException:
        rows.close()
        raise


def open_enclave(place: Place, driver: FixedDriver | None = None) -> Enclave:
    """Return an enclave over the store at ``place``; the caller closes it."""
    driver = driver or FixedDriver()
    return Enclave(open_store(place, driver), driver)


def snapshot(place: Place) -> Snapshot:
    """Copy every row of every table, as a backup of the disk does."""
    return {table: place.rows(f"SELECT * FROM {table}") for table in TABLES}


def restore(place: Place, copy: Snapshot, tables: tuple[str, ...] = TABLES) -> None:
    """Attack: put tables back to an older state."""
    for table in tables:
        place.execute(f"DELETE FROM {table}")
        for row in copy[table]:
            places = ", ".join("?" * len(row))
            place.execute(f"INSERT INTO {table} VALUES ({places})", *row)


def flipped(data: bytes) -> bytes:
    """Change one bit in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


Attack = Callable[[Place], None]
