"""Messages come in: read, shown to the application, sealed for the host's database."""

from __future__ import annotations

from xmtp_tee.enclave.member.history import HistoryMessage, open_message, seal_message
from xmtp_tee.enclave.member.installation import Installation
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.operations.xmtp.common import (
    Answer,
    entropy_of,
    installation_of,
    judged,
    member_of,
    random_bytes,
)
from xmtp_tee.wire import messages as wire
from xmtp_tee.xmtp.conversation import Conversation
from xmtp_tee.xmtp.conversation_events import ConversationEvent, GroupChanged, MessageReceived
from xmtp_tee.xmtp.outgoing_welcomes import seal_welcomes


def process(call: Call, operation: wire.XmtpProcess) -> Answer[wire.XmtpEvent]:
    """Read the next message of a group."""
    record, installation = installation_of(call, operation.identity_key_id)
    rooms = call.parts.rooms
    conversation = rooms.conversation(call, record, operation.group_id)

    def answer() -> wire.XmtpEvent:
        before = conversation.counter
        event = conversation.process(operation.message, rooms.logs.at, call.now)
        if conversation.counter == before:
            return _shown(call, conversation, installation, event, operation)
        with rooms.changed(call, record, conversation):
            return _shown(call, conversation, installation, event, operation)

    return judged(answer)


def _shown(
    call: Call,
    conversation: Conversation,
    installation: Installation,
    event: ConversationEvent,
    operation: wire.XmtpProcess,
) -> wire.XmtpEvent:
    match event:
        case MessageReceived():
            kept = HistoryMessage(event.message_id, event.sender, operation.sent_ns, event.content)
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
            welcomes = seal_welcomes(event.welcomes, operation.message_id, entropy=entropy_of(call))
            return wire.XmtpEvent(
                kind="change",
                sender=member_of(commit.actor),
                content=commit.group_updated().encode() if commit.says_something else b"",
                welcomes=tuple(welcome.encode() for welcome in welcomes),
                own=event.own,
                removed_us=event.removed_us,
                lost=event.lost,
            )
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
