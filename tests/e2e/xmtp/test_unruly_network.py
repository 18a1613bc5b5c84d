"""Messages both ways at once through a network that loses, delays, reorders and doubles what its streams bring."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest

pytest.importorskip("grpc", reason="grpcio is not installed")
pytest.importorskip("xmtp_bindings", reason="xmtp-bindings is not installed")

from tests.e2e.xmtp.support import World, stream_of
from tests.support.libxmtp import collector, texts
from tests.support.unruly_node import ANY_ORDER, Misfortune
from xmtp_tee.client.xmtp import Conversation, Message, XmtpClient
from xmtp_tee.xmtp.proto.mls_api import GroupMessageV1

COUNTS = [
    pytest.param(60, id="60 each way"),
    pytest.param(500, id="500 each way", marks=[pytest.mark.proof, pytest.mark.timeout(1800)]),
]


@pytest.fixture
def misfortune(monkeypatch: pytest.MonkeyPatch) -> Iterator[Misfortune]:
    made = Misfortune(seed=8)
    made.install(monkeypatch)
    yield made
    # A network on which nothing went wrong would prove nothing.
    assert all(made.counts[name] for name in ANY_ORDER), made.counts


@pytest.fixture
def unruly(misfortune: Misfortune, request: pytest.FixtureRequest) -> World:
    """The world of the stories, on such a network: its node starts behind misfortune's installation."""
    world: World = request.getfixturevalue("world")
    return world


def numbered(name: str, count: int) -> list[str]:
    return [f"{name} {index}" for index in range(count)]


async def say_all(conversation: Conversation, said: list[str], renewing: int) -> None:
    """Send texts, and renew our keys now and then."""
    for index, text in enumerate(said, 1):
        await conversation.send(text)
        if index % renewing == 0:
            await conversation.renew_keys()


async def drained(queue: asyncio.Queue[Message]) -> list[str | None]:
    """What a stream has brought, once nothing more comes."""
    found = []
    while True:
        try:
            found.append((await asyncio.wait_for(queue.get(), 1)).text)
        except TimeoutError:
            return found


def assert_only_commits_lost(world: World, client: XmtpClient) -> None:
    """What was skipped are commits that others were faster than; no message."""
    for group_id, message_id, error in client.refusals:
        [refused, *_] = world.node.network.group_messages.after(group_id, message_id - 1)
        assert refused.v1 is not None
        assert (refused.v1.id, refused.v1.is_commit) == (message_id, True), error


@pytest.mark.parametrize("count", COUNTS)
def test_each_message_arrives_once_and_in_order_between_us_and_libxmtp(
    unruly: World, count: int
) -> None:
    async def story() -> None:
        peer = await unruly.peer("peer")
        async with await unruly.client(unruly.new_owner()) as agent, stream_of(agent) as queue:
            dm = await agent.conversations.new_dm(peer.address)
            await dm.send("hello")
            await peer.sync()
            [theirs] = peer.conversations()
            callback = collector()
            closer = await peer.client.conversations().stream_all_messages(callback, None)
            await closer.wait_for_ready()

            async def from_peer() -> None:
                for text in numbered("peer", count):
                    await theirs.send_text(text)

            await asyncio.gather(
                from_peer(), say_all(dm, numbered("agent", count), max(count // 5, 10))
            )
            # What the streams have left out at the end, the next sync finds.
            await dm.sync()
            assert await drained(queue) == numbered("peer", count)
            kept = [message.text for message in await dm.messages(limit=3 * count)]
            assert [text for text in kept if text and text.startswith("peer")] == numbered(
                "peer", count
            )
            assert [text for text in kept if text and text.startswith("agent")] == numbered(
                "agent", count
            )
            assert_only_commits_lost(unruly, agent)
            closer.end()
            await theirs.sync()
            found = [text for text in await texts(theirs) if text.startswith("agent")]
            assert found == numbered("agent", count)

    asyncio.run(story())


@pytest.mark.parametrize("count", COUNTS)
def test_each_message_arrives_once_and_in_order_between_two_of_us(
    unruly: World, count: int
) -> None:
    async def story() -> None:
        async with (
            await unruly.client(unruly.new_owner()) as one,
            await unruly.client(unruly.new_owner()) as other,
            stream_of(one) as heard_by_one,
            stream_of(other) as heard_by_other,
        ):
            dm = await one.conversations.new_dm(other.address)
            await other.conversations.sync_all()
            [answering] = await other.conversations.list()
            renewing = max(count // 5, 10)
            await asyncio.gather(
                say_all(dm, numbered("one", count), renewing),
                say_all(answering, numbered("other", count), renewing),
            )
            await dm.sync()
            await answering.sync()
            assert await drained(heard_by_one) == numbered("other", count)
            assert await drained(heard_by_other) == numbered("one", count)
            assert_only_commits_lost(unruly, one)
            assert_only_commits_lost(unruly, other)

    asyncio.run(story())


def test_a_list_that_lags_behind_the_stream_is_asked_again(world: World) -> None:
    async def story() -> None:
        peer = await world.peer("peer")
        async with await world.client(world.new_owner()) as agent, stream_of(agent) as queue:
            dm = await agent.conversations.new_dm(peer.address)
            await dm.send("hello")
            await peer.sync()
            [theirs] = peer.conversations()
            listed, lagging = agent.member.node.group_messages, 2

            async def behind(group_id: bytes, after: int) -> Sequence[GroupMessageV1]:
                nonlocal lagging
                found = await listed(group_id, after)
                if found and lagging:
                    lagging -= 1
                    return found[:-1]
                return found

            agent.member.node.group_messages = behind  # type: ignore[assignment, method-assign]
            await theirs.send_text("late in the list")
            assert (await asyncio.wait_for(queue.get(), 30)).text == "late in the list"
            assert not lagging

    asyncio.run(story())
