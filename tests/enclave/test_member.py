"""The XMTP member under attack by members and strangers: an installation in the test's own process."""

from __future__ import annotations

import os
from dataclasses import replace
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from tests.enclave.member_support import Installation, invitation, removal, smuggled
from tests.enclave.operating import Desk
from tests.enclave.support import NOW
from tests.xmtp.conversation_support import Side, User
from xmtp_tee.enclave.member.key_packages import decode_key_packages
from xmtp_tee.mls.proposals import GroupContextExtensions
from xmtp_tee.policy.document import WalletRules
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import OperationNotAllowedError
from xmtp_tee.wire.refusals import KeyDestroyedError, SigningRefusedError, XmtpNotFoundError
from xmtp_tee.xmtp.conversation_state import MAX_STATE
from xmtp_tee.xmtp.group_state import MINIMUM_VERSION
from xmtp_tee.xmtp.group_terms import GROUP_ID_SIZE
from xmtp_tee.xmtp.identity_logs import IdentityLogs
from xmtp_tee.xmtp.key_packages import read_key_package


@pytest.fixture
def logs() -> IdentityLogs:
    return IdentityLogs()


@pytest.fixture
def ours(desk: Desk, logs: IdentityLogs) -> Installation:
    return Installation(desk, logs)


@pytest.fixture
def peer(logs: IdentityLogs, ours: Installation) -> User:
    user = User("peer", logs, NOW)
    ours.knows(user)
    return user


@pytest.fixture
def theirs(peer: User) -> Side:
    return peer.found()


@pytest.fixture
def group_id(theirs: Side, ours: Installation) -> bytes:
    """A conversation of the peer's that we have joined."""
    joined = ours.join(invitation(theirs, ours))
    assert isinstance(joined, wire.XmtpConversation), joined
    return joined.group_id


def hears(ours: Installation, group_id: bytes, theirs: Side, text: str) -> bool:
    """Whether a message of the peer's comes through."""
    event = ours.process(group_id, theirs.say(text))
    return isinstance(event, wire.XmtpEvent) and event.kind == "message"


# --- members who grow the state -------------------------------------------------------------------


def test_attack_a_member_grows_a_conversation_by_proposals_that_nobody_commits(
    ours: Installation, theirs: Side, group_id: bytes
) -> None:
    answers = []
    for fill, size in (("a", 30_000), ("b", 30_000), ("c", 30_000), ("d", 110_000)):
        padded = theirs.with_state(theirs.room.state.with_attribute("padding", fill * size))
        proposal = theirs.room._group.propose(
            GroupContextExtensions(padded), entropy=os.urandom, now=NOW
        )
        answers.append(ours.process(group_id, proposal))
    assert [each.kind for each in answers[:2]] == ["nothing", "nothing"]
    assert [each.code for each in answers[2:]] == ["mls.too-large", "mls.too-large"]
    ours.desk.restart()
    assert hears(ours, group_id, theirs, "the conversation is still usable")


def test_attack_a_member_skips_messages_to_have_their_keys_kept(
    ours: Installation, theirs: Side, group_id: bytes
) -> None:
    for _ in range(3):
        for index in range(900):
            message = theirs.say(str(index))
        answer = ours.process(group_id, message)
        assert isinstance(answer, wire.XmtpEvent)
    room = ours.desk.enclave._parts.rooms._open[ours.key.id, group_id]
    [tree] = [room._group._member.epoch.secret_tree]
    assert sum(len(each.skipped) for each in tree.ratchets.values()) == 512
    assert len(room.save()) < MAX_STATE // 8


def test_a_state_that_would_be_too_large_is_a_refusal_and_the_conversation_goes_on(
    ours: Installation,
    theirs: Side,
    group_id: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = ours.look(group_id)
    with monkeypatch.context() as narrow:
        narrow.setattr("xmtp_tee.xmtp.conversation_state.MAX_STATE", 100)
        answer = ours.process(group_id, theirs.say("too much"))
        assert isinstance(answer, wire.XmtpRefused)
        assert answer.code == "xmtp.state-too-large"
    assert ours.look(group_id) == before
    assert hears(ours, group_id, theirs, "goes on")


def test_a_page_that_would_make_the_state_too_large_is_read_as_far_as_it_does_not(
    ours: Installation,
    theirs: Side,
    group_id: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = ours.desk.enclave._parts.rooms._open[ours.key.id, group_id]
    # A proposal of 20 KB fits, two do not.
    limit = len(room.save()) + 30_000
    monkeypatch.setattr("xmtp_tee.xmtp.conversation_state.MAX_STATE", limit)
    page = [theirs.say("before")]
    for fill in "ab":
        padded = theirs.with_state(theirs.room.state.with_attribute("padding", fill * 20_000))
        page.append(
            theirs.room._group.propose(GroupContextExtensions(padded), entropy=os.urandom, now=NOW)
        )
    page.append(theirs.say("after"))
    answers: list[Any] = []
    while len(answers) < len(page):
        found = ours.process(group_id, *page[len(answers) :])
        answers += found if isinstance(found, tuple) else [found]
    assert [getattr(each, "kind", None) for each in answers] == [
        "message",
        "nothing",
        None,
        "message",
    ]
    assert answers[2].code == "xmtp.state-too-large"


# --- members who are not who they say -------------------------------------------------------------


def test_attack_an_impostors_message_is_refused_and_its_leaf_is_shown_as_what_it_is(
    ours: Installation, peer: User, theirs: Side, group_id: bytes, logs: IdentityLogs
) -> None:
    ghost = User("ghost", logs, NOW)
    ours.knows(ghost)
    made, impostor = theirs.bring_in_as(ghost, ours.inbox_id)
    assert ours.process(group_id, made).kind == "change"
    answer = ours.process(group_id, impostor.say("it was me"))
    assert isinstance(answer, wire.XmtpRefused)
    assert answer.code == "xmtp.sender-unfounded"
    shown = {member.installation: member.belongs for member in ours.look(group_id).members}
    assert shown == {ours.key.public_key: True, peer.key.public: True, ghost.key.public: False}


# --- strangers' welcomes --------------------------------------------------------------------------


def is_usable(ours: Installation) -> bool:
    """Whether the installation can be listed, looked at and joined with as before."""
    listed = ours.ask(wire.XmtpConversationIds, wire.XmtpListConversations)
    for each in listed.group_ids:
        # A view must survive its passage to the client.
        view = ours.look(each)
        msgspec.msgpack.decode(msgspec.msgpack.encode(view), type=wire.XmtpConversation)
    return True


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"sequence_ids": {"x": 1}}, "xmtp.group-state-invalid"),
        ({"sequence_ids": {"00" * 32: 1 << 63}}, "xmtp.group-state-invalid"),
        ({"cursor": 1 << 63}, "xmtp.welcome-invalid"),
        ({"cursor": (1 << 64) - 1}, "xmtp.welcome-invalid"),
    ],
    ids=["an inbox x", "a sequence id of 64 bits", "a cursor of 64 bits", "the greatest cursor"],
)
def test_attack_a_strangers_welcome_holds_what_the_wire_cannot_carry(
    ours: Installation, theirs: Side, fields: dict[str, Any], code: str
) -> None:
    sequence_ids = fields.pop("sequence_ids", {})
    answer = ours.join(smuggled(theirs, ours, **fields, **sequence_ids))
    assert isinstance(answer, wire.XmtpRefused)
    assert answer.code == code
    assert is_usable(ours)


@pytest.mark.parametrize("version", ["1.10.1", "2.0.0", "newest"])
def test_a_welcome_to_a_group_that_demands_a_newer_client_is_not_followed(
    ours: Installation, theirs: Side, version: str
) -> None:
    demanding = theirs.room.state.with_attribute(MINIMUM_VERSION, version)
    made = theirs.smuggle(extensions=theirs.with_state(demanding))
    # Its members are newer, and take that from its super admin.
    theirs.room._group.process(made.commit, now=NOW)
    answer = ours.join(smuggled(theirs, ours))
    assert isinstance(answer, wire.XmtpRefused)
    assert answer.code == "xmtp.commit-refused"
    assert ours.ask(wire.XmtpConversationIds, wire.XmtpListConversations).group_ids == ()


def test_a_welcome_to_a_group_that_demands_our_own_version_is_followed(
    ours: Installation, theirs: Side
) -> None:
    theirs.wins(theirs.change_attributes(**{MINIMUM_VERSION: "1.10.0"}))
    assert isinstance(ours.join(invitation(theirs, ours)), wire.XmtpConversation)


def test_the_greatest_cursor_that_the_wire_carries_is_taken(
    ours: Installation, theirs: Side
) -> None:
    joined = ours.join(smuggled(theirs, ours, cursor=(1 << 63) - 1))
    assert joined.cursor == (1 << 63) - 1
    assert is_usable(ours)


@pytest.mark.parametrize("size", [33, 255])
def test_attack_a_strangers_group_id_is_longer_than_the_wire_carries(
    ours: Installation, peer: User, size: int
) -> None:
    def long_id(asked: int) -> bytes:
        return os.urandom(size if asked == GROUP_ID_SIZE else asked)

    theirs = peer.found(entropy=long_id)
    assert len(theirs.room.id) == size
    answer = ours.join(smuggled(theirs, ours))
    assert isinstance(answer, wire.XmtpRefused)
    assert answer.code == "xmtp.welcome-invalid"
    assert is_usable(ours)


def test_attack_a_strangers_epoch_is_greater_than_the_wire_carries(
    ours: Installation, theirs: Side
) -> None:
    member = theirs.room._group._member
    context = replace(member.epoch.context, epoch=(1 << 63) - 1)
    member.epoch = replace(member.epoch, context=context)
    answer = ours.join(smuggled(theirs, ours))
    assert isinstance(answer, wire.XmtpRefused)
    assert answer.code == "xmtp.welcome-invalid"
    assert is_usable(ours)


def test_an_installation_has_so_many_conversations_and_no_more(
    ours: Installation,
    theirs: Side,
    group_id: bytes,
    peer: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xmtp_tee.enclave.member.installation.MAX_GROUPS", 1)
    answer = ours.join(invitation(peer.found(), ours))
    assert isinstance(answer, wire.XmtpRefused)
    assert answer.code == "xmtp.state-too-large"
    assert hears(ours, group_id, theirs, "the first goes on")


# --- who comes back -------------------------------------------------------------------------------


def test_whoever_was_removed_can_be_added_again(
    ours: Installation, theirs: Side, group_id: bytes
) -> None:
    assert ours.process(group_id, removal(theirs, ours)).removed_us
    assert not ours.look(group_id).is_active
    again = ours.join(invitation(theirs, ours, cursor=50))
    assert isinstance(again, wire.XmtpConversation), again
    assert (again.is_active, again.cursor, again.renew_first) == (True, 50, True)
    assert hears(ours, group_id, theirs, "welcome back")
    ours.desk.restart()
    assert ours.look(group_id).is_active


def test_attack_the_old_welcome_is_played_again_after_we_were_removed(
    ours: Installation, theirs: Side
) -> None:
    welcome = invitation(theirs, ours)
    group_id = ours.join(welcome).group_id
    ours.process(group_id, removal(theirs, ours))
    answer = ours.join(welcome)
    assert isinstance(answer, wire.XmtpRefused)
    assert answer.code == "xmtp.welcome-invalid"
    assert not ours.look(group_id).is_active


def test_attack_a_welcome_to_a_later_epoch_replaces_a_conversation_that_goes_on(
    ours: Installation, peer: User, theirs: Side, group_id: bytes
) -> None:
    impostor = peer.found(
        entropy=lambda size: group_id if size == GROUP_ID_SIZE else os.urandom(size),
    )
    for _ in range(5):
        impostor.renewed()
    answer = ours.join(invitation(impostor, ours))
    assert isinstance(answer, wire.XmtpRefused)
    assert hears(ours, group_id, theirs, "still the genuine one")


def test_attack_a_dropped_commit_is_played_back_so_that_a_welcome_replaces_the_conversation(
    ours: Installation, peer: User, theirs: Side, group_id: bytes
) -> None:
    dropped = ours.ask(wire.XmtpOutgoing, wire.XmtpRenewKeys, group_id=group_id).message
    ours.ask(wire.XmtpConversation, wire.XmtpDropCommit, group_id=group_id)
    assert ours.process(group_id, dropped).code == "xmtp.dropped-commit"
    ours.desk.restart()
    ours.knows_itself()
    ours.knows(peer)
    assert not ours.look(group_id).is_active
    for operation, fields in ((wire.XmtpSend, {"content": b""}), (wire.XmtpRenewKeys, {})):
        refused = ours.ask(wire.XmtpRefused, operation, group_id=group_id, **fields)
        assert refused.code == "mls.inactive"
    removal(theirs, ours)
    answer = ours.join(invitation(theirs, ours))
    assert isinstance(answer, wire.XmtpRefused)
    assert answer.code == "xmtp.welcome-invalid"


def test_attack_a_group_of_another_creator_takes_the_place_of_the_one_that_we_left(
    ours: Installation, theirs: Side, group_id: bytes, logs: IdentityLogs
) -> None:
    ours.process(group_id, removal(theirs, ours))
    stranger = User("stranger", logs, NOW)
    ours.knows(stranger)
    impostor = stranger.found(
        entropy=lambda size: group_id if size == GROUP_ID_SIZE else os.urandom(size),
    )
    for _ in range(5):
        impostor.renewed()
    assert isinstance(ours.join(invitation(impostor, ours)), wire.XmtpRefused)
    assert not ours.look(group_id).is_active


# --- logs -----------------------------------------------------------------------------------------


def test_attack_a_log_that_one_installation_was_told_wrongly_is_not_the_others(
    desk: Desk, ours: Installation, logs: IdentityLogs
) -> None:
    other = Installation(desk, logs)
    user = User("peer", logs, NOW)
    ours.learn(user.inbox_id, (1 << 63) - 1, user.entry)
    other.knows(user)
    learned = other.ask(
        wire.XmtpLearned, wire.XmtpLearn, inbox_id=user.inbox_id, entries=(), after=0
    )
    assert learned.newest == user.sequence_id
    refused = ours.ask(
        wire.XmtpRefused,
        wire.XmtpLearn,
        inbox_id=user.inbox_id,
        entries=(wire.XmtpLogEntry(sequence_id=user.sequence_id, update=user.entry),),
    )
    assert refused.code == "xmtp.identity-update-refused"


def test_entries_behind_what_is_known_are_answered_by_what_is_needed(ours: Installation) -> None:
    answer = ours.ask(wire.XmtpNeedsLog, wire.XmtpLearn, inbox_id="00" * 32, entries=(), after=5)
    assert (answer.known, answer.needed) == (0, 5)


def test_nobody_learns_for_a_key_that_is_no_installations(desk: Desk, ours: Installation) -> None:
    with pytest.raises(OperationNotAllowedError):
        desk.ask(wire.XmtpLearn(identity_key_id=ours.wallet.id, inbox_id="00" * 32, entries=()))


# --- registration ---------------------------------------------------------------------------------


def registration(ours: Installation, **fields: Any) -> wire.XmtpRegister:
    return wire.XmtpRegister(
        wallet_key_id=ours.wallet.id,
        identity_key_id=ours.key.id,
        **({"inbox_exists": True} | fields),
    )


def test_an_installation_of_one_inbox_is_not_registered_with_another(
    desk: Desk, ours: Installation
) -> None:
    with pytest.raises(SigningRefusedError, match="installation of another inbox"):
        desk.ask(registration(ours, nonce=2, inbox_exists=False))
    again = desk.ask(registration(ours), wire.XmtpRegistration)
    assert again.inbox_id == ours.inbox_id
    package = read_key_package(again.key_package, ours.key.public_key, NOW)
    assert package.participant.inbox_id == ours.inbox_id


@pytest.mark.parametrize("who", ["wallet", "installation"])
def test_a_registration_that_the_policy_refuses_leaves_nothing(desk: Desk, who: str) -> None:
    wallet = desk.make("wallet")
    assert wallet.owner is not None
    key = desk.identity(wallet.owner)
    # The budget is one text, and one of the two keys has signed it.
    spent = wallet if who == "wallet" else key
    registered = wire.XmtpRegister(
        wallet_key_id=wallet.id, identity_key_id=key.id, inbox_exists=False
    )
    desk.change(wallet=WalletRules(maximum_identity_updates=1))
    store = desk.enclave._parts.store
    record = store.get(spent.id)
    assert record is not None
    with store.mutation() as draft:
        draft.replace(msgspec.structs.replace(record, identity_updates=1))
    desk.restart()
    with pytest.raises(SigningRefusedError, match="as many identity updates"):
        desk.ask(registered)
    with pytest.raises(XmtpNotFoundError):
        desk.ask(wire.XmtpListConversations(identity_key_id=key.id))
    found = [desk.enclave._parts.store.get(each.id) for each in (wallet, key)]
    assert [each.identity_updates for each in found if each] == [who == "wallet", who != "wallet"]


# --- the end of a key -----------------------------------------------------------------------------


def documents(desk: Desk) -> int:
    """How many there are on disk."""
    return len(list(desk.enclave._parts.store._rows.documents()))


def test_a_destroyed_key_leaves_no_document_and_no_open_conversation(
    desk: Desk, ours: Installation, theirs: Side, group_id: bytes, peer: User
) -> None:
    assert hears(ours, group_id, theirs, "a page that is kept")
    ours.join(invitation(peer.found(), ours))
    rooms = desk.enclave._parts.rooms
    before = documents(desk)
    assert ours.key.id in {key for key, _ in rooms._open}
    desk.ask(wire.DeleteKey(key_id=ours.key.id))
    desk.now += 400 * 86_400
    desk.ask(wire.DestroyKey(key_id=ours.key.id))
    # Two conversations, the last page of one, the key packages, and the installation itself.
    assert documents(desk) == before - 5
    assert not rooms._open
    assert not rooms._logs
    desk.restart()
    with pytest.raises(KeyDestroyedError):
        ours.look(group_id)


def test_the_end_of_one_key_is_not_the_end_of_anothers_conversations(
    desk: Desk, ours: Installation, theirs: Side, group_id: bytes, logs: IdentityLogs
) -> None:
    other = Installation(desk, logs)
    desk.ask(wire.DeleteKey(key_id=other.key.id))
    desk.now += 400 * 86_400
    desk.ask(wire.DestroyKey(key_id=other.key.id))
    assert hears(ours, group_id, theirs, "still here")


# --- key packages ---------------------------------------------------------------------------------

DAY = 86_400


def to_publish(ours: Installation) -> bytes | None:
    """The digest of the key package that others should find."""
    listed = ours.ask(wire.XmtpConversationIds, wire.XmtpListConversations)
    return listed.key_package


def renew(ours: Installation) -> None:
    ours.key_package = ours.ask(wire.XmtpKeyPackage, wire.XmtpNewKeyPackage).key_package


def kept_packages(ours: Installation) -> int:
    data = ours.desk.enclave._parts.store.document(f"xmtp/{ours.key.id}/key-packages")
    assert data is not None
    return len(decode_key_packages(data).packages)


def test_a_key_package_is_due_after_thirty_days_and_not_before(ours: Installation) -> None:
    assert to_publish(ours) == sha256(ours.key_package).digest()
    ours.desk.now += 30 * DAY - 1
    assert to_publish(ours) == sha256(ours.key_package).digest()
    ours.desk.now += 1
    assert to_publish(ours) is None
    renew(ours)
    assert to_publish(ours) == sha256(ours.key_package).digest()


def test_a_key_package_is_due_after_a_welcome_has_used_it_even_after_a_restart(
    ours: Installation, theirs: Side
) -> None:
    assert isinstance(ours.join(invitation(theirs, ours)), wire.XmtpConversation)
    ours.desk.restart()
    assert to_publish(ours) is None
    renew(ours)
    assert to_publish(ours) is not None


def test_a_welcome_to_the_key_package_before_leaves_the_newest_as_it_is(
    ours: Installation, theirs: Side
) -> None:
    late = invitation(theirs, ours)
    renew(ours)
    assert isinstance(ours.join(late), wire.XmtpConversation)
    assert to_publish(ours) == sha256(ours.key_package).digest()


@pytest.mark.parametrize(("seconds", "opens"), [(DAY - 1, True), (DAY, False)])
def test_a_replaced_key_package_opens_welcomes_for_a_day(
    ours: Installation, theirs: Side, seconds: int, opens: bool
) -> None:
    late = invitation(theirs, ours)
    renew(ours)
    ours.desk.now += seconds
    answer = ours.join(late)
    assert isinstance(answer, wire.XmtpConversation if opens else wire.XmtpRefused)


def test_private_keys_of_a_replaced_key_package_are_removed_after_a_day(ours: Installation) -> None:
    renew(ours)
    assert (to_publish(ours) is not None, kept_packages(ours)) == (True, 2)
    ours.desk.now += DAY
    assert (to_publish(ours) is not None, kept_packages(ours)) == (True, 1)


def test_the_newest_key_package_stays_however_old_it_is(ours: Installation, theirs: Side) -> None:
    welcome = invitation(theirs, ours)
    ours.desk.now += 60 * DAY
    assert to_publish(ours) is None
    assert isinstance(ours.join(welcome), wire.XmtpConversation)
