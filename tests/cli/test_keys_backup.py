"""``keys export``, ``keys import`` and ``keys backup``, against two enclaves in processes of their own."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from tests.enclave.loopback import ADMINISTRATIVE
from tests.enclave.support import OWNER, EnclaveProcess
from xmtp_tee.cli import main
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.policy import decode_policy, encode_policy
from xmtp_tee.policy.document import Caller, Grant
from xmtp_tee.wire import messages as wire

VERIFIED = ("--root", "development", "--unsafe-accept-simulated")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="xt-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def sockets(folder: Path) -> Iterator[list[Path]]:
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    with EnclaveProcess(folder / "a") as one, EnclaveProcess(folder / "b") as two:
        for process in (one, two):
            with KeyManager(process.socket) as keys:
                allow_backups(keys)
        yield [one.socket, two.socket]


def allow_backups(keys: KeyManager) -> None:
    present = decode_policy(keys._call(wire.GetPolicy(), wire.PolicyInForce).document)
    operations = ("*", "get-policy", "apply-policy", "read-audit", *ADMINISTRATIVE)
    grants = (Grant(operations=operations, owners=("*",)),)
    policy = msgspec.structs.replace(
        present,
        version=present.version + 1,
        callers=tuple(Caller(name=c.name, uid=c.uid, grants=grants) for c in present.callers),
        keys=msgspec.structs.replace(present.keys, exportable=True),
    )
    keys._call(wire.ApplyPolicy(document=encode_policy(policy)), wire.PolicyInForce)


def run(*arguments: object, code: int = 0) -> dict[str, Any]:
    result = CliRunner(mix_stderr=False).invoke(main, [*map(str, arguments), "--json"])
    assert result.exit_code == code, (result.stdout, result.stderr)
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def test_key_goes_from_one_enclave_to_another_by_password_and_by_shares(
    folder: Path, sockets: list[Path]
) -> None:
    one, two = sockets
    with KeyManager(one) as keys:
        made = keys._call(wire.GenerateKey(purpose="wallet", exportable=True), wire.Key)
    (folder / "password").write_text("correct horse battery staple\n")
    (folder / "wrong").write_text("incorrect horse battery\n")
    backup = folder / "backup"
    export = ("keys", "export", made.id, backup, "--socket", one)
    refused = run(*export, "--password-file", folder / "password", code=1)
    assert "--root" in refused["error"]["expected"]
    assert not backup.exists()
    done = run(*export, "--password-file", folder / "password", "--shares", "2/2", *VERIFIED)
    assert len(done["shares"]) == 2
    assert backup.stat().st_mode & 0o777 == 0o600
    said = run("keys", "backup", backup)
    assert (said["purpose"], said["ways"]) == ("wallet", ["password", "shares"])
    run(*export, "--password-file", folder / "password", *VERIFIED, code=1)  # never overwritten

    import_ = ("keys", "import", backup, "--socket", two)
    wrong = run(*import_, "--password-file", folder / "wrong", *VERIFIED, code=2)
    assert wrong["error"]["code"] == "backup.does-not-open"
    key = run(*import_, "--password-file", folder / "password", *VERIFIED)["key"]
    assert (key["provenance"], key["public_key"]) == ("imported", "0x" + made.public_key.hex())
    (folder / "shares").write_text("\n".join(done["shares"]) + "\n")
    again = run(*import_, "--shares-file", folder / "shares", *VERIFIED)["key"]
    assert again["public_key"] == key["public_key"]


def test_enclave_that_does_not_verify_gets_no_password(folder: Path, sockets: list[Path]) -> None:
    with KeyManager(sockets[0]) as keys:
        made = keys._call(wire.GenerateIdentityKey(owner=OWNER, exportable=True), wire.Key)
    (folder / "word").write_text("correct horse battery staple")
    arguments = ("keys", "export", made.id, folder / "x", "--socket", sockets[0])
    password = ("--password-file", folder / "word")
    refused = run(*arguments, *password, "--root", "development", code=4)
    assert refused["error"]["code"] == "client.enclave-not-verified"
    other = run(*arguments, *password, *VERIFIED, "--workload", "00" * 32, code=4)
    assert other["error"]["code"] == "client.enclave-not-verified"
    assert not (folder / "x").exists()
    run(*arguments, *password, "--unverified-enclave")


def test_arguments_that_make_no_sense_are_usage_errors(folder: Path, sockets: list[Path]) -> None:
    arguments = ("keys", "export", "00" * 16, folder / "y", "--socket", sockets[0])
    run(*arguments, "--shares", "2", code=1)
    run(*arguments, "--keystore", code=1)
    run("keys", "backup", folder / "nothing", code=1)
    (folder / "text").write_text("no backup")
    assert run("keys", "backup", folder / "text", code=2)["error"]["code"] == "backup.malformed"
