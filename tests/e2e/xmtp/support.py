"""An enclave process, the local network, and agents whose keys live in the enclave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.enclave.support import EnclaveProcess
from tests.support.libxmtp import Peer, Wallet
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.client.xmtp import Message, XmtpClient, create_client
from xmtp_tee.devnode import DevNode


@dataclass
class World:
    """A network and an enclave; ``keys`` are connected anew after a restart."""

    node: DevNode
    folder: Path
    process: EnclaveProcess
    keys: KeyManager = field(init=False)

    def __post_init__(self) -> None:
        self.keys = KeyManager(self.process.socket, 30)

    def restart(self) -> None:
        """Kill the enclave and start it again over its store."""
        self.close()
        self.process = EnclaveProcess(self.folder)
        self.keys = KeyManager(self.process.socket, 30)

    def close(self) -> None:
        self.keys.close()
        self.process.end()

    def new_owner(self) -> Owner:
        """A wallet and an identity key, both in the enclave."""
        wallet = self.keys.generate_key("wallet")
        assert wallet.owner is not None
        identity = self.keys.generate_identity_key(wallet.owner)
        return Owner(wallet.id, identity.id, identity.public_key, wallet.owner)

    async def client(self, owner: Owner, **options: Any) -> XmtpClient:
        options = {"database": self.folder / f"{owner.address}.sqlite", **options}
        return await create_client(self.keys, owner.address, node_url=self.node.url, **options)

    async def peer(self, name: str, wallet: Wallet | None = None) -> Peer:
        """A genuine libxmtp client."""
        wallet = wallet or Wallet()
        return await Peer.connect(self.node.url, wallet.address, wallet, self.folder / name)


@dataclass(frozen=True)
class Owner:
    """Keys in the enclave."""

    wallet_key_id: str
    identity_key_id: str
    installation_id: bytes
    address: str


@asynccontextmanager
async def stream_of(client: XmtpClient) -> AsyncIterator[asyncio.Queue[Message]]:
    """The client's stream, collected."""
    queue: asyncio.Queue[Message] = asyncio.Queue()

    async def read() -> None:
        async for message in client.stream():
            queue.put_nowait(message)

    task = asyncio.create_task(read())
    try:
        yield queue
    finally:
        broke = task.done()
        task.cancel()
        [end] = await asyncio.gather(task, return_exceptions=True)
        if broke and isinstance(end, BaseException):
            raise end


Story = Callable[[World], Coroutine[Any, Any, None]]
