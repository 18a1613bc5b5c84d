"""The sealed store against a host that owns every byte of it, over both databases.

Nothing is verified as a whole here: each attack must be noticed by the very read that it would mislead.
"""

from __future__ import annotations

import msgspec
import pytest

from tests.enclave.places import (
    Attack,
    Place,
    flipped,
    open_enclave,
    open_store,
    restore,
    snapshot,
)
from tests.enclave.support import NOW, OWNER, STRANGER, FixedDriver
from xmtp_tee.enclave.errors import StoreSealedElsewhereError
from xmtp_tee.enclave.purposes import Purpose
from xmtp_tee.enclave.records import KeyRecord
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.store_faults import (
    StoreForkedError,
    StoreIncompleteError,
    StoreRolledBackError,
    StoreTamperedError,
)

IDENTITY, PRE_KEYS = 3, (4, 5, 6)
"""Positions: 1 authority, 2 transport, 3 the owner's identity, 4-6 its pre-keys, 7 a stranger's."""


@pytest.fixture
def filled(place: Place) -> Place:
    """A closed store with two identity keys, three pre-keys of the first, and a document."""
    enclave = open_enclave(place)
    for owner in (OWNER, STRANGER):
        identity = enclave.handle(wire.GenerateIdentityKey(owner=owner), NOW)
        assert isinstance(identity, wire.Key)
        for _ in range(3 if owner == OWNER else 0):
            enclave.handle(wire.GeneratePreKey(identity_key_id=identity.id), NOW)
    with enclave._parts.store.mutation() as draft:
        draft.put_document("notes", b"allow nothing")
    enclave.close()
    return place


def key_at(place: Place, position: int) -> str:
    ((key_id,),) = place.rows("SELECT id FROM keys WHERE position = ?", position)
    return bytes(key_id).hex()


def use(store: SealedStore, key_id: str) -> None:
    record = store.get(key_id)
    assert record is not None
    with store.secret(record):
        pass


def test_untouched_store_answers_and_verifies(filled: Place) -> None:
    identity_id = key_at(filled, IDENTITY)
    store = open_store(filled)
    store.verify()
    identity = store.identity_of(OWNER)
    assert identity is not None
    assert identity.id == identity_id
    pre_keys, cursor = store.pre_keys(identity.id, 0, 10)
    assert ([key.epoch for key in pre_keys], cursor) == ([1, 2, 3], None)
    records, cursor = store.page(None, 0, 100)
    assert (len(records), cursor, store.count) == (7, None, 7)
    assert store.document("notes") == b"allow nothing"
    assert store.document("another") is None
    assert store.get("00" * 16) is None
    store.close()


def test_pages_follow_each_other_without_gap_or_overlap(filled: Place) -> None:
    ids = [key_at(filled, number) for number in range(1, 8)]
    store = open_store(filled)
    found: list[KeyRecord] = []
    after: int | None = 0
    while after is not None:
        page, after = store.page(None, after, 2)
        found += page
    assert [record.id for record in found] == ids
    identity = store.identity_of(OWNER)
    assert identity is not None
    first, cursor = store.pre_keys(identity.id, 0, 2)
    assert cursor == 2
    rest, end = store.pre_keys(identity.id, cursor, 2)
    assert ([key.epoch for key in first + rest], end) == ([1, 2, 3], None)
    store.close()


def change(column: str) -> Attack:
    def attack(place: Place) -> None:
        ((value,),) = place.rows(f"SELECT {column} FROM keys WHERE position = {IDENTITY}")
        place.execute(
            f"UPDATE keys SET {column} = ? WHERE position = {IDENTITY}", flipped(bytes(value))
        )

    return attack


def exchange(column: str) -> Attack:
    def attack(place: Place) -> None:
        values = [
            place.rows(f"SELECT {column} FROM keys WHERE position = {n}")[0][0] for n in (3, 7)
        ]
        for position, value in zip((7, 3), values, strict=True):
            place.execute(f"UPDATE keys SET {column} = ? WHERE position = {position}", value)

    return attack


def statement(sql: str) -> Attack:
    return lambda place: place.execute(sql)


def add_copy(place: Place) -> None:
    ((tags, record, secret),) = place.rows(
        "SELECT tags, record, secret FROM keys WHERE position = 3"
    )
    place.execute(
        "INSERT INTO keys (position, id, epoch, tags, record, secret) VALUES (8, ?, 2, ?, ?, ?)",
        bytes(16), tags, record, secret,
    )  # fmt: skip


MISLEADING_USE: dict[str, Attack] = {
    "record changed": change("record"),
    "secret changed": change("secret"),
    "tags changed": change("tags"),
    "records exchanged": exchange("record"),
    "secrets exchanged": exchange("secret"),
    "secret emptied": lambda place: place.execute(
        "UPDATE keys SET secret = ? WHERE position = 3", b""
    ),
    "epoch changed": statement("UPDATE keys SET epoch = epoch + 1 WHERE position = 3"),
    "moved to another place": statement("UPDATE keys SET position = 100 WHERE position = 3"),
    "removed": statement("DELETE FROM keys WHERE position = 3"),
    "all removed": statement("DELETE FROM keys"),
    "index nodes removed": statement("DELETE FROM nodes"),
}


@pytest.mark.parametrize("attack", MISLEADING_USE)
def test_tampered_key_is_refused_when_it_is_used(filled: Place, attack: str) -> None:
    key_id = key_at(filled, IDENTITY)
    MISLEADING_USE[attack](filled)
    with pytest.raises(StoreTamperedError):
        reading(filled, lambda store: use(store, key_id))


def reading(place: Place, read: object) -> None:
    """Open the store, which reads the enclave's own keys, and read."""
    store = open_store(place)
    try:
        read(store)  # type: ignore[operator]
    finally:
        store.close()


MISLEADING_LISTS: dict[str, Attack] = {
    "first pre-key removed": statement("DELETE FROM keys WHERE position = 4"),
    "last pre-key removed": statement("DELETE FROM keys WHERE position = 6"),
    "pre-key hidden from the index": statement("DELETE FROM tags WHERE position = 5"),
    "index emptied": statement("DELETE FROM tags"),
    "index order changed": statement("UPDATE tags SET ordinal = 0 WHERE position = 6"),
    "another key in its place": statement("UPDATE tags SET position = 7 WHERE position = 4"),
}


@pytest.mark.parametrize("attack", MISLEADING_LISTS)
def test_incomplete_list_is_refused(filled: Place, attack: str) -> None:
    """Attack: an owner does not see all pre-keys, or an epoch would be used twice."""
    identity = key_at(filled, IDENTITY)
    MISLEADING_LISTS[attack](filled)
    with pytest.raises(StoreTamperedError):
        reading(filled, lambda store: store.pre_keys(identity, 0, 100))


def test_hidden_identity_key_does_not_let_a_second_one_be_made(filled: Place) -> None:
    """Attack: the owner's identity key vanishes from the index, so that another one is made."""
    filled.execute("DELETE FROM tags WHERE position = 3")
    enclave = open_enclave(filled)
    with pytest.raises(StoreTamperedError):
        enclave.handle(wire.GenerateIdentityKey(owner=OWNER), NOW)
    enclave.close()


@pytest.mark.parametrize(
    "attack",
    {
        "last removed": statement("DELETE FROM keys WHERE position = 7"),
        "middle removed": statement("DELETE FROM keys WHERE position = 5"),
        "added": add_copy,
    }.items(),
    ids=lambda item: item[0],
)
def test_listing_of_all_keys_with_one_more_or_less_is_refused(
    filled: Place, attack: tuple[str, Attack]
) -> None:
    attack[1](filled)
    with pytest.raises(StoreTamperedError):
        reading(filled, lambda store: store.verify())
    if attack[0] != "added":
        with pytest.raises(StoreTamperedError):
            reading(filled, lambda store: store.page(None, 0, 100))


@pytest.mark.parametrize("table", ["keys", "tags", "documents", "nodes"])
def test_table_put_back_to_an_older_state_is_refused(filled: Place, table: str) -> None:
    """Attack: one table of yesterday under the header of today."""
    identity = key_at(filled, IDENTITY)
    yesterday = snapshot(filled)
    enclave = open_enclave(filled)
    enclave.handle(wire.GeneratePreKey(identity_key_id=identity), NOW)
    with enclave._parts.store.mutation() as draft:
        draft.put_document("notes", b"allow less")
    enclave.close()
    restore(filled, yesterday, (table,))

    def read(store: SealedStore) -> None:
        store.pre_keys(identity, 0, 100)
        store.document("notes")

    with pytest.raises(StoreTamperedError):
        reading(filled, read)


def test_single_row_put_back_to_an_older_version_is_refused(filled: Place) -> None:
    """Attack: a destroyed key comes back, with its private half."""
    key_id = key_at(filled, 7)
    ((epoch, record, secret),) = filled.rows(
        "SELECT epoch, record, secret FROM keys WHERE position = 7"
    )
    store = open_store(filled)
    alive = store.get(key_id)
    assert alive is not None
    with store.mutation() as draft:
        draft.replace(msgspec.structs.replace(alive, destroyed_at=NOW), bytearray())
    store.close()
    filled.execute(
        "UPDATE keys SET epoch = ?, record = ?, secret = ? WHERE position = 7",
        epoch, record, secret,
    )  # fmt: skip
    with pytest.raises(StoreTamperedError):
        reading(filled, lambda store: use(store, key_id))


def test_removed_document_does_not_pass_for_one_that_never_was(filled: Place) -> None:
    """Attack: without its policy the enclave would fall back to a default."""
    filled.execute("DELETE FROM documents")
    with pytest.raises(StoreTamperedError):
        reading(filled, lambda store: store.document("notes"))


@pytest.mark.parametrize("column", ["sealed", "epoch", "store_id"])
def test_changed_header_is_refused(filled: Place, column: str) -> None:
    ((value,),) = filled.rows(f"SELECT {column} FROM head")
    changed = value + 1 if isinstance(value, int) else flipped(bytes(value))
    filled.execute(f"UPDATE head SET {column} = ?", changed)
    with pytest.raises((StoreTamperedError, StoreSealedElsewhereError)):
        open_store(filled)


@pytest.mark.parametrize("table", ["head", "wraps"])
def test_store_without_header_or_wrap_is_refused(filled: Place, table: str) -> None:
    filled.execute(f"DELETE FROM {table}")
    with pytest.raises(StoreIncompleteError):
        open_store(filled)


def test_store_of_another_root_is_refused(filled: Place) -> None:
    with pytest.raises(StoreSealedElsewhereError, match="seal root"):
        open_store(filled, FixedDriver(root=b"Q" * 32))


def test_whole_store_put_back_is_noticed_by_who_has_seen_a_later_state(filled: Place) -> None:
    yesterday = snapshot(filled)
    enclave = open_enclave(filled)
    enclave.handle(wire.GenerateIdentityKey(owner=b"\x11" * 20), NOW)
    seen = enclave._parts.store.point
    enclave.close()
    restore(filled, yesterday)
    store = open_store(filled)
    with pytest.raises(StoreRolledBackError):
        store.require_descent(seen)
    store.close()


def test_forked_store_is_noticed_by_who_has_seen_the_other_branch(filled: Place) -> None:
    """Attack: two copies go on separately; the second is even longer than the first."""
    yesterday = snapshot(filled)
    enclave = open_enclave(filled)
    enclave.handle(wire.GenerateIdentityKey(owner=b"\x11" * 20), NOW)
    seen = enclave._parts.store.point
    enclave.close()
    restore(filled, yesterday)
    enclave = open_enclave(filled)
    for number in range(1, 4):
        enclave.handle(wire.GenerateIdentityKey(owner=bytes([number]) * 20), NOW)
    with pytest.raises(StoreForkedError):
        enclave._parts.store.require_descent(seen)
    enclave.close()


def test_every_earlier_state_is_an_ancestor_and_no_other(place: Place) -> None:
    store = open_store(place)
    seen = [store.point]
    for number in range(40):
        with store.mutation() as draft:
            draft.put_document("n", bytes([number]))
        seen.append(store.point)
    for point in seen:
        store.require_descent(point)
        assert store.point_at(point.epoch) == point
    store.close()
    place.execute("UPDATE history SET state = ? WHERE epoch = 24", bytes(32))
    store = open_store(place)
    with pytest.raises(StoreForkedError):
        store.require_descent(seen[0])
    store.close()


def test_replaced_key_keeps_its_place_and_its_private_half(filled: Place) -> None:
    store = open_store(filled)
    record = store.identity_of(OWNER)
    assert record is not None
    with store.secret(record) as secret:
        before = bytes(secret)
    renamed = msgspec.structs.replace(record, label="first")
    with store.mutation() as draft:
        draft.replace(renamed)
        draft.replace(msgspec.structs.replace(renamed, label="second"))
    with pytest.raises(StoreTamperedError), store.secret(record):
        pass
    now = store.identity_of(OWNER)
    assert now is not None
    assert now.label == "second"
    with store.secret(now) as secret:
        assert bytes(secret) == before
    store.verify()
    store.close()
    store = open_store(filled)
    assert store.identity_of(OWNER) == now
    store.verify()
    store.close()


def test_key_of_another_owner_cannot_take_a_row(filled: Place) -> None:
    store = open_store(filled)
    record = store.identity_of(OWNER)
    assert record is not None
    with pytest.raises(StoreTamperedError, match="cannot change"), store.mutation() as draft:
        draft.replace(msgspec.structs.replace(record, owner=STRANGER))
    store.verify()
    store.close()


def test_document_can_be_written_anew_and_removed(filled: Place) -> None:
    store = open_store(filled)
    with store.mutation() as draft:
        draft.put_document("notes", b"2")
        draft.put_document("other", b"")
    assert (store.document("notes"), store.document("other")) == (b"2", b"")
    with store.mutation() as draft:
        draft.put_document("notes", None)
    assert store.document("notes") is None
    store.verify()
    store.close()


def test_failure_inside_a_mutation_changes_nothing(filled: Place) -> None:
    before = snapshot(filled)
    store = open_store(filled)
    point = store.point
    with pytest.raises(ZeroDivisionError), store.mutation() as draft:
        draft.put_document("notes", bytes([1 // len(draft.changed)]))
    assert store.point == point
    assert store.document("notes") == b"allow nothing"
    store.verify()
    store.close()
    assert snapshot(filled) == before


def test_host_sees_no_owner_purpose_public_key_or_document(filled: Place) -> None:
    store = open_store(filled)
    records, _ = store.page(None, 0, 100)
    store.close()
    content = repr(snapshot(filled)).encode() + b"".join(
        bytes(value)
        for rows in snapshot(filled).values()
        for row in rows
        for value in row
        if isinstance(value, bytes)
    )
    for record in records:
        assert record.public_key not in content
    for text in (OWNER, b"xmtp-identity", b"allow nothing", b"notes"):
        assert text not in content


def test_rows_of_one_owner_share_a_tag_that_differs_between_stores(filled: Place) -> None:
    tags = [bytes(tag) for (tag,) in filled.rows("SELECT tag FROM tags ORDER BY tag")]
    assert len(tags) > len(set(tags))
    identity = bytes.fromhex(key_at(filled, IDENTITY))
    store = open_store(filled)
    assert store.tag_count(b"parent", identity) == 3
    assert store.tag_count(b"owner", STRANGER) == 1
    assert store.identity_of(STRANGER) is not None
    assert store.authority().purpose is Purpose.AUTHORITY
    store.close()
