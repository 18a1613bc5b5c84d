"""A commit of our own: made, published, and waited for until it has won; made anew when another's was first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from xmtp_tee.client.xmtp.errors import (
    ConversationError,
    NetworkRefusedError,
    NetworkUnavailableError,
)
from xmtp_tee.client.xmtp.reading import Reader
from xmtp_tee.client.xmtp.room import Room
from xmtp_tee.wire import messages as wire

_ATTEMPTS: Final = 5
"""How often a commit is made anew when others' commits win."""

_SHOWN_WITHIN: Final = (0.0, 0.1, 0.4, 1.0, 2.0, 4.0)
"""Seconds to wait, again and again, for a commit of ours that the node does not show yet."""


class Committer:
    """Commits to one group. Not for several coroutines at once."""

    def __init__(self, room: Room, reader: Reader) -> None:
        self._room = room
        self._reader = reader
        self._published: bytes | None = None
        """Our commit that the node may have, and has not shown yet."""

    async def commit(self, make: Callable[[], wire.Message]) -> None:
        """Have the enclave make a commit, publish it, and read on until it has won.

        ``make``: the operation, made for the group as it is then.

        :raises ConversationError: we are no member, or others' commits win every time
        :raises NetworkUnavailableError: the node does not show the commit; it is waited for the next time
        """
        for _ in range(_ATTEMPTS):
            await self._settle_earlier()
            self._room.require_active()
            won = self._reader.won
            outgoing = await self._room.ask(make(), wire.XmtpOutgoing)
            if not outgoing.message:
                return
            self._published = outgoing.message
            try:
                await self._room.publish(outgoing.message)
            except NetworkRefusedError:
                await self._drop()
                raise
            await self._require_settled()
            if self._reader.won > won:
                return
        raise ConversationError(
            "Others' commits overtook ours every time", got=f"{_ATTEMPTS} attempts"
        )

    async def _settle_earlier(self) -> None:
        """See that no commit of ours waits, or drop it.

        :raises NetworkUnavailableError: it was published since the start, and the node does not show it
        """
        if await self._is_settled():
            return
        if self._published is None:
            # An earlier run left it, and it has not come back since: it never reached the node.
            await self._drop()
            return
        # The node may have it: whoever dropped it here would be left behind once it shows. It may also have been
        # lost on the way, and what is published twice is the same commit.
        await self._room.publish(self._published)
        await self._require_settled()

    async def _require_settled(self) -> None:
        if not await self._is_settled():
            raise NetworkUnavailableError("The node took our commit, and does not show it yet")

    async def _is_settled(self) -> bool:
        """Read on until no commit of ours waits, because it came back or another won; False if it still does."""
        for patience in _SHOWN_WITHIN:
            await asyncio.sleep(patience)
            await self._reader.read_new()
            if not (await self._room.look()).has_pending_commit:
                self._published = None
                return True
        return False

    async def _drop(self) -> None:
        self._published = None
        await self._room.ask(self._room.about(wire.XmtpDropCommit), wire.XmtpConversation)
