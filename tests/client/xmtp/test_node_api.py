"""The host's connection to a node: every call against the local node, and a node that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

pytest.importorskip("grpc", reason="grpcio is not installed")

from tests.xmtp.identity_support import (
    InstallationActor,
    WalletActor,
    add,
    create,
    update,
)
from xmtp_tee.client.xmtp.errors import (
    NetworkRefusedError,
    NetworkUnavailableError,
)
from xmtp_tee.client.xmtp.node_api import NodeApi, welcome_id
from xmtp_tee.devnode import DevNode
from xmtp_tee.errors import UsageError
from xmtp_tee.xmtp.members import inbox_id
from xmtp_tee.xmtp.proto import mls_api

OWNER = WalletActor("owner")
INBOX = inbox_id(OWNER.member, 1)
GROUP = b"group"
MESSAGE = bytes.fromhex("00010002") + bytes([len(GROUP)]) + GROUP + bytes(8) + b"\x01"


@pytest.fixture
def node() -> Iterator[DevNode]:
    with DevNode() as running:
        yield running


def test_identity_logs_are_published_and_read_from_any_entry(node: DevNode) -> None:
    async def story() -> None:
        async with NodeApi(node.url) as api:
            address = OWNER.member.value
            assert await api.inbox_ids([address]) == [None]
            first = update(INBOX, create(by=OWNER)).encode()
            later = update(INBOX, add(InstallationActor("phone"), by=OWNER)).encode()
            await api.publish_identity_update(first)
            await api.publish_identity_update(later)
            assert await api.inbox_ids([address, "0x" + "00" * 20]) == [INBOX, None]
            log = (await api.identity_updates([(INBOX, 0)]))[INBOX]
            assert [entry.update for entry in log] == [first, later]
            newer = await api.identity_updates([(INBOX, log[0].sequence_id)])
            assert [entry.update for entry in newer[INBOX]] == [later]

    asyncio.run(story())


def test_key_packages_come_in_the_order_asked_for(node: DevNode) -> None:
    key = bytes(range(32))
    package = bytes.fromhex("00010003") + b"\x01i" + b"\x01e" + b"\x20" + key

    async def story() -> None:
        async with NodeApi(node.url) as api:
            await api.upload_key_package(package)
            assert await api.key_packages([bytes(32), key]) == [None, package]

    asyncio.run(story())


def test_more_than_a_page_of_messages_is_read_oldest_first(node: DevNode) -> None:
    async def story() -> None:
        async with NodeApi(node.url) as api:
            await api.send_group_messages([mls_api.GroupMessageInputV1(data=MESSAGE)] * 250)
            found = await api.group_messages(GROUP, 0)
            ids = [message.id for message in found]
            assert len(ids) == 250
            assert ids == sorted(ids)
            rest = await api.group_messages(GROUP, ids[-3])
            assert [message.id for message in rest] == ids[-2:]
            welcome = mls_api.WelcomeMessageInput(
                v1=mls_api.WelcomeMessageInputV1(installation_key=b"key", data=b"data")
            )
            await api.send_welcomes([welcome] * 130)
            welcomes = await api.welcomes(b"key", 0)
            assert len({welcome_id(welcome) for welcome in welcomes}) == 130
            assert await api.welcomes(b"key", welcome_id(welcomes[-1])) == []

    asyncio.run(story())


def test_streams_give_what_was_and_what_comes(node: DevNode) -> None:
    async def story() -> None:
        async with NodeApi(node.url) as api:
            send = mls_api.GroupMessageInputV1(data=MESSAGE)
            await api.send_group_messages([send])
            stream = api.stream_group_messages([(GROUP, 0)])
            first = await asyncio.wait_for(anext(stream), 10)
            await api.send_group_messages([send])
            second = await asyncio.wait_for(anext(stream), 10)
            assert first.id < second.id
            await stream.aclose()  # type: ignore[attr-defined]
            welcomes = api.stream_welcomes(b"key", 0)
            coming = asyncio.ensure_future(anext(welcomes))
            await asyncio.sleep(0.1)
            await api.send_welcomes(
                [
                    mls_api.WelcomeMessageInput(
                        v1=mls_api.WelcomeMessageInputV1(installation_key=b"key")
                    )
                ]
            )
            assert welcome_id(await asyncio.wait_for(coming, 10)) > second.id
            await welcomes.aclose()  # type: ignore[attr-defined]

    asyncio.run(story())


def test_what_the_node_refuses_is_refused_and_no_node_is_unavailable() -> None:
    async def refused(url: str) -> None:
        async with NodeApi(url, timeout=5) as api:
            with pytest.raises(NetworkRefusedError, match="PublishIdentityUpdate"):
                await api.publish_identity_update(b"\xff")

    async def unavailable(url: str) -> None:
        async with NodeApi(url, timeout=5) as api:
            with pytest.raises(NetworkUnavailableError, match="GetInboxIds"):
                await api.inbox_ids(["0x" + "00" * 20])
            with pytest.raises(NetworkUnavailableError, match="Subscribe"):
                await anext(api.stream_welcomes(b"key", 0))

    with DevNode() as node:
        url = node.url
        asyncio.run(refused(url))
    asyncio.run(unavailable(url))


def test_a_url_that_is_none_is_a_usage_error() -> None:
    for url in ("127.0.0.1:5556", "ftp://host", "http://"):
        with pytest.raises(UsageError, match="not the address"):
            NodeApi(url)


def test_a_node_that_gives_the_same_page_for_ever_is_left(
    node: DevNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = mls_api.GroupMessage(v1=mls_api.GroupMessageV1(id=7, group_id=GROUP))
    again = mls_api.PagingInfo(id_cursor=7)

    class Page:
        items = (stored,)
        paging = again

    monkeypatch.setattr(node.network.group_messages, "page", lambda *_: Page)

    async def story() -> None:
        async with NodeApi(node.url) as api:
            with pytest.raises(NetworkUnavailableError, match="do not grow"):
                await api.group_messages(GROUP, 0)

    asyncio.run(story())
