"""One conversation: send, read, change."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from xmtp_tee.client.xmtp.database import SealedMessage
from xmtp_tee.client.xmtp.errors import (
    ONE_ITEMS_FAULT,
    ConversationError,
    MemberRefusedError,
    NetworkRefusedError,
    NetworkUnavailableError,
)
from xmtp_tee.client.xmtp.models import (
    Consent,
    ConversationInfo,
    Member,
    Message,
    PeerStanding,
)
from xmtp_tee.client.xmtp.paging import pages
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.errors import FrameTooLargeError, MessageUnexpectedError
from xmtp_tee.wire.limits import MAX_HISTORY, MAX_INCOMING, MAX_REQUEST_BODY
from xmtp_tee.xmtp.content import LEAVE_REQUEST, decode_content, encode_leave_request, encode_text
from xmtp_tee.xmtp.errors import DroppedCommitError, WelcomesTooLargeError, XmtpDataError
from xmtp_tee.xmtp.proto.mls_api import GroupMessageInputV1, GroupMessageV1, WelcomeMessageInput

if TYPE_CHECKING:
    from xmtp_tee.client.xmtp.client import XmtpClient

log = logging.getLogger("xmtp_tee.client.xmtp")

R = TypeVar("R", bound=wire.Message)
_Answer: TypeAlias = wire.XmtpEvent | wire.XmtpRefused

MAX_MESSAGE: Final = MAX_REQUEST_BODY - (2 << 10)
"""Bytes of the longest message that one request can carry."""

_PAGE_BYTES: Final = 128 << 10
"""Bytes of the messages of one page, unless it is a single one."""

_TOO_LARGE: Final = f"The message is longer than the {MAX_MESSAGE} bytes that the enclave reads"

_ATTEMPTS: Final = 5
"""How often a commit is made anew when others' commits win."""

_SHOWN_WITHIN: Final = (0.0, 0.1, 0.4, 1.0, 2.0, 4.0)
"""Seconds to wait, again and again, for a commit of ours that the node does not show yet."""

_NEWCOMERS: Final = 30
"""Inboxes that one commit brings in."""

_REFRESH_SECONDS: Final = 5.0
"""How long the members' logs count as fresh before a message is sent, as in libxmtp."""


_LAGGING: Final = (0.0, 0.1, 0.5, 1.0, 2.0)
"""Seconds to wait for the node's list to have what its stream has shown already."""


def _ends(answer: _Answer) -> bool:
    return isinstance(answer, wire.XmtpRefused) and answer.code == DroppedCommitError.code


class Conversation:
    """A conversation of one client. Made by ``client.conversations``."""

    def __init__(self, client: XmtpClient, info: ConversationInfo) -> None:
        self._client = client
        self._info = info
        self._lock = asyncio.Lock()
        self._refreshed = 0.0
        self._leaving: set[str] = set()
        self._has_won = False
        self._published: bytes | None = None

    def __repr__(self) -> str:
        return f"<Conversation {self.id.hex()}>"

    # --- looking ----------------------------------------------------------------------------------

    @property
    def id(self) -> bytes:
        """The group's id."""
        return self._info.id

    @property
    def info(self) -> ConversationInfo:
        """Name, members and the like, as of the last sync."""
        return self._info

    def look(self, info: ConversationInfo) -> None:
        """Take over what the conversation has become, because we were brought in again."""
        self._info = info

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
            history = await self._client.member.ask(
                wire.XmtpOpenHistory(
                    identity_key_id=self._client.member.key_id,
                    group_id=self.id,
                    sealed=tuple(each.sealed for each in part),
                ),
                wire.XmtpHistory,
            )
            opened += [
                self._message(
                    found.message_id, found.sender, found.sent_ns, found.content, own=each.own
                )
                for each, found in zip(part, history.messages, strict=True)
            ]
        return opened

    async def peers(self) -> list[PeerStanding]:
        """Return, for every installation here, whether the registry vouches for its enclave, and why not."""
        return await self._client.standing_of(self._info.members)

    # --- sending ----------------------------------------------------------------------------------

    async def send(self, text: str) -> bytes:
        """Send a text; return the message's id."""
        return await self.send_content(encode_text(text))

    async def send_content(self, content: bytes) -> bytes:
        """Send an encoded content (``xmtp.mls.message_contents.EncodedContent``).

        :raises ConversationError: we are no member any more
        """
        async with self._lock:
            self._require_active()
            await self._follow_members()
            outgoing = await self._ask(
                wire.XmtpSend(
                    identity_key_id=self._client.member.key_id, group_id=self.id, content=content
                ),
                wire.XmtpOutgoing,
            )
            await self._publish(outgoing.message)
            self._client.database.add_message(
                self.id, SealedMessage(outgoing.message_id, outgoing.sealed, own=True)
            )
            return outgoing.message_id

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
        key_id = self._client.member.key_id
        await self._commit(
            lambda: wire.XmtpRename(identity_key_id=key_id, group_id=self.id, name=name)
        )

    async def renew_keys(self) -> None:
        """Renew our own keys."""
        async with self._lock:
            await self._commit_locked(self._renewal)

    async def leave(self) -> None:
        """Ask to be removed; an admin's client does it. A direct message cannot be left."""
        if self._info.dm_with is not None:
            raise ConversationError("A direct message cannot be left")
        await self.send_content(encode_leave_request())

    # --- syncing ----------------------------------------------------------------------------------

    async def sync(self) -> list[Message]:
        """Read what is new at the node; return the new messages of others."""
        async with self._lock:
            found = await self._read_new()
            await self._let_go()
            return found

    async def catch_up(self, message_id: int) -> None:
        """Read on until the message with this id at the node, which a stream has shown, was read.

        What a stream shows says that there is something to read. In which order, and whether something is
        missing before it, the node's list says.
        """
        for patience in _LAGGING:
            if self._cursor() >= message_id:
                return
            await asyncio.sleep(patience)
            await self.sync()

    async def _read_new(self) -> list[Message]:
        found: list[Message] = []
        waiting = await self._client.member.node.group_messages(self.id, self._cursor())
        for page in pages(
            waiting, lambda each: len(each.data), most=MAX_INCOMING, most_bytes=_PAGE_BYTES
        ):
            found += await self._read_page(page)
        return found

    def _cursor(self) -> int:
        return max(self._client.database.cursor(self.id), self._client.joined_at(self.id))

    async def _read_page(self, page: Sequence[GroupMessageV1]) -> list[Message]:
        """Have the enclave read a page, in as many steps as it wants; return others' messages."""
        shown: list[Message] = []
        while page:
            answers = await self._answers_to(page)
            shown += await self._take(list(zip(page, answers, strict=False)))
            page = page[len(answers) :]
        return shown

    async def _answers_to(self, page: Sequence[GroupMessageV1]) -> Sequence[_Answer]:
        """Return the enclave's answers to the first messages of a page, at least one."""
        if len(page[0].data) > MAX_MESSAGE:
            return [wire.XmtpRefused(code=FrameTooLargeError.code, message=_TOO_LARGE)]
        incoming = (
            wire.XmtpIncoming(message=each.data, message_id=each.id, sent_ns=each.created_ns)
            for each in page
        )
        operation = wire.XmtpProcess(
            identity_key_id=self._client.member.key_id,
            group_id=self.id,
            messages=tuple(incoming),
        )
        try:
            found = await self._ask(operation, wire.XmtpEvents)
        except ONE_ITEMS_FAULT as error:
            if len(page) > 1:
                return await self._answers_to(page[:1])
            return [wire.XmtpRefused(code=error.code, message=str(error)[:500])]
        if not 0 < len(found.events) <= len(page):
            raise MessageUnexpectedError(
                "The enclave answered to other messages than were asked about",
                got=len(found.events),
                expected=f"1 to {len(page)}",
            )
        return found.events

    async def _take(self, pairs: Sequence[tuple[GroupMessageV1, _Answer]]) -> list[Message]:
        """Do what the enclave's answers ask for, write them down, and then show them.

        Until they are written, the enclave gives them again: nothing is lost when this ends anywhere.
        """
        events = [
            (message, answer) for message, answer in pairs if isinstance(answer, wire.XmtpEvent)
        ]
        for _, event in events:
            if event.welcomes:
                await self._client.member.node.send_welcomes(
                    [WelcomeMessageInput.decode(encoded) for encoded in event.welcomes]
                )
        changes = [event for _, event in events if event.kind == "change"]
        self._has_won = self._has_won or any(event.own for event in changes)
        if changes or any(_ends(answer) for _, answer in pairs):
            await self._look()
        shown = [
            self._message(event.message_id, event.sender, message.created_ns, event.content)
            for message, event in events
            if event.kind == "message" and event.sender is not None
        ]
        database = self._client.database
        with database.change():
            for _, event in events:
                if event.kind == "message":
                    database.add_message(
                        self.id, SealedMessage(event.message_id, event.sealed, own=False)
                    )
            database.advance(self.id, pairs[-1][0].id)
        for message, answer in pairs:
            if isinstance(answer, wire.XmtpRefused):
                # A wrong message is everybody's to skip: a stale commit, a stranger's noise.
                error = MemberRefusedError(answer.message, got=answer.code)
                self._client.note_refusal(self.id, message.id, error)
        for each in shown:
            self._client.show(each)
            if each.content_type.startswith(f"xmtp.org/{LEAVE_REQUEST.type_id}:"):
                self._leaving.add(each.sender.inbox_id)
        return shown

    async def _let_go(self) -> None:
        """Remove who asked to leave, if we are an admin. Whatever members ask for, what was read is shown."""
        if self._to_let_go():
            try:
                await self._commit_locked(lambda: self._members(remove=self._to_let_go()))
            except NetworkUnavailableError as error:
                log.info("who asked to leave %s is removed later: %s", self.id.hex(), error)
                return
            except (*ONE_ITEMS_FAULT, ConversationError, NetworkRefusedError) as error:
                self._client.note_refusal(self.id, self._cursor(), error)
        self._leaving.clear()

    def _to_let_go(self) -> tuple[str, ...]:
        info, own = self._info, self._client.inbox_id
        if not info.is_active or own not in (*info.admins, *info.super_admins):
            return ()
        # Nobody can remove a super admin.
        return tuple(sorted(self._leaving & set(info.inboxes) - {own, *info.super_admins}))

    # --- commits ----------------------------------------------------------------------------------

    async def _change_members(
        self, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()
    ) -> None:
        async with self._lock:
            self._require_active()
            await self._client.member.learn([*self._info.inboxes, *add])
            # A commit and the key packages for it travel in one request: many newcomers come in several.
            for start in range(0, max(len(add), 1), _NEWCOMERS):
                part = add[start : start + _NEWCOMERS]
                await self._change_part(part, remove)
                remove = ()

    async def _change_part(self, add: tuple[str, ...], remove: tuple[str, ...]) -> None:
        """Commit to these newcomers, in halves where their welcomes are too large together."""
        try:
            await self._commit_locked(functools.partial(self._members, add, remove))
        except MemberRefusedError as error:
            if error.got != WelcomesTooLargeError.code or len(add) < 2:
                raise
            half = len(add) // 2
            await self._change_part(add[:half], remove)
            await self._change_part(add[half:], ())

    async def _commit(self, make: Callable[[], wire.Message]) -> None:
        async with self._lock:
            await self._commit_locked(make)

    async def _commit_locked(self, make: Callable[[], wire.Message]) -> None:
        """Make a commit, publish it, and read on until it has won; make it anew when another has.

        :raises ConversationError: we are no member, or others' commits win every time
        :raises NetworkUnavailableError: the node does not show the commit; it is waited for the next time
        """
        for _ in range(_ATTEMPTS):
            await self._settle_earlier()
            self._require_active()
            self._has_won = False
            outgoing = await self._ask(make(), wire.XmtpOutgoing)
            if not outgoing.message:
                return
            self._published = outgoing.message
            try:
                await self._publish(outgoing.message)
            except NetworkRefusedError:
                await self._drop_commit()
                raise
            await self._require_settled()
            if self._has_won:
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
            await self._drop_commit()
            return
        # The node may have it: whoever dropped it here would be left behind once it shows. It may also have been
        # lost on the way, and what is published twice is the same commit.
        await self._publish(self._published)
        await self._require_settled()

    async def _require_settled(self) -> None:
        if not await self._is_settled():
            raise NetworkUnavailableError("The node took our commit, and does not show it yet")

    async def _is_settled(self) -> bool:
        """Read on until no commit of ours waits, because it came back or another won; False if it still does."""
        for patience in _SHOWN_WITHIN:
            await asyncio.sleep(patience)
            await self._read_new()
            if not (await self._look()).has_pending_commit:
                self._published = None
                return True
        return False

    async def _drop_commit(self) -> None:
        self._published = None
        await self._ask(
            wire.XmtpDropCommit(identity_key_id=self._client.member.key_id, group_id=self.id),
            wire.XmtpConversation,
        )

    async def _follow_members(self) -> None:
        """Before we send: renew keys that a welcome used, and bring in members' new installations."""
        loop = asyncio.get_running_loop()
        if (await self._look()).renew_first:
            await self._commit_locked(self._renewal)
        if loop.time() - self._refreshed < _REFRESH_SECONDS and self._refreshed:
            return
        learned = await self._client.member.learn(self._info.inboxes)
        present = {member.installation_id for member in self._info.members}
        wanted = {key for each in learned.values() for key in each.installations}
        if wanted - self._info.failed_installations != present:
            await self._commit_locked(self._members)
        self._refreshed = loop.time()

    def _members(
        self, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()
    ) -> wire.XmtpChangeMembers:
        return wire.XmtpChangeMembers(
            identity_key_id=self._client.member.key_id, group_id=self.id, add=add, remove=remove
        )

    def _renewal(self) -> wire.XmtpRenewKeys:
        return wire.XmtpRenewKeys(identity_key_id=self._client.member.key_id, group_id=self.id)

    # --- inside -----------------------------------------------------------------------------------

    async def _ask(self, operation: wire.Message, expected: type[R]) -> R:
        return await self._client.member.ask(operation, expected)

    async def _publish(self, message: bytes) -> None:
        await self._client.member.node.send_group_messages([GroupMessageInputV1(data=message)])

    async def _look(self) -> wire.XmtpConversation:
        found = await self._ask(
            wire.XmtpGetConversation(identity_key_id=self._client.member.key_id, group_id=self.id),
            wire.XmtpConversation,
        )
        self._info = ConversationInfo.from_wire(found)
        return found

    def _require_active(self) -> None:
        if not self._info.is_active:
            raise ConversationError(
                "We are no member of this conversation any more, or were left behind in it"
            )

    def _message(
        self,
        message_id: bytes,
        sender: wire.XmtpMember,
        sent_ns: int,
        content: bytes,
        *,
        own: bool = False,
    ) -> Message:
        try:
            decoded = decode_content(content)
            kind, data, text = decoded.type_name, decoded.data, decoded.text
        except XmtpDataError:
            # A member may send anything; what it is, the application cannot learn from us.
            kind, data, text = "unknown", content, None
        return Message(
            id=message_id,
            conversation_id=self.id,
            sender=Member.from_wire(sender),
            sent_ns=sent_ns,
            content_type=kind,
            content=data,
            text=text,
            is_own=own,
        )
