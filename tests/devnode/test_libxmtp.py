"""The genuine libxmtp lives on the local node: it registers, talks, streams, adds, removes, revokes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.libxmtp import Peer, Wallet, bindings, collector, sign, texts

bindings()
from xmtp_tee.devnode import DevNode  # noqa: E402


@pytest.fixture
def node() -> Iterator[DevNode]:
    with DevNode() as running:
        yield running


def test_a_direct_message_arrives_both_ways(node: DevNode, tmp_path: Path) -> None:
    async def story() -> None:
        sender_wallet, receiver_wallet = Wallet(), Wallet()
        sender = await Peer.connect(
            node.url, sender_wallet.address, sender_wallet, tmp_path / "sender"
        )
        receiver = await Peer.connect(
            node.url, receiver_wallet.address, receiver_wallet, tmp_path / "receiver"
        )
        dm = await sender.dm(receiver.inbox_id)
        await dm.send_text("hello")
        await receiver.sync()
        [answering] = receiver.conversations()
        assert await texts(answering) == ["hello"]
        await answering.send_text("good day")
        await dm.sync()
        assert await texts(dm) == ["hello", "good day"]

    asyncio.run(story())


def test_a_group_of_three_is_renamed_and_loses_a_member(node: DevNode, tmp_path: Path) -> None:
    async def story() -> None:
        wallets = [Wallet() for _ in range(4)]
        founder, *members, late = [
            await Peer.connect(node.url, wallet.address, wallet, tmp_path / str(index))
            for index, wallet in enumerate(wallets)
        ]
        group = await founder.group([member.inbox_id for member in members], "first name")
        await group.send_text("welcome")
        await group.add_members([late.inbox_id])
        await group.update_group_name("second name")
        await group.remove_members([members[0].inbox_id])
        await group.send_text("after")
        for member in (members[1], late):
            await member.sync()
            [joined] = member.conversations()
            assert joined.group_name() == "second name"
            assert (await texts(joined))[-1] == "after"
            assert len(await joined.list_members()) == 3
        await members[0].sync()
        [left] = members[0].conversations()
        assert await texts(left) == ["welcome"]
        assert not left.is_active()

    asyncio.run(story())


def test_a_stream_gives_what_was_missed_and_what_comes(node: DevNode, tmp_path: Path) -> None:
    async def story() -> None:
        sender_wallet, receiver_wallet = Wallet(), Wallet()
        sender = await Peer.connect(
            node.url, sender_wallet.address, sender_wallet, tmp_path / "sender"
        )
        receiver = await Peer.connect(
            node.url, receiver_wallet.address, receiver_wallet, tmp_path / "receiver"
        )
        callback = collector()
        closer = await receiver.client.conversations().stream_all_messages(callback, None)
        await closer.wait_for_ready()
        dm = await sender.dm(receiver.inbox_id)
        for index in range(3):
            await dm.send_text(f"message {index}")
        received = [await asyncio.wait_for(callback.received.get(), 20) for _ in range(3)]
        closer.end()
        assert received == ["message 0", "message 1", "message 2"]
        assert callback.errors == []

    asyncio.run(story())


def test_an_installation_is_revoked_and_the_inbox_goes_on(node: DevNode, tmp_path: Path) -> None:
    async def story() -> None:
        wallet = Wallet()
        first = await Peer.connect(node.url, wallet.address, wallet, tmp_path / "first")
        second = await Peer.connect(node.url, wallet.address, wallet, tmp_path / "second")
        assert first.inbox_id == second.inbox_id
        assert set(await second.installations()) == {first.installation_id, second.installation_id}
        request = await second.client.revoke_installations([first.installation_id])
        await sign(request, wallet)
        await second.client.apply_signature_request(request)
        assert await second.installations() == [second.installation_id]

    asyncio.run(story())


def test_the_eleventh_installation_is_refused(node: DevNode, tmp_path: Path) -> None:
    async def story() -> None:
        wallet = Wallet()
        for index in range(10):
            await Peer.connect(node.url, wallet.address, wallet, tmp_path / str(index))
        with pytest.raises(Exception, match="10"):
            await Peer.connect(node.url, wallet.address, wallet, tmp_path / "eleventh")

    asyncio.run(story())
