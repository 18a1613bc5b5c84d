"""The example: an agent in the enclave answers the genuine libxmtp, also after it was killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("grpc", reason="grpcio is not installed")
pytest.importorskip("xmtp_bindings", reason="xmtp-bindings is not installed")

from tests.e2e.xmtp.support import World
from tests.support.libxmtp import Peer, texts

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "echo_agent.py"


@contextmanager
def running(world: World) -> Iterator[str]:
    """The example as a process; yields the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLE), str(world.process.socket), world.node.url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=world.folder,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[0]
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


async def ask(peer: Peer, inbox_id: str, text: str) -> list[str]:
    """Send a text and wait for one more to come back."""
    dm = await peer.dm(inbox_id)
    before = len(await texts(dm))
    await dm.send_text(text)
    for _ in range(200):
        await peer.sync()
        await dm.sync()
        found = await texts(dm)
        if len(found) >= before + 2:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"no answer came: {found}")


def test_the_example_has_fewer_than_forty_lines() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 45
    code = [
        line
        for line in EXAMPLE.read_text(encoding="utf-8").split('"""', 2)[2].splitlines()
        if line.strip()
    ]
    assert len(code) < 40


def test_the_echo_agent_answers_a_genuine_client_and_survives_its_own_death(
    world: World,
) -> None:
    async def story() -> None:
        peer = await world.peer("peer")
        with running(world) as address:
            inbox_id = world.node.network.inbox_id_of(address, 1)
            assert inbox_id is not None
            assert await ask(peer, inbox_id, "hello") == ["hello", "echo: hello"]
        with running(world) as same:
            assert same == address
            assert (await ask(peer, inbox_id, "again"))[-2:] == ["again", "echo: again"]

    asyncio.run(story())
