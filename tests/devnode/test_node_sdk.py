"""The official SDK for Node lives on the local node beside the genuine Rust client."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.libxmtp import Peer, Wallet, bindings, texts
from tests.support.node_sdk import NodePeer, require_node_sdk

bindings()
from xmtp_tee.devnode import DevNode  # noqa: E402


def test_the_node_sdk_talks_with_libxmtp_and_keeps_one_installation(tmp_path: Path) -> None:
    require_node_sdk()

    async def peer(node: DevNode, wallet: Wallet) -> Peer:
        return await Peer.connect(node.url, wallet.address, wallet, tmp_path / "peer")

    async def answer(node: DevNode, wallet: Wallet) -> list[str]:
        receiver = await peer(node, wallet)
        await receiver.sync()
        [dm] = receiver.conversations()
        await dm.send_text("good day")
        return await texts(dm)

    wallet, peer_wallet = Wallet(), Wallet()
    with DevNode() as node:
        inbox_id = asyncio.run(peer(node, peer_wallet)).inbox_id
        with NodePeer(node.url, wallet.address, wallet, tmp_path / "node") as sender:
            conversation = sender.do("dm", inboxId=inbox_id, text="hello")
            assert asyncio.run(answer(node, peer_wallet)) == ["hello", "good day"]
            assert sender.do("texts", conversation=conversation) == ["hello", "good day"]
            first = sender.installation_id
        with NodePeer(node.url, wallet.address, wallet, tmp_path / "another") as second:
            assert set(second.do("installations")) == {first.hex(), second.installation_id.hex()}
            second.do("revokeOthers")
            assert second.do("installations") == [second.installation_id.hex()]
