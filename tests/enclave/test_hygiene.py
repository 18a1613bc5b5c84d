"""What the process denies others and itself, tried from inside a process that has denied it."""

from __future__ import annotations

import json
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.enclave.support import EnclaveProcess
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.enclave.hygiene import MEASURES
from xmtp_tee.enclave.seccomp import _ARCHITECTURES, program, refuse_system_calls

TRIAL = """
import errno, json, os, socket, sys
from pathlib import Path
from xmtp_tee.enclave.hygiene import confine, harden
folder = Path(sys.argv[1])
done = harden() + confine([folder])

def attempt(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno, "?")
    return "done"

def connect():
    with socket.socket() as client:
        client.settimeout(1)
        client.connect(("127.0.0.1", 9))

def unix():
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))

results = dict(
    done=done,
    write_state=attempt(lambda: (folder / "file").write_text("x")),
    rename_state=attempt(lambda: (folder / "file").rename(folder / "other")),
    read_passwd=attempt(lambda: Path("/etc/passwd").read_text()),
    write_elsewhere=attempt(lambda: Path("/tmp/xt-must-not-be").write_text("x")),
    random=attempt(lambda: open("/dev/urandom", "rb").read(1)),
    execute=attempt(lambda: os.execv(sys.executable, [sys.executable, "-c", "1"])),
    fork_execute=attempt(lambda: os.posix_spawn("/bin/true", ["true"], {})),
    chroot=attempt(lambda: os.chroot("/")),
    connect=attempt(connect),
    unix=attempt(unix),
    core=__import__("resource").getrlimit(__import__("resource").RLIMIT_CORE),
)
sys.stdout.write(json.dumps(results))
"""


@pytest.fixture
def tried(folder: Path) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", TRIAL, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    results: dict[str, object] = json.loads(done.stdout)
    return results


def test_confined_process_reaches_its_state_and_nothing_else(tried: dict[str, object]) -> None:
    done = tried["done"]
    assert isinstance(done, list)
    assert (tried["write_state"], tried["rename_state"], tried["unix"]) == ("done",) * 3
    assert tried["random"] == "done"
    assert tried["core"] == [0, 0]
    if "landlock" not in done:
        pytest.skip("this kernel has no Landlock")
    assert (tried["read_passwd"], tried["write_elsewhere"]) == ("EACCES", "EACCES")
    assert tried["connect"] in ("EACCES", "ECONNREFUSED")
    assert not Path("/tmp/xt-must-not-be").exists()


def test_confined_process_starts_no_program(tried: dict[str, object]) -> None:
    """Attack: whoever takes over the process starts a shell."""
    done = tried["done"]
    assert isinstance(done, list)
    if "seccomp" not in done:
        pytest.skip("this kernel takes no filter")
    assert (tried["execute"], tried["fork_execute"], tried["chroot"]) == ("EPERM",) * 3


@pytest.mark.parametrize("machine", sorted(_ARCHITECTURES))
def test_filter_is_well_formed(machine: str) -> None:
    """Every jump lands inside, every path ends in a return."""
    code = [struct.unpack("=HBBI", line) for line in batched(program(*_ARCHITECTURES[machine]), 8)]
    assert len(code) < 4096
    for at, (kind, yes, no, _) in enumerate(code):
        if kind in (0x15, 0x35):
            assert at + 1 + max(yes, no) < len(code)
    assert code[-1] == (0x06, 0, 0, 0x7FFF0000)
    refused = [value for kind, _, _, value in code if kind == 0x15][1:]
    assert refused == sorted(set(refused))


def batched(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def test_running_enclave_names_its_measures_and_works_under_them(folder: Path) -> None:
    probe = subprocess.run(
        [sys.executable, "-m", "xmtp_tee.enclave.hygiene"],
        capture_output=True, text=True, check=True, cwd=folder,
    )  # fmt: skip
    possible = json.loads(probe.stdout)
    assert set(possible) == set(MEASURES)
    with EnclaveProcess(folder) as process:
        with KeyManager(process.socket) as keys:
            identity = keys.generate_identity_key(b"\x01" * 20)
            keys.sign(identity.id, b"message")
            keys.get_attestation(
                chain_id=1, enclave_registry=b"\x01" * 20, block_number=1, block_hash=bytes(32)
            )
        process.end(15)
    line = next(line for line in process.log.splitlines() if "hardened:" in line)
    for name, takes_effect in possible.items():
        assert (name in line) == takes_effect


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every process")
def test_other_processes_of_the_same_user_cannot_read_its_memory(folder: Path) -> None:
    with EnclaveProcess(folder) as process, pytest.raises(PermissionError):
        Path(f"/proc/{process.process.pid}/mem").read_bytes()


def test_unknown_architecture_gets_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "mips")
    assert not refuse_system_calls()
