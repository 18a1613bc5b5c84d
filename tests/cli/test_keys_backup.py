"""``keys export``, ``keys import`` and ``keys backup``, against two enclaves in processes of their own."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from tests.enclave.loopback import ADMINISTRATIVE
from tests.enclave.support import OWNER, STRANGER, EnclaveProcess
from xmtp_tee.attestation import TeeKind
from xmtp_tee.attestation.judgement import Expectations
from xmtp_tee.attestation.offline import judge_offline
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.simulator.trust import development_trust
from xmtp_tee.cli import main
from xmtp_tee.client.errors import EnclaveNotVerifiedError
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.demo.tees import tee_named
from xmtp_tee.policy import decode_policy, encode_policy
from xmtp_tee.policy.document import Caller, Grant
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import KeyNotFoundError

DEVELOPMENT = ("--root", "development", "--unsafe-accept-simulated")
THIS_CODE = ("--workload", tee_named("tdx").workload().hex())
VERIFIED = (*DEVELOPMENT, *THIS_CODE)


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
    refused = run(*arguments, *password, "--root", "development", *THIS_CODE, code=4)
    assert refused["error"]["code"] == "client.enclave-not-verified"
    assert not (folder / "x").exists()
    run(*arguments, *password, "--unsafe-unverified-enclave")


def test_secret_does_not_go_to_a_genuine_enclave_of_code_that_nobody_named(
    folder: Path, sockets: list[Path]
) -> None:
    """Attack: genuine hardware, and code that hands every password to its author."""
    with KeyManager(sockets[0]) as keys:
        made = keys._call(wire.GenerateIdentityKey(owner=STRANGER, exportable=True), wire.Key)
    (folder / "long").write_text("correct horse battery staple")
    (folder / "list").write_text("no share")
    (folder / "hex").write_text("11" * 32)
    (folder / "sealed").write_bytes(b"any")
    export = ("keys", "export", made.id, folder / "z", "--socket", sockets[0])
    import_ = ("keys", "import", folder / "sealed", "--socket", sockets[0])
    for command in (
        (*export, "--password-file", folder / "long"),
        (*import_, "--password-file", folder / "long"),
        (*import_, "--shares-file", folder / "list"),
        (*import_, "--private-key-file", folder / "hex"),
    ):
        unnamed = run(*command, *DEVELOPMENT, code=1)
        assert "--workload" in unnamed["error"]["expected"]
        other = run(*command, *DEVELOPMENT, "--workload", "00" * 32, code=4)
        assert other["error"]["code"] == "client.enclave-not-verified"
    assert not (folder / "z").exists()


def test_verdict_that_compared_no_code_does_not_make_an_enclave_verified(
    sockets: list[Path],
) -> None:
    now = int(time.time())
    trust, workload = development_trust(TeeKind.TDX, now), tee_named("tdx").workload()
    with KeyManager(sockets[0]) as keys:
        attestation = keys.get_attestation(
            chain_id=1, enclave_registry=b"\x01" * 20, block_number=1, block_hash=bytes(32)
        )
        with pytest.raises(EnclaveNotVerifiedError):
            keys.accept_verdict(attestation, judge_offline(attestation, trust, now))
        keys.verify_attestation_under(attestation, trust, now)
        with pytest.raises(EnclaveNotVerifiedError):
            keys.export_encrypted("00" * 16, password="correct horse battery staple")
        keys.verify_attestation_under(attestation, trust, now, Expectations([workload]))
        with pytest.raises(KeyNotFoundError):
            keys.export_encrypted("00" * 16, password="correct horse battery staple")


def test_floor_decides_whether_a_sev_snp_enclave_gets_a_password(folder: Path) -> None:
    (folder / "snp").mkdir()
    (folder / "floor").write_text("correct horse battery staple")
    with EnclaveProcess(folder / "snp", "--tee", "sevsnp") as process:
        with KeyManager(process.socket) as keys:
            allow_backups(keys)
            made = keys._call(wire.GenerateIdentityKey(owner=OWNER, exportable=True), wire.Key)
        code = ("--workload", tee_named("sevsnp").workload().hex())
        export = ("keys", "export", made.id, folder / "s", "--socket", process.socket)
        flags = (*export, "--password-file", folder / "floor", *DEVELOPMENT, *code)
        refused = run(*flags, "--tcb-floor", "255,255,255,255", code=4)
        assert refused["error"]["code"] == "client.enclave-not-verified"
        floor = development_trust(TeeKind.SEV_SNP, 0).floors[ProductLine.MILAN]
        reached = (floor.boot_loader, floor.tee, floor.snp, floor.microcode)
        run(*flags, "--tcb-floor", ",".join(map(str, reached)))


def test_malformed_private_key_is_refused_without_being_repeated(folder: Path) -> None:
    (folder / "sealed").write_bytes(b"any")
    for secret in ("ab" * 31 + "c", "not hex, and secret", "ab" * 33, "\u00e9" * 64):
        (folder / "private").write_text(secret, encoding="utf-8")
        flags = ("--private-key-file", folder / "private", "--socket", folder / "nobody")
        said = run("keys", "import", folder / "sealed", *flags, *VERIFIED, code=1)
        assert secret[:16] not in json.dumps(said, ensure_ascii=False)


def test_arguments_that_make_no_sense_are_usage_errors(folder: Path, sockets: list[Path]) -> None:
    arguments = ("keys", "export", "00" * 16, folder / "y", "--socket", sockets[0])
    (folder / "words").write_text("correct horse battery staple")
    password = ("--password-file", folder / "words")
    age = ("--age", "age1" + "q" * 58)
    for nonsense in (
        ("--shares", "2"),
        ("--shares", "\u00b2/3"),
        ("--keystore",),
        (*age, "--shares", "2/3"),
        (*age, "--to", "11" * 32),
        (*age, "--successor", "11" * 32),
        (*age, *password),
        (*age, "--keystore", *password),
        ("--keystore", *password, "--to", "11" * 32),
        ("--keystore", *password, "--shares", "2/3"),
        (*password, "--password"),
        ("--to", "11" * 32, "--root", "development"),
        ("--to", "11" * 32, "--unsafe-unverified-enclave"),
        (*password, *VERIFIED, "--unsafe-unverified-enclave"),
        (*password, *VERIFIED, "--policy-on-chain"),
        (*password, *VERIFIED, "--rpc-url", "http://127.0.0.1:1"),
        (*password, *VERIFIED, "--tcb-floor", "4,0,24,219"),
    ):
        assert run(*arguments, *nonsense, code=1)["error"]["code"] == "xmtp-tee.usage"
    assert not (folder / "y").exists()
    run("keys", "backup", folder / "nothing", code=1)
    (folder / "text").write_text("no backup")
    assert run("keys", "backup", folder / "text", code=2)["error"]["code"] == "backup.malformed"
