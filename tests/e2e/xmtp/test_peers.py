"""Who lives in an enclave: the network's log and the chain compared, with a genuine libxmtp peer that does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

pytest.importorskip("grpc", reason="grpcio is not installed")
pytest.importorskip("xmtp_bindings", reason="xmtp-bindings is not installed")

from tests.e2e.xmtp.support import Owner, World
from tests.support.world import STRANGER, open_world
from tests.support.world import World as ChainWorld
from xmtp_tee.cli import main
from xmtp_tee.client.intents import IntentKind
from xmtp_tee.client.xmtp.peers import ChainPeers


@pytest.fixture(scope="module")
def chain() -> Iterator[ChainWorld]:
    with open_world() as opened:
        yield opened


def publish(world: World, chain: ChainWorld, owner: Owner) -> None:
    """Register the owner's installation key; the wallet in the enclave signs, a stranger pays."""
    pre_key = world.keys.generate_pre_key(owner.identity_key_id)
    sync = chain.registry(world.keys, STRANGER)
    intent = sync.publication_intent(IntentKind.REGISTER, owner.identity_key_id, pre_key.id)
    _, signature = world.keys.sign_owner_intent(
        owner.wallet_key_id,
        "register",
        owner.identity_key_id,
        pre_key.id,
        chain_id=chain.deployment.chain_id,
        key_registry=chain.deployment.address("KeyRegistry"),
        nonce=intent.nonce,
        deadline=intent.deadline,
    )
    sync.relayer.submit(intent.signed(signature))


def allow_revocation(world: World) -> None:
    """Revocation is for ever, so the enclave's wallet signs it only where the policy says so."""
    policy = world.keys.get_policy()
    rules = msgspec.structs.replace(policy.wallet, intents=(*policy.wallet.intents, "revoke"))
    world.keys.apply_policy(
        msgspec.structs.replace(policy, version=policy.version + 1, wallet=rules)
    )


def verify_peer(
    world: World, chain: ChainWorld, folder: Path, address: str, *more: str
) -> tuple[int, dict[str, Any]]:
    """Run the command; return its exit code and its answer."""
    deployment = folder / "deployment.json"
    chain.deployment.save(deployment)
    words = ["verify-peer", address, "--node-url", world.node.url, "--rpc-url", chain.url]
    result = CliRunner(mix_stderr=False).invoke(
        main, [*words, "--deployment", str(deployment), *more, "--json"]
    )
    answer: dict[str, Any] = json.loads(result.stdout or result.stderr)
    return result.exit_code, answer


def test_conversation_tells_the_attested_installation_from_the_other_and_why(
    world: World, chain: ChainWorld
) -> None:
    owner = world.new_owner()
    publish(world, chain, owner)

    async def story(accept_simulated: bool) -> dict[bytes, tuple[bool, str]]:
        peer = await world.peer(f"peer {accept_simulated}")
        registry = ChainPeers(chain.reader, accept_simulated=accept_simulated)
        async with await world.client(owner, registry=registry) as agent:
            dm = await agent.conversations.new_dm(peer.address)
            found = {p.member.installation_id: (p.attested, p.reason) for p in await dm.peers()}
            assert set(found) == {owner.installation_id, peer.installation_id}
            assert found[peer.installation_id] == (
                False,
                "no wallet of the inbox publishes this installation now",
            )
            return found

    assert asyncio.run(story(True))[owner.installation_id] == (True, "trusted")
    # Under a development root nobody vouches, unless the reader says that this is development.
    assert asyncio.run(story(False))[owner.installation_id] == (False, "simulated")


def test_verify_peer_answers_by_exit_code_for_each_standing(
    world: World, chain: ChainWorld, tmp_path: Path
) -> None:
    owner = world.new_owner()

    async def join() -> str:
        peer = await world.peer("peer")
        async with await world.client(owner):
            pass
        return str(peer.address)

    libxmtp = asyncio.run(join())
    code, answer = verify_peer(world, chain, tmp_path, owner.address)
    assert (code, answer["installations"][0]["standing"]) == (2, "no-record")

    publish(world, chain, owner)
    code, answer = verify_peer(world, chain, tmp_path, owner.address)
    assert (code, answer["installations"][0]["standing"]) == (4, "simulated")

    code, answer = verify_peer(world, chain, tmp_path, owner.address, "--unsafe-accept-simulated")
    assert (code, answer["ok"]) == (0, True)
    assert answer["installations"] == [
        {
            "installation_id": owner.installation_id.hex(),
            "attested": True,
            "standing": "trusted",
            "owner": owner.address,
        }
    ]

    code, answer = verify_peer(world, chain, tmp_path, libxmtp, "--unsafe-accept-simulated")
    assert (code, answer["installations"][0]["attested"]) == (2, False)


def test_verify_peer_of_a_revoked_bundle_is_refused(
    world: World, chain: ChainWorld, tmp_path: Path
) -> None:
    owner = world.new_owner()

    async def join() -> None:
        async with await world.client(owner):
            pass

    asyncio.run(join())
    publish(world, chain, owner)
    allow_revocation(world)
    sync = chain.registry(world.keys, STRANGER)
    intent = sync.revocation_intent(owner.address, owner.installation_id)
    _, signature = world.keys.sign_owner_intent(
        owner.wallet_key_id,
        "revoke",
        owner.identity_key_id,
        chain_id=chain.deployment.chain_id,
        key_registry=chain.deployment.address("KeyRegistry"),
        nonce=intent.nonce,
        deadline=intent.deadline,
    )
    sync.relayer.submit(intent.signed(signature))
    code, answer = verify_peer(world, chain, tmp_path, owner.address, "--unsafe-accept-simulated")
    assert (code, answer["installations"][0]["standing"]) == (4, "revoked")
    assert not answer["installations"][0]["attested"]


def test_verify_peer_of_an_address_off_the_network_says_so(
    world: World, chain: ChainWorld, tmp_path: Path
) -> None:
    code, answer = verify_peer(world, chain, tmp_path, "0x" + "11" * 20)
    assert code not in (0, 2, 4)
    assert "0x1111" in json.dumps(answer)
