"""An enclave's installation without a network: what it says, the test hands to users beyond its walls, and back."""

from __future__ import annotations

import os
from typing import Any, Protocol, TypeVar

from tests.xmtp.conversation_support import Side, User
from xmtp_tee.wire import messages as wire
from xmtp_tee.xmtp.content import decode_content, encode_text
from xmtp_tee.xmtp.conversation_events import NewMembers, Welcoming
from xmtp_tee.xmtp.identity_logs import IdentityLogs, LogEntry
from xmtp_tee.xmtp.key_packages import PeerKeyPackage, read_key_package
from xmtp_tee.xmtp.outgoing_welcomes import seal_welcomes
from xmtp_tee.xmtp.proto.mls_api import WelcomeMessage, WelcomeMessageInput, WelcomeMessageV1

R = TypeVar("R", bound=wire.Message)
SEQUENCE = 20
"""The sequence id of the installation's first update."""


class Enclave(Protocol):
    """Whoever asks the enclave: a desk, or a connection to a process."""

    now: int

    def ask(self, operation: wire.Message, kind: type[R]) -> R: ...


class Installation:
    """An identity key of the enclave that is an installation, and what it is asked."""

    def __init__(self, desk: Enclave, logs: IdentityLogs) -> None:
        self.desk: Any = desk
        self.logs = logs
        self.read = 100
        self.wallet = desk.ask(wire.GenerateKey(purpose="wallet"), wire.Key)
        assert self.wallet.owner is not None
        self.key = desk.ask(wire.GenerateIdentityKey(owner=self.wallet.owner), wire.Key)
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
        self.knows_itself()

    def ask(self, kind: type[R], operation: Any, **fields: Any) -> R:
        return self.desk.ask(operation(identity_key_id=self.key.id, **fields), kind)

    def learn(self, inbox: str, sequence: int, update: bytes) -> None:
        entry = wire.XmtpLogEntry(sequence_id=sequence, update=update)
        self.ask(wire.XmtpLearned, wire.XmtpLearn, inbox_id=inbox, entries=(entry,))

    def knows(self, *users: User) -> None:
        for user in users:
            self.learn(user.inbox_id, user.sequence_id, user.entry)

    def knows_itself(self) -> None:
        self.learn(self.inbox_id, SEQUENCE, self.update)

    def found(self) -> bytes:
        """Create a group with the installation alone in it; return its id."""
        return self.ask(wire.XmtpConversation, wire.XmtpCreate, name="ours").group_id

    def look(self, group_id: bytes) -> wire.XmtpConversation:
        return self.ask(wire.XmtpConversation, wire.XmtpGetConversation, group_id=group_id)

    def incoming(self, *messages: bytes) -> tuple[wire.XmtpIncoming, ...]:
        """The messages under the node's next ids."""
        first, self.read = self.read + 1, self.read + len(messages)
        return tuple(
            wire.XmtpIncoming(message=message, message_id=number, sent_ns=number * 10**9)
            for number, message in enumerate(messages, first)
        )

    def process(self, group_id: bytes, *messages: bytes) -> Any:
        """What a message brought, or why it was refused; of several, what was answered."""
        incoming = self.incoming(*messages)
        answer = self.ask(wire.XmtpEvents, wire.XmtpProcess, group_id=group_id, messages=incoming)
        self.read += len(answer.events) - len(messages)
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


class Room:
    """One group of an installation, its own or one that it was welcomed to."""

    def __init__(self, ours: Installation) -> None:
        """Found the group."""
        self.ours = ours
        self.group_id = ours.found()

    def page(self, incoming: tuple[wire.XmtpIncoming, ...]) -> wire.XmtpProcess:
        return wire.XmtpProcess(
            identity_key_id=self.ours.key.id, group_id=self.group_id, messages=incoming
        )

    def incoming(self, *messages: bytes) -> tuple[wire.XmtpIncoming, ...]:
        return self.ours.incoming(*messages)

    def process(self, incoming: tuple[wire.XmtpIncoming, ...]) -> tuple[Any, ...]:
        """What the enclave says of a page."""
        return self.ours.desk.ask(self.page(incoming), wire.XmtpEvents).events

    def send(self, text: str) -> bytes:
        content = encode_text(text)
        return self._ask(wire.XmtpOutgoing, wire.XmtpSend, content=content).message

    def renew(self) -> bytes:
        """A commit of the enclave's to new keys of its own."""
        return self._ask(wire.XmtpOutgoing, wire.XmtpRenewKeys).message

    def commit_to(self, *newcomers: User) -> bytes:
        """A commit of the enclave's that brings users in."""
        return self._change(newcomers, wire.XmtpOutgoing).message

    def refused_commit_to(self, *newcomers: User) -> wire.XmtpRefused:
        """Why there is none."""
        return self._change(newcomers, wire.XmtpRefused)

    def bring_in(self, *newcomers: User) -> list[Side]:
        """Have users added, one after the other, and join; return their sides."""
        sides: list[Side] = []
        for newcomer in newcomers:
            commit = self.commit_to(newcomer)
            [event] = self.process(self.incoming(commit))
            for side in sides:
                side.read(commit)
            [welcome] = event.welcomes
            sides.append(newcomer.open(welcome))
        return sides

    def be_brought_in_by(self, founder: Side, *others: User) -> wire.XmtpJoin:
        """Go over to a group that a user has founded, by the welcome to us and others; return what was asked."""
        joining = self.welcome_by(founder, *others)
        self.group_id = self.ours.desk.ask(joining, wire.XmtpConversation).group_id
        return joining

    def welcome_by(self, founder: Side, *others: User) -> wire.XmtpJoin:
        """Have a user bring us and others in; return how we join."""
        self.ours.knows(founder.user)
        welcome = as_stored(invitation(founder, self.ours, *others, cursor=1))
        return wire.XmtpJoin(identity_key_id=self.ours.key.id, welcome=welcome.encode())

    def _ask(self, kind: type[R], operation: Any, **fields: Any) -> R:
        return self.ours.ask(kind, operation, group_id=self.group_id, **fields)

    def _change(self, newcomers: tuple[User, ...], kind: type[R]) -> R:
        self.ours.knows(*newcomers)
        packages = tuple(
            wire.XmtpNewInstallation(installation=each.key.public, key_package=each.package.encoded)
            for each in newcomers
        )
        add = tuple(each.inbox_id for each in newcomers)
        return self._ask(kind, wire.XmtpChangeMembers, add=add, key_packages=packages)


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


def invitation(
    side: Side, installation: Installation, *others: User, cursor: int = 7
) -> WelcomeMessageInput:
    """Bring the installation, and others, into a user's conversation; return its welcome."""
    owed = side.wins(side.change(add=[installation.newcomer, *others])).welcomes
    ours = [each for each in owed if each.installation == installation.key.public_key]
    [sealed] = seal_welcomes(ours, cursor, entropy=os.urandom)
    return sealed


def smuggled(
    side: Side, installation: Installation, *, cursor: int = 7, **sequence_ids: int
) -> WelcomeMessageInput:
    """A welcome of a member that judges nothing: whatever is in the membership, and whatever cursor."""
    offer = installation.offer
    made = side.smuggle(
        add=(offer.package,),
        extensions=side.with_inboxes(**{installation.inbox_id: SEQUENCE} | sequence_ids),
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


def removal(side: Side, installation: Installation) -> bytes:
    """Take the installation's inbox out of a user's conversation; return the commit, which has won."""
    commit = side.change(remove=[installation.inbox_id])
    side.wins(commit)
    return commit


def texts_of(events: tuple[Any, ...]) -> list[str | None]:
    """The texts of the messages among the events; a refusal's code in its place."""
    return [
        event.code if isinstance(event, wire.XmtpRefused) else decode_content(event.content).text
        for event in events
        if isinstance(event, wire.XmtpRefused) or event.kind == "message"
    ]
