"""The commands on keys, policy and audit, against an enclave in a process of its own."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.enclave.support import EnclaveProcess
from xmtp_tee.cli import main

OWNER = "0x" + "51" * 20


@pytest.fixture(scope="module")
def process() -> Iterator[EnclaveProcess]:
    folder = Path(tempfile.mkdtemp(prefix="xt-"))
    with EnclaveProcess(folder) as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture
def run(process: EnclaveProcess, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("XMTP_TEE_SOCKET", str(process.socket))
    monkeypatch.delenv("XMTP_TEE_CALLER_KEY", raising=False)

    def call(*arguments: str, data: bytes = b"", code: int = 0) -> Result:
        result = CliRunner(mix_stderr=False).invoke(main, list(arguments), input=data)
        assert result.exit_code == code, (result.stdout, result.stderr)
        return result

    return call


def made(result: Result) -> dict[str, Any]:
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def test_key_is_made_used_rotated_deleted_and_restored(run: Any) -> None:
    key = made(run("keys", "make", "aead", OWNER, "--label", "cli", "--max-uses", "9", "--json"))
    key_id = key["key"]["id"]
    assert key["key"]["limits"] == {"max_uses": 9}
    sealed = run("keys", "seal", key_id, "--aad", "a", data=b"text").stdout.strip()
    assert made(run("keys", "rotate", key_id, "--json"))["key"]["version"] == 2
    both = made(run("keys", "versions", key_id, "--json"))["versions"]
    assert both == [{"version": n, "public_key": None} for n in (1, 2)]
    assert run("keys", "open", key_id, "--aad", "a", data=sealed.encode()).stdout == "text"
    assert run("keys", "open", key_id, data=sealed.encode(), code=2).stderr
    run("keys", "minimum", key_id, "2")
    assert [
        each["version"] for each in made(run("keys", "versions", key_id, "--json"))["versions"]
    ] == [2]
    run("keys", "trim", key_id, "--yes")
    run("keys", "open", key_id, "--aad", "a", data=sealed.encode(), code=1)
    assert "deleted" in run("keys", "delete", key_id).stdout
    run("keys", "destroy", key_id, "--yes", code=1)
    run("keys", "restore", key_id)
    run("keys", "update", key_id, "--label", "new", "--rate", "5/10")
    found = made(run("keys", "list", "--label", "new", "--json"))["keys"]
    assert [each["id"] for each in found] == [key_id]
    run("keys", "update", key_id, "--rate", "5", code=1)


def test_installation_derivation_mac_and_hpke(run: Any) -> None:
    identity = made(run("keys", "new", OWNER, "--json"))["identity_key"]["id"]
    phone = made(run("keys", "install", identity, "phone", "--json"))["key"]
    assert phone["provenance"] == "derived"
    root = made(run("keys", "make", "derivation", OWNER, "--json"))["key"]["id"]
    mac = made(run("keys", "derive", root, "mac", "a/b", "--json"))["key"]["id"]
    code = run("keys", "mac", mac, data=b"m").stdout.strip()
    assert run("keys", "mac", mac, "--verify", code, data=b"m").stdout.strip() == "verified"
    run("keys", "mac", mac, "--verify", code, data=b"x", code=2)
    key = made(run("keys", "make", "hpke", OWNER, "--json"))["key"]
    sealed = run("keys", "hpke-seal", key["public_key"], data=b"hi").stdout
    assert run("keys", "hpke-open", key["id"], data=sealed.encode()).stdout == "hi"
    agreement = made(run("keys", "make", "key-agreement", OWNER, "--json"))["key"]["id"]
    run("keys", "shared-secret", agreement, key["public_key"], "label", code=4)
    shown = made(run("keys", "attest", key["id"], "--json"))["attestation"]
    assert shown["key_id"] == key["id"]


def test_signature_with_a_receipt_that_verifies_without_the_enclave(
    run: Any, tmp_path: Path, process: EnclaveProcess
) -> None:
    identity = made(run("keys", "new", "0x" + "52" * 20, "--json"))["identity_key"]["id"]
    receipt = tmp_path / "receipt.json"
    signed = run("keys", "sign", identity, "--receipt", str(receipt), data=b"message")
    assert len(signed.stdout.strip()) == 2 + 128
    authority = process.ready["authority"]
    shown = made(run("audit", "receipt", str(receipt), "--authority", authority, "--json"))
    assert shown["receipt"]["operation"] == "sign"
    assert shown["receipt"]["key_id"] == identity
    run("audit", "receipt", str(receipt), "--authority", "0x" + "11" * 20, code=2)
    receipt.write_text("{}")
    run("audit", "receipt", str(receipt), "--authority", authority, code=2)


def test_wallet_signs_nothing_blindly(run: Any) -> None:
    wallet = made(run("keys", "make", "wallet", "--json"))["key"]["id"]
    run("keys", "sign", wallet, data=b"x", code=1)
    run("keys", "sign", wallet, "--as", "identity-text", data=b"x", code=4)
    run("keys", "sign", wallet, "--as", "typed-data", data=b"{}", code=1)


def test_audit_tail_and_verify(run: Any) -> None:
    run("keys", "show", "none", code=1)
    tail = run("audit", "tail", "-n", "5").stdout
    assert "get-key" in tail
    assert "enclave.key-not-found" in tail
    verified = made(run("audit", "verify", "--json"))
    assert verified["first"] == 1
    assert verified["counter"] > 1


def test_policy_is_shown_checked_and_applied(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = made(run("policy", "show", "--json"))["policy"]
    key = run("policy", "new-caller", str(tmp_path / "caller.pem")).stdout.strip()
    shown["version"] += 1
    shown["callers"].append(
        {"name": "app", "key": key, "grants": [{"operations": ["sign"], "owners": [OWNER]}]}
    )
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(shown))
    checked = made(run("policy", "check", str(file), "--digest", "--json"))
    assert checked["typed_data"]["primaryType"] == "ApplyPolicy"
    run("policy", "apply", str(file))
    run("policy", "apply", str(file))
    shown["version"] += 5
    file.write_text(json.dumps(shown))
    run("policy", "apply", str(file), code=1)
    file.write_text("callers = [")
    run("policy", "check", str(file), code=1)
    monkeypatch.setenv("XMTP_TEE_CALLER_KEY", str(tmp_path / "caller.pem"))
    run("keys", "list", code=4)
    run("policy", "show", code=4)
