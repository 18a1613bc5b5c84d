"""Bad arguments before passwords, passwords before networks; what a command does not need it does not open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from eth_account import Account

from tests.cli.test_evidence_file import QUOTES, saved
from tests.cli.test_help import commands
from xmtp_tee.attestation import TeeKind
from xmtp_tee.attestation.simulator import CollateralRecipe
from xmtp_tee.cli import main

NOBODY = "http://127.0.0.1:1"
OWNER = "0x" + "11" * 20
# What each needs besides the account: COLLATERAL, EVIDENCE and LIST are files.
ALWAYS_SEND = {
    "anchor submit": (),
    "anchor watch": (),
    "collateral submit": ("--file", "COLLATERAL"),
    "intent cancel": ("--yes",),
    "register": (),
    "renew": (),
    "retire": ("--yes", "--signature", "11" * 65, "--authority", OWNER),
    "revoke": ("--yes",),
    "rotate": (),
}
MAY_SEND = {
    "collateral signer-amd": ("EVIDENCE",),
    "collateral revoke-amd": ("LIST", "--product", "Milan"),
}
INTENTS = {"intent sign", "intent submit"}
SENDING = ALWAYS_SEND | MAY_SEND


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    from tests.attestation.sevsnp.test_revocation import crl

    made = {name: str(tmp_path / name) for name in ("COLLATERAL", "LIST")}
    Path(made["COLLATERAL"]).write_text(CollateralRecipe().build(1_800_000_000).to_json())
    Path(made["LIST"]).write_bytes(crl())
    return made | {"EVIDENCE": str(saved(tmp_path, TeeKind.SEV_SNP, QUOTES[TeeKind.SEV_SNP]))}


@pytest.fixture
def keystore(tmp_path: Path) -> str:
    path = tmp_path / "keystore"
    path.write_text(json.dumps(Account.encrypt(b"\x01" * 32, "the right password", iterations=2)))
    return str(path)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions for a password; each is answered with the right one."""
    questions: list[str] = []

    def prompt(text: str, **_: Any) -> str:
        questions.append(text)
        return "the right password"

    monkeypatch.setattr(click, "prompt", prompt)
    return questions


def run(
    code: int, command: str, files: dict[str, str], deployment: Path, *flags: str
) -> dict[str, Any]:
    """Run a command before a chain that does not answer; return the error."""
    words = [files.get(word, word) for word in (*SENDING[command], *flags)]
    where = ["--rpc-url", NOBODY, "--deployment", str(deployment), "--json"]
    done = CliRunner(mix_stderr=False).invoke(main, [*command.split(), *words, *where])
    assert done.exit_code == code, done.stdout + done.stderr
    error: dict[str, Any] = json.loads(done.stdout)["error"]
    return error


def test_every_command_that_sends_is_looked_at_here() -> None:
    found = set()
    for path in commands():
        text = CliRunner(mix_stderr=False).invoke(main, [*path, "--help"]).stdout
        if "--node-account" in text:
            found.add(" ".join(path))
    assert found == SENDING.keys() | INTENTS | {"collateral revoke-nitro"}


@pytest.mark.parametrize("command", SENDING)
@pytest.mark.parametrize(
    "flags",
    [
        ("--keystore", "KEYSTORE", "--node-account", OWNER),
        ("--unsafe-private-key-env", "NAME", "--node-account", OWNER),
        ("--node-account", OWNER, "--password-file", "none"),
    ],
    ids=["two accounts", "two others", "a password for none"],
)
def test_account_named_badly_comes_before_password_and_chain(
    command: str,
    flags: tuple[str, ...],
    files: dict[str, str],
    keystore: str,
    deployment_file: Path,
    asked: list[str],
) -> None:
    words = [keystore if word == "KEYSTORE" else word for word in flags]
    assert run(1, command, files, deployment_file, *words)["code"] == "xmtp-tee.usage"
    assert asked == []


@pytest.mark.parametrize("command", ALWAYS_SEND)
def test_deployment_that_cannot_be_read_comes_before_the_password(
    command: str, files: dict[str, str], keystore: str, tmp_path: Path, asked: list[str]
) -> None:
    error = run(1, command, files, tmp_path / "none", "--keystore", keystore)
    assert error["code"] == "deployment.invalid"
    assert asked == []


@pytest.mark.parametrize("command", ALWAYS_SEND)
def test_password_comes_before_the_chain(
    command: str,
    files: dict[str, str],
    keystore: str,
    deployment_file: Path,
    tmp_path: Path,
    asked: list[str],
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("the wrong password\n")
    flags = ("--keystore", keystore, "--password-file", str(wrong))
    assert run(1, command, files, deployment_file, *flags)["code"] == "chain.sender"
    assert asked == []
    error = run(3, command, files, deployment_file, "--keystore", keystore)
    assert error["code"] == "chain.unavailable"
    assert len(asked) == 1


@pytest.mark.parametrize("command", MAY_SEND)
def test_password_is_not_asked_before_there_is_something_to_send(
    command: str, files: dict[str, str], keystore: str, deployment_file: Path, asked: list[str]
) -> None:
    for flags in ((), ("--dry-run",)):
        run(3, command, files, deployment_file, "--keystore", keystore, *flags)
    assert asked == []


def test_dry_run_needs_no_account(
    files: dict[str, str], deployment_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("XMTP_TEE_KEYSTORE", "ETH_KEYSTORE", "ETH_KEYSTORE_ACCOUNT"):
        monkeypatch.delenv(variable, raising=False)
    for command in ("collateral submit", *MAY_SEND):
        error = run(3, command, files, deployment_file, "--dry-run")
        assert error["code"] == "chain.unavailable"


@pytest.mark.parametrize(
    "flags",
    [
        ("--batch", "none", "--with-quote", "--for", OWNER),
        ("--batch", "none", "--agent", "1", "--for", OWNER),
    ],
)
def test_owners_password_is_not_asked_where_the_arguments_make_no_sense(
    flags: tuple[str, ...], keystore: str, deployment_file: Path, asked: list[str]
) -> None:
    words = [*flags, "--owner-keystore", keystore, "--deployment", str(deployment_file), "--json"]
    done = CliRunner(mix_stderr=False).invoke(main, ["register", *words])
    assert (done.exit_code, asked) == (1, [])


@pytest.mark.parametrize(
    "words",
    [
        ("status", "0x" + "zz" * 20),
        ("status", OWNER, "--identity-key", "11"),
        ("status", "11" * 32, "--identity-key", "11" * 32),
        ("lookup", OWNER, "agent:x"),
        ("history", "0x1234"),
        ("watch", OWNER, "--cursor", "."),
        ("intent", "new", "revoke", OWNER, "-o", "out", "--identity-key", "11"),
        ("intent", "new", "register", "0x1234", "-o", "out"),
        ("intent", "new", "revoke", OWNER, "-o", "out", "--with-quote"),
        ("collateral", "watch", "--fmspc", "xyz"),
        ("collateral", "submit", "--file", "none", "--dry-run"),
        ("attest", "--tee", "sgx1"),
        ("verify-peer", "0x1234"),
    ],
    ids=" ".join,
)
def test_bad_arguments_come_before_the_chain(words: tuple[str, ...], deployment_file: Path) -> None:
    where = ("--rpc-url", NOBODY, "--deployment", str(deployment_file), "--json")
    done = CliRunner(mix_stderr=False).invoke(main, [*words, *where])
    assert done.exit_code == 1, done.stdout
    assert json.loads(done.stdout)["ok"] is False


@pytest.mark.parametrize(
    "words",
    [
        ("seal", "ID", "--in", "/no/such/file"),
        ("mac", "ID", "--verify", "11"),
        ("mac", "ID", "--version", "1"),
        ("hpke-seal", "0x" + "11" * 32, "--in", "/no/such/file"),
        ("shared-secret", "ID", "11", "label"),
    ],
    ids=" ".join,
)
def test_bad_arguments_come_before_the_enclave(words: tuple[str, ...]) -> None:
    done = CliRunner(mix_stderr=False).invoke(
        main, ["keys", *words, "--socket", "nobody", "--json"], input="text"
    )
    assert done.exit_code == 1, done.stdout
    assert json.loads(done.stdout)["ok"] is False
