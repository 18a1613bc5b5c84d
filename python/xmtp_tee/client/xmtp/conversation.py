"""One conversation: send, read, change."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from xmtp_tee.client.xmtp.committing import Committer
from xmtp_tee.client.xmtp.database import SealedMessage
from xmtp_tee.client.xmtp.errors import (
    ONE_ITEMS_FAULT,
    ConversationError,
    MemberRefusedError,
    NetworkRefusedError,
    NetworkUnavailableError,
)
from xmtp_tee.client.xmtp.models import Consent, ConversationInfo, Message, PeerStanding
from xmtp_tee.client.xmtp.paging import pages
from xmtp_tee.client.xmtp.reading import Reader
from xmtp_tee.client.xmtp.room import Room
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.limits import MAX_HISTORY
from xmtp_tee.xmtp.content import encode_leave_request, encode_text
from xmtp_tee.xmtp.errors import WelcomesTooLargeError

if TYPE_CHECKING:
    from xmtp_tee.client.xmtp.client import XmtpClient

log = logging.getLogger("xmtp_tee.client.xmtp")

_NEWCOMERS: Final = 30
"""Inboxes that one commit brings in."""

_REFRESH_SECONDS: Final = 5.0
"""How long the members' logs count as fresh before a message is sent, as in libxmtp."""

_LAGGING: Final = (0.0, 0.1, 0.5, 1.0, 2.0)
"""Seconds to wait for the node's list to have what its stream has shown already."""


class Conversation:
    """A conversation of one client. Made by ``client.conversations``."""

    def __init__(self, client: XmtpClient, info: ConversationInfo) -> None:
        self._client = client
        self._room = Room(client, info)
        self._reader = Reader(self._room)
        self._committer = Committer(self._room, self._reader)
        # One at a time reads on, commits or sends.
        self._lock = asyncio.Lock()
        self._refreshed = 0.0

    def __repr__(self) -> str:
        return f"<Conversation {self.id.hex()}>"

    # --- looking ----------------------------------------------------------------------------------

    @property
    def id(self) -> bytes:
        """The group's id."""
        return self._room.id

    @property
    def info(self) -> ConversationInfo:
        """Name, members and the like, as of the last sync."""
        return self._room.info

    def look(self, info: ConversationInfo) -> None:
        """Take over what the conversation has become, because we were brought in again."""
        self._room.info = info

    @property
    def consent(self) -> Consent:
        """Whether the user wants this conversation; kept on this host."""
        return self._client.database.consent(self.id)

    def set_consent(self, consent: Consent) -> None:
        """Note whether the user wants this conversation."""
        self._client.database.set_consent(self.id, consent)

    async def messages(self, limit: int = 100) -> list[Message]:
        """Return the newest messages, oldest first, opened by the enclave."""
        kept = self._client.database.messages(self.id, limit)
        opened: list[Message] = []
        for part in pages(kept, lambda each: len(each.sealed), most=MAX_HISTORY):
            sealed = tuple(each.sealed for each in part)
            history = await self._room.ask(
                self._room.about(wire.XmtpOpenHistory, sealed=sealed), wire.XmtpHistory
            )
            opened += [
                Message.opened(
                    self.id, found.message_id, found.sender, found.sent_ns, found.content, each.own
                )
                for each, found in zip(part, history.messages, strict=True)
            ]
        return opened

    async def peers(self) -> list[PeerStanding]:
        """Return, for every installation here, whether the registry vouches for its enclave, and why not."""
        return await self._client.standing_of(self.info.members)

    # --- sending ----------------------------------------------------------------------------------

    async def send(self, text: str) -> bytes:
        """Send a text; return the message's id."""
        return await self.send_content(encode_text(text))

    async def send_content(self, content: bytes) -> bytes:
        """Send an encoded content (``xmtp.mls.message_contents.EncodedContent``).

        :raises ConversationError: we are no member any more
        :raises MemberRefusedError: a member's log cannot be verified any further; it may be a revocation
        """
        async with self._lock:
            self._room.require_active()
            await self._follow_members()
            outgoing = await self._room.ask(
                self._room.about(wire.XmtpSend, content=content), wire.XmtpOutgoing
            )
            await self._room.publish(outgoing.message)
            self._client.database.add_message(
                self.id, SealedMessage(outgoing.message_id, outgoing.sealed, own=True)
            )
            return outgoing.message_id

    async def _follow_members(self) -> None:
        """Before we send: renew keys that a welcome used, and bring in members' new installations."""
        loop = asyncio.get_running_loop()
        if (await self._room.look()).renew_first:
            await self._committer.commit(self._renewal)
        if loop.time() - self._refreshed < _REFRESH_SECONDS and self._refreshed:
            return
        learned = await self._client.member.learn(self.info.inboxes)
        present = {member.installation_id for member in self.info.members}
        wanted = {key for each in learned.values() for key in each.installations}
        if wanted - self.info.failed_installations != present:
            await self._committer.commit(self._members)
        self._refreshed = loop.time()

    # --- changing ---------------------------------------------------------------------------------

    async def add_members(self, members: Sequence[str]) -> None:
        """Bring inboxes in: inbox ids or wallet addresses."""
        inboxes = await self._client.inboxes_of(members)
        await self._change_members(add=inboxes)

    async def remove_members(self, members: Sequence[str]) -> None:
        """Take inboxes out: inbox ids or wallet addresses."""
        inboxes = await self._client.inboxes_of(members)
        await self._change_members(remove=inboxes)

    async def rename(self, name: str) -> None:
        """Give the group another name."""
        async with self._lock:
            await self._committer.commit(lambda: self._room.about(wire.XmtpRename, name=name))

    async def renew_keys(self) -> None:
        """Renew our own keys."""
        async with self._lock:
            await self._committer.commit(self._renewal)

    async def leave(self) -> None:
        """Ask to be removed; an admin's client does it. A direct message cannot be left."""
        if self.info.dm_with is not None:
            raise ConversationError("A direct message cannot be left")
        await self.send_content(encode_leave_request())

    async def _change_members(
        self, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()
    ) -> None:
        async with self._lock:
            self._room.require_active()
            # Who goes, goes whatever has become of its log: an entry that cannot be verified keeps nobody in.
            staying = [inbox for inbox in self.info.inboxes if inbox not in remove]
            await self._client.member.learn([*staying, *add])
            # A commit and the key packages for it travel in one request: many newcomers come in several.
            for start in range(0, max(len(add), 1), _NEWCOMERS):
                part = add[start : start + _NEWCOMERS]
                await self._change_part(part, remove)
                remove = ()

    async def _change_part(self, add: tuple[str, ...], remove: tuple[str, ...]) -> None:
        """Commit to these newcomers, in halves where their welcomes are too large together."""
        try:
            await self._committer.commit(functools.partial(self._members, add, remove))
        except MemberRefusedError as error:
            if error.got != WelcomesTooLargeError.code or len(add) < 2:
                raise
            half = len(add) // 2
            await self._change_part(add[:half], remove)
            await self._change_part(add[half:], ())

    def _members(
        self, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()
    ) -> wire.XmtpChangeMembers:
        return self._room.about(wire.XmtpChangeMembers, add=add, remove=remove)

    def _renewal(self) -> wire.XmtpRenewKeys:
        return self._room.about(wire.XmtpRenewKeys)

    # --- syncing ----------------------------------------------------------------------------------

    async def sync(self) -> list[Message]:
        """Read what is new at the node; return the new messages of others."""
        async with self._lock:
            found = await self._reader.read_new()
            await self._let_go()
            return found

    async def catch_up(self, message_id: int) -> None:
        """Read on until the message with this id at the node, which a stream has shown, was read.

        What a stream shows says that there is something to read. In which order, and whether something is
        missing before it, the node's list says.
        """
        for patience in _LAGGING:
            if self._reader.cursor >= message_id:
                return
            await asyncio.sleep(patience)
            await self.sync()

    async def _let_go(self) -> None:
        """Remove who asked to leave, if we are an admin. Whatever members ask for, what was read is shown."""
        if self._to_let_go():
            try:
                await self._committer.commit(lambda: self._members(remove=self._to_let_go()))
            except NetworkUnavailableError as error:
                log.info("who asked to leave %s is removed later: %s", self.id.hex(), error)
                return
            except (*ONE_ITEMS_FAULT, ConversationError, NetworkRefusedError) as error:
                self._client.note_refusal(self.id, self._reader.cursor, error)
        self._reader.leaving.clear()

    def _to_let_go(self) -> tuple[str, ...]:
        info, own = self.info, self._client.inbox_id
        if not info.is_active or own not in (*info.admins, *info.super_admins):
            return ()
        # Nobody can remove a super admin.
        return tuple(sorted(self._reader.leaving & set(info.inboxes) - {own, *info.super_admins}))
