"""An enclave's conversation with members in the test's own hands: no network, bytes are handed over."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.xmtp.identity_support import InstallationActor, WalletActor, add, create, update
from xmtp_tee.mls.crypto import SignatureKey
from xmtp_tee.wire import messages as wire
from xmtp_tee.xmtp.content import decode_content, encode_text
from xmtp_tee.xmtp.conversation import Conversation
from xmtp_tee.xmtp.conversation_events import ConversationEvent, GroupChanged, NewMembers
from xmtp_tee.xmtp.identity_logs import IdentityLogs, LogEntry
from xmtp_tee.xmtp.key_packages import InstallationKeyPackage, make_key_package, read_key_package
from xmtp_tee.xmtp.members import inbox_id
from xmtp_tee.xmtp.outgoing_welcomes import seal_welcomes
from xmtp_tee.xmtp.proto.mls_api import (
    WelcomeMessage,
    WelcomeMessageInput,
    WelcomeMessageV1,
    WelcomeWrapperAlgorithm,
)
from xmtp_tee.xmtp.welcome import WrappedWelcome, unwrap

NOW = 1_800_000_000
Ask = Callable[..., Any]
"""``ask(operation, kind of the result)``."""


@dataclass
class Outsider:
    """An inbox with one installation whose keys the test holds: an independent member of groups."""

    role: str
    logs: IdentityLogs
    sequence_id: int = 10
    inbox_id: str = field(init=False)
    update: bytes = field(init=False)
    group: Conversation | None = None

    def __post_init__(self) -> None:
        wallet, phone = WalletActor(f"{self.role}'s wallet"), InstallationActor(self.role)
        self.key = SignatureKey(hashlib.sha256(self.role.encode()).digest())
        self.inbox_id = inbox_id(wallet.member, 1)
        self.update = update(self.inbox_id, create(by=wallet), add(phone, by=wallet)).encode()
        self.logs.extend(self.inbox_id, [LogEntry(self.sequence_id, self.update)])
        self.package: InstallationKeyPackage = make_key_package(
            self.key, self.inbox_id, NOW, entropy=os.urandom
        )

    @property
    def room(self) -> Conversation:
        assert self.group is not None
        return self.group

    @property
    def newcomer(self) -> NewMembers:
        offer = read_key_package(self.package.encoded, self.key.public, NOW)
        return NewMembers(self.inbox_id, self.sequence_id, (offer,))

    def join(self, encoded: bytes) -> None:
        """Join by a WelcomeMessageInput that was meant for us."""
        welcome = WelcomeMessageInput.decode(encoded).v1
        assert welcome is not None
        assert welcome.installation_key == self.key.public
        algorithm = WelcomeWrapperAlgorithm(welcome.wrapper_algorithm)
        opened = unwrap(
            WrappedWelcome(welcome.data, welcome.welcome_metadata),
            self.package.wrapper_key(algorithm),
            algorithm,
        )
        self.group = Conversation.join(opened.welcome, self.package, self.key, self.logs.at, NOW)

    def say(self, text: str) -> bytes:
        return self.room.send(encode_text(text), text[:64], entropy=os.urandom)[0]

    def read(self, message: bytes) -> ConversationEvent:
        return self.room.process(message, self.logs.at, NOW)

    def renew(self) -> bytes:
        """Commit to new keys, and take it that the commit wins."""
        commit = self.room.renew(NOW, entropy=os.urandom)
        self.read(commit)
        return commit

    def change(
        self, *, add: list[Outsider] | None = None, remove: list[str] | None = None
    ) -> bytes:
        """Commit to other members; it is not read back."""
        return self.room.change_members(
            NOW,
            entropy=os.urandom,
            inbox_at=self.logs.at,
            add=[each.newcomer for each in add or ()],
            remove=remove or (),
        )


class EnclaveRoom:
    """An installation in the enclave, and one group of it."""

    def __init__(self, ask: Ask, logs: IdentityLogs) -> None:
        """Make the installation and the group, with it alone inside."""
        self._ask, self.logs = ask, logs
        self.next_id = 100
        wallet = ask(wire.GenerateKey(purpose="wallet"), wire.Key)
        self.key = ask(wire.GenerateIdentityKey(owner=wallet.owner), wire.Key)
        made = ask(
            wire.XmtpRegister(
                wallet_key_id=wallet.id, identity_key_id=self.key.id, inbox_exists=False
            ),
            wire.XmtpRegistration,
        )
        self.inbox_id = made.inbox_id
        self.update, self.key_package = made.identity_update, made.key_package
        logs.extend(made.inbox_id, [LogEntry(20, made.identity_update)])
        self.learn_own()
        self.group_id = ask(
            wire.XmtpCreate(identity_key_id=self.key.id, name="ours"), wire.XmtpConversation
        ).group_id

    def learn_own(self) -> None:
        self._learn(self.inbox_id, 20, self.update)

    def learn(self, outsider: Outsider) -> None:
        """Bring an outsider's log."""
        self._learn(outsider.inbox_id, outsider.sequence_id, outsider.update)

    def _learn(self, inbox: str, sequence_id: int, encoded: bytes) -> None:
        entry = wire.XmtpLogEntry(sequence_id=sequence_id, update=encoded)
        operation = wire.XmtpLearn(identity_key_id=self.key.id, inbox_id=inbox, entries=(entry,))
        self._ask(operation, wire.XmtpLearned)

    def incoming(self, *messages: bytes) -> tuple[wire.XmtpIncoming, ...]:
        """The messages under the node's next ids."""
        first, self.next_id = self.next_id, self.next_id + len(messages)
        return tuple(
            wire.XmtpIncoming(message=message, message_id=number, sent_ns=number * 10**9)
            for number, message in enumerate(messages, first)
        )

    def page(self, incoming: tuple[wire.XmtpIncoming, ...]) -> wire.XmtpProcess:
        return wire.XmtpProcess(
            identity_key_id=self.key.id, group_id=self.group_id, messages=incoming
        )

    def process(self, incoming: tuple[wire.XmtpIncoming, ...]) -> tuple[Any, ...]:
        """What the enclave says of a page."""
        return self._ask(self.page(incoming), wire.XmtpEvents).events

    def commit_to(self, *newcomers: Outsider) -> bytes:
        """A commit of the enclave's that brings outsiders in."""
        return self._change(newcomers, wire.XmtpOutgoing).message

    def refused_commit_to(self, *newcomers: Outsider) -> wire.XmtpRefused:
        """Why there is none."""
        return self._change(newcomers, wire.XmtpRefused)

    def _change(self, newcomers: tuple[Outsider, ...], kind: type) -> Any:
        for each in newcomers:
            self.learn(each)
        packages = tuple(
            wire.XmtpNewInstallation(installation=each.key.public, key_package=each.package.encoded)
            for each in newcomers
        )
        return self._ask(
            wire.XmtpChangeMembers(
                identity_key_id=self.key.id,
                group_id=self.group_id,
                add=tuple(each.inbox_id for each in newcomers),
                key_packages=packages,
            ),
            kind,
        )

    def be_brought_in_by(self, founder: Outsider, *others: Outsider) -> wire.XmtpJoin:
        """Go over to a group that an outsider founds with us and others, by its welcome; return what was asked."""
        founder.group = Conversation.create(
            founder.key, founder.inbox_id, founder.sequence_id, NOW, entropy=os.urandom
        )
        joining = self.welcome_of(founder, *others)
        self.group_id = self._ask(joining, wire.XmtpConversation).group_id
        return joining

    def welcome_of(self, founder: Outsider, *others: Outsider) -> wire.XmtpJoin:
        """Have an outsider bring us and others in; return how we join."""
        self.learn(founder)
        offer = read_key_package(self.key_package, self.key.public_key, NOW)
        commit = founder.room.change_members(
            NOW,
            entropy=os.urandom,
            inbox_at=self.logs.at,
            add=[
                NewMembers(self.inbox_id, 20, (offer,)),
                *(other.newcomer for other in others),
            ],
        )
        event = founder.read(commit)
        assert isinstance(event, GroupChanged)
        ours = [each for each in event.welcomes if each.installation == self.key.public_key]
        [sealed] = seal_welcomes(ours, 1, entropy=os.urandom)
        assert sealed.v1 is not None
        welcome = WelcomeMessage(
            v1=WelcomeMessageV1(
                id=1,
                installation_key=sealed.v1.installation_key,
                data=sealed.v1.data,
                hpke_public_key=sealed.v1.hpke_public_key,
                wrapper_algorithm=sealed.v1.wrapper_algorithm,
                welcome_metadata=sealed.v1.welcome_metadata,
            )
        )
        return wire.XmtpJoin(identity_key_id=self.key.id, welcome=welcome.encode())

    def bring_in(self, *newcomers: Outsider) -> None:
        """Have outsiders added, one after the other, and join."""
        for position, newcomer in enumerate(newcomers):
            commit = self.commit_to(newcomer)
            [event] = self.process(self.incoming(commit))
            for other in newcomers[:position]:
                other.read(commit)
            [welcome] = event.welcomes
            newcomer.join(welcome)

    def send(self, text: str) -> bytes:
        made = self._ask(
            wire.XmtpSend(
                identity_key_id=self.key.id, group_id=self.group_id, content=encode_text(text)
            ),
            wire.XmtpOutgoing,
        )
        return made.message


def texts_of(events: tuple[Any, ...]) -> list[str | None]:
    """The texts of the messages among the events; a refusal's code in its place."""
    return [
        event.code if isinstance(event, wire.XmtpRefused) else decode_content(event.content).text
        for event in events
        if isinstance(event, wire.XmtpRefused) or event.kind == "message"
    ]
