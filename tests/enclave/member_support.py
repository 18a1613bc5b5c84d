"""An installation in an enclave in the test's own process, and users beyond its walls, without a network."""

from __future__ import annotations

import os
from typing import Any, TypeVar

from tests.enclave.operating import Desk
from tests.enclave.support import NOW
from tests.xmtp.conversation_support import User, with_inboxes
from xmtp_tee.mls.intents import CommitIntent
from xmtp_tee.wire import messages as wire
from xmtp_tee.xmtp.conversation import Conversation
from xmtp_tee.xmtp.conversation_events import GroupChanged, NewMembers, Welcoming
from xmtp_tee.xmtp.identity_logs import IdentityLogs, LogEntry
from xmtp_tee.xmtp.key_packages import PeerKeyPackage, read_key_package
from xmtp_tee.xmtp.outgoing_welcomes import seal_welcomes
from xmtp_tee.xmtp.proto.mls_api import WelcomeMessage, WelcomeMessageInput, WelcomeMessageV1

R = TypeVar("R", bound=wire.Message)
SEQUENCE = 20
"""The sequence id of the installation's first update."""


class Installation:
    """An identity key of the enclave that is an installation, and what it is asked."""

    def __init__(self, desk: Desk, logs: IdentityLogs) -> None:
        self.desk = desk
        self.logs = logs
        self.read = 100
        self.wallet = desk.make("wallet")
        assert self.wallet.owner is not None
        self.key = desk.identity(self.wallet.owner)
        registration = self.ask(
            wire.XmtpRegistration,
            wire.XmtpRegister,
            wallet_key_id=self.wallet.id,
            inbox_exists=False,
        )
        self.inbox_id = registration.inbox_id
        self.update = registration.identity_update
        self.key_package = registration.key_package
        logs.extend(self.inbox_id, [LogEntry(SEQUENCE, self.update)])
        self.learn(self.inbox_id, SEQUENCE, self.update)

    def ask(self, kind: type[R], operation: Any, **fields: Any) -> R:
        return self.desk.ask(operation(identity_key_id=self.key.id, **fields), kind)

    def learn(self, inbox: str, sequence: int, update: bytes) -> None:
        entry = wire.XmtpLogEntry(sequence_id=sequence, update=update)
        self.ask(wire.XmtpLearned, wire.XmtpLearn, inbox_id=inbox, entries=(entry,))

    def knows(self, user: User) -> None:
        self.learn(user.inbox_id, user.sequence_id, user.entry)

    def look(self, group_id: bytes) -> wire.XmtpConversation:
        return self.ask(wire.XmtpConversation, wire.XmtpGetConversation, group_id=group_id)

    def process(self, group_id: bytes, *messages: bytes) -> Any:
        """What a message brought, or why it was refused; of several, what was answered."""
        incoming = (
            wire.XmtpIncoming(message=each, message_id=number, sent_ns=1)
            for number, each in enumerate(messages, self.read + 1)
        )
        answer = self.ask(
            wire.XmtpEvents, wire.XmtpProcess, group_id=group_id, messages=tuple(incoming)
        )
        self.read += len(answer.events)
        return answer.events[0] if len(messages) == 1 else answer.events

    def join(self, welcome: WelcomeMessageInput) -> Any:
        """The conversation, or why there is none."""
        return self.ask(wire.Message, wire.XmtpJoin, welcome=as_stored(welcome).encode())

    @property
    def offer(self) -> PeerKeyPackage:
        return read_key_package(self.key_package, self.key.public_key, self.desk.now)

    @property
    def newcomer(self) -> NewMembers:
        return NewMembers(self.inbox_id, SEQUENCE, (self.offer,))


def as_stored(sent: WelcomeMessageInput) -> WelcomeMessage:
    """A welcome as the node keeps it."""
    assert sent.v1 is not None
    return WelcomeMessage(
        v1=WelcomeMessageV1(
            id=1,
            created_ns=1,
            installation_key=sent.v1.installation_key,
            data=sent.v1.data,
            hpke_public_key=sent.v1.hpke_public_key,
            wrapper_algorithm=sent.v1.wrapper_algorithm,
            welcome_metadata=sent.v1.welcome_metadata,
        )
    )


def founded_by(user: User) -> Conversation:
    return Conversation.create(user.key, user.inbox_id, user.sequence_id, NOW, entropy=os.urandom)


def smuggled(
    conversation: Conversation, installation: Installation, *, cursor: int = 7, **sequence_ids: int
) -> WelcomeMessageInput:
    """A welcome of a member that judges nothing: whatever is in the membership, and whatever cursor."""
    inboxes = {installation.inbox_id: SEQUENCE, **sequence_ids}
    offer = installation.offer
    made = conversation._group.commit(
        CommitIntent(
            add=(offer.package,),
            extensions=conversation._with(with_inboxes(conversation, **inboxes)),
        ),
        entropy=os.urandom,
        now=NOW,
    )
    assert made.welcome is not None
    owed = Welcoming(
        installation.key.public_key,
        offer.wrapper_key,
        int(offer.wrapper_algorithm),
        offer.reads_pointers,
        made.welcome,
    )
    [sealed] = seal_welcomes([owed], cursor, entropy=os.urandom)
    return sealed


def invitation(
    conversation: Conversation, installation: Installation, *, cursor: int = 7
) -> WelcomeMessageInput:
    """Bring the installation into a user's conversation; return its welcome."""
    logs = installation.logs
    commit = conversation.change_members(
        NOW, entropy=os.urandom, inbox_at=logs.at, add=[installation.newcomer]
    )
    event = conversation.process(commit, logs.at, NOW)
    assert isinstance(event, GroupChanged)
    [sealed] = seal_welcomes(event.welcomes, cursor, entropy=os.urandom)
    return sealed


def removal(conversation: Conversation, installation: Installation) -> bytes:
    """Take the installation's inbox out of a user's conversation; return the commit."""
    logs = installation.logs
    commit = conversation.change_members(
        NOW, entropy=os.urandom, inbox_at=logs.at, remove=[installation.inbox_id]
    )
    conversation.process(commit, logs.at, NOW)
    return commit
