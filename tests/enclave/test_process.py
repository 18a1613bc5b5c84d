"""The process itself: start, two clients, malformed frames, kill -9 and restart, stop; refusals to
start.
"""

from __future__ import annotations

import json
import resource
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.enclave.support import CHAIN_ID, OWNER, REGISTRY, STRANGER, EnclaveProcess
from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.client.errors import EnclaveUnavailableError
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.enclave.config import Limits
from xmtp_tee.enclave.process import SPARE_DESCRIPTORS, fitting
from xmtp_tee.errors import ExitCode
from xmtp_tee.wire.limits import PROTOCOL_VERSION


def test_ready_line_says_who_the_enclave_is(process: EnclaveProcess) -> None:
    with KeyManager(process.socket) as keys:
        info = keys.info()
    assert process.ready == {
        "event": "ready",
        "socket": str(process.socket),
        "pid": process.process.pid,
        "authority": info.authority,
        "transport_key": "0x" + info.transport_key.hex(),
        "tee": "tdx",
        "assurance": "simulated",
        "further_tees": [],
        "store_id": info.store_id,
        "protocol": PROTOCOL_VERSION,
        "version": info.software_version,
    }


def test_files_and_socket_are_the_users_alone(process: EnclaveProcess) -> None:
    assert stat.S_IMODE(process.state_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(process.socket.stat().st_mode) == 0o600
    for path in process.state_dir.rglob("*"):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_simulation_is_said_loudly(process: EnclaveProcess) -> None:
    process.end(signal.SIGTERM)
    assert "SIMULATED" in process.log
    assert "no-core-dumps, not-dumpable, no-new-privs" in process.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_it_in_order(process: EnclaveProcess, number: int) -> None:
    with KeyManager(process.socket) as keys:
        keys.ping()
        assert process.end(number) == 0
        with pytest.raises(EnclaveUnavailableError):
            keys.ping()
    assert not process.socket.exists()
    assert "stopped" in process.log
    assert not (process.state_dir / "keys.sqlite-wal").exists()


def test_kill_and_restart_keeps_every_key_and_signs_the_same(folder: Path) -> None:
    with EnclaveProcess(folder) as first, KeyManager(first.socket) as keys:
        info = keys.info()
        identity = keys.generate_identity_key(OWNER)
        made = [keys.generate_pre_key(identity.id) for _ in range(3)]
        signature = keys.sign(identity.id, b"message")
        listed = keys.list_keys()
        certificate = keys.certify_key_bundle(
            identity.id, made[0].id, chain_id=CHAIN_ID, key_registry=REGISTRY
        )
        first.end(signal.SIGKILL)
        with pytest.raises(EnclaveUnavailableError):
            keys.ping()
    assert first.socket.exists()
    with EnclaveProcess(folder) as second, KeyManager(second.socket) as keys:
        assert keys.info() == info
        assert keys.list_keys() == listed
        assert keys.get_identity_key(OWNER) == identity
        assert keys.get_pre_keys(identity.id) == made
        assert keys.sign(identity.id, b"message") == signature
        again = keys.certify_key_bundle(
            identity.id, made[0].id, chain_id=CHAIN_ID, key_registry=REGISTRY
        )
        assert again == certificate
        assert keys.generate_pre_key(identity.id).epoch == 4


def test_two_clients_at_once_get_their_own_answers(process: EnclaveProcess) -> None:
    failed: list[BaseException] = []
    signatures: dict[bytes, set[bytes]] = {}

    def work(owner: bytes) -> None:
        try:
            with KeyManager(process.socket) as keys:
                identity = keys.generate_identity_key(owner)
                for number in range(8):
                    assert keys.generate_pre_key(identity.id).epoch == number + 1
                    signatures.setdefault(owner, set()).add(keys.sign(identity.id, b"m"))
                    assert keys.get_identity_key(owner) == identity
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work, args=(owner,)) for owner in (OWNER, STRANGER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(signatures[OWNER]) == len(signatures[STRANGER]) == 1
    assert signatures[OWNER] != signatures[STRANGER]


def test_enclave_stays_up_under_rubbish(process: EnclaveProcess) -> None:
    for data in (b"\xff" * 4096, b"\x00\x00\x00\x02{}", b"\x00\x10\x00\x00", b"\x00"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(process.socket))
            client.sendall(data)
    with KeyManager(process.socket) as keys:
        keys.ping()
    assert process.process.poll() is None


def test_memory_of_the_process_is_closed_to_its_own_user(process: EnclaveProcess) -> None:
    # Not dumpable: the kernel gives the files under /proc to root (proc(5)).
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    owner = Path(f"/proc/{process.process.pid}/mem").stat().st_uid
    assert owner == 0
    limits = Path(f"/proc/{process.process.pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


def refusal(folder: Path, *options: str) -> dict[str, object]:
    """Start an enclave that must refuse; return its error as JSON."""
    with EnclaveProcess(folder, *options, wait=False) as process:
        code = process.process.wait(timeout=30)
        process.end()
        assert process.process.stdout is not None
        error: dict[str, object] = json.loads(process.log.strip().splitlines()[-1])
        assert code == error["exit_code"] != 0
        assert "Traceback" not in process.log
        return error


def test_second_enclave_on_the_same_state_is_refused(folder: Path, process: EnclaveProcess) -> None:
    assert refusal(folder)["code"] == "enclave.already-running"
    with KeyManager(process.socket) as keys:
        keys.ping()


def test_second_enclave_on_the_same_socket_is_refused(
    folder: Path, process: EnclaveProcess
) -> None:
    (folder / "other").mkdir(mode=0o700)
    error = refusal(folder / "other", "--socket", str(process.socket))
    assert error["code"] == "enclave.already-running"
    with KeyManager(process.socket) as keys:
        keys.ping()


def test_missing_store_is_refused_where_one_must_exist(folder: Path) -> None:
    assert refusal(folder, "--must-exist")["code"] == "enclave.store-missing"
    assert not (folder / "state" / "keys.sqlite").exists()


def test_state_directory_open_to_others_is_refused(folder: Path) -> None:
    (folder / "state").mkdir(mode=0o755)
    error = refusal(folder)
    assert error["code"] == "enclave.state-directory-unsafe"
    assert error["exit_code"] == ExitCode.REFUSED_BY_POLICY
    assert str(error["next_command"]).startswith("chmod 700")


def born(folder: Path) -> Path:
    with EnclaveProcess(folder) as process:
        with KeyManager(process.socket) as keys:
            keys.generate_identity_key(OWNER)
        assert process.end(signal.SIGTERM) == 0
    return process.state_dir / "keys.sqlite"


def test_tampered_truncated_and_foreign_stores_are_refused_and_left_as_they_are(
    folder: Path,
) -> None:
    path = born(folder)
    sound = path.read_bytes()
    fuses = folder / "state" / "simulated-fuses"
    secret = fuses.read_bytes()
    for content, root, code in (
        (sound[:-4096] + bytes(4096), secret, "enclave.store-not-a-database"),
        (sound[:9000], secret, "enclave.store-not-a-database"),
        (b"", secret, "enclave.store-not-a-database"),
        (sound, bytes(32), "enclave.store-sealed-elsewhere"),
    ):
        path.write_bytes(content)
        fuses.write_bytes(root)
        assert refusal(folder)["code"] == code
        assert path.read_bytes() == content
    path.write_bytes(sound)
    fuses.write_bytes(secret)
    with EnclaveProcess(folder) as process, KeyManager(process.socket) as keys:
        assert keys.get_identity_key(OWNER).owner == checksum_address(OWNER)


def test_usage_error_does_not_start_anything(folder: Path) -> None:
    error = refusal(folder, "--driver", "hope")
    assert error["code"] == "enclave.driver-unknown"
    assert not (folder / "state" / "keys.sqlite").exists()
    assert [path.name for path in (folder / "state").iterdir()] == ["enclave.lock"]


@pytest.fixture
def descriptors() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_open_files_are_allowed_for_every_connection(descriptors: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, descriptors[1]))
    assert fitting(Limits(connections=1024)).connections == 1024
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 1024 + SPARE_DESCRIPTORS


def test_connections_are_as_few_as_the_system_allows_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (300, 300))
    assert fitting(Limits(connections=1024)).connections == 300 - SPARE_DESCRIPTORS
    assert fitting(Limits(connections=10)).connections == 10
