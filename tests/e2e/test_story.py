"""The whole story through the Python client, with a real enclave process and a real chain."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.world import (
    COLLATERAL_AGE,
    EXPIRY,
    OWNER,
    SECOND_OWNER,
    STRANGER,
    World,
    enclave_process,
)
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.simulator import CollateralRecipe, development_root_certificate
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import (
    ContractRefused,
    EnclaveUntrusted,
    KeyExpired,
    KeyRevoked,
    NoCode,
    NotRegistered,
    RegistrationMismatch,
    RegistrationRefused,
    SenderError,
    WrongChain,
)
from xmtp_tee.client.collateral import CollateralSync
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.key_manager import KeyInfo, KeyManager
from xmtp_tee.client.published import KeyState, Standing
from xmtp_tee.client.registry import RegistrySync
from xmtp_tee.client.registry_reader import RegistryReader
from xmtp_tee.errors import ExitCode
from xmtp_tee.verdict import CheckResult


def identity(keys: KeyManager, world: World, account: int) -> KeyInfo:
    """The account's identity key: made on the first call."""
    owner = world.senders[account].address
    found = [key for key in keys.list_keys(owner) if key.purpose == "xmtp-identity"]
    return found[0] if found else keys.generate_identity_key(owner)


@pytest.fixture
def registered(world: World, keys: KeyManager) -> Iterator[KeyInfo]:
    """The owner's bundle on chain; undone afterwards."""
    with world.undone():
        key = identity(keys, world, OWNER)
        world.registry(keys, OWNER).register_on_chain(key.id)
        yield key


def test_socket_is_for_its_owner_alone(enclave_socket: Path) -> None:
    assert stat.S_IMODE(enclave_socket.stat().st_mode) == 0o600


def test_first_registration_brings_the_quote_and_the_second_does_not(
    world: World, keys: KeyManager
) -> None:
    with world.undone():
        first = world.registry(keys, OWNER).register_on_chain(identity(keys, world, OWNER).id)
        second_key = identity(keys, world, SECOND_OWNER)
        second = world.registry(keys, SECOND_OWNER).register_on_chain(second_key.id)
        assert (first.with_quote, second.with_quote) == (True, False)
        assert second.receipt.gas_used < first.receipt.gas_used
        found = world.reader.get_on_chain_key(
            world.senders[SECOND_OWNER].address, second_key.public_key
        )
        assert found.pre_key == second.certificate.pre_key
        assert found.authority == second.authority
        assert found.epoch == second.certificate.epoch


def test_quote_is_brought_when_asked_for_although_the_enclave_is_trusted(
    world: World, keys: KeyManager, registered: KeyInfo
) -> None:
    world.mine(8)
    key = identity(keys, world, SECOND_OWNER)
    done = world.registry(keys, SECOND_OWNER).register_on_chain(key.id, with_quote=True)
    assert done.with_quote


class FrontRunner:
    """Submits the evidence of a registration before the registration itself is sent."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ran = 0

    def __call__(self, registry: RegistrySync, monkeypatch: pytest.MonkeyPatch) -> None:
        made = registry.evidence

        def seen(*arguments: object) -> object:
            evidence = made(*arguments)  # type: ignore[arg-type]
            self.world.attest(evidence.attestation)
            self.ran += 1
            return evidence

        monkeypatch.setattr(registry, "evidence", seen)


def test_evidence_that_somebody_submits_first_does_not_stop_the_registration(
    world: World, keys: KeyManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.undone():
        key = identity(keys, world, OWNER)
        registry, front_runner = world.registry(keys, OWNER), FrontRunner(world)
        front_runner(registry, monkeypatch)
        done = registry.register_on_chain(key.id)
        assert front_runner.ran == 1
        assert not done.with_quote
        found = world.reader.get_on_chain_key(world.senders[OWNER].address, key.public_key)
        assert found.pre_key == done.certificate.pre_key


def test_verify_registration_compares_every_field(
    world: World, keys: KeyManager, registered: KeyInfo
) -> None:
    owner = world.senders[OWNER].address
    verdict = world.registry(keys, OWNER).verify_registration(
        owner, registered.public_key, accept_simulated=True
    )
    names = {check.name for check in verdict.checks}
    assert {
        "root",
        "enclave",
        "platform",
        "state",
        "expiry",
        "pre-key signature",
        "authority",
        "identity key",
        "provenance",
        "pre-key",
        "epoch",
        "published signature",
    } <= names
    assert not verdict.failed
    assert all(check.result is not CheckResult.NOT_CHECKED for check in verdict.checks)
    assert verdict.level is AssuranceLevel.SIMULATED
    assert verdict.judged_at == world.now


def test_simulated_registration_is_refused_unless_accepted(
    world: World, keys: KeyManager, registered: KeyInfo
) -> None:
    with pytest.raises(RegistrationRefused) as refused:
        world.registry(keys, OWNER).verify_registration(
            world.senders[OWNER].address, registered.public_key
        )
    assert refused.value.exit_code is ExitCode.REFUSED_BY_POLICY
    assert [check.name for check in refused.value.verdict.failed] == ["root"]
    assert refused.value.verdict.level is AssuranceLevel.NONE


def test_another_enclave_does_not_agree_with_the_entry(
    world: World, keys: KeyManager, registered: KeyInfo
) -> None:
    with (
        enclave_process() as socket,
        KeyManager(socket) as other,
        pytest.raises(RegistrationMismatch) as refused,
    ):
        world.registry(other, OWNER).verify_registration(
            world.senders[OWNER].address, registered.public_key, accept_simulated=True
        )
    failed = {check.name for check in refused.value.verdict.failed}
    assert {"authority", "identity key"} <= failed


def test_rotation_publishes_the_next_epoch_without_a_quote(
    world: World, keys: KeyManager, registered: KeyInfo
) -> None:
    pre_key = keys.generate_pre_key(registered.id)
    done = world.registry(keys, OWNER).rotate_pre_key_on_chain(registered.id, pre_key.id)
    assert not done.with_quote
    found = world.reader.get_on_chain_key(world.senders[OWNER].address, registered.public_key)
    assert (found.pre_key, found.epoch) == (pre_key.public_key, pre_key.epoch)


def test_unpublished_pre_key_is_a_warning(
    world: World, keys: KeyManager, registered: KeyInfo
) -> None:
    keys.generate_pre_key(registered.id)
    verdict = world.registry(keys, OWNER).verify_registration(
        world.senders[OWNER].address, registered.public_key, accept_simulated=True
    )
    line = next(check for check in verdict.checks if check.name == "pre-key")
    assert line.result is CheckResult.WARN


def test_each_bad_standing_has_its_own_error(
    world: World, keys: KeyManager, registered: KeyInfo
) -> None:
    owner, key, reader = world.senders[OWNER].address, registered.public_key, world.reader
    policy = world.contract("EnclavePolicy")
    workload = reader.read("EnclaveRegistry", "enclave", reader.find(owner, key).authority)
    with pytest.raises(NotRegistered):
        reader.get_on_chain_key(world.senders[STRANGER].address, key)
    with world.undone():
        world.registry(keys, OWNER).revoke_on_chain(key)
        with pytest.raises(KeyRevoked):
            reader.get_on_chain_key(owner, key)
        assert reader.find(owner, key).state is KeyState.REVOKED
    with world.undone():
        world.chain.transact(
            policy.functions.removeWorkload(workload["workload"]), world.senders[0]
        )
        with pytest.raises(EnclaveUntrusted) as untrusted:
            reader.get_on_chain_key(owner, key)
        assert "WorkloadNotTrusted" in str(untrusted.value)
        assert reader.find(owner, key).assurance is AssuranceLevel.NONE
    assert reader.get_on_chain_key(owner, key).standing is Standing.TRUSTED


def test_expired_pre_key_is_told_from_an_expired_enclave(world: World, keys: KeyManager) -> None:
    with world.undone():
        key = identity(keys, world, OWNER)
        soon = keys.generate_pre_key(key.id, expires_at=world.now + 600)
        world.registry(keys, OWNER).register_on_chain(key.id, soon.id)
        owner = world.senders[OWNER].address
        world.warp(601)
        with pytest.raises(KeyExpired):
            world.reader.get_on_chain_key(owner, key.public_key)
        world.warp(EXPIRY)
        with pytest.raises(EnclaveUntrusted) as untrusted:
            world.reader.get_on_chain_key(owner, key.public_key)
        assert "AttestationExpired" in str(untrusted.value)


def test_keys_survive_a_restart_of_the_enclave(world: World, tmp_path: Path) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="xmtp-tee-") as name, world.undone():
        folder = Path(name)
        with enclave_process(folder) as socket, KeyManager(socket) as keys:
            made = keys.generate_identity_key(world.senders[OWNER].address)
            world.registry(keys, OWNER).register_on_chain(made.id)
            signature = keys.sign(made.id, b"before")
        with enclave_process(folder) as socket, KeyManager(socket) as keys:
            assert keys.get_identity_key(world.senders[OWNER].address) == made
            assert keys.sign(made.id, b"before") == signature  # Ed25519 is deterministic
            world.registry(keys, OWNER).verify_registration(
                world.senders[OWNER].address, made.public_key, accept_simulated=True
            )


def test_attestation_verifies_off_chain_and_on(world: World, keys: KeyManager) -> None:
    evidence = world.registry(keys, OWNER).evidence()
    now = world.now
    verdict = keys.verify_attestation(
        evidence.attestation,
        CollateralRecipe().build(now - COLLATERAL_AGE),
        development_root_certificate(),
        now,
    )
    assert not verdict.failed
    assert verdict.level is AssuranceLevel.SIMULATED
    with world.undone():
        world.attest(evidence.attestation)
        assert world.reader.enclave_standing(evidence.attestation.authority) == (True, "")


def test_sender_that_is_not_the_owner_is_refused_before_anything_is_sent(
    world: World, keys: KeyManager
) -> None:
    key = identity(keys, world, OWNER)
    before = world.chain.block().number
    with pytest.raises(SenderError):
        world.registry(keys, STRANGER).register_on_chain(key.id)
    assert world.chain.block().number == before


def test_refused_registration_spends_no_gas(
    world: World, keys: KeyManager, registered: KeyInfo
) -> None:
    before = world.chain.block().number
    with pytest.raises(ContractRefused) as refused:
        world.registry(keys, OWNER).register_on_chain(registered.id)
    assert refused.value.error_name == "IdentityKeyAlreadyActive"
    assert refused.value.exit_code is ExitCode.USAGE
    assert world.chain.block().number == before


def test_wrong_chain_is_refused_before_anything_else(world: World, keys: KeyManager) -> None:
    elsewhere = Deployment.from_dict(world.deployment.as_dict() | {"chainId": 1})
    for open_it in (
        lambda: RegistrySync(world.chain, elsewhere, keys, world.senders[OWNER]),
        lambda: RegistryReader(world.chain, elsewhere),
        lambda: CollateralSync(world.chain, elsewhere),
    ):
        with pytest.raises(WrongChain):
            open_it()


def test_deployment_without_code_is_refused(world: World) -> None:
    nowhere = {
        name: f"0x{index + 0xDEAD:040x}" for index, name in enumerate(world.deployment.contracts)
    }
    with pytest.raises(NoCode):
        RegistryReader(
            world.chain, Deployment.from_dict(world.deployment.as_dict() | {"contracts": nowhere})
        )


def test_collateral_that_is_known_is_not_sent_again(world: World) -> None:
    sync = CollateralSync(world.chain, world.deployment)
    before = world.chain.block().number
    again = sync.submit(world.collateral, world.senders[STRANGER])
    assert [item.sent for item in again] == [False] * len(again)
    assert world.chain.block().number == before
    with world.undone():
        newer = sync.submit(CollateralRecipe().build(world.now - 60), world.senders[STRANGER])
        sent = {item.what for item in newer if item.sent}
        assert "TCB info" in sent
        assert "QE identity" in sent
        assert "PCK CA certificate" not in sent
    assert len(sync.holdings()) >= 6
    assert all(item.until > world.now for item in sync.holdings())


def test_owner_and_identity_key_find_the_same_bundle(
    world: World, keys: KeyManager, registered: KeyInfo
) -> None:
    owner = world.senders[OWNER].address
    by_owner = world.reader.keys_of(owner)
    by_key = world.reader.find_identity_key(registered.public_key)
    assert by_owner == by_key
    assert [key.identity_key for key in by_owner] == [registered.public_key]


def test_node_that_is_gone_is_unavailable_not_a_verdict(world: World) -> None:
    from xmtp_tee.client.chain_errors import ChainUnavailable

    with pytest.raises(ChainUnavailable) as gone:
        Chain("http://127.0.0.1:1").block()
    assert gone.value.exit_code is ExitCode.UNAVAILABLE
