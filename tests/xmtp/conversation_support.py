"""Users and their conversations without a network, and a member that does not keep the rules."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace

from tests.xmtp.identity_support import NOW_NS, InstallationActor, WalletActor, add, create, update
from xmtp_tee.mls.crypto import SignatureKey
from xmtp_tee.mls.group import Group
from xmtp_tee.mls.intents import CommitIntent, CommitMessages
from xmtp_tee.xmtp.content import decode_content, encode_text
from xmtp_tee.xmtp.conversation import Conversation
from xmtp_tee.xmtp.conversation_events import (
    ConversationEvent,
    GroupChanged,
    MessageReceived,
    NewMembers,
)
from xmtp_tee.xmtp.group_state import GroupState
from xmtp_tee.xmtp.group_terms import CONFIG
from xmtp_tee.xmtp.identity_logs import IdentityLogs, LogEntry
from xmtp_tee.xmtp.key_packages import (
    InstallationKeyPackage,
    PeerKeyPackage,
    make_key_package,
    read_key_package,
)
from xmtp_tee.xmtp.members import inbox_id

NOW = NOW_NS // 10**9


@dataclass
class User:
    """An inbox with one installation."""

    role: str
    logs: IdentityLogs
    now: int = NOW
    key: SignatureKey = field(init=False)
    inbox_id: str = field(init=False)
    package: InstallationKeyPackage = field(init=False)
    sequence_id: int = field(init=False)
    entry: bytes = field(init=False)

    def __post_init__(self) -> None:
        wallet, phone = WalletActor(f"{self.role}'s wallet"), InstallationActor(self.role)
        self.key = SignatureKey(hashlib.sha256(self.role.encode()).digest())
        assert self.key.public == phone.public_key
        self.inbox_id = inbox_id(wallet.member, 1)
        self.sequence_id = 10
        self.entry = update(self.inbox_id, create(by=wallet), add(phone, by=wallet)).encode()
        self.logs.extend(self.inbox_id, [LogEntry(self.sequence_id, self.entry)])
        self.package = make_key_package(self.key, self.inbox_id, self.now, entropy=os.urandom)

    @property
    def offer(self) -> PeerKeyPackage:
        return read_key_package(self.package.encoded, self.key.public, self.now)

    @property
    def newcomer(self) -> NewMembers:
        return NewMembers(self.inbox_id, self.sequence_id, (self.offer,))


def found(founder: User) -> Conversation:
    return Conversation.create(
        founder.key, founder.inbox_id, founder.sequence_id, NOW, entropy=os.urandom
    )


def committed(conversation: Conversation, commit: bytes, logs: IdentityLogs) -> GroupChanged:
    event = conversation.process(commit, logs.at, NOW)
    assert isinstance(event, GroupChanged)
    assert event.own
    return event


def bring_in(conversation: Conversation, user: User, logs: IdentityLogs) -> Conversation:
    """Have a user added; return its side."""
    commit = conversation.change_members(
        NOW, entropy=os.urandom, inbox_at=logs.at, add=[user.newcomer]
    )
    [welcoming] = committed(conversation, commit, logs).welcomes
    return Conversation.join(welcoming.welcome, user.package, user.key, logs.at, NOW)


def text_of(event: ConversationEvent) -> str | None:
    assert isinstance(event, MessageReceived)
    return decode_content(event.content).text


def say(conversation: Conversation, text: str) -> bytes:
    return conversation.send(encode_text(text), text, entropy=os.urandom)[0]


def with_inboxes(conversation: Conversation, **sequence_ids: int) -> GroupState:
    """The state with other inboxes beside those that belong already."""
    membership = conversation.state.membership
    inboxes = {**membership.inboxes, **sequence_ids}
    return replace(conversation.state, membership=replace(membership, inboxes=inboxes))


def bring_in_as(
    attacker: Conversation, ghost: User, claimed: str
) -> tuple[CommitMessages, Conversation]:
    """Have a member bring in a genuine installation whose leaf names somebody else's inbox."""
    package = make_key_package(ghost.key, claimed, ghost.now, entropy=os.urandom)
    state = with_inboxes(attacker, **{ghost.inbox_id: ghost.sequence_id})
    made = attacker._group.commit(
        CommitIntent(add=(package.secrets.package,), extensions=attacker._with(state)),
        entropy=os.urandom,
        now=ghost.now,
    )
    assert made.welcome is not None
    joined = Group.join(made.welcome, package.secrets, ghost.key, now=ghost.now, config=CONFIG)
    return made, Conversation(joined)
