"""Users and their sides of conversations, without a network: what one says, the test hands to the others."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

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
from xmtp_tee.xmtp.proto.mls_api import WelcomeMessageInput, WelcomeWrapperAlgorithm
from xmtp_tee.xmtp.welcome import WrappedWelcome, unwrap

NOW = NOW_NS // 10**9


@dataclass
class User:
    """An inbox with one installation, whose keys the test holds. ``logs``: where everybody looks things up."""

    role: str
    logs: IdentityLogs
    now: int = NOW
    sequence_id: int = 10
    key: SignatureKey = field(init=False)
    inbox_id: str = field(init=False)
    package: InstallationKeyPackage = field(init=False)
    entry: bytes = field(init=False)

    def __post_init__(self) -> None:
        wallet, phone = WalletActor(f"{self.role}'s wallet"), InstallationActor(self.role)
        self.key = SignatureKey(hashlib.sha256(self.role.encode()).digest())
        assert self.key.public == phone.public_key
        self.inbox_id = inbox_id(wallet.member, 1)
        self.entry = update(self.inbox_id, create(by=wallet), add(phone, by=wallet)).encode()
        self.logs.extend(self.inbox_id, [LogEntry(self.sequence_id, self.entry)])
        self.package = make_key_package(self.key, self.inbox_id, self.now, entropy=os.urandom)

    @property
    def offer(self) -> PeerKeyPackage:
        return read_key_package(self.package.encoded, self.key.public, self.now)

    @property
    def newcomer(self) -> NewMembers:
        return NewMembers(self.inbox_id, self.sequence_id, (self.offer,))

    def found(self, **more: Any) -> Side:
        """Create a conversation with this user alone in it."""
        own = {"entropy": os.urandom} | more
        room = Conversation.create(self.key, self.inbox_id, self.sequence_id, self.now, **own)
        return Side(self, room)

    def join(self, welcome: bytes, logs: IdentityLogs | None = None) -> Side:
        """Join by an opened welcome, as far as the logs say that its group is what it must be."""
        inbox_at = (logs or self.logs).at
        return Side(self, Conversation.join(welcome, self.package, self.key, inbox_at, self.now))

    def open(self, encoded: bytes) -> Side:
        """Join by what was sent to the node for this user, a WelcomeMessageInput."""
        sent = WelcomeMessageInput.decode(encoded).v1
        assert sent is not None
        assert sent.installation_key == self.key.public
        algorithm = WelcomeWrapperAlgorithm(sent.wrapper_algorithm)
        wrapped = WrappedWelcome(sent.data, sent.welcome_metadata)
        return self.join(unwrap(wrapped, self.package.wrapper_key(algorithm), algorithm).welcome)


@dataclass
class Side:
    """A user's side of a conversation: the ``room``, at the user's time and with the user's logs."""

    user: User
    room: Conversation

    def say(self, text: str) -> bytes:
        return self.room.send(encode_text(text), text[:64], entropy=os.urandom)[0]

    def read(self, message: bytes, logs: IdentityLogs | None = None) -> ConversationEvent:
        return self.room.process(message, (logs or self.user.logs).at, self.user.now)

    def hears(self, message: bytes) -> str | None:
        """Read a message that is shown; return its text."""
        event = self.read(message)
        assert isinstance(event, MessageReceived), event
        return decode_content(event.content).text

    def renew(self) -> bytes:
        """Commit to new keys; the commit is not read back."""
        return self.room.renew(self.user.now, entropy=os.urandom)

    def renewed(self) -> bytes:
        """Commit to new keys, and take it that the commit wins; return it."""
        commit = self.renew()
        self.wins(commit)
        return commit

    def change(
        self, *, add: Sequence[User | NewMembers] = (), remove: Sequence[str] = ()
    ) -> bytes | None:
        """Commit to other members; the commit is not read back. None if nothing would change."""
        return self.room.change_members(
            self.user.now,
            entropy=os.urandom,
            inbox_at=self.user.logs.at,
            add=[each.newcomer if isinstance(each, User) else each for each in add],
            remove=remove,
        )

    def change_state(self, **fields: Any) -> bytes:
        """Commit to a state that differs in these fields; the commit is not read back."""
        return self.room.change_state(
            lambda state: replace(state, **fields),
            self.user.now,
            inbox_at=self.user.logs.at,
            entropy=os.urandom,
        )

    def change_attributes(self, **attributes: str) -> bytes:
        """Commit to other metadata; the commit is not read back."""
        return self.change_state(attributes={**self.room.state.attributes, **attributes})

    def wins(self, commit: bytes) -> GroupChanged:
        """Our own commit comes back."""
        event = self.read(commit)
        assert isinstance(event, GroupChanged)
        assert event.own
        return event

    def bring_in(self, *users: User) -> list[Side]:
        """Have users added by one commit, which wins; return their sides."""
        owed = {each.installation: each for each in self.wins(self.change(add=users)).welcomes}
        return [user.join(owed[user.key.public].welcome) for user in users]

    def restarted(self) -> Side:
        """The same side, saved and restored."""
        key, counter = self.user.key, self.room.counter
        return Side(self.user, Conversation.restore(self.room.save(), key, least_counter=counter))

    # --- a member that judges nothing -------------------------------------------------------------

    def smuggle(self, **proposals: Any) -> CommitMessages:
        """Commit to what XMTP's rules forbid; the commit stays ours to read back, or to discard."""
        return self.room._group.commit(
            CommitIntent(**proposals), entropy=os.urandom, now=self.user.now
        )

    def with_state(self, state: GroupState) -> Any:
        """The context's extensions with another state in them."""
        return self.room._with(state)

    def with_inboxes(self, **sequence_ids: int) -> Any:
        """The context's extensions with other inboxes beside those that belong already."""
        state = self.room.state
        inboxes = {**state.membership.inboxes, **sequence_ids}
        return self.with_state(
            replace(state, membership=replace(state.membership, inboxes=inboxes))
        )

    def bring_in_as(self, ghost: User, claimed: str) -> tuple[bytes, Side]:
        """Bring in a genuine installation whose leaf names somebody else's inbox; return the commit, which is not
        read back, and the impostor's side.
        """
        package = make_key_package(ghost.key, claimed, ghost.now, entropy=os.urandom)
        made = self.smuggle(
            add=(package.secrets.package,),
            extensions=self.with_inboxes(**{ghost.inbox_id: ghost.sequence_id}),
        )
        assert made.welcome is not None
        joined = Group.join(made.welcome, package.secrets, ghost.key, now=ghost.now, config=CONFIG)
        return made.commit, Side(ghost, Conversation(joined))
