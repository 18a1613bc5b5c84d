"""An XMTP agent that answers every text, and whose keys never leave the enclave.

    xmtp-tee devnode &                                   # a local XMTP network
    xmtp-tee enclave run --driver simulator --state-dir state &
    python examples/echo_agent.py state/enclave.sock

Whoever writes to the address that it prints gets an answer. Killed and started again, it is the same agent.
"""

from __future__ import annotations

import asyncio
import sys

from xmtp_tee.client import KeyManager
from xmtp_tee.client.xmtp import create_client


async def main(socket: str, node_url: str) -> None:
    with KeyManager(socket) as keys:
        wallets = keys.list_keys(purpose="wallet", state="active")
        wallet = wallets[0] if wallets else keys.generate_key("wallet", label="echo agent")
        client = await create_client(
            keys, wallet.owner, node_url=node_url, database="echo-agent.sqlite"
        )
        async with client:
            print(f"{client.address} answers at {node_url}", flush=True)
            async for message in client.stream():
                if message.text is not None:
                    conversation = await client.conversations.get(message.conversation_id)
                    await conversation.send(f"echo: {message.text}")


if __name__ == "__main__":
    arguments = [*sys.argv[1:], "http://localhost:5556"]
    asyncio.run(main(arguments[0], arguments[1]))
