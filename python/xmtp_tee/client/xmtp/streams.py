"""Messages as they come: one stream of welcomes, one of all groups, taken up again when they break."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from xmtp_tee.client.xmtp.errors import NetworkRefusedError, NetworkUnavailableError
from xmtp_tee.client.xmtp.models import Message
from xmtp_tee.xmtp.proto.mls_api import GroupMessageV1

if TYPE_CHECKING:
    from xmtp_tee.client.xmtp.client import XmtpClient

log = logging.getLogger("xmtp_tee.client.xmtp")

T = TypeVar("T")

_PATIENCE: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to take a broken stream up again; the last repeats."""

_DAY: Final = 24 * 3600.0


async def stream_messages(client: XmtpClient) -> AsyncIterator[Message]:
    """Yield others' messages of all conversations, oldest first, for ever."""
    queue: asyncio.Queue[Message | BaseException] = asyncio.Queue()
    changed = asyncio.Event()
    client.changes.append(changed)
    stop_listening = client.listen(queue.put_nowait)
    tasks = [
        asyncio.create_task(_keep(queue, lambda: _welcomes(client))),
        asyncio.create_task(_keep(queue, lambda: _groups(client, changed))),
        asyncio.create_task(_keep(queue, lambda: _key_package(client))),
    ]
    try:
        while True:
            item = await queue.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop_listening()
        client.changes.remove(changed)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def _keep(
    queue: asyncio.Queue[Message | BaseException], run: Callable[[], Coroutine[None, None, None]]
) -> None:
    """Run a stream again and again while the network is to blame; hand on any other fault."""
    attempt = 0
    while True:
        try:
            await run()
            attempt = 0
        except NetworkUnavailableError as error:
            log.info("a stream broke: %s", error)
            await asyncio.sleep(_PATIENCE[min(attempt, len(_PATIENCE) - 1)])
            attempt += 1
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  (the stream's reader raises it)
            queue.put_nowait(error)
            return


async def _welcomes(client: XmtpClient) -> None:
    async def join() -> None:
        if await client.conversations.sync():
            client.announce()

    await join()
    cursor = client.database.cursor(client.installation_id)
    stream = client.member.node.stream_welcomes(client.installation_id, cursor)
    await _follow(stream, lambda _: None, join)


async def _key_package(client: XmtpClient) -> None:
    try:
        await client.keep_key_package()
    except NetworkRefusedError as error:
        # The one that the node has is good for weeks: messages must not wait for the next.
        log.warning("the key package is not renewed: %s", error)
    await asyncio.sleep(_DAY)


async def _groups(client: XmtpClient, changed: asyncio.Event) -> None:
    """Read all groups until there is one more; what came meanwhile is read from the cursors."""
    changed.clear()
    cursors = []
    for conversation in await client.conversations.list():
        await conversation.sync()
        cursors.append((conversation.id, client.database.cursor(conversation.id)))
    if not cursors:
        await changed.wait()
        return
    reading = asyncio.create_task(_read(client, cursors))
    waiting = asyncio.create_task(changed.wait())
    try:
        await asyncio.wait((reading, waiting), return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            reading.result()
    finally:
        for task in (reading, waiting):
            task.cancel()
            with suppress(asyncio.CancelledError, NetworkUnavailableError):
                await task


async def _read(client: XmtpClient, cursors: list[tuple[bytes, int]]) -> None:
    groups = dict(cursors)
    newest: dict[bytes, int] = {}

    def note(message: GroupMessageV1) -> None:
        if message.group_id in groups:
            newest[message.group_id] = max(message.id, newest.get(message.group_id, 0))

    async def catch_up() -> None:
        while newest:
            group_id, message_id = newest.popitem()
            conversation = await client.conversations.get(group_id)
            await conversation.catch_up(message_id)

    await _follow(client.member.node.stream_group_messages(cursors), note, catch_up)


async def _follow(
    stream: AsyncIterator[T], note: Callable[[T], None], read: Callable[[], Awaitable[None]]
) -> None:
    """Note a stream's items as they come, and have what is new read: once for all that came meanwhile.

    An item says no more than that there is something to read. So one that the stream leaves out or brings
    late costs time and nothing else, and nothing that waits takes memory.
    """
    arrived = asyncio.Event()

    async def watch() -> None:
        async for item in stream:
            note(item)
            arrived.set()

    watching = asyncio.create_task(watch())
    watching.add_done_callback(lambda _: arrived.set())
    try:
        while not watching.done():
            await arrived.wait()
            arrived.clear()
            await read()
        watching.result()
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError, NetworkUnavailableError):
            await watching
