"""The commands against a real chain and a real enclave: answers, exit codes, one JSON object each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.cli.test_keys_backup import allow_backups
from tests.support.world import OWNER, STRANGER, World, enclave_process, open_world
from xmtp_tee.cli import main
from xmtp_tee.client.accounts import NodeSender
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.demo.tees import tee_named
from xmtp_tee.wire import messages as wire


@dataclass
class Desk:
    """The command, with chain, deployment and socket named by flags."""

    world: World
    socket: Path
    deployment: Path

    def run(self, *arguments: str, json_output: bool = True) -> Result:
        extra = ["--json"] if json_output else []
        return CliRunner(mix_stderr=False).invoke(main, [*arguments, *extra])

    @property
    def chain_flags(self) -> tuple[str, ...]:
        return ("--rpc-url", self.world.url, "--deployment", str(self.deployment))

    @property
    def flags(self) -> tuple[str, ...]:
        return (*self.chain_flags, "--socket", str(self.socket))

    def sender(self, account: int) -> tuple[str, ...]:
        return ("--node-account", self.world.senders[account].address)

    def owner(self, account: int = OWNER) -> str:
        return self.world.senders[account].address


def answer(result: Result, code: int) -> dict[str, Any]:
    """The one JSON object on stdout, after the exit code."""
    assert result.exit_code == code, result.output
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    path = tmp_path_factory.mktemp("deployment") / "local.json"
    with open_world() as world, enclave_process() as socket:
        world.deployment.save(path)
        yield Desk(world, socket, path)


@pytest.fixture(scope="module")
def identity_key(desk: Desk) -> str:
    made = answer(desk.run("keys", "new", desk.owner(), "--socket", str(desk.socket)), 0)
    key: str = made["identity_key"]["public_key"]
    return key


@pytest.fixture
def registered(desk: Desk, identity_key: str) -> Iterator[str]:
    with desk.world.undone():
        done = answer(desk.run("register", *desk.flags, *desk.sender(OWNER)), 0)
        assert done["with_quote"] is True
        yield identity_key


def test_keys_are_listed_and_shown(desk: Desk, identity_key: str) -> None:
    listed = answer(desk.run("keys", "list", "--socket", str(desk.socket)), 0)["keys"]
    purposes = {key["purpose"] for key in listed}
    assert {"authority", "xmtp-identity"} <= purposes
    key = next(key for key in listed if key["public_key"] == identity_key)
    shown = answer(desk.run("keys", "show", key["id"], "--socket", str(desk.socket)), 0)
    assert shown["key"] == key
    assert shown["pre_keys"]


def test_status_has_an_answer_and_an_exit_code_for_each_standing(
    desk: Desk, registered: str
) -> None:
    status = ("status", desk.owner(), *desk.chain_flags)
    assert answer(desk.run(*status), 4)["answer"] == "simulated"
    trusted = answer(desk.run(*status, "--unsafe-accept-simulated"), 0)
    assert trusted["answer"] == "trusted"
    assert trusted["bundles"][0]["identity_key"] == registered
    by_key = desk.run("status", registered, *desk.chain_flags, "--unsafe-accept-simulated")
    assert answer(by_key, 0)["bundles"] == trusted["bundles"]
    nobody = desk.run("status", desk.owner(STRANGER), *desk.chain_flags)
    assert answer(nobody, 2)["answer"] == "no-record"
    with desk.world.undone():
        answer(desk.run("revoke", "--yes", *desk.flags, *desk.sender(OWNER)), 0)
        assert answer(desk.run(*status), 4)["answer"] == "revoked"
    with desk.world.undone():
        desk.world.warp(8 * 24 * 3600)
        untrusted = answer(desk.run(*status), 4)
        assert untrusted["answer"] == "enclave-not-trusted"
        assert untrusted["bundles"][0]["enclave_reason"] == "AttestationExpired"
    unreachable = ("--rpc-url", "http://127.0.0.1:1", "--deployment", str(desk.deployment))
    assert desk.run("status", desk.owner(), *unreachable).exit_code == 3


def test_rotate_makes_and_publishes_the_next_epoch(desk: Desk, registered: str) -> None:
    before = answer(
        desk.run("status", desk.owner(), *desk.chain_flags, "--unsafe-accept-simulated"), 0
    )
    done = answer(desk.run("rotate", *desk.flags, *desk.sender(OWNER)), 0)
    assert done["epoch"] == before["bundles"][0]["epoch"] + 1
    assert done["with_quote"] is False


def test_expired_attestation_is_renewed_by_anyone(desk: Desk, registered: str) -> None:
    status = ("status", desk.owner(), *desk.chain_flags, "--unsafe-accept-simulated")
    desk.world.warp(8 * 24 * 3600)
    assert answer(desk.run(*status), 4)["answer"] == "enclave-not-trusted"
    answer(desk.run("renew", *desk.flags, *desk.sender(STRANGER)), 0)
    assert answer(desk.run(*status), 0)["answer"] == "trusted"


def test_second_registration_is_a_usage_error_that_names_the_contracts_error(
    desk: Desk, registered: str
) -> None:
    refused = answer(desk.run("register", *desk.flags, *desk.sender(OWNER)), 1)
    assert refused["error"]["contract_error"] == "IdentityKeyAlreadyActive"


def test_verify_owner_offline_of_the_enclave_and_with_it(desk: Desk, registered: str) -> None:
    verify = ("verify", desk.owner(), *desk.chain_flags)
    refused = answer(desk.run(*verify), 4)
    assert refused["level"] == "none"
    alone = answer(desk.run(*verify, "--unsafe-accept-simulated"), 0)
    assert any(check["result"] == "not checked" for check in alone["checks"])
    with_enclave = answer(
        desk.run(*verify, "--unsafe-accept-simulated", "--socket", str(desk.socket)), 0
    )
    assert not any(check["result"] == "not checked" for check in with_enclave["checks"])
    assert with_enclave["level"] == "simulated"
    assert with_enclave["not_shown"]
    assert answer(desk.run("verify", desk.owner(STRANGER), *desk.chain_flags), 2)


def test_evidence_file_is_verified_offline_and_online(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    written = answer(desk.run("attest", "-o", str(file), *desk.flags), 0)
    assert json.loads(file.read_text()) == written["attestation"]
    offline = ("verify", str(file), "--root", "development")
    assert answer(desk.run(*offline), 4)["verified"] is False
    accepted = answer(desk.run(*offline, "--unsafe-accept-simulated"), 0)
    by_name = {check["name"]: check["result"] for check in accepted["checks"]}
    assert by_name["block freshness"] == "not checked"
    assert by_name["workload"] == "not checked"
    assert by_name["root"] == "warn"
    online = answer(
        desk.run(*offline, "--unsafe-accept-simulated", "--online", *desk.chain_flags), 0
    )
    by_name = {check["name"]: check["result"] for check in online["checks"]}
    assert {by_name[name] for name in ("block freshness", "workload", "chain", "registry")} == {
        "pass"
    }


def test_tampered_evidence_file_exits_2(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    answer(desk.run("attest", "-o", str(file), *desk.flags), 0)
    document = json.loads(file.read_text())
    quote = bytearray.fromhex(document["quote"][2:])
    quote[200] ^= 1
    file.write_text(json.dumps(document | {"quote": "0x" + quote.hex()}))
    flags = ("--root", "development", "--unsafe-accept-simulated")
    verdict = answer(desk.run("verify", str(file), *flags), 2)
    assert verdict["level"] == "none"
    moved = document | {"blockNumber": document["blockNumber"] + 1}
    file.write_text(json.dumps(moved))
    assert answer(desk.run("verify", str(file), *flags), 2)["verified"] is False
    file.write_text("{")
    assert desk.run("verify", str(file), *flags).exit_code == 2


def test_evidence_for_an_unexpected_workload_or_chain_is_refused(
    desk: Desk, tmp_path: Path
) -> None:
    file = tmp_path / "evidence.json"
    answer(desk.run("attest", "-o", str(file), *desk.flags), 0)
    flags = ("verify", str(file), "--root", "development", "--unsafe-accept-simulated")
    assert answer(desk.run(*flags, "--workload", "0x" + "11" * 32), 4)
    assert answer(desk.run(*flags, "--chain-id", "1"), 2)
    assert answer(desk.run(*flags, "--registry", "0x" + "11" * 20), 2)


def test_lapsed_collateral_is_unavailable(desk: Desk, tmp_path: Path) -> None:
    from xmtp_tee.attestation.simulator import CollateralRecipe

    file, collateral = tmp_path / "evidence.json", tmp_path / "collateral.json"
    answer(desk.run("attest", "-o", str(file), *desk.flags), 0)
    old = CollateralRecipe().build(desk.world.now - 40 * 24 * 3600)
    collateral.write_text(old.to_json())
    flags = ("--root", "development", "--unsafe-accept-simulated")
    answer(desk.run("verify", str(file), *flags, "--collateral", str(collateral)), 3)


def test_vendor_root_without_collateral_is_unavailable(desk: Desk, tmp_path: Path) -> None:
    from xmtp_tee.attestation.simulator import development_root_certificate

    file, root = tmp_path / "evidence.json", tmp_path / "root.der"
    answer(desk.run("attest", "-o", str(file), *desk.flags), 0)
    root.write_bytes(development_root_certificate())
    answer(desk.run("verify", str(file), "--root", str(root)), 3)


def test_verdict_as_text_has_a_line_per_check_and_a_dated_sentence(
    desk: Desk, registered: str
) -> None:
    flags = (*desk.chain_flags, "--unsafe-accept-simulated")
    result = desk.run("verify", desk.owner(), *flags, json_output=False)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert any(line.startswith("pass") for line in lines)
    assert any(line.startswith("not checked") for line in lines)
    assert any(line.startswith("On 20") and "UTC" in line for line in lines)
    assert any(line.startswith("Assurance level: simulated") for line in lines)
    explained = desk.run("verify", desk.owner(), *flags, "--explain", json_output=False)
    assert "why:" in explained.stdout


def test_policy_on_chain_says_which_code_gets_a_password(desk: Desk, tmp_path: Path) -> None:
    with KeyManager(desk.socket) as keys:
        allow_backups(keys)
        made = keys._call(wire.GenerateKey(purpose="wallet", exportable=True), wire.Key)
    (tmp_path / "password").write_text("correct horse battery staple")
    export = ("keys", "export", made.id, str(tmp_path / "backup"), "--socket", str(desk.socket))
    export += ("--password-file", str(tmp_path / "password"), "--policy-on-chain")
    export += ("--root", "development", "--unsafe-accept-simulated", *desk.chain_flags)
    with desk.world.undone():
        contract = desk.world.contract("EnclavePolicy")
        chain = desk.world.chain
        chain.transact(
            contract.functions.removeWorkload(tee_named("tdx").workload()),
            NodeSender(chain.read(contract.functions.owner())),
        )
        refused = answer(desk.run(*export), 4)
        assert refused["error"]["code"] == "client.enclave-not-verified"
        assert not (tmp_path / "backup").exists()
    assert answer(desk.run(*export), 0)["bytes"] > 0


def test_doctor_finds_no_fault(desk: Desk) -> None:
    found = answer(desk.run("doctor", *desk.flags), 0)
    by_name = {finding["name"]: finding["result"] for finding in found["findings"]}
    for name in ("enclave socket", "enclave answers", "chain", "P256VERIFY", "clock", "deployment"):
        assert by_name[name] == "pass", found
    assert by_name["root"] == "warn"


def test_doctor_finds_an_open_socket_and_a_foreign_deployment(desk: Desk, tmp_path: Path) -> None:
    from xmtp_tee.client.deployment import Deployment

    foreign = tmp_path / "foreign.json"
    Deployment.from_dict(desk.world.deployment.as_dict() | {"chainId": 1}).save(foreign)
    desk.socket.chmod(0o666)
    try:
        result = desk.run(
            *("doctor", "--rpc-url", desk.world.url, "--deployment", str(foreign)),
            *("--socket", str(desk.socket)),
        )
    finally:
        desk.socket.chmod(0o600)
    by_name = {f["name"]: f["result"] for f in answer(result, 3)["findings"]}
    assert by_name["enclave socket"] == "fail"
    assert by_name["deployment"] == "fail"


def test_wrong_chain_is_refused_before_the_enclave_is_asked(desk: Desk, tmp_path: Path) -> None:
    from xmtp_tee.client.deployment import Deployment

    foreign = tmp_path / "foreign.json"
    Deployment.from_dict(desk.world.deployment.as_dict() | {"chainId": 1}).save(foreign)
    flags = ("--rpc-url", desk.world.url, "--deployment", str(foreign))
    refused = desk.run("register", *flags, "--socket", "/nowhere", *desk.sender(OWNER))
    assert answer(refused, 1)["error"]["code"] == "chain.wrong-chain"


def test_registration_with_a_foundry_keystore(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eth_account import Account

    key = Account.from_key(bytes(range(1, 33)))
    folder = tmp_path / "keystores"
    folder.mkdir()
    (folder / "agent").write_text(json.dumps(Account.encrypt(key.key, "pw", iterations=2)))
    (tmp_path / "password").write_text("pw\n")
    monkeypatch.setenv("FOUNDRY_DIR", str(tmp_path))
    with desk.world.undone():
        desk.world.chain.request("anvil_setBalance", key.address, hex(10**18))
        answer(desk.run("keys", "new", key.address, "--socket", str(desk.socket)), 0)
        sender = ("--keystore", "agent", "--password-file", str(tmp_path / "password"))
        done = answer(desk.run("register", *desk.flags, *sender), 0)
    assert done["owner"] == key.address.lower()


def test_two_accounts_to_send_from_are_a_usage_error(desk: Desk) -> None:
    refused = desk.run("register", *desk.flags, *desk.sender(OWNER), "--keystore", "x")
    assert answer(refused, 1)["error"]["code"] == "xmtp-tee.usage"
