"""Kill -9 at any moment: what was acknowledged is there, what was not is whole or absent."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.enclave.support import NOW, EnclaveProcess, FixedDriver, open_enclave, open_store
from xmtp_tee.client.errors import EnclaveUnavailableError
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.enclave.purposes import Purpose
from xmtp_tee.wire import messages as wire


def mutate_for_ever(path: Path, acknowledge: int, first: int) -> None:
    """Make keys, and write each one's id to a pipe once it is acknowledged."""
    enclave = open_enclave(path)
    os.write(acknowledge, b"." * 32)
    for number in range(first, first + 100_000):
        made = enclave.handle(wire.GenerateIdentityKey(owner=number.to_bytes(20, "big")), NOW)
        assert isinstance(made, wire.Key)
        os.write(acknowledge, made.id.encode())
        pre_key = enclave.handle(wire.GeneratePreKey(identity_key_id=made.id), NOW)
        assert isinstance(pre_key, wire.PreKey)
        os.write(acknowledge, pre_key.id.encode())


def killed_at_random(path: Path, patience: float, first: int, *, opened: bool) -> list[str]:
    """Run the mutations in a child process, kill it, and return the ids that it acknowledged.

    ``patience``: seconds until the kill, from the store's opening or from the child's start.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            mutate_for_ever(path, writer, first)
        finally:
            os._exit(1)
    os.close(writer)
    data = os.read(reader, 32) if opened else b""
    time.sleep(patience)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the child ended before it was killed"
    while part := os.read(reader, 1 << 16):
        data += part
    os.close(reader)
    ids = [data[at : at + 32].decode() for at in range(0, len(data), 32)]
    return [each for each in ids if "." not in each]


def check(path: Path, acknowledged: list[str]) -> int:
    """Open and verify the store; every acknowledged key must be there with its private half."""
    store = open_store(path, FixedDriver())
    for key_id in acknowledged:
        record = store.get(key_id)
        assert record is not None
        if record.purpose is Purpose.PRE_KEY:
            assert record.epoch == 1
        with store.secret(record) as secret:
            assert len(secret) == 32
    count = store.count
    store.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    return count


def kill_many(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    path = folder / "keys.sqlite"
    acknowledged: list[str] = []
    total = in_flight = 0
    for number in range(kills):
        patience = chance.uniform(0.0, 0.08)
        fresh = killed_at_random(path, patience, 1 + number * 100_000, opened=True)
        acknowledged += fresh
        total += len(fresh)
        # Beside the acknowledged keys and the enclave's own two, each kill may leave the one in
        # flight.
        in_flight += 1
        assert 0 <= check(path, acknowledged) - len(acknowledged) - 2 <= in_flight
        if len(acknowledged) > 400:
            path.unlink()
            acknowledged.clear()
            in_flight = 0
    assert total > kills // 4


def test_random_kills_lose_nothing_acknowledged(folder: Path) -> None:
    kill_many(folder, 25, 1)


@pytest.mark.proof
@pytest.mark.timeout(3000)
def test_a_thousand_random_kills_lose_nothing_acknowledged(folder: Path) -> None:
    kill_many(folder, 1000, random.randrange(2**32))


def test_random_kills_during_birth_leave_a_whole_store_or_none(folder: Path) -> None:
    chance = random.Random(2)
    for number in range(15):
        place = folder / str(number)
        place.mkdir()
        path = place / "keys.sqlite"
        killed_at_random(path, chance.uniform(0.0, 0.03), 1, opened=False)
        existed = path.exists()
        store = open_store(path)
        assert store.count >= 2
        assert existed or store.count == 2
        store.close()


def mutate_over_the_socket(keys: KeyManager, acknowledged: list[str], first: int) -> None:
    for number in range(first, first + 100_000):
        identity = keys.generate_identity_key(number.to_bytes(20, "big"))
        acknowledged.append(identity.id)
        acknowledged.append(keys.generate_pre_key(identity.id).id)


def kill_processes(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    acknowledged: list[str] = []
    authority = ""
    for number in range(kills):
        with EnclaveProcess(folder) as process, KeyManager(process.socket) as keys:
            assert authority in ("", keys.info().authority)
            authority = keys.info().authority
            known = {key.id for key in keys.list_keys()}
            assert known.issuperset(acknowledged)
            timer = threading.Timer(chance.uniform(0.0, 0.3), process.process.kill)
            timer.start()
            with pytest.raises(EnclaveUnavailableError):
                mutate_over_the_socket(keys, acknowledged, 1 + number * 100_000)
            timer.join()
    with EnclaveProcess(folder) as process, KeyManager(process.socket) as keys:
        known = {key.id for key in keys.list_keys()}
        assert known.issuperset(acknowledged)
        assert len(known) <= len(acknowledged) + 2 + kills


def test_random_kills_of_the_process_lose_nothing_that_a_client_was_told(folder: Path) -> None:
    kill_processes(folder, 3, 3)


@pytest.mark.proof
@pytest.mark.timeout(3000)
def test_many_random_kills_of_the_process_lose_nothing_that_a_client_was_told(
    folder: Path,
) -> None:
    kill_processes(folder, 100, random.randrange(2**32))
