"""A group's messages come in: read at the node, opened by the enclave, written down, and then shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from xmtp_tee.client.xmtp.database import SealedMessage
from xmtp_tee.client.xmtp.errors import ONE_ITEMS_FAULT, MemberRefusedError
from xmtp_tee.client.xmtp.models import Message
from xmtp_tee.client.xmtp.paging import pages
from xmtp_tee.client.xmtp.room import Room
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.errors import FrameTooLargeError, MessageUnexpectedError
from xmtp_tee.wire.limits import MAX_INCOMING, MAX_REQUEST_BODY
from xmtp_tee.xmtp.content import LEAVE_REQUEST
from xmtp_tee.xmtp.errors import DroppedCommitError
from xmtp_tee.xmtp.proto.mls_api import GroupMessageV1, WelcomeMessageInput

_Answer: TypeAlias = wire.XmtpEvent | wire.XmtpRefused

MAX_MESSAGE: Final = MAX_REQUEST_BODY - (2 << 10)
"""Bytes of the longest message that one request can carry."""

_PAGE_BYTES: Final = 128 << 10
"""Bytes of the messages of one page, unless it is a single one."""

_TOO_LARGE: Final = f"The message is longer than the {MAX_MESSAGE} bytes that the enclave reads"


class Reader:
    """Reads one group on, page by page. Not for several coroutines at once."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.won = 0
        """How many commits of our own have come back as those that win."""
        self.leaving: set[str] = set()
        """Inboxes that asked to be removed."""

    @property
    def cursor(self) -> int:
        """The node's id up to which the group was read."""
        client, group_id = self._room.client, self._room.id
        return max(client.database.cursor(group_id), client.joined_at(group_id))

    async def read_new(self) -> list[Message]:
        """Read what is new at the node; return the new messages of others."""
        found: list[Message] = []
        node = self._room.client.member.node
        waiting = await node.group_messages(self._room.id, self.cursor)
        for page in pages(
            waiting, lambda each: len(each.data), most=MAX_INCOMING, most_bytes=_PAGE_BYTES
        ):
            found += await self._read_page(page)
        return found

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
        incoming = tuple(
            wire.XmtpIncoming(message=each.data, message_id=each.id, sent_ns=each.created_ns)
            for each in page
        )
        operation = self._room.about(wire.XmtpProcess, messages=incoming)
        try:
            found = await self._room.ask(operation, wire.XmtpEvents)
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
        await self._send_welcomes(pairs)
        if any(_changes(answer) for _, answer in pairs):
            await self._room.look()
        shown = [
            Message.opened(
                self._room.id, answer.message_id, answer.sender, message.created_ns, answer.content
            )
            for message, answer in pairs
            if isinstance(answer, wire.XmtpEvent) and answer.kind == "message" and answer.sender
        ]
        self._write_down(pairs)
        self.won += sum(isinstance(answer, wire.XmtpEvent) and answer.own for _, answer in pairs)
        for each in shown:
            self._room.client.show(each)
            if each.content_type.startswith(f"xmtp.org/{LEAVE_REQUEST.type_id}:"):
                self.leaving.add(each.sender.inbox_id)
        return shown

    async def _send_welcomes(self, pairs: Sequence[tuple[GroupMessageV1, _Answer]]) -> None:
        for _, answer in pairs:
            if isinstance(answer, wire.XmtpEvent) and answer.welcomes:
                await self._room.client.member.node.send_welcomes(
                    [WelcomeMessageInput.decode(encoded) for encoded in answer.welcomes]
                )

    def _write_down(self, pairs: Sequence[tuple[GroupMessageV1, _Answer]]) -> None:
        client, group_id = self._room.client, self._room.id
        with client.database.change():
            for _, answer in pairs:
                if isinstance(answer, wire.XmtpEvent) and answer.kind == "message":
                    sealed = SealedMessage(answer.message_id, answer.sealed, own=False)
                    client.database.add_message(group_id, sealed)
            client.database.advance(group_id, pairs[-1][0].id)
        for message, answer in pairs:
            if isinstance(answer, wire.XmtpRefused):
                # A wrong message is everybody's to skip: a stale commit, a stranger's noise.
                error = MemberRefusedError(answer.message, got=answer.code)
                client.note_refusal(group_id, message.id, error)


def _changes(answer: _Answer) -> bool:
    """Whether the group is another after this."""
    if isinstance(answer, wire.XmtpRefused):
        return answer.code == DroppedCommitError.code
    return answer.kind == "change"
