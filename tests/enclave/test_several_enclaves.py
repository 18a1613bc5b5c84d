"""Several enclaves over one PostgreSQL store: no lost update, no epoch twice, no fork unnoticed."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.enclave.places import PostgresPlace, open_enclave, open_store, restore, snapshot
from tests.enclave.support import NOW, OWNER, EnclaveProcess, FixedDriver
from tests.support.postgres import Cluster
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.enclave.birth import give_birth
from xmtp_tee.enclave.errors import ConfigurationError, EnclaveAlreadyRunningError
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.storage.opening import open_rows
from xmtp_tee.enclave.storage.postgresql import PostgresRows
from xmtp_tee.enclave.storage.postgresql_link import arguments_of
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import IdentityKeyExistsError
from xmtp_tee.wire.refusals import KeyDeletedError
from xmtp_tee.wire.store_faults import (
    StoreForkedError,
    StoreRolledBackError,
    StoreTamperedError,
    StoreUnavailableError,
)


@pytest.fixture
def place(cluster: Cluster) -> PostgresPlace:
    return PostgresPlace(cluster)


@pytest.fixture
def two(place: PostgresPlace) -> Iterator[tuple[Enclave, Enclave]]:
    first, second = open_enclave(place), open_enclave(place)
    yield first, second
    second.close()
    first.close()


def make(enclave: Enclave, owner: bytes) -> wire.Key:
    key = enclave.handle(wire.GenerateIdentityKey(owner=owner), NOW)
    assert isinstance(key, wire.Key)
    return key


def owners(first: int, count: int) -> list[bytes]:
    return [number.to_bytes(20, "big") for number in range(first, first + count)]


def test_each_sees_what_the_other_has_made(two: tuple[Enclave, Enclave]) -> None:
    first, second = two
    key = make(first, OWNER)
    found = second.handle(wire.GetIdentityKey(owner=OWNER), NOW)
    assert found == key
    signature = second.handle(wire.Sign(key_id=key.id, message=b"m"), NOW)
    assert signature == first.handle(wire.Sign(key_id=key.id, message=b"m"), NOW)
    with pytest.raises(IdentityKeyExistsError):
        make(second, OWNER)


def test_key_deleted_at_one_is_not_used_by_the_other_any_more(
    two: tuple[Enclave, Enclave],
) -> None:
    """A service that does not see a withdrawal must not go on serving (dstack, issue 115)."""
    first, second = two
    key = make(first, OWNER)
    second.handle(wire.Sign(key_id=key.id, message=b"m"), NOW)
    first.handle(wire.DeleteKey(key_id=key.id), NOW)
    with pytest.raises(KeyDeletedError):
        second.handle(wire.Sign(key_id=key.id, message=b"m"), NOW)


def test_key_destroyed_at_one_is_in_the_others_memory_no_more(two: tuple[Enclave, Enclave]) -> None:
    first, second = two
    key = make(first, OWNER)
    second.handle(wire.Sign(key_id=key.id, message=b"m"), NOW)
    [(_, signer)] = second._parts.store._signers._kept.values()
    later = NOW + 400 * 86_400
    first.handle(wire.DeleteKey(key_id=key.id), NOW)
    first.handle(wire.DestroyKey(key_id=key.id), later)
    second.handle(wire.Ping(), later)
    with pytest.raises(ValueError, match="closed"):
        signer.sign_ph(b"m", b"context")


def test_store_is_verified_while_another_enclave_writes_to_it(
    two: tuple[Enclave, Enclave], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    store = second._parts.store
    make(first, OWNER)
    store.verify()
    writing = threading.Thread(target=insisting, args=(first, b"\x01" * 20))

    def check() -> None:
        # The verification has begun; nothing of this may fall into the midst of it.
        writing.start()
        writing.join(0.5)

    monkeypatch.setattr(store._rows, "check", check)
    store.verify()
    writing.join()
    assert second.handle(wire.GetIdentityKey(owner=b"\x01" * 20), NOW)


def insisting(enclave: Enclave, owner: bytes) -> wire.Key:
    """Ask again when others were quicker too often: then nothing was changed."""
    while True:
        try:
            return make(enclave, owner)
        except StoreUnavailableError:
            continue


def test_updates_of_many_writers_are_all_kept(place: PostgresPlace) -> None:
    open_store(place).close()
    made: list[str] = []
    failures: list[Exception] = []

    def work(first: int) -> None:
        enclave = open_enclave(place)
        try:
            made.extend(insisting(enclave, owner).id for owner in owners(first, 25))
        except Exception as error:  # noqa: BLE001 -- told by the test
            failures.append(error)
        finally:
            enclave.close()

    threads = [threading.Thread(target=work, args=(1 + 1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    store = open_store(place)
    store.verify()
    # Each opening of an enclave over the store may have left a mark beside.
    assert (store.count, len(set(made))) == (102, 100)
    epochs = [row[0] for row in place.rows("SELECT epoch FROM history ORDER BY epoch")]
    assert epochs == list(range(1, store.epoch + 1))
    store.close()


def test_store_is_born_once(place: PostgresPlace) -> None:
    open_store(place).close()
    with pytest.raises(EnclaveAlreadyRunningError):
        give_birth(lambda c, w: PostgresRows.create(place.name, c, w), FixedDriver(), NOW)


@pytest.mark.parametrize("fork", [False, True])
def test_store_put_back_under_a_running_enclave_is_refused_at_its_next_request(
    place: PostgresPlace, fork: bool
) -> None:
    first = open_enclave(place)
    make(first, OWNER)
    copy = snapshot(place)
    make(first, b"\x01" * 20)
    restore(place, copy)
    error: type[XmtpTeeError] = StoreRolledBackError
    if fork:
        error = StoreForkedError
        other = open_enclave(place)
        for owner in owners(100, 3):
            make(other, owner)
        other.close()
    with pytest.raises(error):
        first.handle(wire.GetIdentityKey(owner=OWNER), NOW)
    with pytest.raises(error):
        make(first, b"\x02" * 20)
    first._parts.store.close()


def test_enclave_that_lost_its_database_serves_again_when_it_is_back(
    place: PostgresPlace,
) -> None:
    enclave = open_enclave(place)
    key = make(enclave, OWNER)
    place.cluster.stop("fast")
    with pytest.raises(StoreUnavailableError):
        make(enclave, b"\x01" * 20)
    place.cluster.start()
    assert enclave.handle(wire.GetKey(key_id=key.id), NOW) == key
    make(enclave, b"\x01" * 20)
    enclave.close()
    store = open_store(place)
    store.verify()
    store.close()


def test_concurrent_changes_of_one_key_do_not_overwrite_each_other(
    place: PostgresPlace,
) -> None:
    stores = [open_store(place) for _ in range(2)]
    with stores[0].mutation() as draft:
        draft.put_document("n", b"0")
    for number in range(1, 21):
        store = stores[number % 2]
        with store.mutation() as draft:
            # Inside a mutation the state is the newest one, whoever wrote it.
            before = store.document("n")
            assert before == str(number - 1).encode()
            draft.put_document("n", str(number).encode())
    stores[0].refresh()
    assert stores[0].document("n") == b"20"
    for store in stores:
        store.close()


WRONG_URLS = [
    "postgresql://",
    "postgresql://host/db",
    "postgresql://user@host",
    "postgresql:///db?host=/run&user=u&sslmode=prefer",
    "postgresql:///db?host=/run&user=u&options=-c",
]


@pytest.mark.parametrize("url", WRONG_URLS)
def test_url_that_is_not_understood_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        arguments_of(url)


def test_password_in_a_url_is_not_shown() -> None:
    with pytest.raises(XmtpTeeError) as caught:
        open_rows("postgresql://user:s3cret-word@127.0.0.1:1/db", None)
    assert "s3cret" not in repr(caught.value.as_dict())
    with pytest.raises(ConfigurationError) as refused:
        arguments_of("postgresql://user:s3cret-word@host/db?x=1")
    assert "s3cret" not in repr(refused.value.as_dict())


def kill_writers(place: PostgresPlace, kills: int, seed: int) -> None:
    """Kill -9 in the middle of mutations: what was acknowledged is there, the rest whole or absent."""
    chance, acknowledged = random.Random(seed), 0
    open_store(place).close()
    for number in range(kills):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(reader)
                enclave = open_enclave(place)
                os.write(writer, b".")
                for owner in owners(1 + 100_000 * number, 100_000):
                    make(enclave, owner)
                    os.write(writer, b"+")
            finally:
                os._exit(1)
        os.close(writer)
        assert os.read(reader, 1) == b"."
        time.sleep(chance.uniform(0.0, 0.25))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status)
        told = 0
        while part := os.read(reader, 1 << 16):
            told += part.count(b"+")
        os.close(reader)
        acknowledged += told
        store = open_store(place)
        for owner in owners(1 + 100_000 * number, told):
            identity = store.identity_of(owner)
            assert identity is not None
            with store.secret(identity) as secret:
                assert len(secret) == 32
        if number % 10 == 0:
            store.verify()
        assert 0 <= store.count - 2 - acknowledged <= number + 1
        store.close()
    store = open_store(place)
    store.verify()
    store.close()
    assert acknowledged > kills // 4


def test_random_kills_lose_nothing_acknowledged(place: PostgresPlace) -> None:
    kill_writers(place, 8, 1)


@pytest.mark.proof
@pytest.mark.timeout(3000)
def test_a_thousand_random_kills_lose_nothing_acknowledged(place: PostgresPlace) -> None:
    kill_writers(place, 1000, random.randrange(2**32))


def test_tampering_is_not_taken_for_another_enclaves_change(place: PostgresPlace) -> None:
    enclave = open_enclave(place)
    key = make(enclave, OWNER)
    enclave.close()
    enclave = open_enclave(place)
    place.execute("UPDATE keys SET epoch = epoch + 1 WHERE position = 3")
    with pytest.raises(StoreTamperedError):
        enclave.handle(wire.GetKey(key_id=key.id), NOW)
    enclave.close()


def test_confined_process_serves_over_the_database_and_finds_it_again(
    place: PostgresPlace, folder: Path
) -> None:
    with (
        EnclaveProcess(folder, "--store", place.name) as process,
        KeyManager(process.socket) as keys,
    ):
        key = keys.generate_identity_key(OWNER)
        place.cluster.stop("fast")
        with pytest.raises(StoreUnavailableError):
            keys.generate_pre_key(key.id)
        place.cluster.start()
        assert keys.generate_pre_key(key.id).epoch == 1
        process.end(signal.SIGTERM)
    assert place.name not in process.log
