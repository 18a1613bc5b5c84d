"""RegistrySync: one object for what an application does with the registry; the enclave is asked for keys alone."""

from __future__ import annotations

from typing import cast

import pytest

from tests.client.registry_support import certificate_for
from tests.support.maker import Maker
from tests.support.world import OWNER, SECOND_OWNER, STRANGER, World
from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.certificate import ethereum_signature
from xmtp_tee.attestation.retirement import retirement_digest
from xmtp_tee.client.accounts import NodeSender
from xmtp_tee.client.chain_errors import SenderError
from xmtp_tee.client.history.watch import AlarmKind
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.client.published import KeyState, Standing
from xmtp_tee.client.registry import RegistrySync


def sync_of(world: World, account: int = OWNER) -> RegistrySync:
    """A RegistrySync that never asks its enclave."""
    return RegistrySync(
        world.chain, world.deployment, cast("KeyManager", None), world.senders[account]
    )


def test_reading_needs_no_enclave(world: World, maker: Maker) -> None:
    sync, owner = sync_of(world), world.senders[OWNER].address
    watch = sync.watch(owner.lower(), confirmations=0)
    assert watch.cursor
    before = world.chain.block().number
    certificate = certificate_for(world, maker, owner)
    world.register(certificate, maker.authority, OWNER)
    assert sync.lookup_keys([owner]) == world.reader.lookup_keys([owner])
    assert sync.history(owner.lower()) == world.reader.history(owner)
    assert sync.state_at(before, owner=owner).bundles(owner) == []
    assert len(sync.state_at(world.chain.block().number).bundles(owner)) == 1
    assert sync.get_on_chain_key(owner, certificate.identity_key).standing is Standing.TRUSTED
    assert [alarm.kind for alarm in watch.poll()] == [AlarmKind.REGISTERED]


def test_revocation_for_another_owner_is_signed_and_brought(world: World, maker: Maker) -> None:
    owner = world.senders[SECOND_OWNER]
    certificate = certificate_for(world, maker, owner.address)
    world.register(certificate, maker.authority, SECOND_OWNER)
    sync_of(world, STRANGER).revoke_on_chain(certificate.identity_key, for_owner=owner)
    found = world.reader.find(owner.address, certificate.identity_key)
    assert found.state is KeyState.REVOKED


def test_retirement_ends_an_enclave(world: World, maker: Maker) -> None:
    registry = parse_address(world.deployment.address("EnclaveRegistry"))
    digest = retirement_digest(world.deployment.chain_id, registry, maker.authority)
    signature = ethereum_signature(maker.key.sign_recoverable(digest, hasher=None))
    sync_of(world).retire_on_chain(checksum_address(maker.authority), signature)
    assert world.reader.enclave_standing(maker.authority) == (False, "EnclaveRetired")


def test_account_that_the_node_does_not_hold_signs_nothing(world: World, maker: Maker) -> None:
    locked = NodeSender("0x" + "57" * 20)
    intent = sync_of(world).revocation_intent(locked.address, b"\x05" * 32)
    with pytest.raises(SenderError, match="does not sign"):
        sync_of(world).sign(intent, locked)
