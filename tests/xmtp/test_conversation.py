"""Conversations between members without a network: joined, left, saved, and attacked by members."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.xmtp.conversation_support import NOW, Side, User
from xmtp_tee.mls.errors import (
    GroupInactiveError,
    MessageReplayedError,
    MlsError,
    ProposalSenderError,
    StateRolledBackError,
    WrongEpochError,
)
from xmtp_tee.mls.framing import FramedContent, Sender, SenderType, WireFormat
from xmtp_tee.mls.message import encode_message
from xmtp_tee.mls.proposals import Add, Remove
from xmtp_tee.mls.protection import make_public, sign
from xmtp_tee.xmtp import outgoing_welcomes
from xmtp_tee.xmtp.content import decode_content, encode_text
from xmtp_tee.xmtp.conversation import Conversation
from xmtp_tee.xmtp.conversation_events import (
    GroupChanged,
    MessageReceived,
    MessageRefused,
    NewMembers,
    Nothing,
)
from xmtp_tee.xmtp.errors import (
    CommitRefusedError,
    ContentInvalidError,
    DroppedCommitError,
    IdentityLogMissingError,
    KeyPackageInvalidError,
    SenderUnfoundedError,
    WelcomesTooLargeError,
)
from xmtp_tee.xmtp.group_terms import CONFIG
from xmtp_tee.xmtp.identity_logs import IdentityLogs, LogEntry
from xmtp_tee.xmtp.key_packages import (
    make_key_package,
    read_key_package,
)
from xmtp_tee.xmtp.permissions import ADMINS_ONLY


@pytest.fixture
def logs() -> IdentityLogs:
    return IdentityLogs()


@pytest.fixture
def founder(logs: IdentityLogs) -> User:
    return User("founder", logs)


@pytest.fixture
def member(logs: IdentityLogs) -> User:
    return User("member", logs)


@pytest.fixture
def ours(founder: User) -> Side:
    """A conversation of the founder's."""
    return founder.found()


@pytest.fixture
def theirs(ours: Side, member: User) -> Side:
    """The member, brought into it."""
    [side] = ours.bring_in(member)
    return side


@pytest.fixture
def attacker(theirs: Side) -> Side:
    """The member, with other intentions."""
    return theirs


def test_two_members_talk_and_know_the_message_by_the_same_id(
    founder: User, ours: Side, theirs: Side
) -> None:
    message, message_id = ours.room.send(encode_text("hello"), "1", entropy=os.urandom)
    event = theirs.read(message)
    assert isinstance(event, MessageReceived)
    assert decode_content(event.content).text == "hello"
    assert event.message_id == message_id
    assert event.sender.inbox_id == founder.inbox_id
    assert theirs.room.renew_first
    assert not ours.room.renew_first


def test_our_own_message_comes_back_as_nothing(member: User, ours: Side) -> None:
    ours.bring_in(member)
    assert ours.read(ours.say("hello")) == Nothing()


def test_a_state_is_saved_and_restored_and_an_older_one_is_refused(
    member: User, ours: Side, theirs: Side
) -> None:
    older = theirs.room.save()
    counter = theirs.room.counter
    theirs.read(ours.say("one"))
    assert theirs.room.counter > counter
    again = theirs.restarted()
    assert again.hears(ours.say("two")) == "two"
    assert again.room.renew_first
    with pytest.raises(StateRolledBackError):
        Conversation.restore(older, member.key, least_counter=theirs.room.counter)


def test_a_pending_commit_and_its_welcomes_survive_a_restart(member: User, ours: Side) -> None:
    commit = ours.change(add=[member])
    again = ours.restarted()
    assert again.room.has_pending_commit
    [welcoming] = again.wins(commit).welcomes
    theirs = member.join(welcoming.welcome)
    assert theirs.hears(again.say("hello")) == "hello"


def test_a_commit_that_loses_is_gone_with_its_welcomes(
    ours: Side, theirs: Side, logs: IdentityLogs
) -> None:
    late = User("late", logs)
    losing = ours.change(add=[late])
    winning = theirs.renew()
    event = ours.read(winning)
    assert isinstance(event, GroupChanged)
    assert (event.lost, event.own, event.welcomes) == (True, False, ())
    with pytest.raises(WrongEpochError):
        ours.read(losing)
    theirs.wins(winning)
    assert theirs.hears(ours.say("still here")) == "still here"


def test_a_log_that_is_missing_changes_nothing_and_is_named(
    founder: User, member: User, ours: Side, logs: IdentityLogs
) -> None:
    commit = ours.change(add=[member])
    [welcoming] = ours.wins(commit).welcomes
    with pytest.raises(IdentityLogMissingError) as missing:
        member.join(welcoming.welcome, IdentityLogs())
    assert missing.value.inbox_id in (founder.inbox_id, member.inbox_id)
    theirs = member.join(welcoming.welcome)
    late = User("late", logs)
    adding = ours.change(add=[late])
    before = theirs.room.counter
    known = IdentityLogs()
    with pytest.raises(IdentityLogMissingError):
        theirs.read(adding, known)
    assert theirs.room.counter == before
    event = theirs.read(adding)
    assert isinstance(event, GroupChanged)
    assert event.commit.added == (late.inbox_id,)


def test_newcomers_whose_welcomes_are_too_large_together_are_not_committed(
    ours: Side, theirs: Side, logs: IdentityLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = User("late", logs)
    with monkeypatch.context() as patch:
        patch.setattr(outgoing_welcomes, "MAX_WELCOMES", 5000)
        with pytest.raises(WelcomesTooLargeError):
            ours.change(add=[late])
    assert not ours.room.has_pending_commit
    assert theirs.hears(ours.say("goes on")) == "goes on"
    ours.bring_in(late)


def test_a_removed_member_neither_reads_nor_writes(member: User, ours: Side, theirs: Side) -> None:
    removing = ours.change(remove=[member.inbox_id])
    ours.wins(removing)
    event = theirs.read(removing)
    assert isinstance(event, GroupChanged)
    assert event.removed_us
    assert not theirs.room.is_active
    with pytest.raises(GroupInactiveError):
        theirs.say("hello?")
    with pytest.raises(MlsError):
        theirs.read(ours.say("without you"))


def test_a_dropped_commit_that_comes_back_is_reported_and_the_conversation_is_over_for_us(
    ours: Side, theirs: Side, logs: IdentityLogs
) -> None:
    dropped = ours.renew()
    ours.room.discard_commit()
    again = ours.restarted()
    # The others go on by it. A commit that we made after it would lead to an epoch that we are alone in.
    later = again.change(add=[User("late", logs)])
    assert later is not None
    theirs.read(dropped)
    counter = again.room.counter
    event = again.read(dropped)
    assert isinstance(event, MessageRefused)
    assert isinstance(event.error, DroppedCommitError)
    assert again.room.counter > counter
    over = again.restarted()
    state = (over.room.is_active, over.room.was_removed, over.room.has_pending_commit)
    assert state == (False, False, False)
    assert over.read(later) == Nothing()
    assert over.room.epoch == theirs.room.epoch - 1
    with pytest.raises(GroupInactiveError):
        over.renew()
    with pytest.raises(GroupInactiveError):
        over.say("hello?")


def test_a_dropped_commit_that_comes_too_late_is_only_stale(member: User, ours: Side) -> None:
    ours.bring_in(member)
    dropped = ours.renew()
    ours.room.discard_commit()
    ours.wins(ours.renew())
    with pytest.raises(WrongEpochError):
        ours.read(dropped)
    assert ours.restarted().room._dropped == frozenset()


def test_a_change_of_members_that_changes_nothing_is_no_commit(member: User, ours: Side) -> None:
    dormant = NewMembers(member.inbox_id, member.sequence_id, (), failed=(member.key.public,))
    commit = ours.change(add=[dormant])
    assert commit is not None
    ours.wins(commit)
    assert ours.room.state.membership.failed_installations == {member.key.public}
    again = ours.change(add=[dormant])
    assert again is None
    assert not ours.room.has_pending_commit
    gone = ours.change(remove=[member.inbox_id])
    assert gone is not None
    ours.wins(gone)
    ours.bring_in(member)
    assert ours.room.state.membership.failed_installations == set()


# --- attacks by members ---------------------------------------------------------------------------


def test_attack_a_message_is_played_again(ours: Side, theirs: Side) -> None:
    message = ours.say("once")
    theirs.read(message)
    with pytest.raises(MessageReplayedError):
        theirs.read(message)
    assert theirs.hears(ours.say("twice")) == "twice"


def test_attack_a_proposal_that_stands_alone_neither_stops_us_nor_goes_into_our_commits(
    founder: User, member: User, ours: Side, attacker: Side, logs: IdentityLogs
) -> None:
    ghost = User("ghost", logs)
    for proposal in (Add(ghost.package.secrets.package), Remove(0)):
        message = attacker.room._group.propose(proposal, entropy=os.urandom, now=NOW)
        assert ours.read(message) == Nothing()
    assert ours.say("not stopped")
    renewing = ours.renew()
    ours.wins(renewing)
    assert {m.inbox_id for m in ours.room.members} == {founder.inbox_id, member.inbox_id}


def test_attack_a_member_commits_an_installation_that_no_log_brings_in(
    ours: Side, attacker: Side, logs: IdentityLogs
) -> None:
    ghost = User("ghost", logs)
    smuggled = attacker.smuggle(add=(ghost.package.secrets.package,))
    before = ours.room.counter
    with pytest.raises(CommitRefusedError, match="no inbox's log brings in"):
        ours.read(smuggled.commit)
    assert ours.room.counter == before
    attacker.room.discard_commit()
    assert ours.hears(attacker.say("the group goes on"))


def test_attack_a_member_throws_the_founder_out(member: User, ours: Side, attacker: Side) -> None:
    state = attacker.room.state
    alone = replace(state.membership, inboxes={member.inbox_id: member.sequence_id})
    extensions = attacker.with_state(replace(state, membership=alone))
    for more in ({}, {"extensions": extensions}):
        coup = attacker.smuggle(remove=(0,), **more)
        with pytest.raises(CommitRefusedError):
            ours.read(coup.commit)
        attacker.room.discard_commit()
    assert ours.room.is_active


def test_attack_a_member_makes_itself_super_admin_and_we_cannot_be_talked_into_it(
    member: User, ours: Side, attacker: Side
) -> None:
    crowned = replace(attacker.room.state, super_admins=(member.inbox_id,))
    coup = attacker.smuggle(extensions=attacker.with_state(crowned))
    with pytest.raises(CommitRefusedError):
        ours.read(coup.commit)
    attacker.room.discard_commit()
    with pytest.raises(CommitRefusedError):
        attacker.change_state(super_admins=(member.inbox_id,))
    assert not attacker.room.has_pending_commit


def test_attack_a_key_package_under_another_installations_name(founder: User, member: User) -> None:
    with pytest.raises(KeyPackageInvalidError, match="another installation's"):
        read_key_package(member.package.encoded, founder.key.public, NOW)
    with pytest.raises(KeyPackageInvalidError, match="lifetime"):
        read_key_package(member.package.encoded, member.key.public, NOW + 85 * 86_400)
    damaged = bytearray(member.package.encoded)
    damaged[-1] ^= 1
    with pytest.raises(KeyPackageInvalidError, match="not valid"):
        read_key_package(bytes(damaged), member.key.public, NOW)


def test_attack_an_inbox_is_brought_in_with_another_inboxs_key_package(
    member: User, ours: Side, logs: IdentityLogs
) -> None:
    ghost = User("ghost", logs)
    mixed = NewMembers(member.inbox_id, member.sequence_id, (ghost.offer,))
    with pytest.raises(CommitRefusedError, match="no inbox's log brings in"):
        ours.change(add=[mixed])
    assert not ours.room.has_pending_commit


def test_attack_a_member_is_brought_in_under_somebody_elses_inbox(
    founder: User, ours: Side, attacker: Side, logs: IdentityLogs
) -> None:
    ghost = User("ghost", logs)
    made, impostor = attacker.bring_in_as(ghost, founder.inbox_id)
    # libxmtp compares keys alone: who refuses the commit is left behind.
    assert isinstance(ours.read(made), GroupChanged)
    [named] = ours.room.impostors
    assert (named.inbox_id, named.installation) == (founder.inbox_id, ghost.key.public)

    counter = ours.room.counter
    event = ours.read(impostor.say("pay the member"))
    assert isinstance(event, MessageRefused)
    assert isinstance(event.error, SenderUnfoundedError)
    # The message's key is used up, so the state is another.
    assert ours.room.counter > counter

    again = ours.restarted()
    assert isinstance(again.read(impostor.say("please")), MessageRefused)
    attacker.wins(made)
    assert again.hears(attacker.say("the genuine go on"))
    with pytest.raises(CommitRefusedError):
        again.read(impostor.renew())


@pytest.mark.parametrize(
    "claimed", ["x", "00" * 32], ids=["no inbox id", "an inbox that is not in"]
)
def test_attack_a_member_is_brought_in_under_an_inbox_that_does_not_belong(
    ours: Side, attacker: Side, logs: IdentityLogs, claimed: str
) -> None:
    made, impostor = attacker.bring_in_as(User("ghost", logs), claimed)
    ours.read(made)
    assert isinstance(ours.read(impostor.say("hello")), MessageRefused)


def test_attack_an_impostors_late_message_comes_after_it_was_removed(
    founder: User, ours: Side, attacker: Side, logs: IdentityLogs
) -> None:
    ghost = User("ghost", logs)
    made, impostor = attacker.bring_in_as(ghost, founder.inbox_id)
    ours.read(made)
    late = impostor.say("from the past")
    removing = ours.change(remove=[ghost.inbox_id])
    ours.wins(removing)
    assert ghost.key.public not in {each.installation for each in ours.room.members}
    assert isinstance(ours.read(late), MessageRefused)
    for _ in range(CONFIG.max_past_epochs + 1):
        ours.wins(ours.renew())
    assert not ours.room.impostors


def test_a_log_that_is_needed_to_judge_a_newcomers_leaf_is_named(
    founder: User, member: User, ours: Side, attacker: Side, logs: IdentityLogs
) -> None:
    ghost = User("ghost", logs)
    made, _ = attacker.bring_in_as(ghost, member.inbox_id)
    known = IdentityLogs()
    known.extend(ghost.inbox_id, [LogEntry(ghost.sequence_id, ghost.entry)])
    known.extend(founder.inbox_id, [LogEntry(founder.sequence_id, founder.entry)])
    before = ours.room.counter
    with pytest.raises(IdentityLogMissingError) as missing:
        ours.read(made, known)
    assert missing.value.inbox_id == member.inbox_id
    assert ours.room.counter == before


def test_we_bring_in_nobody_under_anothers_inbox(founder: User, member: User, ours: Side) -> None:
    package = make_key_package(member.key, founder.inbox_id, NOW, entropy=os.urandom)
    offer = read_key_package(package.encoded, member.key.public, NOW)
    mixed = NewMembers(member.inbox_id, member.sequence_id, (offer,))
    with pytest.raises(CommitRefusedError, match="names an inbox that does not have"):
        ours.change(add=[mixed])
    assert not ours.room.has_pending_commit


def newcomers_proposal(side: Side, user: User) -> bytes:
    """A stranger's own proposal to be added, which nobody in the group has asked for."""
    context = side.room._group._member.epoch.context
    content = FramedContent(
        context.group_id,
        context.epoch,
        Sender(SenderType.NEW_MEMBER_PROPOSAL),
        b"",
        Add(user.package.secrets.package),
    )
    signed = sign(WireFormat.PUBLIC_MESSAGE, content, context.encoded, user.key)
    return encode_message(make_public(signed, context.encoded, None))


def let_newcomers_propose(side: Side) -> None:
    member = side.room._group._member
    member.config = replace(member.config, accept_newcomers_proposals=True)


def test_a_newcomers_proposal_is_not_kept(ours: Side, logs: IdentityLogs) -> None:
    proposal = newcomers_proposal(ours, User("ghost", logs))
    with pytest.raises(ProposalSenderError, match="newcomer's"):
        ours.read(proposal)
    assert ours.room._group.pending_proposals == ()


def test_attack_a_newcomers_proposal_counts_as_the_super_admins(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = founder.found(permissions=ADMINS_ONLY)
    [attacker] = ours.bring_in(member)
    ghost = User("ghost", logs)
    proposal = newcomers_proposal(ours, ghost)
    # Even a member that keeps such proposals takes none for that of leaf 0, the founder.
    for side in (ours, attacker):
        let_newcomers_propose(side)
        side.read(proposal)
    coup = attacker.smuggle(extensions=attacker.with_inboxes(**{ghost.inbox_id: ghost.sequence_id}))
    with pytest.raises(CommitRefusedError, match="comes from no member"):
        ours.read(coup.commit)
    assert ghost.inbox_id not in ours.room.state.membership.inboxes


@pytest.mark.parametrize("data", [b"\xff\xff", b""], ids=["no protobuf", "no known version"])
def test_a_message_that_cannot_be_read_is_an_event_because_its_key_is_used_up(
    ours: Side, theirs: Side, data: bytes
) -> None:
    message = theirs.room._group.send(data, entropy=os.urandom)
    counter = ours.room.counter
    event = ours.read(message)
    assert isinstance(event, MessageRefused)
    assert isinstance(event.error, ContentInvalidError)
    assert ours.room.counter > counter
    again = ours.restarted()
    with pytest.raises(MessageReplayedError):
        again.read(message)
