"""`xmtp-tee store` and `enclave recover`: the state, the receipts, the key for the safe, and its use."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.enclave.support import EnclaveProcess
from xmtp_tee.attestation.freshness import FreshnessStatement
from xmtp_tee.attestation.statements import require_signed_by
from xmtp_tee.cli import main

OWNER = "0x" + "52" * 20


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, for the socket's sake."""
    with tempfile.TemporaryDirectory(prefix="xt-") as name:
        yield Path(name)


@pytest.fixture
def process(folder: Path) -> Iterator[EnclaveProcess]:
    with EnclaveProcess(folder) as running:
        yield running


def run(*arguments: object, code: int = 0, **environment: str) -> dict[str, Any]:
    """The one JSON object of a command, after its exit code."""
    result = CliRunner(mix_stderr=False).invoke(
        main, [*map(str, arguments), "--json"], env=environment, catch_exceptions=False
    )
    assert result.exit_code == code, (result.stdout, result.stderr)
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def policy_for(recipient: str, folder: Path) -> Path:
    operations = '["*", "apply-policy", "get-policy", "export-recovery"]'
    path = folder / "policy.toml"
    path.write_text(
        f'version = 1\n[[callers]]\nname = "own"\nuid = {os.geteuid()}\n'
        f'grants = [{{ operations = {operations}, owners = ["*"] }}]\n'
        f'[store]\nrecovery = ["{recipient}"]\n'
    )
    return path


def test_state_is_signed_over_a_nonce_of_its_own(process: EnclaveProcess) -> None:
    states = [run("store", "state", "--socket", process.socket) for _ in range(2)]
    assert states[0]["nonce"] != states[1]["nonce"]
    for state in states:
        values = {
            name: bytes.fromhex(state[name].removeprefix("0x"))
            for name in ("authority", "store_id", "chain", "nonce", "signature")
        }
        statement = FreshnessStatement(
            values["store_id"], state["epoch"], values["chain"], 0, bytes(32), values["nonce"]
        )
        require_signed_by(statement.digest(), values["signature"], values["authority"])


def test_enclave_says_who_it_is(process: EnclaveProcess) -> None:
    about = run("enclave", "info", "--socket", process.socket)
    for name in ("authority", "transport_key", "store_id", "tee", "assurance"):
        assert about[name] == process.ready[name]


def test_receipt_is_kept_and_follows_the_store(process: EnclaveProcess, folder: Path) -> None:
    book = folder / "receipts.json"
    first = run("store", "check", book, "--socket", process.socket)
    assert book.stat().st_mode & 0o777 == 0o600
    # Any command keeps the receipts that the environment names.
    run("keys", "new", OWNER, "--socket", process.socket, XMTP_TEE_STATE_RECEIPTS=str(book))
    second = run("store", "check", book, "--socket", process.socket)
    assert second["epoch"] > first["epoch"]
    assert json.loads(book.read_text())["receipts"][0]["epoch"] == second["epoch"]


def test_damaged_receipts_end_every_command(process: EnclaveProcess, folder: Path) -> None:
    book = folder / "receipts.json"
    book.write_text("{}")
    for arguments, environment in (
        (("store", "check", book), {}),
        (("keys", "list"), {"XMTP_TEE_STATE_RECEIPTS": str(book)}),
    ):
        refused = run(*arguments, "--socket", process.socket, code=2, **environment)
        assert refused["error"]["code"] == "client.receipts-unreadable"


def test_recovery_key_is_private_and_never_overwritten(folder: Path) -> None:
    file = folder / "safe.key"
    made = run("store", "new-recovery-key", file)
    assert len(bytes.fromhex(made["recipient"])) == 32
    assert (file.stat().st_size, file.stat().st_mode & 0o777) == (32, 0o600)
    assert file.read_bytes().hex() not in json.dumps(made)
    before = file.read_bytes()
    refused = run("store", "new-recovery-key", file, code=1)
    assert refused["error"]["code"] == "client.recovery-key"
    assert file.read_bytes() == before


def test_recovery_of_a_recipient_that_the_policy_does_not_name_is_refused(
    process: EnclaveProcess, folder: Path
) -> None:
    recipient = run("store", "new-recovery-key", folder / "safe.key")["recipient"]
    other = run("store", "new-recovery-key", folder / "other.key")["recipient"]
    ask = ("store", "export-recovery")
    assert run(*ask, recipient, "--socket", process.socket, code=4)
    run("policy", "apply", policy_for(recipient, folder), "--socket", process.socket)
    refused = run(*ask, other, "--socket", process.socket, code=4)
    assert refused["error"]["code"] == "enclave.successor-refused"
    assert run(*ask, "00", "--socket", process.socket, code=1)
    run(*ask, recipient, "--socket", process.socket)


def recover(key: Path, state: Path, store: Path) -> subprocess.CompletedProcess[str]:
    """`enclave recover` in a process of its own: it hardens the process for good."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "xmtp_tee.cli", "enclave", "recover", str(key), "--json"),
            *("--driver", "simulator", "--unsafe-simulate-on-hardware"),
            *("--state-dir", str(state), "--store", str(store)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_store_whose_platform_is_gone_opens_with_the_key_from_the_safe(folder: Path) -> None:
    safe, other = folder / "safe.key", folder / "other.key"
    with EnclaveProcess(folder) as process:
        key = run("keys", "new", OWNER, "--socket", process.socket)["identity_key"]
        recipient = run("store", "new-recovery-key", safe)["recipient"]
        run("store", "new-recovery-key", other)
        run("policy", "apply", policy_for(recipient, folder), "--socket", process.socket)
        run("store", "export-recovery", recipient, "--socket", process.socket)
        process.end(signal.SIGTERM)
    store = folder / "state" / "keys.sqlite"
    # Another machine: other fuses.
    new = folder / "new"
    new.mkdir()
    elsewhere = EnclaveProcess(new, "--store", str(store), "--must-exist", wait=False)
    assert elsewhere.process.wait(timeout=30) == 4
    elsewhere.end()
    assert "enclave.store-sealed-elsewhere" in elsewhere.log
    refused = recover(other, new / "state", store)
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (
        4,
        "enclave.store-sealed-elsewhere",
    )
    short = folder / "short.key"
    short.write_bytes(bytes(31))
    assert recover(short, new / "state", store).returncode == 1
    done = recover(safe, new / "state", store)
    assert done.returncode == 0, done.stderr
    assert safe.read_bytes().hex() not in done.stdout + done.stderr
    with EnclaveProcess(
        new, "--store", str(store), "--must-exist", "--unsafe-accept-lost-audit"
    ) as process:
        assert json.loads(done.stdout)["store_id"] == process.ready["store_id"]
        assert run("keys", "show", key["id"], "--socket", process.socket)["key"]["id"] == key["id"]
