"""The sealed store against a host that owns every byte of it: each attack is refused, typed, and
nothing is written by an enclave that refuses to start."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.enclave.support import NOW, OWNER, STRANGER, FixedDriver, open_enclave, open_store
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.enclave.errors import (
    StoreIncompleteError,
    StoreNotADatabaseError,
    StoreSchemaUnsupportedError,
    StoreSealedElsewhereError,
    StoreTamperedError,
)
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.store_faults import StoreUnavailableError


@pytest.fixture
def path(folder: Path) -> Path:
    """A closed store: two identity keys, three pre-keys of the first."""
    path = folder / "keys.sqlite"
    enclave = open_enclave(path)
    for owner in (OWNER, STRANGER):
        identity = enclave.handle(wire.GenerateIdentityKey(owner=owner), NOW)
        assert isinstance(identity, wire.Key)
        for _ in range(3 if owner == OWNER else 0):
            enclave.handle(wire.GeneratePreKey(identity_key_id=identity.id), NOW)
    enclave.close()
    return path


def execute(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def refused(path: Path, error: type[XmtpTeeError], driver: FixedDriver | None = None) -> str:
    before = path.read_bytes()
    with pytest.raises(error) as caught:
        open_store(path, driver)
    assert type(caught.value) is error
    written = path.read_bytes() != before
    assert not written
    assert not path.with_name(path.name + "-wal").exists()
    return str(caught.value)


def refused_cause(path: Path) -> str:
    with pytest.raises(StoreTamperedError) as caught:
        open_store(path)
    return str(caught.value.cause)


def test_untouched_store_opens_with_all_its_keys(path: Path) -> None:
    store = open_store(path)
    records, cursor = store.page(None, 0, 100)
    assert [record.purpose.value for record in records] == [
        *("authority", "transport", "xmtp-identity"),
        *("pre-key",) * 3,
        "xmtp-identity",
    ]
    assert (cursor, store.count, store.epoch) == (None, 7, 6)
    store.close()


SWAP = (
    "CREATE TEMP TABLE pair AS SELECT position, {column} AS value FROM keys WHERE position IN (4, 5)",
    "UPDATE keys SET {column} = (SELECT value FROM pair WHERE position = 9 - keys.position) "
    "WHERE position IN (4, 5)",
)
TAMPERINGS: dict[str, tuple[str, ...]] = {
    "record changed": ("UPDATE keys SET record = randomblob(length(record)) WHERE position = 3",),
    "record cut short": ("UPDATE keys SET record = substr(record, 1, 20) WHERE position = 3",),
    "record emptied": ("UPDATE keys SET record = x'' WHERE position = 3",),
    "secret changed": ("UPDATE keys SET secret = randomblob(length(secret)) WHERE position = 3",),
    "secret emptied": ("UPDATE keys SET secret = x'' WHERE position = 1",),
    "epoch changed": ("UPDATE keys SET epoch = epoch + 1 WHERE position = 3",),
    "tags changed": ("UPDATE keys SET tags = randomblob(24) WHERE position = 3",),
    "history changed": ("UPDATE history SET state = randomblob(32)", "UPDATE head SET epoch = 5"),
    "index changed": ("UPDATE nodes SET body = randomblob(length(body)) WHERE path = 1",),
    "index removed": ("DELETE FROM nodes",),
    "id changed": ("UPDATE keys SET id = randomblob(16) WHERE position = 3",),
    "key moved to another place": ("UPDATE keys SET position = 100 WHERE position = 7",),
    "records exchanged": tuple(s.format(column="record") for s in SWAP),
    "secrets exchanged": tuple(s.format(column="secret") for s in SWAP),
    "last key removed": ("DELETE FROM keys WHERE position = 7",),
    "middle key removed": ("DELETE FROM keys WHERE position = 4",),
    "all keys removed": ("DELETE FROM keys",),
    "key added twice": (
        "INSERT INTO keys SELECT 8, randomblob(16), epoch, tags, record, secret FROM keys "
        "WHERE position = 7",
    ),
    "header changed": ("UPDATE head SET sealed = randomblob(length(sealed))",),
    "header's epoch changed": ("UPDATE head SET epoch = epoch - 1",),
    "wrap changed": ("UPDATE wraps SET wrapped = randomblob(length(wrapped))",),
    "trigger added": ("CREATE TRIGGER t AFTER INSERT ON keys BEGIN DELETE FROM head; END",),
    "trigger added under a name like an index's": (
        'CREATE TRIGGER "sqlite-autoindex-keys_1" AFTER INSERT ON keys BEGIN DELETE FROM head; END',
    ),
    "trigger added under an index's name": (
        "CREATE TRIGGER t AFTER INSERT ON keys BEGIN DELETE FROM head; END",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET name = 'sqlite_autoindex_keys_9', sql = replace(sql, 'TRIGGER t ', "
        "'TRIGGER sqlite_autoindex_keys_9 ') WHERE name = 't'",
    ),
    "index added": ("CREATE INDEX sqlite$autoindex$x ON keys (epoch)",),
    "view added": ("CREATE VIEW v AS SELECT * FROM keys",),
}


@pytest.mark.parametrize("attack", TAMPERINGS)
def test_tampered_store_is_refused(path: Path, attack: str) -> None:
    execute(path, *TAMPERINGS[attack])
    refused(path, StoreTamperedError)


def test_every_single_flipped_byte_of_a_sealed_value_is_refused(path: Path) -> None:
    execute(path)
    content = path.read_bytes()
    connection = sqlite3.connect(path)
    values = [row[0] for row in connection.execute("SELECT secret FROM keys")]
    values += [row[0] for row in connection.execute("SELECT record FROM keys")]
    connection.close()
    for value in values:
        for offset in (0, 11, 12, len(value) // 2, len(value) - 1):
            place = content.index(value) + offset
            changed = bytearray(content)
            changed[place] ^= 0x40
            path.write_bytes(changed)
            refused(path, StoreTamperedError)


def test_rolled_back_row_is_refused(path: Path, folder: Path) -> None:
    """Attack: an old state of one table, with the header of today."""
    old = folder / "old.sqlite"
    execute(path)
    old.write_bytes(path.read_bytes())
    enclave = open_enclave(path)
    identity = enclave.handle(wire.GetIdentityKey(owner=OWNER), NOW)
    assert isinstance(identity, wire.Key)
    enclave.handle(wire.GeneratePreKey(identity_key_id=identity.id), NOW)
    enclave.close()
    execute(
        path,
        f"ATTACH '{old}' AS old",
        "DELETE FROM keys",
        "INSERT INTO keys SELECT * FROM old.keys",
    )
    assert "put back" in refused_cause(path)


def test_rollback_under_the_running_enclave_is_noticed_at_the_next_mutation(path: Path) -> None:
    """Attack: the whole store is put back while the enclave serves."""
    store = open_store(path)
    rows = store._rows._connection  # type: ignore[attr-defined]
    older = rows.execute("SELECT epoch, sealed FROM head").fetchone()
    enclave = Enclave(store, FixedDriver())
    identity = enclave.handle(wire.GetIdentityKey(owner=OWNER), NOW)
    assert isinstance(identity, wire.Key)
    enclave.handle(wire.GeneratePreKey(identity_key_id=identity.id), NOW)
    rows.execute("UPDATE head SET epoch = ?, sealed = ?", older)
    with pytest.raises(StoreTamperedError, match="state in which"):
        enclave.handle(wire.GeneratePreKey(identity_key_id=identity.id), NOW)
    enclave.close()


def test_exchanged_secret_does_not_reach_a_running_enclave_that_knows_the_key(path: Path) -> None:
    """Attack: one owner's private key is put under another's name while the enclave runs."""
    store = open_store(path)
    enclave = Enclave(store, FixedDriver())
    identity = enclave.handle(wire.GetIdentityKey(owner=OWNER), NOW)
    assert isinstance(identity, wire.Key)
    signature = enclave.handle(wire.Sign(key_id=identity.id, message=b""), NOW)
    store._rows._connection.execute(  # type: ignore[attr-defined]
        "UPDATE keys SET secret = (SELECT secret FROM keys WHERE position = 7) WHERE position = 3"
    )
    assert enclave.handle(wire.Sign(key_id=identity.id, message=b""), NOW) == signature
    enclave.close()


def test_store_sealed_under_another_root_is_refused(path: Path) -> None:
    message = refused(path, StoreSealedElsewhereError, FixedDriver(root=b"Q" * 32))
    assert "seal root" in message


def test_simulated_store_is_refused_by_a_driver_that_claims_more(path: Path) -> None:
    refused(path, StoreSealedElsewhereError, FixedDriver(assurance=AssuranceLevel.MEMBER))


def test_wrap_of_another_store_is_refused(path: Path, folder: Path) -> None:
    other = folder / "other.sqlite"
    open_store(other).close()
    attach = f"ATTACH '{other}' AS other"
    execute(path, attach, "DELETE FROM wraps", "INSERT INTO wraps SELECT * FROM other.wraps")
    refused(path, StoreSealedElsewhereError)


def test_keys_of_another_store_are_refused(path: Path, folder: Path) -> None:
    other = folder / "other.sqlite"
    open_store(other).close()
    attach = f"ATTACH '{other}' AS other"
    execute(path, attach, "DELETE FROM keys", "INSERT INTO keys SELECT * FROM other.keys")
    refused(path, StoreTamperedError)


@pytest.mark.parametrize("schema", [0, 1, 2, 999])
def test_store_of_another_schema_is_refused(path: Path, schema: int) -> None:
    execute(path, f"PRAGMA user_version = {schema}")
    refused(path, StoreSchemaUnsupportedError)


def test_header_of_another_schema_is_refused(path: Path) -> None:
    execute(path, "UPDATE head SET schema = 1")
    refused(path, StoreSchemaUnsupportedError)


@pytest.mark.parametrize(
    "table", ["head", "wraps", "keys", "tags", "documents", "nodes", "history"]
)
def test_store_without_a_table_is_refused(path: Path, table: str) -> None:
    execute(path, f"DROP TABLE {table}")
    refused(path, StoreIncompleteError)


@pytest.mark.parametrize("table", ["head", "wraps"])
def test_store_with_an_empty_table_is_refused(path: Path, table: str) -> None:
    execute(path, f"DELETE FROM {table}")
    refused(path, StoreIncompleteError)


@pytest.mark.parametrize(
    "content",
    [b"", b"not a database", b"SQLite format 3\x00" + bytes(84), bytes(8192)],
    ids=["empty", "text", "bare header", "zeros"],
)
def test_file_that_is_no_store_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(path, StoreNotADatabaseError)


def test_database_of_another_program_is_refused(folder: Path) -> None:
    path = folder / "keys.sqlite"
    execute(path, "CREATE TABLE notes (text)")
    refused(path, StoreNotADatabaseError)


@pytest.mark.parametrize("part", [0.05, 0.3, 0.5, 0.9, 0.99])
def test_truncated_store_is_refused(path: Path, part: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(StoreTamperedError):
        open_store(path)


def test_row_that_the_index_hides_is_refused(path: Path) -> None:
    """Attack: an owner's identity key is hidden from the look-up, so that a second one is made."""
    connection = sqlite3.connect(path, isolation_level=None)
    (root,) = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_keys_1'"
    ).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    content = bytearray(path.read_bytes())
    page = (root - 1) * size
    assert content[page] == 0x0A  # a leaf of an index
    # One entry fewer (SQLite file format, section 1.6: the cell count is at offset 3).
    content[page + 3 : page + 5] = (6).to_bytes(2, "big")
    path.write_bytes(content)
    with pytest.raises(StoreTamperedError):
        open_store(path)


def test_log_without_its_store_is_refused(path: Path) -> None:
    path.with_name("keys.sqlite-wal").write_bytes(b"log")
    path.unlink()
    with pytest.raises(StoreIncompleteError, match="log"):
        open_store(path)
    assert not path.exists()


def test_leftovers_of_an_interrupted_birth_do_no_harm(folder: Path) -> None:
    path = folder / "keys.sqlite"
    (folder / "keys.sqlite.birth").write_bytes(b"half a store")
    (folder / "keys.sqlite.birth-journal").write_bytes(b"its journal")
    open_store(path).close()
    assert [file.name for file in folder.iterdir()] == ["keys.sqlite"]


def test_interruption_between_link_and_unlink_does_no_harm(path: Path) -> None:
    draft = path.with_name("keys.sqlite.birth")
    draft.hardlink_to(path)
    open_store(path).close()
    assert not draft.exists()


def test_store_opened_twice_is_refused_the_second_time(path: Path) -> None:
    store = open_store(path)
    with pytest.raises(StoreUnavailableError):
        open_store(path)
    store.close()
    open_store(path).close()


def test_failed_write_acknowledges_nothing_and_the_next_one_works(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(path)
    enclave = Enclave(store, FixedDriver())
    identity = enclave.handle(wire.GetIdentityKey(owner=OWNER), NOW)
    assert isinstance(identity, wire.Key)
    make = wire.GeneratePreKey(identity_key_id=identity.id)

    def full(_: object) -> None:
        raise StoreUnavailableError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(store._rows, "apply", full)
        with pytest.raises(StoreUnavailableError):
            enclave.handle(make, NOW)
    made = enclave.handle(make, NOW)
    assert isinstance(made, wire.PreKey)
    assert made.epoch == 4
    enclave.close()
    open_store(path).close()


def test_disk_that_is_really_full_is_a_typed_error(path: Path) -> None:
    store = open_store(path)
    connection = store._rows._connection  # type: ignore[attr-defined]
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    enclave = Enclave(store, FixedDriver())
    acknowledged: list[bytes] = []

    def fill() -> None:
        for number in range(1, 1000):
            owner = number.to_bytes(20, "big")
            enclave.handle(wire.GenerateIdentityKey(owner=owner), NOW)
            acknowledged.append(owner)

    with pytest.raises(StoreUnavailableError):
        fill()
    enclave.close()
    again = open_store(path)
    assert again.count == 7 + len(acknowledged)
    assert all(again.identity_of(owner) for owner in acknowledged)
    again.close()


def test_store_file_is_the_users_alone(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
