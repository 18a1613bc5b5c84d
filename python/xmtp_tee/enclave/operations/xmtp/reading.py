"""Messages come in: read, shown to the application, sealed for the host's database."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xmtp_tee.enclave.member.history import HistoryMessage, open_message, seal_message
from xmtp_tee.enclave.member.installation import Installation
from xmtp_tee.enclave.member.last_page import LastPage
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.operations.xmtp.common import (
    entropy_of,
    installation_of,
    member_of,
    needs_log,
    random_bytes,
    refused,
)
from xmtp_tee.mls.errors import MlsError
from xmtp_tee.wire import messages as wire
from xmtp_tee.xmtp.commit_rules import InboxAt
from xmtp_tee.xmtp.conversation import Conversation
from xmtp_tee.xmtp.conversation_events import (
    ConversationEvent,
    GroupChanged,
    MessageReceived,
    MessageRefused,
)
from xmtp_tee.xmtp.errors import IdentityLogMissingError, StateTooLargeError, XmtpDataError
from xmtp_tee.xmtp.outgoing_welcomes import seal_welcomes


def process(call: Call, operation: wire.XmtpProcess) -> wire.XmtpEvents | wire.XmtpNeedsLog:
    """Read the next messages of a group."""
    record, installation = installation_of(call, operation.identity_key_id)
    rooms, group_id = call.parts.rooms, operation.group_id

    def content_of(sealed: bytes) -> bytes:
        return open_message(installation.history_key, group_id, sealed).content

    conversation = rooms.conversation(call, record, group_id)
    last = rooms.last_page(call, record, group_id)
    if last is not None and (said := last.repeated(operation.messages, content_of)):
        return wire.XmtpEvents(events=said)

    before = conversation.counter
    with rooms.whole_or_not(record, group_id):
        try:
            answers = _read(
                call, conversation, installation, operation.messages, rooms.logs(record).at
            )
        except IdentityLogMissingError as error:
            return needs_log(error)
        if conversation.counter != before:
            try:
                with rooms.changed(call, record, conversation) as draft:
                    page = LastPage.of(operation.messages, answers)
                    rooms.put_last_page(draft, record, group_id, page)
            except StateTooLargeError as error:
                return _smaller(call, operation, error)
    return wire.XmtpEvents(events=tuple(answers))


def _smaller(
    call: Call, operation: wire.XmtpProcess, error: StateTooLargeError
) -> wire.XmtpEvents | wire.XmtpNeedsLog:
    """Read less of a page that makes the state too large; refuse the message that does so by itself."""
    count = len(operation.messages)
    if count == 1:
        return wire.XmtpEvents(events=(refused(error),))
    first = operation.messages[: count // 2]
    return process(call, msgspec.structs.replace(operation, messages=first))


def _read(
    call: Call,
    conversation: Conversation,
    installation: Installation,
    messages: Sequence[wire.XmtpIncoming],
    inbox_at: InboxAt,
) -> list[wire.XmtpEvent | wire.XmtpRefused]:
    """Return the answers to the messages, up to the first that needs a log.

    :raises IdentityLogMissingError: the very first does; nothing has changed
    """
    answers: list[wire.XmtpEvent | wire.XmtpRefused] = []
    for incoming in messages:
        try:
            event = conversation.process(incoming.message, inbox_at, call.now)
        except IdentityLogMissingError:
            if not answers:
                raise
            return answers
        except (MlsError, XmtpDataError) as error:
            answers.append(refused(error))
        else:
            answers.append(_shown(call, conversation, installation, event, incoming))
    return answers


def _shown(
    call: Call,
    conversation: Conversation,
    installation: Installation,
    event: ConversationEvent,
    incoming: wire.XmtpIncoming,
) -> wire.XmtpEvent | wire.XmtpRefused:
    match event:
        case MessageReceived():
            kept = HistoryMessage(event.message_id, event.sender, incoming.sent_ns, event.content)
            return wire.XmtpEvent(
                kind="message",
                sender=member_of(event.sender),
                message_id=event.message_id,
                content=event.content,
                sealed=seal_message(
                    installation.history_key, conversation.id, kept, random_bytes(call, 12)
                ),
            )
        case GroupChanged():
            commit = event.commit
            welcomes = seal_welcomes(event.welcomes, incoming.message_id, entropy=entropy_of(call))
            return wire.XmtpEvent(
                kind="change",
                sender=member_of(commit.actor),
                content=commit.group_updated().encode() if commit.says_something else b"",
                welcomes=tuple(welcome.encode() for welcome in welcomes),
                own=event.own,
                removed_us=event.removed_us,
                lost=event.lost,
            )
        case MessageRefused():
            return refused(event.error)
        case _:
            return wire.XmtpEvent(kind="nothing")


def open_history(call: Call, operation: wire.XmtpOpenHistory) -> wire.XmtpHistory:
    """Open messages of the host's database."""
    _, installation = installation_of(call, operation.identity_key_id)
    opened = (
        open_message(installation.history_key, operation.group_id, sealed)
        for sealed in operation.sealed
    )
    return wire.XmtpHistory(
        messages=tuple(
            wire.XmtpHistoryMessage(
                message_id=each.message_id,
                sender=member_of(each.sender),
                sent_ns=each.sent_ns,
                content=each.content,
            )
            for each in opened
        )
    )
