"""One enclave that TDX and Nitro vouch for, under a policy that demands both: from its process to the verdict."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.contracts.nitro import nitro_support
from tests.support.chain import Chain as DeployChain
from tests.support.world import OWNER, STRANGER, World, enclave_process, open_world
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.kinds import TeeKind, bits_of
from xmtp_tee.attestation.nitro.evidence import nitro_evidence
from xmtp_tee.attestation.simulator.nitro import development_nitro_root
from xmtp_tee.cli import main
from xmtp_tee.client.chain_errors import ContractRefused
from xmtp_tee.client.comparison import judge_registration
from xmtp_tee.client.evidence_encoding import NITRO_VERIFIER
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.client.models import KeyInfo
from xmtp_tee.client.published import Standing
from xmtp_tee.client.state_proof.registries import ProvenRegistries
from xmtp_tee.client.state_proof.verdict import judge_proven
from xmtp_tee.client.tee_demand import TeeDemand
from xmtp_tee.demo.tees import tee_named
from xmtp_tee.verdict import Check, CheckResult, Verdict
from xmtp_tee.wire.faults import IdentityKeyNotFoundError

BOTH = (TeeKind.TDX, TeeKind.NITRO)
KINDS = "kinds of TEE"
GRACE = 30 * 24 * 3600


def nitro_verifier(chain: DeployChain) -> Mapping[TeeKind, tuple[str, Any]]:
    verifier = nitro_support.deploy(chain, development_nitro_root(), GRACE)
    return {TeeKind.NITRO: (NITRO_VERIFIER, verifier)}


@dataclass
class Street:
    world: World
    keys: KeyManager
    socket: Path

    def verify(self, folder: Path, code: int, *arguments: str) -> dict[str, str]:
        """Run `xmtp-tee verify` before this enclave and chain; return the result of each line."""
        deployment = folder / "deployment.json"
        self.world.deployment.save(deployment)
        flags = ["--root", "development", "--unsafe-accept-simulated", "--json"]
        if "--online" in arguments:
            flags += ["--rpc-url", self.world.url, "--deployment", str(deployment)]
        if "--enclave" in arguments:
            flags += ["--socket", str(self.socket)]
        done = CliRunner(mix_stderr=False).invoke(main, ["verify", *arguments, *flags])
        assert done.exit_code == code, done.stdout + done.stderr
        answer = json.loads(done.stdout)
        kinds = {
            f"{kind['tee']} {check['name']}": check["result"]
            for kind in answer["kinds"]
            for check in kind["checks"]
        }
        return kinds | {check["name"]: check["result"] for check in answer["checks"]}

    def policy(self, function: str, *arguments: Any) -> None:
        call = getattr(self.world.contract("EnclavePolicy").functions, function)(*arguments)
        self.world.chain.transact(call, self.world.senders[0])

    def demand(self, required: int, *kinds: TeeKind) -> None:
        self.policy("relaxKinds", required, bits_of(kinds))

    @property
    def owner(self) -> str:
        return self.world.senders[OWNER].address

    def identity(self) -> KeyInfo:
        """The owner's key: the enclave keeps it when the chain is put back."""
        try:
            return self.keys.get_identity_key(self.owner)
        except IdentityKeyNotFoundError:
            return self.keys.generate_identity_key(self.owner)

    def proven(self, identity_key: bytes, signature: bytes) -> Verdict:
        block = self.world.chain.block()
        registries = ProvenRegistries(self.world.chain, self.world.deployment, block.hash)
        return judge_proven(
            registries,
            self.world.deployment,
            self.owner,
            identity_key,
            lambda _: signature,
            accept_simulated=True,
        )

    def check(self, identity_key: bytes) -> Check:
        verdict = judge_registration(
            self.world.reader, self.owner, identity_key, keys=self.keys, accept_simulated=True
        )
        return named(verdict, KINDS)


def named(verdict: Verdict, name: str) -> Check:
    return next(check for check in verdict.checks if check.name == name)


@pytest.fixture(scope="module")
def shared() -> Iterator[Street]:
    with (
        open_world(further=nitro_verifier) as world,
        tempfile.TemporaryDirectory(prefix="xmtp-tee-") as folder,
        enclave_process(Path(folder), "tdx", "nitro") as socket,
        KeyManager(socket, timeout=60.0) as keys,
    ):
        street = Street(world, keys, socket)
        workload = tee_named("nitro").workload()
        street.policy("addWorkload", workload, int(AssuranceLevel.CVM), "tests", bytes(20))
        yield street


@pytest.fixture
def street(shared: Street) -> Iterator[Street]:
    with shared.world.undone():
        yield shared


def test_one_enclave_has_evidence_of_both_kinds_for_one_binding(street: Street) -> None:
    info = street.keys.info()
    assert (info.tee, info.further_tees) == ("tdx", ("nitro",))
    registry = street.world.registry(street.keys, OWNER)
    block = street.world.chain.block()
    first, second = (registry.evidence(block, tee).attestation for tee in BOTH)
    assert (first.tee, second.tee) == BOTH
    assert first.binding == second.binding


def test_registration_brings_both_and_meets_the_demand(street: Street) -> None:
    street.demand(2, *BOTH)
    registry = street.world.registry(street.keys, OWNER)
    identity = street.identity()
    done = registry.register_on_chain(identity.id)
    assert done.with_quote
    assert len(done.further) == 1
    reader = street.world.reader
    assert reader.tee_demand() == TeeDemand(2, BOTH)
    assert [(kind.tee, kind.reason) for kind in reader.kinds_of(done.authority)] == [
        (TeeKind.TDX, ""),
        (TeeKind.NITRO, ""),
    ]
    key = reader.get_on_chain_key(street.owner, identity.public_key)
    assert key.standing is Standing.TRUSTED
    assert street.check(identity.public_key).result is CheckResult.PASS


def test_without_the_second_kind_nothing_is_trusted_and_every_reader_says_why(
    street: Street,
) -> None:
    registry = street.world.registry(street.keys, OWNER)
    identity = street.identity()
    done = registry.register_on_chain(identity.id)
    signature = done.certificate.pre_key_signature
    proven = street.proven(identity.public_key, signature)
    assert named(proven, KINDS).result is CheckResult.PASS
    street.demand(2, *BOTH)
    # A Nitro platform's denial cannot be proven from the words that are read.
    assert named(street.proven(identity.public_key, signature), KINDS).result is (CheckResult.PASS)
    street.policy("removeWorkload", tee_named("nitro").workload())
    key = street.world.reader.find(street.owner, identity.public_key)
    assert (key.standing, key.enclave_reason) == (Standing.ENCLAVE_NOT_TRUSTED, "TooFewTeeKinds")
    check = street.check(identity.public_key)
    assert check.result is CheckResult.FAIL
    assert "nitro: the policy does not list the enclave's code" in check.got
    assert check.expected == "at least 2 of tdx, nitro"
    verdict = street.proven(identity.public_key, signature)
    assert named(verdict, KINDS).result is CheckResult.FAIL
    assert verdict.level is AssuranceLevel.NONE


def test_demand_that_comes_later_is_met_before_the_next_registration(street: Street) -> None:
    registry = street.world.registry(street.keys, OWNER)
    registry.attest_on_chain()
    street.demand(2, *BOTH)
    identity = street.identity()
    done = registry.register_on_chain(identity.id)
    assert (done.with_quote, len(done.further)) == (False, 1)


def test_attack_one_kinds_evidence_under_the_others_name(street: Street) -> None:
    registry = street.world.registry(street.keys, OWNER)
    attestation: Attestation = registry.evidence(tee=TeeKind.NITRO).attestation
    encoded = bytearray(nitro_evidence(attestation.quote, 4))
    encoded[0] = TeeKind.TDX
    with pytest.raises(ContractRefused):
        street.world.attest(attestation, evidence=bytes(encoded))
    assert street.world.reader.kinds_of("0x" + attestation.authority.hex()) == []


def test_stranger_renews_each_kind_on_its_own(street: Street) -> None:
    registry = street.world.registry(street.keys, STRANGER)
    registry.attest_on_chain()
    [receipt] = registry.attest_further_on_chain()
    assert receipt.gas_used > 1_000_000
    assert registry.attest_further_on_chain() == []
    before = street.world.reader.kinds_of(street.keys.info().authority)
    street.world.mine(8)
    street.world.warp(60)
    registry.attest_on_chain(TeeKind.NITRO)
    after = street.world.reader.kinds_of(street.keys.info().authority)
    assert after[0] == before[0]
    assert after[1].expires_at > before[1].expires_at


# --- off chain, by command ------------------------------------------------------------------------


def test_enclave_is_asked_for_all_its_kinds_now(street: Street, tmp_path: Path) -> None:
    found = street.verify(tmp_path, 0, "--enclave", "--require", "2")
    assert (found["one enclave"], found["kinds of TEE"]) == ("pass", "pass")
    for kind in ("tdx", "nitro"):
        assert found[kind] == found[f"{kind} block freshness"] == "pass"
        assert found[f"{kind} chain"] == found[f"{kind} workload"] == "not checked"
    assert street.verify(tmp_path, 4, "--enclave", "--require", "3")["kinds of TEE"] == "fail"
    named = street.verify(tmp_path, 0, "--enclave", "--chain-id", "7")
    assert named["tdx chain"] == named["nitro chain"] == "pass"


def test_enclave_is_compared_with_what_the_policy_demands(street: Street, tmp_path: Path) -> None:
    without = street.verify(tmp_path, 0, "--enclave", "--online")
    assert "kinds by the policy" not in without
    street.demand(2, *BOTH)
    found = street.verify(tmp_path, 0, "--enclave", "--online", "--require", "1")
    assert found["kinds by the policy"] == found["nitro workload"] == "pass"
    street.policy("removeWorkload", tee_named("nitro").workload())
    refused = street.verify(tmp_path, 4, "--enclave", "--online", "--require", "1")
    assert (refused["kinds of TEE"], refused["kinds by the policy"]) == ("pass", "fail")
    assert (refused["nitro workload"], refused["nitro"]) == ("fail", "fail")


def test_saved_evidence_of_both_kinds_is_compared_with_the_deployment(
    street: Street, tmp_path: Path
) -> None:
    registry = street.world.registry(street.keys, OWNER)
    files = []
    for tee in BOTH:
        # Each kind renews by itself: the blocks differ.
        street.world.mine(1)
        file = tmp_path / tee.label
        file.write_text(registry.evidence(tee=tee).attestation.to_json())
        files.append(str(file))
    street.demand(2, *BOTH)
    found = street.verify(tmp_path, 0, *files, "--online")
    assert found["kinds by the policy"] == found["nitro block freshness"] == "pass"
    street.world.mine(100)
    stale = street.verify(tmp_path, 4, *files, "--online")
    assert stale["tdx block freshness"] == stale["nitro block freshness"] == "fail"
