"""The host dies between the enclave's answer and its own write, at every point: nothing is lost or shown twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("grpc", reason="grpcio is not installed")
pytest.importorskip("xmtp_bindings", reason="xmtp-bindings is not installed")

from tests.e2e.xmtp.support import Owner, World, stream_of
from tests.support.libxmtp import Peer, texts
from xmtp_tee.client.xmtp import Conversation, Message, XmtpClient
from xmtp_tee.client.xmtp.errors import NetworkUnavailableError
from xmtp_tee.wire import messages as wire
from xmtp_tee.xmtp.proto.mls_api import GroupMessageInputV1


class HostDied(BaseException):
    """The host's process is gone at this point."""


def die(*_: object) -> Any:
    raise HostDied


def after_the_enclaves_answer(agent: XmtpClient, group: Conversation) -> None:
    ask = agent.member.ask

    async def asked(operation: wire.Message, expected: Any) -> Any:
        await ask(operation, expected)
        if isinstance(operation, wire.XmtpProcess):
            die()

    agent.member.ask = asked  # type: ignore[assignment, method-assign]


def before_the_welcomes_are_sent(agent: XmtpClient, group: Conversation) -> None:
    agent.member.node.send_welcomes = die  # type: ignore[assignment, method-assign]


def after_the_welcomes_were_sent(agent: XmtpClient, group: Conversation) -> None:
    send = agent.member.node.send_welcomes

    async def sent(welcomes: Any) -> None:
        await send(welcomes)
        die()

    agent.member.node.send_welcomes = sent  # type: ignore[assignment, method-assign]


def before_the_write(agent: XmtpClient, group: Conversation) -> None:
    agent.database.change = die  # type: ignore[assignment, method-assign]


def inside_the_write(agent: XmtpClient, group: Conversation) -> None:
    agent.database.advance = die  # type: ignore[assignment, method-assign]


def after_the_write(agent: XmtpClient, group: Conversation) -> None:
    agent.show = die  # type: ignore[assignment, method-assign]


POINTS = [
    after_the_enclaves_answer,
    before_the_welcomes_are_sent,
    after_the_welcomes_were_sent,
    before_the_write,
    inside_the_write,
    after_the_write,
]


async def a_page_of_everything(
    world: World, owner: Owner, peer: Peer, newcomer: Peer
) -> tuple[XmtpClient, Conversation]:
    """A client that has not read a page yet: its own commit, which brings a newcomer in and has won, a stranger's
    noise, messages, and another's commit.
    """
    agent = await world.client(owner)
    group = await agent.conversations.new_group([peer.inbox_id], name="first")
    await group.send("hello")
    await peer.sync()
    [theirs] = peer.conversations()
    node = agent.member.node
    publish = node.send_group_messages

    async def published(messages: Any) -> None:
        await publish(messages)
        die()

    node.send_group_messages = published  # type: ignore[method-assign]
    with pytest.raises(HostDied):
        await group.add_members([newcomer.inbox_id])
    node.send_group_messages = publish  # type: ignore[method-assign]
    await peer.sync()
    replayed = world.node.network.group_messages.after(group.id, 0)[0].v1
    assert replayed is not None
    await theirs.send_text("one")
    await agent.member.node.send_group_messages([GroupMessageInputV1(data=replayed.data)])
    await theirs.update_group_name("second")
    await theirs.send_text("two")
    return agent, group


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.__name__)
@pytest.mark.parametrize("restarts", [False, True], ids=["host", "host and enclave"])
def test_a_page_is_neither_lost_nor_shown_twice(
    world: World, point: Callable[[XmtpClient, Conversation], None], *, restarts: bool
) -> None:
    async def story() -> None:
        owner = world.new_owner()
        peer, newcomer = await world.peer("peer"), await world.peer("newcomer")
        agent, group = await a_page_of_everything(world, owner, peer, newcomer)
        shown: list[Message] = []
        agent.listen(shown.append)
        point(agent, group)
        with pytest.raises(HostDied):
            await group.sync()
        await agent.close()
        if restarts:
            world.restart()
        async with await world.client(owner) as again:
            again.listen(shown.append)
            [same] = await again.conversations.list()
            await same.sync()
            await same.sync()
            written = [message.text for message in await same.messages()]
            assert written == ["hello", "one", "two"]
            # What was written before the end is in the history, and is not shown a second time.
            expected = [] if point is after_the_write else ["one", "two"]
            assert [message.text for message in shown] == expected
            assert same.info.name == "second"
            assert len(again.refusals) == (0 if point is after_the_write else 1)
            await same.send("after")
            await newcomer.sync()
            [joined] = newcomer.conversations()
            assert await texts(joined) == ["one", "two", "after"]
            await peer.sync()
            assert await texts(peer.conversations()[0]) == ["hello", "one", "two", "after"]

    asyncio.run(story())


def test_an_answer_that_the_network_interrupts_is_taken_up_again(world: World) -> None:
    async def story() -> None:
        owner = world.new_owner()
        peer, newcomer = await world.peer("peer"), await world.peer("newcomer")
        agent, _ = await a_page_of_everything(world, owner, peer, newcomer)
        send, failures = agent.member.node.send_welcomes, 2

        async def unreachable(welcomes: Any) -> None:
            nonlocal failures
            if failures:
                failures -= 1
                raise NetworkUnavailableError("The node is away")
            await send(welcomes)

        agent.member.node.send_welcomes = unreachable  # type: ignore[assignment, method-assign]
        async with agent, stream_of(agent) as queue:
            found = [(await asyncio.wait_for(queue.get(), 30)).text for _ in range(2)]
            assert found == ["one", "two"]
            assert not failures
            await newcomer.sync()
            [joined] = newcomer.conversations()
            assert await texts(joined) == ["one", "two"]

    asyncio.run(story())
