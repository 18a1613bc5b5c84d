"""The client between an enclave in the test's own process and a node that is scripted."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("grpc", reason="grpcio is not installed")

from tests.enclave.member_support import (
    SEQUENCE,
    Installation,
    as_stored,
    invitation,
    removal,
    smuggled,
)
from tests.enclave.operating import Desk
from tests.enclave.support import NOW
from tests.xmtp.conversation_support import Side, User
from tests.xmtp.identity_support import InstallationActor, WalletActor, add, update
from xmtp_tee.client.xmtp import committing as committing_module
from xmtp_tee.client.xmtp import member as member_module
from xmtp_tee.client.xmtp.client import XmtpClient
from xmtp_tee.client.xmtp.conversation import Conversation
from xmtp_tee.client.xmtp.database import Database
from xmtp_tee.client.xmtp.errors import (
    ConversationError,
    LogTooShortError,
    MemberRefusedError,
    NetworkRefusedError,
    NetworkUnavailableError,
)
from xmtp_tee.client.xmtp.member import Member, log_pages
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import encode_body
from xmtp_tee.wire.errors import FrameTooLargeError
from xmtp_tee.wire.limits import MAX_HISTORY, MAX_LOG_ENTRIES, MAX_REQUEST_BODY
from xmtp_tee.xmtp.content import encode_leave_request
from xmtp_tee.xmtp.identity_logs import IdentityLogs
from xmtp_tee.xmtp.key_packages import make_key_package
from xmtp_tee.xmtp.permissions import SUPER_ADMIN, Permissions
from xmtp_tee.xmtp.proto.identity import IdentityAction, Signature, SmartContractWalletSignature
from xmtp_tee.xmtp.proto.identity_api import IdentityUpdateLog
from xmtp_tee.xmtp.proto.mls_api import (
    GroupMessageInputV1,
    GroupMessageV1,
    WelcomeMessage,
    WelcomeMessageInput,
)


@dataclass
class OverDesk:
    """A connection to the enclave of a desk: what is too long for a frame does not get through."""

    desk: Desk

    def call(self, operation: wire.Operation) -> Any:
        size = len(encode_body(operation))
        if size > MAX_REQUEST_BODY - 256:
            raise FrameTooLargeError("A message is too long", got=size)
        return self.desk.enclave.handle(operation, self.desk.now)


class NearMember(Member):
    """Asks on the spot: the desk's store belongs to the test's own thread."""

    async def _call(self, operation: wire.Message) -> Any:
        return self._enclave.call(operation)


@dataclass
class ScriptedNode:
    """A node that has what the test puts there."""

    logs: dict[str, list[IdentityUpdateLog]] = field(default_factory=dict)
    waiting: list[WelcomeMessage] = field(default_factory=list)
    packages: list[bytes] = field(default_factory=list)
    asked: int = 0
    messages: list[GroupMessageV1] = field(default_factory=list)
    hidden: int = 0
    """So many queries do not show what was published last."""
    refuses: bool = False
    loses: bool = False
    """What is published does not reach it."""
    welcomed: list[WelcomeMessageInput] = field(default_factory=list)
    key_packages_of: dict[bytes, bytes] = field(default_factory=dict)

    async def identity_updates(
        self, after: Sequence[tuple[str, int]]
    ) -> dict[str, tuple[IdentityUpdateLog, ...]]:
        self.asked += 1
        return {
            inbox: tuple(e for e in self.logs.get(inbox, []) if e.sequence_id > known)
            for inbox, known in after
        }

    async def welcomes(self, topic: bytes, after: int) -> list[WelcomeMessage]:
        return [each for each in self.waiting if each.v1 is not None and each.v1.id > after]

    async def upload_key_package(self, package: bytes) -> None:
        self.packages.append(package)

    async def inbox_ids(self, addresses: Sequence[str]) -> list[str | None]:
        return [None for _ in addresses]

    async def key_packages(self, installations: Sequence[bytes]) -> list[bytes | None]:
        return [self.key_packages_of.get(each) for each in installations]

    async def send_group_messages(self, messages: Sequence[GroupMessageInputV1]) -> None:
        if self.refuses:
            raise NetworkRefusedError("The node refused SendGroupMessages")
        if self.loses:
            raise NetworkUnavailableError("The node did not answer SendGroupMessages")
        for each in messages:
            if each.data in [known.data for known in self.messages]:
                continue
            number = len(self.messages) + 1
            self.messages.append(GroupMessageV1(id=number, created_ns=number, data=each.data))

    async def group_messages(self, group_id: bytes, after: int) -> list[GroupMessageV1]:
        shown = self.messages
        if self.hidden:
            self.hidden -= 1
            shown = shown[:-1]
        return [each for each in shown if each.id > after]

    async def send_welcomes(self, welcomes: Sequence[WelcomeMessageInput]) -> None:
        self.welcomed += welcomes

    def has(self, inbox: str, sequence: int, encoded: bytes) -> None:
        entry = IdentityUpdateLog(sequence_id=sequence, server_timestamp_ns=1, update=encoded)
        self.logs.setdefault(inbox, []).append(entry)

    def invites(self, welcome: WelcomeMessageInput) -> None:
        stored = as_stored(welcome)
        assert stored.v1 is not None
        object.__setattr__(stored.v1, "id", len(self.waiting) + 1)
        self.waiting.append(stored)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_module, "_LAGGING", (0.0, 0.0, 0.0))
    monkeypatch.setattr(committing_module, "_SHOWN_WITHIN", (0.0, 0.0, 0.0))


@pytest.fixture
def desk() -> Iterator[Desk]:
    folder = Path(tempfile.mkdtemp(prefix="xt-"))
    opened = Desk(folder / "keys.sqlite")
    yield opened
    opened.close()
    shutil.rmtree(folder)


@pytest.fixture
def ours(desk: Desk) -> Installation:
    return Installation(desk, IdentityLogs())


@pytest.fixture
def node(ours: Installation) -> ScriptedNode:
    made = ScriptedNode()
    made.has(ours.inbox_id, SEQUENCE, ours.update)
    return made


@pytest.fixture
def peer(ours: Installation, node: ScriptedNode) -> User:
    user = User("peer", ours.logs, NOW)
    node.has(user.inbox_id, user.sequence_id, user.entry)
    return user


@pytest.fixture
def client(desk: Desk, ours: Installation, node: ScriptedNode) -> XmtpClient:
    member = NearMember(OverDesk(desk), node, ours.key.id)  # type: ignore[arg-type]
    database = Database(":memory:", ours.key.public_key)
    assert ours.wallet.owner is not None
    return XmtpClient(
        member, ours.inbox_id, ours.key.public_key, ours.wallet.owner, ours.wallet.id, database
    )


# --- logs -----------------------------------------------------------------------------------------


def entries(*sizes: int) -> list[IdentityUpdateLog]:
    return [
        IdentityUpdateLog(sequence_id=number, server_timestamp_ns=1, update=bytes(size))
        for number, size in enumerate(sizes, 1)
    ]


def test_a_log_travels_in_as_many_requests_as_it_takes() -> None:
    pages = list(log_pages(entries(*[MAX_REQUEST_BODY * 2 // 5] * 5)))
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [each.sequence_id for page in pages for each in page] == [1, 2, 3, 4, 5]
    for page in pages:
        operation = wire.XmtpLearn(identity_key_id="k" * 64, inbox_id="0" * 64, entries=page)
        assert len(encode_body(operation)) < MAX_REQUEST_BODY - 1024


def test_a_log_of_many_small_entries_keeps_the_number_in_a_request() -> None:
    assert [len(page) for page in log_pages(entries(*[1] * (MAX_LOG_ENTRIES + 1)))] == [
        MAX_LOG_ENTRIES,
        1,
    ]


def test_an_empty_log_is_one_empty_page_and_a_long_entry_a_page_of_its_own() -> None:
    assert list(log_pages([])) == [()]
    assert [len(page) for page in log_pages(entries(1, 2 * MAX_REQUEST_BODY, 1))] == [1, 1, 1]


def test_entries_go_in_the_order_of_their_ids() -> None:
    [page] = log_pages(list(reversed(entries(1, 2, 3))))
    assert [each.sequence_id for each in page] == [1, 2, 3]


def test_an_enclave_that_has_forgotten_gets_the_log_from_its_beginning(
    desk: Desk, client: XmtpClient, node: ScriptedNode, peer: User
) -> None:
    first = asyncio.run(client.member.learn([peer.inbox_id]))
    assert first[peer.inbox_id].installations == (peer.key.public,)
    desk.restart()
    second = InstallationActor("peer's second")
    node.has(
        peer.inbox_id,
        30,
        update(peer.inbox_id, add(second, by=WalletActor("peer's wallet"))).encode(),
    )
    learned = asyncio.run(client.member.learn([peer.inbox_id]))
    assert set(learned[peer.inbox_id].installations) == {peer.key.public, second.public_key}


def test_a_log_that_is_another_than_before_is_refused(
    client: XmtpClient, node: ScriptedNode, peer: User
) -> None:
    asyncio.run(client.member.learn([peer.inbox_id]))
    node.has(peer.inbox_id, 30, peer.entry)
    with pytest.raises(MemberRefusedError):
        asyncio.run(client.member.learn([peer.inbox_id]))


# --- welcomes -------------------------------------------------------------------------------------


def test_attack_a_welcome_names_a_sequence_id_that_no_log_reaches(
    client: XmtpClient, ours: Installation, node: ScriptedNode, peer: User
) -> None:
    theirs = peer.found()
    node.invites(smuggled(theirs, ours, **{peer.inbox_id: 1 << 40}))
    node.invites(invitation(peer.found(), ours))
    [joined] = asyncio.run(client.conversations.sync())
    assert joined.info.is_active
    [(_, number, error)] = client.refusals
    assert number == 1
    assert isinstance(error, LogTooShortError)
    # The enclave asked once, and the node was asked a bounded number of times; then it is over.
    assert node.asked < 12
    before = node.asked
    assert asyncio.run(client.conversations.sync()) == []
    assert node.asked == before


@pytest.mark.parametrize(
    "fields",
    [{"x": 1}, {"00" * 32: 1 << 63}, {"00" * 32: 5}],
    ids=["an inbox x", "a sequence id of 64 bits", "an inbox that does not exist"],
)
def test_attack_a_welcome_whose_membership_leads_nowhere_is_skipped(
    client: XmtpClient, ours: Installation, node: ScriptedNode, peer: User, fields: dict[str, int]
) -> None:
    node.invites(smuggled(peer.found(), ours, **fields))
    node.invites(invitation(peer.found(), ours))
    assert len(asyncio.run(client.conversations.sync())) == 1
    assert [number for _, number, _ in client.refusals] == [1]
    assert len(asyncio.run(client.conversations.list())) == 1


def test_attack_a_welcome_is_longer_than_the_enclave_reads(
    client: XmtpClient, ours: Installation, node: ScriptedNode, peer: User
) -> None:
    theirs = peer.found()
    theirs.wins(theirs.change_attributes(padding="x" * (MAX_REQUEST_BODY + 1)))
    node.invites(smuggled(theirs, ours))
    node.invites(invitation(peer.found(), ours))
    assert len(asyncio.run(client.conversations.sync())) == 1
    [(_, _, error)] = client.refusals
    assert isinstance(error, FrameTooLargeError)


def test_whoever_is_added_again_shows_the_conversation_as_it_is(
    client: XmtpClient, ours: Installation, node: ScriptedNode, peer: User
) -> None:
    theirs = peer.found()
    node.invites(invitation(theirs, ours))
    [joined] = asyncio.run(client.conversations.sync())
    ours.process(joined.id, removal(theirs, ours))
    node.invites(invitation(theirs, ours, cursor=60))
    [again] = asyncio.run(client.conversations.sync())
    assert again is joined
    assert (again.info.is_active, again.info.epoch) == (True, theirs.room.epoch)
    assert client.joined_at(again.id) == 60


# --- messages of members --------------------------------------------------------------------------


def joined_by(
    client: XmtpClient, ours: Installation, node: ScriptedNode, theirs: Side
) -> Conversation:
    node.invites(invitation(theirs, ours, cursor=0))
    [conversation] = asyncio.run(client.conversations.sync())
    return conversation


def sends(node: ScriptedNode, *messages: bytes) -> None:
    asyncio.run(node.send_group_messages([GroupMessageInputV1(data=each) for each in messages]))


def test_attack_a_members_commit_names_a_sequence_id_that_no_log_reaches(
    client: XmtpClient, ours: Installation, node: ScriptedNode, peer: User
) -> None:
    theirs = peer.found()
    conversation = joined_by(client, ours, node, theirs)
    lie = theirs.smuggle(extensions=theirs.with_inboxes(**{"00" * 32: 1 << 40}))
    theirs.room.discard_commit()
    sends(node, theirs.say("before"), lie.commit, theirs.say("after"))
    assert [each.text for each in asyncio.run(conversation.sync())] == ["before", "after"]
    [(_, number, error)] = client.refusals
    assert (number, error.got) == (2, "xmtp.log-too-short")


def test_attack_a_members_commit_names_an_inbox_whose_log_cannot_be_read(
    client: XmtpClient, ours: Installation, node: ScriptedNode, peer: User
) -> None:
    theirs = peer.found()
    conversation = joined_by(client, ours, node, theirs)
    node.has("00" * 32, 7, b"\xff\xff")
    lie = theirs.smuggle(extensions=theirs.with_inboxes(**{"00" * 32: 7}))
    theirs.room.discard_commit()
    sends(node, lie.commit, theirs.say("after"))
    assert [each.text for each in asyncio.run(conversation.sync())] == ["after"]
    assert [number for _, number, _ in client.refusals] == [1]


def test_attack_an_impostor_speaks_and_the_application_hears_nothing(
    client: XmtpClient, ours: Installation, node: ScriptedNode, peer: User
) -> None:
    theirs = peer.found()
    conversation = joined_by(client, ours, node, theirs)
    ghost = User("ghost", ours.logs, NOW)
    node.has(ghost.inbox_id, ghost.sequence_id, ghost.entry)
    made, impostor = theirs.bring_in_as(ghost, ours.inbox_id)
    theirs.wins(made)
    sends(node, made, impostor.say("it was me"), theirs.say("it was not"))
    assert [each.text for each in asyncio.run(conversation.sync())] == ["it was not"]
    [(_, _, error)] = client.refusals
    assert error.got == "xmtp.sender-unfounded"
    [named] = [each for each in conversation.info.members if not each.belongs]
    assert named.installation_id == ghost.key.public
    assert set(conversation.info.inboxes) == {ours.inbox_id, peer.inbox_id}
    # The claimed inbox is nobody's word: sending asks for no log of it.
    asyncio.run(conversation.send("noted"))


@pytest.mark.parametrize(("count", "size"), [(40, 60_000), (2 * MAX_HISTORY + 1, 10)])
def test_a_long_history_is_opened_in_as_many_requests_as_it_takes(
    client: XmtpClient, ours: Installation, node: ScriptedNode, peer: User, count: int, size: int
) -> None:
    theirs = peer.found()
    conversation = joined_by(client, ours, node, theirs)
    texts = [str(number).ljust(size, "x") for number in range(count)]
    sends(node, *(theirs.say(text) for text in texts))
    asyncio.run(conversation.sync())
    assert [each.text for each in asyncio.run(conversation.messages(count))] == texts


# --- members who ask to leave ---------------------------------------------------------------------


def with_us_as_admin(
    client: XmtpClient,
    ours: Installation,
    node: ScriptedNode,
    theirs: Side,
    permissions: Permissions | None = None,
) -> Conversation:
    """A peer's group in which we are an admin; under permissions of its own, if any."""
    conversation = joined_by(client, ours, node, theirs)
    rules = permissions or theirs.room.state.permissions
    commit = theirs.change_state(admins=(ours.inbox_id,), permissions=rules)
    theirs.wins(commit)
    sends(node, commit)
    asyncio.run(conversation.sync())
    return conversation


def asks_to_leave(theirs: Side) -> bytes:
    return theirs.room.send(encode_leave_request(), "leaving", entropy=os.urandom)[0]


def third_in(node: ScriptedNode, ours: Installation, theirs: Side) -> tuple[str, Side]:
    """One more member of a peer's group; return its inbox and its side."""
    third = User("third", ours.logs, NOW)
    node.has(third.inbox_id, third.sequence_id, third.entry)
    commit = theirs.change(add=[third])
    sends(node, commit)
    [owed] = theirs.wins(commit).welcomes
    return third.inbox_id, third.join(owed.welcome)


def test_who_asks_to_leave_is_removed_by_an_admin(
    client: XmtpClient, ours: Installation, node: ScriptedNode, peer: User
) -> None:
    theirs = peer.found()
    conversation = with_us_as_admin(client, ours, node, theirs)
    third, side = third_in(node, ours, theirs)
    asyncio.run(conversation.sync())
    assert third in conversation.info.inboxes
    sends(node, asks_to_leave(side))
    asyncio.run(conversation.sync())
    assert set(conversation.info.inboxes) == {ours.inbox_id, peer.inbox_id}


def test_attack_a_super_admin_asks_to_leave_whom_nobody_can_remove(
    client: XmtpClient, ours: Installation, node: ScriptedNode, peer: User
) -> None:
    theirs = peer.found()
    conversation = with_us_as_admin(client, ours, node, theirs)
    sends(node, asks_to_leave(theirs), theirs.say("still here"))
    assert [each.text for each in asyncio.run(conversation.sync())][1:] == ["still here"]
    assert set(conversation.info.inboxes) == {ours.inbox_id, peer.inbox_id}
    assert client.refusals == []


def test_attack_a_member_asks_an_admin_to_be_removed_who_may_not_do_it(
    client: XmtpClient, ours: Installation, node: ScriptedNode, peer: User
) -> None:
    theirs = peer.found()
    forbidding = replace(theirs.room.state.permissions, remove_member=SUPER_ADMIN)
    conversation = with_us_as_admin(client, ours, node, theirs, forbidding)
    third, side = third_in(node, ours, theirs)
    sends(node, asks_to_leave(side), side.say("let me out"))
    assert [each.text for each in asyncio.run(conversation.sync())][1:] == ["let me out"]
    [(_, _, error)] = client.refusals
    assert error.got == "xmtp.commit-refused"
    assert third in conversation.info.inboxes


def test_who_asks_to_leave_while_the_node_is_away_is_removed_later(
    client: XmtpClient, ours: Installation, node: ScriptedNode, peer: User
) -> None:
    theirs = peer.found()
    conversation = with_us_as_admin(client, ours, node, theirs)
    third, side = third_in(node, ours, theirs)
    sends(node, asks_to_leave(side))
    node.loses = True
    assert len(asyncio.run(conversation.sync())) == 1
    node.loses = False
    assert asyncio.run(conversation.sync()) == []
    assert third not in conversation.info.inboxes
    assert client.refusals == []


# --- logs that cannot be verified -----------------------------------------------------------------


@pytest.fixture
def unverifiable(group: Conversation, node: ScriptedNode, peer: User) -> str:
    """The peer's inbox, after a smart contract wallet has put something into its log."""
    signed = update(
        peer.inbox_id, add(InstallationActor("peer's second"), by=WalletActor("peer's wallet"))
    )
    [action] = signed.actions
    assert action.add is not None
    by_contract = SmartContractWalletSignature(
        account_id=f"eip155:8453:{WalletActor('peer').member.value}", signature=b"anything"
    )
    entry = replace(
        signed,
        actions=(
            IdentityAction(
                add=replace(action.add, existing_member_signature=Signature(erc_6492=by_contract))
            ),
        ),
    )
    node.has(peer.inbox_id, 30, entry.encode())
    return peer.inbox_id


def test_nothing_is_sent_while_a_members_log_cannot_be_verified_and_the_error_names_it(
    group: Conversation, node: ScriptedNode, unverifiable: str
) -> None:
    published = len(node.messages)
    # A conversation that was just made looks at its members again after a while.
    group._refreshed = 0
    with pytest.raises(MemberRefusedError, match=f"{unverifiable}.*without its chain") as refused:
        asyncio.run(group.send("who hears this?"))
    assert refused.value.got == "xmtp.identity-update-invalid"
    assert len(node.messages) == published


def test_who_has_a_log_that_cannot_be_verified_can_be_removed(
    group: Conversation, unverifiable: str, peer: User
) -> None:
    asyncio.run(group.remove_members([unverifiable]))
    assert peer.key.public not in {each.installation_id for each in group.info.members}
    group._refreshed = 0
    assert asyncio.run(group.send("among us"))


# --- commits --------------------------------------------------------------------------------------


@pytest.fixture
def group(client: XmtpClient, node: ScriptedNode, peer: User) -> Conversation:
    """A conversation of ours, with the peer in it."""
    node.key_packages_of[peer.key.public] = peer.package.encoded
    made = asyncio.run(client.conversations.new_group([peer.inbox_id], name="ours"))
    assert len(node.welcomed) == 1
    return made


def test_a_commit_that_the_node_shows_late_is_waited_for(
    group: Conversation, node: ScriptedNode, client: XmtpClient
) -> None:
    epoch, published = group.info.epoch, len(node.messages)
    node.hidden = 2
    asyncio.run(group.rename("late"))
    assert (group.info.name, group.info.epoch) == ("late", epoch + 1)
    assert len(node.messages) == published + 1
    assert client.refusals == []


def test_a_commit_that_the_node_shows_after_we_gave_up_still_counts(
    group: Conversation, node: ScriptedNode, client: XmtpClient
) -> None:
    epoch = group.info.epoch
    node.hidden = 4
    with pytest.raises(NetworkUnavailableError, match="does not show it yet"):
        asyncio.run(group.rename("late"))
    asyncio.run(group.rename("later"))
    assert (group.info.name, group.info.epoch) == ("later", epoch + 2)
    assert client.refusals == []


def test_a_commit_that_was_published_in_this_run_is_never_dropped_however_late_it_shows(
    group: Conversation, node: ScriptedNode, client: XmtpClient
) -> None:
    epoch, published = group.info.epoch, len(node.messages)
    node.hidden = 1000
    for _ in range(3):
        with pytest.raises(NetworkUnavailableError, match="does not show it yet"):
            asyncio.run(group.rename("late"))
    assert len(node.messages) == published + 1
    node.hidden = 0
    asyncio.run(group.rename("later"))
    assert (group.info.name, group.info.epoch) == ("later", epoch + 2)
    assert client.refusals == []


def test_a_commit_that_was_lost_on_its_way_to_the_node_is_published_again(
    group: Conversation, node: ScriptedNode, client: XmtpClient
) -> None:
    epoch = group.info.epoch
    node.loses = True
    for _ in range(2):
        with pytest.raises(NetworkUnavailableError, match="did not answer"):
            asyncio.run(group.rename("lost"))
    node.loses = False
    asyncio.run(group.rename("again"))
    assert (group.info.name, group.info.epoch) == ("again", epoch + 2)
    assert client.refusals == []


def test_a_commit_that_never_reached_the_node_is_made_again_by_the_next_run(
    group: Conversation, node: ScriptedNode, ours: Installation
) -> None:
    epoch = group.info.epoch
    ours.ask(wire.XmtpOutgoing, wire.XmtpRename, group_id=group.id, name="lost")
    asyncio.run(group.rename("again"))
    assert (group.info.name, group.info.epoch) == ("again", epoch + 1)


def test_a_dropped_commit_that_the_node_shows_after_all_is_noted_and_ends_the_conversation(
    group: Conversation, node: ScriptedNode, ours: Installation, client: XmtpClient
) -> None:
    left = ours.ask(wire.XmtpOutgoing, wire.XmtpRename, group_id=group.id, name="left")
    ours.ask(wire.XmtpConversation, wire.XmtpDropCommit, group_id=group.id)
    asyncio.run(node.send_group_messages([GroupMessageInputV1(data=left.message)]))
    asyncio.run(group.sync())
    [(_, _, error)] = client.refusals
    assert error.got == "xmtp.dropped-commit"
    # The others are where we cannot follow: what we said or changed here, nobody would hear of.
    assert not group.info.is_active
    published = len(node.messages)
    for attempt in (group.send("hello?"), group.rename("mine alone")):
        with pytest.raises(ConversationError):
            asyncio.run(attempt)
    assert len(node.messages) == published


def test_a_commit_that_the_node_refuses_is_dropped_and_the_next_one_goes_through(
    group: Conversation, node: ScriptedNode
) -> None:
    node.refuses = True
    with pytest.raises(NetworkRefusedError):
        asyncio.run(group.rename("refused"))
    node.refuses = False
    asyncio.run(group.rename("taken"))
    assert group.info.name == "taken"


def test_a_peers_dormant_installation_costs_one_commit_and_not_one_each_time(
    group: Conversation, node: ScriptedNode, peer: User
) -> None:
    dormant = InstallationActor("peer's second")
    wallet = WalletActor("peer's wallet")
    node.has(peer.inbox_id, 30, update(peer.inbox_id, add(dormant, by=wallet)).encode())
    group._refreshed = 0.0
    asyncio.run(group.send("one"))
    epoch, published = group.info.epoch, len(node.messages)
    assert group.info.failed_installations == {dormant.public_key}
    for text in ("two", "three"):
        group._refreshed = 0.0
        asyncio.run(group.send(text))
    assert (group.info.epoch, len(node.messages)) == (epoch, published + 2)


def test_an_installation_that_wakes_up_late_does_not_stop_the_others_from_changing(
    group: Conversation, ours: Installation, node: ScriptedNode, peer: User
) -> None:
    late = User("peer's second", ours.logs, NOW)
    joining = add(InstallationActor(late.role), by=WalletActor("peer's wallet"))
    node.has(peer.inbox_id, 30, update(peer.inbox_id, joining).encode())
    group._refreshed = 0.0
    asyncio.run(group.send("without it"))
    awake = make_key_package(late.key, peer.inbox_id, NOW, entropy=os.urandom)
    node.key_packages_of[late.key.public] = awake.encoded
    third = User("third", ours.logs, NOW)
    node.has(third.inbox_id, third.sequence_id, third.entry)
    node.key_packages_of[third.key.public] = third.package.encoded
    asyncio.run(group.add_members([third.inbox_id]))
    assert set(group.info.inboxes) == {ours.inbox_id, peer.inbox_id, third.inbox_id}
    # Peers would take a newcomer only as its log brings it in: with its inbox, anew.
    asyncio.run(group.remove_members([peer.inbox_id]))
    asyncio.run(group.add_members([peer.inbox_id]))
    assert late.key.public in {each.installation_id for each in group.info.members}
    assert group.info.failed_installations == set()


def test_a_change_of_members_that_changes_nothing_publishes_nothing(
    group: Conversation, node: ScriptedNode, peer: User
) -> None:
    published = len(node.messages)
    asyncio.run(group.add_members([peer.inbox_id]))
    assert len(node.messages) == published


# --- key packages ---------------------------------------------------------------------------------


def test_the_key_package_is_kept_while_the_node_has_it_and_it_is_not_due(
    client: XmtpClient, ours: Installation, node: ScriptedNode
) -> None:
    node.key_packages_of[ours.key.public_key] = ours.key_package
    asyncio.run(client.keep_key_package())
    assert node.packages == []


@pytest.mark.parametrize("at_the_node", [None, b"an older one"])
def test_a_key_package_that_never_reached_the_node_is_made_good(
    client: XmtpClient, ours: Installation, node: ScriptedNode, at_the_node: bytes | None
) -> None:
    if at_the_node is not None:
        node.key_packages_of[ours.key.public_key] = at_the_node
    asyncio.run(client.keep_key_package())
    assert len(node.packages) == 1


def test_a_key_package_of_thirty_days_is_replaced(
    client: XmtpClient, ours: Installation, node: ScriptedNode, desk: Desk
) -> None:
    node.key_packages_of[ours.key.public_key] = ours.key_package
    desk.now += 30 * 86_400
    asyncio.run(client.keep_key_package())
    [renewed] = node.packages
    node.key_packages_of[ours.key.public_key] = renewed
    asyncio.run(client.keep_key_package())
    assert node.packages == [renewed]
