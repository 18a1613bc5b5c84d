"""Proofs from a node: what they show is what the contracts say; a node that lies shows nothing."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.client.registry_support import LyingChain, RandomHistory, certificate_for
from tests.support.identities import CODE, IDENTITIES, give
from tests.support.maker import MAKER_WORKLOAD, Maker
from tests.support.world import OWNER, STRANGER, World, open_world
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.certificate import KeyBundleCertificate
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import NotRegistered, RequestRefused
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.proof import encode_proof
from xmtp_tee.client.published import KeyState
from xmtp_tee.client.state_proof.errors import HeaderMismatch, StateProofInvalid
from xmtp_tee.client.state_proof.fetch import StateReader
from xmtp_tee.client.state_proof.registries import ProvenRegistries
from xmtp_tee.client.state_proof.verdict import judge_proven
from xmtp_tee.client.state_proof.words import EnclaveState
from xmtp_tee.errors import ExitCode
from xmtp_tee.verdict import CheckResult, Verdict

MAKER = Maker("state proofs")


@pytest.fixture(scope="module")
def shared_world() -> Iterator[World]:
    with open_world(identity_registry=IDENTITIES, code=CODE) as opened:
        opened.attest(opened.attestation(MAKER))
        yield opened


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    with shared_world.undone():
        yield shared_world


@pytest.fixture
def certificate(world: World) -> KeyBundleCertificate:
    made = certificate_for(world, MAKER, world.address(OWNER))
    world.register(made, MAKER.authority, OWNER)
    return made


def proven(world: World, chain: Chain | None = None) -> ProvenRegistries:
    """The registries as of the newest block."""
    trusted = world.chain.block().hash
    return ProvenRegistries(chain or world.chain, world.deployment, trusted)


def judged(world: World, made: KeyBundleCertificate, *, accept: bool = True) -> Verdict:
    return judge_proven(
        proven(world),
        world.deployment,
        checksum_address(made.owner),
        made.identity_key,
        lambda _: made.pre_key_signature,
        accept_simulated=accept,
    )


def results(verdict: Verdict) -> dict[str, CheckResult]:
    return {check.name: check.result for check in verdict.checks}


def test_bundle_enclave_and_policy_are_proven(
    world: World, certificate: KeyBundleCertificate
) -> None:
    registries, owner = proven(world), world.senders[OWNER].address
    bundle = registries.bundle(owner, certificate.identity_key)
    assert (bundle.pre_key, bundle.word.epoch) == (certificate.pre_key, 1)
    assert bundle.word.authority == checksum_address(MAKER.authority)
    assert bundle.word.last_change == world.reader.key_history.last_change(owner)
    assert registries.active(owner) == [bundle]
    assert registries.active(world.senders[STRANGER].address) == []
    enclave = registries.enclave(bundle.word.authority)
    assert enclave.word.state is EnclaveState.ATTESTED
    assert enclave.workload == MAKER_WORKLOAD
    assert registries.workload_level(MAKER_WORKLOAD) is AssuranceLevel.MEMBER
    assert registries.workload_level(b"\x01" * 32) is AssuranceLevel.NONE
    absent = registries.bundle(world.senders[STRANGER].address, certificate.identity_key)
    assert absent.word.state is KeyState.NONE
    assert registries.enclave("0x" + "01" * 20).word.state is EnclaveState.NONE


def test_random_history_is_proven_as_the_views_show_it(world: World) -> None:
    history = RandomHistory(world, MAKER, seed=3)
    history.run(20)
    registries = proven(world)
    functions = world.contract("KeyRegistry").functions
    for owner in {owner for owner, _ in history.identity_keys}:
        shown = functions.getKeyBundles(owner).call()
        assert [
            (b.identity_key, b.pre_key, b.word.authority, b.word.epoch, b.word.expires_at)
            for b in registries.active(owner)
        ] == [tuple(bundle[:5]) for bundle in shown]
    for owner, key in history.identity_keys:
        assert registries.bundle(owner, key).word.state == functions.keyState(owner, key).call()


def test_past_block_shows_the_past(world: World, certificate: KeyBundleCertificate) -> None:
    before, owner = world.chain.block(), world.senders[OWNER].address
    key = certificate.identity_key
    function = world.contract("KeyRegistry").functions.revokeKeyBundle(key)
    world.chain.transact(function, world.senders[OWNER])
    then = ProvenRegistries(world.chain, world.deployment, before.hash)
    assert then.bundle(owner, key).word.state is KeyState.ACTIVE
    assert (then.header.number, then.header.timestamp) == (before.number, before.timestamp)
    assert proven(world).bundle(owner, key).word.state is KeyState.REVOKED
    assert proven(world).active(owner) == []


def test_verdict_says_what_is_proven_and_what_is_not(
    world: World, certificate: KeyBundleCertificate
) -> None:
    verdict = judged(world, certificate)
    assert verdict.exit_code is ExitCode.VERIFIED
    assert verdict.level is AssuranceLevel.SIMULATED
    by_name = results(verdict)
    assert by_name.pop("root") is CheckResult.WARN
    assert by_name.pop("TCB level") is CheckResult.NOT_CHECKED
    assert set(by_name.values()) == {CheckResult.PASS}
    assert verdict.judged_at == world.now
    assert "1 check(s) not made" in verdict.sentence


def test_development_root_is_refused_unless_it_is_accepted(
    world: World, certificate: KeyBundleCertificate
) -> None:
    verdict = judged(world, certificate, accept=False)
    assert verdict.exit_code is ExitCode.REFUSED_BY_POLICY
    assert verdict.level is AssuranceLevel.NONE


def test_each_loss_of_trust_fails_its_own_check(
    world: World, certificate: KeyBundleCertificate
) -> None:
    def failed() -> list[str]:
        verdict = judged(world, certificate)
        if verdict.failed:
            assert verdict.exit_code is ExitCode.REFUSED_BY_POLICY
            assert verdict.level is AssuranceLevel.NONE
        return [check.name for check in verdict.failed]

    policy, deployer = world.contract("EnclavePolicy").functions, world.senders[0]
    platform = world.reader.platform_of(checksum_address(MAKER.authority))
    for function, name in (
        (policy.removeWorkload(MAKER_WORKLOAD), "workload"),
        (policy.denyPlatform(int(TeeKind.TDX), platform.instance), "platform denial"),
        (policy.denyFamily(int(TeeKind.TDX), platform.family), "family denial"),
        (
            world.contract("EnclaveRegistry").functions.revoke(checksum_address(MAKER.authority)),
            "enclave",
        ),
    ):
        with world.undone():
            world.chain.transact(function, deployer)
            assert failed() == [name]
    with world.undone():
        revoke = world.contract("KeyRegistry").functions.revokeKeyBundle(certificate.identity_key)
        world.chain.transact(revoke, world.senders[OWNER])
        assert failed() == ["state"]
    with world.undone():
        world.warp(8 * 24 * 3600)
        assert failed() == ["attestation"]
    with world.undone():
        world.warp(31 * 24 * 3600)
        assert failed() == ["attestation", "expiry"]


def test_denials_of_others_deny_nobody_else(
    world: World, certificate: KeyBundleCertificate
) -> None:
    policy = world.contract("EnclavePolicy").functions
    for function in (
        policy.denyPlatform(int(TeeKind.TDX), b"\x77" * 16),
        policy.denyFamily(int(TeeKind.TDX), b"\x77" * 6 + bytes(10)),
    ):
        world.chain.transact(function, world.senders[0])
    denials = proven(world).denials(
        TeeKind.TDX, proven(world).enclave(checksum_address(MAKER.authority)).word.platform
    )
    assert (denials.platform_denied, denials.family_denied) == (False, False)
    assert judged(world, certificate).exit_code is ExitCode.VERIFIED
    unknown = proven(world).denials(TeeKind.TDX, b"\x01" * 20)
    assert (unknown.platform_denied, unknown.family_denied) == (None, None)
    other = proven(world).denials(TeeKind.NITRO, b"\x01" * 20)
    assert (other.platform_denied, other.family_denied) == (None, None)


def test_agents_holder_is_said_to_be_unchecked(world: World) -> None:
    give(world, 7, world.senders[OWNER].address)
    made = certificate_for(world, MAKER, world.reader.agent_owner(7))
    call = world.contract("KeyRegistry").functions.registerKeyBundleWithAttestationForAgent(
        7,
        made.identity_key,
        made.pre_key,
        made.pre_key_signature,
        encode_proof(made, MAKER.authority),
    )
    world.chain.transact(call, world.senders[OWNER])
    assert results(judged(world, made))["agent's holder"] is CheckResult.NOT_CHECKED


def test_bundle_that_was_never_there_is_provably_absent(world: World) -> None:
    made = certificate_for(world, MAKER, world.address(OWNER))
    with pytest.raises(NotRegistered, match="provably"):
        judged(world, made)


def test_forged_pre_key_signature_fails(world: World, certificate: KeyBundleCertificate) -> None:
    verdict = judge_proven(
        proven(world),
        world.deployment,
        checksum_address(certificate.owner),
        certificate.identity_key,
        lambda _: bytes(64),
        accept_simulated=True,
    )
    assert [check.name for check in verdict.failed] == ["pre-key signature"]


def test_unknown_or_malformed_block_hash_is_refused(world: World) -> None:
    with pytest.raises(HeaderMismatch, match="does not know"):
        _ = ProvenRegistries(world.chain, world.deployment, b"\x01" * 32).header
    with pytest.raises(HeaderMismatch, match="32 bytes"):
        ProvenRegistries(world.chain, world.deployment, b"\x01" * 31)


def test_address_without_an_account_proves_nothing(world: World) -> None:
    moved = Deployment.from_dict(
        world.deployment.as_dict()
        | {"contracts": {**world.deployment.contracts, "KeyRegistry": "0x" + "99" * 20}}
    )
    registries = ProvenRegistries(world.chain, moved, world.chain.block().hash)
    with pytest.raises(StateProofInvalid, match="no account"):
        registries.active(world.senders[OWNER].address)


# --- nodes that lie -------------------------------------------------------------------------------


def test_attack_node_shows_another_blocks_state(
    world: World, certificate: KeyBundleCertificate
) -> None:
    """The revocation is hidden behind the state of the block before it."""
    old = world.chain.block()
    function = world.contract("KeyRegistry").functions.revokeKeyBundle(certificate.identity_key)
    world.chain.transact(function, world.senders[OWNER])

    def bend(method: str, params: tuple[Any, ...], answer: Any) -> Any:
        if method == "eth_getProof":
            return world.chain.request(method, *params[:2], hex(old.number))
        return answer

    def bend_header(method: str, params: tuple[Any, ...], answer: Any) -> Any:
        if method == "eth_getBlockByHash":
            return world.chain.request(method, "0x" + old.hash.hex(), False)
        return bend(method, params, answer)

    for lie, error in ((bend, StateProofInvalid), (bend_header, HeaderMismatch)):
        registries = proven(world, LyingChain(world.url, lie))
        with pytest.raises(error):
            registries.bundle(world.senders[OWNER].address, certificate.identity_key)


def test_attack_node_swaps_the_proofs_of_two_slots(
    world: World, certificate: KeyBundleCertificate
) -> None:
    def bend(method: str, params: tuple[Any, ...], answer: Any) -> Any:
        if method == "eth_getProof":
            answer["storageProof"] = answer["storageProof"][::-1]
        return answer

    with pytest.raises(StateProofInvalid):
        proven(world, LyingChain(world.url, bend)).bundle(
            world.senders[OWNER].address, certificate.identity_key
        )


def test_attack_node_bends_a_proof_anywhere(
    world: World, certificate: KeyBundleCertificate
) -> None:
    owner = world.senders[OWNER].address
    honest = proven(world).bundle(owner, certificate.identity_key)
    dice = random.Random(5)

    def bend(method: str, params: tuple[Any, ...], answer: Any) -> Any:
        if method != "eth_getProof":
            return answer
        bent = copy.deepcopy(answer)
        proofs = [bent["accountProof"], *(entry["proof"] for entry in bent["storageProof"])]
        nodes = dice.choice([proof for proof in proofs if proof])
        place = dice.randrange(len(nodes))
        if dice.random() < 0.3:
            nodes.pop(place)
        else:
            digit = dice.randrange(2, len(nodes[place]))
            other = "0" if nodes[place][digit] != "0" else "1"
            nodes[place] = nodes[place][:digit] + other + nodes[place][digit + 1 :]
        return bent

    for _ in range(40):
        with pytest.raises(StateProofInvalid):
            proven(world, LyingChain(world.url, bend)).bundle(owner, certificate.identity_key)
    assert proven(world).bundle(owner, certificate.identity_key) == honest


@pytest.mark.parametrize(
    "bent",
    [
        None,
        [],
        {},
        {"accountProof": None, "storageProof": []},
        {"accountProof": ["0xzz"], "storageProof": []},
        {"accountProof": [], "storageProof": []},
    ],
    ids=str,
)
def test_malformed_answer_is_refused_by_type(world: World, bent: object) -> None:
    def bend(method: str, params: tuple[Any, ...], answer: Any) -> Any:
        return bent if method == "eth_getProof" else answer

    with pytest.raises(StateProofInvalid):
        proven(world, LyingChain(world.url, bend)).active(world.senders[OWNER].address)


def test_node_without_eip_1898_is_asked_by_number(
    world: World, certificate: KeyBundleCertificate
) -> None:
    def bend(method: str, params: tuple[Any, ...], answer: Any) -> Any:
        if method == "eth_getProof" and isinstance(params[2], dict):
            raise RequestRefused("invalid block tag")
        return answer

    registries = proven(world, LyingChain(world.url, bend))
    assert len(registries.active(world.senders[OWNER].address)) == 1


def test_many_slots_are_asked_in_pages(world: World) -> None:
    asked: list[int] = []

    def bend(method: str, params: tuple[Any, ...], answer: Any) -> Any:
        if method == "eth_getProof":
            asked.append(len(params[1]))
        return answer

    reader = StateReader(LyingChain(world.url, bend), world.chain.block().hash)
    registry = parse_address(world.deployment.address("KeyRegistry"))
    words = reader.words(registry, range(10**6, 10**6 + 600))
    assert set(words.values()) == {0}
    assert sum(asked) == 600
    assert max(asked) <= 256
