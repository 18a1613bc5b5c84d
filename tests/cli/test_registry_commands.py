"""The registry's commands on a real chain: lookup, history, watch, intents, batches, agents, proofs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from eth_account import Account

from tests.client.registry_support import certificate_for, publication
from tests.support.identities import CODE, IDENTITIES, give
from tests.support.maker import Maker
from tests.support.world import OWNER, SECOND_OWNER, STRANGER, World, enclave_process, open_world
from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.certificate import ethereum_signature
from xmtp_tee.attestation.retirement import retirement_digest
from xmtp_tee.cli import main
from xmtp_tee.client.accounts import LocalSender
from xmtp_tee.client.intent_file import intent_to_json

MAKER = Maker("registry commands")
PAYER = 8
OWNER_KEY = b"\x21" * 32


@dataclass
class Desk:
    """The command with chain, deployment and payer named by flags."""

    world: World
    socket: Path
    deployment: Path

    def run(self, *arguments: str, json_output: bool = True) -> Result:
        extra = ["--json"] if json_output else []
        return CliRunner(mix_stderr=False).invoke(main, [*arguments, *extra])

    def answer(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        result = self.run(*arguments)
        assert result.exit_code == code, result.output + result.stderr
        loaded: dict[str, Any] = json.loads(result.stdout)
        return loaded

    @property
    def chain(self) -> tuple[str, ...]:
        return ("--rpc-url", self.world.url, "--deployment", str(self.deployment))

    @property
    def enclave(self) -> tuple[str, ...]:
        return (*self.chain, "--socket", str(self.socket))

    def sender(self, account: int = PAYER) -> tuple[str, ...]:
        return ("--node-account", self.address(account))

    def address(self, account: int) -> str:
        return self.world.senders[account].address

    def register(self, account: int, *labels: str) -> None:
        for label in labels:
            certificate = certificate_for(self.world, MAKER, self.address(account), label)
            self.world.register(certificate, MAKER.authority, account)


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    path = tmp_path_factory.mktemp("deployment") / "local.json"
    with (
        open_world(identity_registry=IDENTITIES, code=CODE) as world,
        enclave_process() as socket,
    ):
        world.deployment.save(path)
        world.attest(world.attestation(MAKER))
        yield Desk(world, socket, path)


@pytest.fixture
def desk(shared_desk: Desk) -> Iterator[Desk]:
    with shared_desk.world.undone():
        yield shared_desk


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Flags of an owner's keystore; its account has no money."""
    folder = tmp_path_factory.mktemp("keystore")
    (folder / "owner").write_text(json.dumps(Account.encrypt(OWNER_KEY, "pw", iterations=2)))
    (folder / "password").write_text("pw\n")
    return (str(folder / "owner"), str(folder / "password"))


@pytest.fixture(scope="module")
def poor_keys(shared_desk: Desk) -> str:
    """The enclave has keys for the owner without money; what happens on chain is undone, this is not."""
    made = shared_desk.answer("keys", "new", POOR, "--socket", str(shared_desk.socket))
    key: str = made["identity_key"]["public_key"]
    return key


POOR = str(Account.from_key(OWNER_KEY).address)
ACCEPT = "--unsafe-accept-simulated"

# --- lookup and history -----------------------------------------------------------------------------


def test_lookup_answers_for_each_owner_and_exits_by_the_worst(desk: Desk, tmp_path: Path) -> None:
    desk.register(OWNER, "a", "b")
    desk.register(SECOND_OWNER, "c")
    owners = (desk.address(OWNER), desk.address(SECOND_OWNER))
    found = desk.answer("lookup", *owners, *desk.chain, ACCEPT)
    assert [entry["answer"] for entry in found["owners"]] == ["trusted", "trusted"]
    assert len(found["owners"][0]["bundles"]) == 2
    assert desk.answer("lookup", *owners, *desk.chain, code=4)["exit_code"] == 4
    nobody = desk.answer("lookup", *owners, desk.address(STRANGER), *desk.chain, ACCEPT, code=2)
    assert nobody["owners"][2] == {
        "owner": desk.address(STRANGER),
        "answer": "no-record",
        "bundles": [],
    }
    listed = tmp_path / "owners.txt"
    listed.write_text(f"# peers\n\n{owners[0]}  # one\n{owners[1]}\n")
    assert desk.answer("lookup", "--file", str(listed), *desk.chain, ACCEPT) == found
    text = desk.run("lookup", *owners, *desk.chain, ACCEPT, json_output=False).stdout
    assert text.count("trusted") == 3
    desk.world.warp(8 * 24 * 3600)
    late = desk.answer("lookup", owners[0], *desk.chain, ACCEPT, code=4)
    assert late["owners"][0]["answer"] == "enclave-not-trusted"
    assert late["owners"][0]["bundles"][0]["enclave_reason"] == "AttestationExpired"


@pytest.mark.parametrize("owner", ["0x1234", "agent:", "agent:-1", "agent:1x", "agent:" + "9" * 79])
def test_malformed_owner_is_a_usage_error(desk: Desk, owner: str) -> None:
    for command in ("lookup", "history"):
        assert desk.answer(command, owner, *desk.chain, code=1)["ok"] is False
    desk.answer("watch", owner, "--once", *desk.chain, code=1)


def test_lookup_of_nobody_is_a_usage_error(desk: Desk, tmp_path: Path) -> None:
    desk.answer("lookup", *desk.chain, code=1)
    desk.answer("lookup", "--file", str(tmp_path / "none"), *desk.chain, code=1)


def test_history_lists_every_change_and_the_state_at_a_block(desk: Desk) -> None:
    desk.register(OWNER, "a")
    first = desk.world.chain.block().number
    key = MAKER.identity("a").public_key
    function = desk.world.contract("KeyRegistry").functions.revokeKeyBundle(key)
    desk.world.chain.transact(function, desk.world.senders[OWNER])
    told = desk.answer("history", desk.address(OWNER), *desk.chain)
    assert [event["change"] for event in told["events"]] == ["registered", "revoked"]
    assert [event["previous_change"] for event in told["events"]] == [0, first]
    assert told["bundles"][0]["state"] == "revoked"
    then = desk.answer("history", desk.address(OWNER), "--at", str(first), *desk.chain)
    assert len(then["events"]) == 1
    assert then["bundles"][0]["state"] == "active"
    text = desk.run("history", desk.address(OWNER), *desk.chain, json_output=False).stdout
    assert "2 changes; 1 bundles, 0 of them active now" in text
    nobody = desk.answer("history", desk.address(STRANGER), *desk.chain, code=2)
    assert nobody["events"] == []


# --- watch --------------------------------------------------------------------------------------------


def test_watch_once_tells_what_changed_since_the_cursor(desk: Desk, tmp_path: Path) -> None:
    cursor = tmp_path / "cursor.json"
    watch = ("watch", desk.address(OWNER), "--once", "--cursor", str(cursor), *desk.chain)
    assert desk.answer(*watch)["alarms"] == []
    desk.register(OWNER, "a")
    desk.world.mine(2)
    told = desk.answer(*watch, code=4)
    assert [alarm["alarm"] for alarm in told["alarms"]] == ["registered"]
    assert desk.answer(*watch)["alarms"] == []
    text = desk.run(*watch, json_output=False).stdout
    assert text.startswith("nothing changed up to block")
    other = ("watch", desk.address(STRANGER), "--once", "--cursor", str(cursor), *desk.chain)
    assert desk.answer(*other, code=1)["error"]["code"] == "history.cursor"


def test_watch_goes_on_and_prints_an_object_a_line(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xmtp_tee.commands import watch as command

    looks = iter(range(3))

    def sleep(seconds: float) -> None:
        assert seconds == 7
        if next(looks) == 2:
            raise KeyboardInterrupt
        desk.register(OWNER, "a" if desk.world.reader.nonce(POOR) == 0 else "b")
        desk.world.mine(2)
        monkeypatch.setattr(desk, "register", lambda *_: None)

    # Only the command's own sleep: web3 waits for receipts with the same module.
    monkeypatch.setattr(command, "time", SimpleNamespace(sleep=sleep))
    cursor = tmp_path / "cursor.json"
    result = desk.run(
        "watch", desk.address(OWNER), "--interval", "7", "--cursor", str(cursor), *desk.chain
    )
    assert result.exit_code == 1
    alarm, last = (json.loads(line) for line in result.stdout.splitlines())
    assert alarm["alarm"] == "registered"
    assert (last["ok"], last["error"]["code"]) == (False, "cli.interrupted")
    assert json.loads(cursor.read_text())["owner"] == desk.address(OWNER)


def test_watch_survives_a_node_that_is_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from xmtp_tee.client.chain_errors import ChainUnavailable
    from xmtp_tee.client.history.watch import Watch
    from xmtp_tee.commands import watch as command

    polls = iter([ChainUnavailable("the node is away"), KeyboardInterrupt()])

    def poll(self: Watch) -> list[object]:
        raise next(polls)

    monkeypatch.setattr(Watch, "poll", poll)
    monkeypatch.setattr(command, "time", SimpleNamespace(sleep=lambda _: None))
    result = desk.run("watch", desk.address(OWNER), *desk.chain)
    assert "could not look" in result.stderr
    [last] = result.stdout.splitlines()
    assert json.loads(last)["error"]["code"] == "cli.interrupted"


# --- intents ------------------------------------------------------------------------------------------


def test_intent_goes_from_enclave_to_owner_to_relayer(
    desk: Desk, tmp_path: Path, keystore: tuple[str, ...], poor_keys: str
) -> None:
    file = tmp_path / "intent.json"
    made = desk.answer("intent", "new", "register", POOR, "-o", str(file), *desk.enclave)
    assert made["signed"] is False
    assert made["identityKey"] == poor_keys
    unsigned = desk.answer("intent", "submit", str(file), *desk.chain, *desk.sender(), code=1)
    assert unsigned["error"]["code"] == "intent.invalid"
    # Signing needs neither chain nor deployment.
    signed = desk.answer(
        *("intent", "sign", str(file)),
        *("--keystore", keystore[0], "--password-file", keystore[1]),
    )
    assert signed["signed"] is True
    assert signed["digest"] == made["digest"]
    done = desk.answer("intent", "submit", str(file), *desk.chain, *desk.sender())
    assert done["gas"] > 0
    status = desk.answer("status", POOR, *desk.chain, ACCEPT)
    assert status["bundles"][0]["identity_key"] == made["identityKey"]
    # The same again: the nonce has moved on.
    again = desk.answer("intent", "submit", str(file), *desk.chain, *desk.sender(), code=2)
    assert again["error"]["contract_error"] == "OwnerSignatureInvalid"
    revoke = tmp_path / "revoke.json"
    desk.answer("intent", "new", "revoke", POOR, "-o", str(revoke), *desk.enclave)
    desk.answer(
        *("intent", "sign", str(revoke)),
        *("--keystore", keystore[0], "--password-file", keystore[1]),
    )
    desk.answer("intent", "submit", str(revoke), *desk.chain, *desk.sender())
    assert desk.answer("status", POOR, *desk.chain, code=4)["answer"] == "revoked"


def test_intent_is_signed_by_a_wallet_elsewhere(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "intent.json"
    key = "0x" + "05" * 32
    desk.answer(
        *("intent", "new", "revoke", POOR, "--identity-key", key, "-o", str(file)),
        *("--nonce", "9", "--expires-in", "600"),
        *desk.chain,
    )
    typed = json.loads(
        desk.run("intent", "show", str(file), "--typed-data", json_output=False).stdout
    )
    assert typed["primaryType"] == "RevokeKeyBundle"
    assert desk.answer("intent", "show", str(file), "--typed-data")["typed_data"] == typed
    assert typed["message"]["nonce"] == "9"
    signature = LocalSender(Account.from_key(OWNER_KEY)).sign_offline(typed)
    desk.answer("intent", "sign", str(file), "--signature", "0x" + signature.hex())
    shown = desk.answer("intent", "show", str(file))
    assert shown["signature"] == "0x" + signature.hex()
    assert "signed        yes" in desk.run("intent", "show", str(file), json_output=False).stdout
    desk.answer("intent", "sign", str(file), "--signature", "0x1", code=1)
    both = ("--signature", "0x" + signature.hex(), *desk.sender())
    desk.answer("intent", "sign", str(file), *both, code=1)


def test_strangers_account_does_not_sign_an_intent(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "intent.json"
    key = "0x" + "05" * 32
    desk.answer(
        *("intent", "new", "revoke", POOR, "--identity-key", key, "-o", str(file)), *desk.chain
    )
    refused = desk.answer("intent", "sign", str(file), *desk.chain, *desk.sender(), code=1)
    assert refused["error"]["code"] == "chain.sender"


def test_cancellation_moves_the_nonce(desk: Desk) -> None:
    done = desk.answer("intent", "cancel", "--yes", *desk.chain, *desk.sender(OWNER))
    assert done["nonce"] == str(2**64)


def test_identity_key_goes_with_a_revocation_only(desk: Desk, tmp_path: Path) -> None:
    flags = ("--identity-key", "0x" + "05" * 32, "-o", str(tmp_path / "x"), *desk.chain)
    desk.answer("intent", "new", "register", POOR, *flags, code=1)


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"format": 1}'])
def test_malformed_intent_file_is_a_usage_error(desk: Desk, tmp_path: Path, text: str) -> None:
    file = tmp_path / "intent.json"
    file.write_text(text)
    assert desk.answer("intent", "show", str(file), code=1)["error"]["code"] == "intent.invalid"
    desk.answer("intent", "show", str(tmp_path / "none"), code=1)


# --- register --for, --batch, --agent -----------------------------------------------------------------


def test_register_rotate_revoke_for_an_owner_who_signs_here(
    desk: Desk, keystore: tuple[str, ...], poor_keys: str
) -> None:
    signer = ("--for", POOR, "--owner-keystore", keystore[0], "--owner-password-file", keystore[1])
    flags = (*desk.enclave, *desk.sender(), *signer)
    registered = desk.answer("register", *flags)
    assert (registered["owner"], registered["identity_key"]) == (POOR.lower(), poor_keys)
    assert desk.answer("rotate", *flags)["epoch"] == registered["epoch"] + 1
    assert desk.answer("revoke", "--yes", *flags)["owner"] == POOR
    assert desk.answer("status", POOR, *desk.chain, code=4)["answer"] == "revoked"


def test_for_needs_the_owners_own_account(desk: Desk, keystore: tuple[str, ...]) -> None:
    flags = (*desk.enclave, *desk.sender())
    nobody = desk.answer("register", "--for", POOR, *flags, code=1)
    assert "intent new" in nobody["error"]["next_command"]
    desk.answer("register", "--owner-keystore", keystore[0], *flags, code=1)
    other = ("--for", desk.address(OWNER), "--owner-keystore", keystore[0])
    desk.answer("register", *other, "--owner-password-file", keystore[1], *flags, code=1)


def test_batch_reports_each_file(desk: Desk, tmp_path: Path) -> None:
    files = []
    for index in range(3):
        owner = LocalSender(Account.from_key(bytes([index + 1]) * 32))
        deadline = 1 if index == 1 else None
        intent = publication(desk.world, MAKER, owner, label=f"batch {index}", deadline=deadline)
        files.append(tmp_path / f"{index}.json")
        files[-1].write_text(intent_to_json(intent))
    batch = [flag for file in files for flag in ("--batch", str(file))]
    report = desk.answer("register", *batch, *desk.chain, *desk.sender(), code=2)
    assert [entry["done"] for entry in report["entries"]] == [True, False, True]
    assert report["entries"][1]["refusal"]["contract_error"] == "SignatureExpired"
    assert (report["registered"], report["refused"]) == (2, 1)
    assert len(report["transactions"]) == 1
    text = desk.run(
        "intent", "submit", *map(str, files), *desk.chain, *desk.sender(), json_output=False
    )
    assert text.exit_code == 2
    assert "0 registered, 3 refused; 0 transactions" in text.stdout
    desk.answer("register", *batch, "--with-quote", *desk.chain, *desk.sender(), code=1)
    socket = ("--socket", str(tmp_path / "no.sock"))
    desk.answer("register", *batch, *socket, *desk.chain, *desk.sender(), code=1)


def test_agent_publishes_under_its_handle(desk: Desk) -> None:
    give(desk.world, 42, desk.address(OWNER))
    handle = desk.world.reader.agent_owner(42)
    desk.answer("keys", "new", handle, "--socket", str(desk.socket))
    agent = ("--agent", "42", *desk.enclave, *desk.sender(OWNER))
    assert desk.answer("register", *agent)["owner"] == handle.lower()
    assert desk.answer("rotate", *agent)["epoch"] == 2
    found = desk.answer("lookup", "agent:42", *desk.chain, ACCEPT)
    assert found["owners"][0]["owner"] == handle
    assert desk.answer("status", "agent:42", *desk.chain, ACCEPT)["answer"] == "trusted"
    assert desk.answer("verify", "agent:42", *desk.chain, ACCEPT)["verified"] is True
    assert len(desk.answer("history", "agent:42", *desk.chain)["events"]) == 2
    give(desk.world, 42, desk.address(STRANGER))
    moved = desk.answer("status", "agent:42", *desk.chain, ACCEPT, code=4)
    assert moved["answer"] == "agent-transferred"
    judged = desk.answer("verify", "agent:42", *desk.chain, ACCEPT, code=4)
    assert [c["name"] for c in judged["checks"] if c["result"] == "fail"] == ["standing"]
    refused = desk.answer("rotate", *agent, code=4)
    assert refused["error"]["code"] == "registry.agent-transferred"
    # The new holder ends what the old one left.
    new_holder = ("--agent", "42", *desk.enclave, *desk.sender(STRANGER))
    desk.answer("revoke", "--yes", *new_holder)


# --- verify against a trusted block, retire ------------------------------------------------------------


def test_verify_against_a_trusted_block(desk: Desk) -> None:
    desk.register(OWNER, "a")
    block = desk.world.chain.block()
    trusted = ("--trusted-block", "0x" + block.hash.hex())
    verify = ("verify", desk.address(OWNER), *desk.chain, *trusted)
    verdict = desk.answer(*verify, ACCEPT)
    results = {check["name"]: check["result"] for check in verdict["checks"]}
    assert results["block"] == "pass"
    assert results["TCB level"] == "not checked"
    assert verdict["judged_at"] == block.timestamp
    assert desk.answer(*verify, code=4)["level"] == "none"
    text = desk.run(*verify, ACCEPT, json_output=False).stdout
    assert "not checked TCB level" in text
    unknown = ("verify", desk.address(OWNER), *desk.chain, "--trusted-block", "0x" + "11" * 32)
    assert desk.answer(*unknown, code=2)["error"]["code"] == "state-proof.header"
    nobody = ("verify", desk.address(STRANGER), *desk.chain, *trusted)
    assert desk.answer(*nobody, code=2)["error"]["code"] == "registry.not-registered"
    desk.answer("verify", desk.address(OWNER), *desk.chain, "--trusted-block", "0x11", code=1)
    desk.answer("verify", "agent:1", *desk.chain, *trusted, code=1)
    desk.answer("verify", str(desk.deployment), *desk.chain, *trusted, code=1)
    desk.answer("verify", desk.address(OWNER), *desk.enclave, *trusted, code=1)
    desk.register(OWNER, "b")
    several = ("--trusted-block", "0x" + desk.world.chain.block().hash.hex())
    desk.answer("verify", desk.address(OWNER), *desk.chain, *several, code=1)
    key = ("--identity-key", "0x" + MAKER.identity("b").public_key.hex())
    desk.answer("verify", desk.address(OWNER), *desk.chain, *several, *key, ACCEPT)


def test_retired_enclave_is_not_trusted_any_more(desk: Desk) -> None:
    desk.register(OWNER, "a")
    registry = parse_address(desk.world.deployment.address("EnclaveRegistry"))
    digest = retirement_digest(desk.world.deployment.chain_id, registry, MAKER.authority)
    signature = ethereum_signature(MAKER.key.sign_recoverable(digest, hasher=None))
    flags = ("--authority", checksum_address(MAKER.authority), *desk.chain, *desk.sender())
    wrong = desk.answer(*("retire", "--yes", "--signature", "0x" + bytes(65).hex()), *flags, code=2)
    assert wrong["ok"] is False
    desk.answer("retire", "--yes", "--signature", "0x" + signature.hex(), *flags)
    ended = desk.answer("status", desk.address(OWNER), *desk.chain, ACCEPT, code=4)
    assert ended["bundles"][0]["enclave_reason"] == "EnclaveRetired"
