"""Long proofs: a large group, and many epochs. Many messages both ways: test_unruly_network."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("grpc", reason="grpcio is not installed")
pytest.importorskip("xmtp_bindings", reason="xmtp-bindings is not installed")

from tests.e2e.xmtp.support import World
from tests.support.libxmtp import texts

pytestmark = pytest.mark.proof


def test_a_group_of_twenty_lives_through_changes_and_a_restart_of_the_enclave(
    world: World,
) -> None:
    async def story() -> None:
        peers = [await world.peer(f"peer {index}") for index in range(19)]
        owner = world.new_owner()
        async with await world.client(owner) as agent:
            group = await agent.conversations.new_group(
                [peer.inbox_id for peer in peers], name="twenty"
            )
            await group.send("hello all")
        world.restart()
        async with await world.client(owner) as agent:
            [group] = await agent.conversations.list()
            await group.remove_members([peer.inbox_id for peer in peers[:5]])
            await group.rename("fifteen")
            for index, peer in enumerate(peers[5:]):
                await peer.sync()
                [joined] = peer.conversations()
                await joined.send_text(f"from {index}")
            found = {message.text for message in await group.sync()}
            assert found == {f"from {index}" for index in range(14)}
            await group.send("goodbye")
            for peer in peers[5:]:
                await peer.sync()
                [joined] = peer.conversations()
                assert joined.group_name() == "fifteen"
                assert (await texts(joined))[-1] == "goodbye"
            await peers[0].sync()
            assert not peers[0].conversations()[0].is_active()
            assert agent.refusals == []

    asyncio.run(story())


def test_a_hundred_epochs_of_key_renewal_from_both_sides(world: World) -> None:
    async def story() -> None:
        peer = await world.peer("peer")
        async with await world.client(world.new_owner()) as agent:
            group = await agent.conversations.new_group([peer.inbox_id], name="0")
            await peer.sync()
            [theirs] = peer.conversations()
            for index in range(50):
                await group.renew_keys()
                await theirs.sync()
                await theirs.update_group_name(str(index))
                await theirs.send_text(f"at {index}")
                assert [m.text for m in await group.sync()] == [f"at {index}"]
            assert group.info.epoch >= 100
            assert agent.refusals == []

    asyncio.run(story())
