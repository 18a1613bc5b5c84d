"""Conversations between members without a network: joined, left, saved, and attacked by members."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.xmtp.conversation_support import (
    NOW,
    User,
    bring_in,
    bring_in_as,
    committed,
    found,
    say,
    text_of,
    with_inboxes,
)
from xmtp_tee.mls.errors import (
    GroupInactiveError,
    MessageReplayedError,
    MlsError,
    ProposalSenderError,
    StateRolledBackError,
    WrongEpochError,
)
from xmtp_tee.mls.framing import FramedContent, Sender, SenderType, WireFormat
from xmtp_tee.mls.intents import CommitIntent
from xmtp_tee.mls.message import encode_message
from xmtp_tee.mls.proposals import Add, Remove
from xmtp_tee.mls.protection import make_public, sign
from xmtp_tee.xmtp import outgoing_welcomes
from xmtp_tee.xmtp.content import encode_text
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


def test_two_members_talk_and_know_the_message_by_the_same_id(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    theirs = bring_in(ours, member, logs)
    message, message_id = ours.send(encode_text("hello"), "1", entropy=os.urandom)
    event = theirs.process(message, logs.at, NOW)
    assert text_of(event) == "hello"
    assert isinstance(event, MessageReceived)
    assert event.message_id == message_id
    assert event.sender.inbox_id == founder.inbox_id
    assert theirs.renew_first
    assert not ours.renew_first


def test_our_own_message_comes_back_as_nothing(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    bring_in(ours, member, logs)
    assert ours.process(say(ours, "hello"), logs.at, NOW) == Nothing()


def test_a_state_is_saved_and_restored_and_an_older_one_is_refused(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    theirs = bring_in(ours, member, logs)
    older = theirs.save()
    counter = theirs.counter
    theirs.process(say(ours, "one"), logs.at, NOW)
    assert theirs.counter > counter
    again = Conversation.restore(theirs.save(), member.key, least_counter=theirs.counter)
    assert text_of(again.process(say(ours, "two"), logs.at, NOW)) == "two"
    assert again.renew_first
    with pytest.raises(StateRolledBackError):
        Conversation.restore(older, member.key, least_counter=theirs.counter)


def test_a_pending_commit_and_its_welcomes_survive_a_restart(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    commit = ours.change_members(NOW, entropy=os.urandom, inbox_at=logs.at, add=[member.newcomer])
    again = Conversation.restore(ours.save(), founder.key, least_counter=ours.counter)
    assert again.has_pending_commit
    [welcoming] = committed(again, commit, logs).welcomes
    theirs = Conversation.join(welcoming.welcome, member.package, member.key, logs.at, NOW)
    assert text_of(theirs.process(say(again, "hello"), logs.at, NOW)) == "hello"


def test_a_commit_that_loses_is_gone_with_its_welcomes(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    theirs = bring_in(ours, member, logs)
    late = User("late", logs)
    losing = ours.change_members(NOW, entropy=os.urandom, inbox_at=logs.at, add=[late.newcomer])
    winning = theirs.renew(NOW, entropy=os.urandom)
    event = ours.process(winning, logs.at, NOW)
    assert isinstance(event, GroupChanged)
    assert (event.lost, event.own, event.welcomes) == (True, False, ())
    with pytest.raises(WrongEpochError):
        ours.process(losing, logs.at, NOW)
    committed(theirs, winning, logs)
    assert text_of(theirs.process(say(ours, "still here"), logs.at, NOW)) == "still here"


def test_a_log_that_is_missing_changes_nothing_and_is_named(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    commit = ours.change_members(NOW, entropy=os.urandom, inbox_at=logs.at, add=[member.newcomer])
    [welcoming] = committed(ours, commit, logs).welcomes
    with pytest.raises(IdentityLogMissingError) as missing:
        Conversation.join(welcoming.welcome, member.package, member.key, IdentityLogs().at, NOW)
    assert missing.value.inbox_id in (founder.inbox_id, member.inbox_id)
    theirs = Conversation.join(welcoming.welcome, member.package, member.key, logs.at, NOW)
    late = User("late", logs)
    adding = ours.change_members(NOW, entropy=os.urandom, inbox_at=logs.at, add=[late.newcomer])
    before = theirs.counter
    known = IdentityLogs()
    with pytest.raises(IdentityLogMissingError):
        theirs.process(adding, known.at, NOW)
    assert theirs.counter == before
    event = theirs.process(adding, logs.at, NOW)
    assert isinstance(event, GroupChanged)
    assert event.commit.added == (late.inbox_id,)


def test_newcomers_whose_welcomes_are_too_large_together_are_not_committed(
    founder: User, member: User, logs: IdentityLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = found(founder)
    theirs = bring_in(ours, member, logs)
    late = User("late", logs)
    with monkeypatch.context() as patch:
        patch.setattr(outgoing_welcomes, "MAX_WELCOMES", 5000)
        with pytest.raises(WelcomesTooLargeError):
            ours.change_members(NOW, entropy=os.urandom, inbox_at=logs.at, add=[late.newcomer])
    assert not ours.has_pending_commit
    assert text_of(theirs.process(say(ours, "goes on"), logs.at, NOW)) == "goes on"
    bring_in(ours, late, logs)


def test_a_removed_member_neither_reads_nor_writes(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    theirs = bring_in(ours, member, logs)
    removing = ours.change_members(
        NOW, entropy=os.urandom, inbox_at=logs.at, remove=[member.inbox_id]
    )
    committed(ours, removing, logs)
    event = theirs.process(removing, logs.at, NOW)
    assert isinstance(event, GroupChanged)
    assert event.removed_us
    assert not theirs.is_active
    with pytest.raises(GroupInactiveError):
        say(theirs, "hello?")
    with pytest.raises(MlsError):
        theirs.process(say(ours, "without you"), logs.at, NOW)


def test_a_dropped_commit_that_comes_back_is_reported_and_the_conversation_is_over_for_us(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    theirs = bring_in(ours, member, logs)
    dropped = ours.renew(NOW, entropy=os.urandom)
    ours.discard_commit()
    again = Conversation.restore(ours.save(), founder.key, least_counter=ours.counter)
    # The others go on by it. A commit that we made after it would lead to an epoch that we are alone in.
    later = again.change_members(
        NOW, entropy=os.urandom, inbox_at=logs.at, add=[User("late", logs).newcomer]
    )
    assert later is not None
    theirs.process(dropped, logs.at, NOW)
    counter = again.counter
    event = again.process(dropped, logs.at, NOW)
    assert isinstance(event, MessageRefused)
    assert isinstance(event.error, DroppedCommitError)
    assert again.counter > counter
    over = Conversation.restore(again.save(), founder.key, least_counter=again.counter)
    assert (over.is_active, over.was_removed, over.has_pending_commit) == (False, False, False)
    assert over.process(later, logs.at, NOW) == Nothing()
    assert over.epoch == theirs.epoch - 1
    with pytest.raises(GroupInactiveError):
        over.renew(NOW, entropy=os.urandom)
    with pytest.raises(GroupInactiveError):
        say(over, "hello?")


def test_a_dropped_commit_that_comes_too_late_is_only_stale(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    bring_in(ours, member, logs)
    dropped = ours.renew(NOW, entropy=os.urandom)
    ours.discard_commit()
    committed(ours, ours.renew(NOW, entropy=os.urandom), logs)
    with pytest.raises(WrongEpochError):
        ours.process(dropped, logs.at, NOW)
    assert Conversation.restore(ours.save(), founder.key, least_counter=0)._dropped == frozenset()


def test_a_change_of_members_that_changes_nothing_is_no_commit(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    dormant = NewMembers(member.inbox_id, member.sequence_id, (), failed=(member.key.public,))
    commit = ours.change_members(NOW, entropy=os.urandom, inbox_at=logs.at, add=[dormant])
    assert commit is not None
    committed(ours, commit, logs)
    assert ours.state.membership.failed_installations == {member.key.public}
    again = ours.change_members(NOW, entropy=os.urandom, inbox_at=logs.at, add=[dormant])
    assert again is None
    assert not ours.has_pending_commit
    gone = ours.change_members(NOW, entropy=os.urandom, inbox_at=logs.at, remove=[member.inbox_id])
    assert gone is not None
    committed(ours, gone, logs)
    bring_in(ours, member, logs)
    assert ours.state.membership.failed_installations == set()


# --- attacks by members ---------------------------------------------------------------------------


def test_attack_a_message_is_played_again(founder: User, member: User, logs: IdentityLogs) -> None:
    ours = found(founder)
    theirs = bring_in(ours, member, logs)
    message = say(ours, "once")
    theirs.process(message, logs.at, NOW)
    with pytest.raises(MessageReplayedError):
        theirs.process(message, logs.at, NOW)
    assert text_of(theirs.process(say(ours, "twice"), logs.at, NOW)) == "twice"


def test_attack_a_proposal_that_stands_alone_neither_stops_us_nor_goes_into_our_commits(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    attacker = bring_in(ours, member, logs)
    ghost = User("ghost", logs)
    for proposal in (Add(ghost.package.secrets.package), Remove(0)):
        message = attacker._group.propose(proposal, entropy=os.urandom, now=NOW)
        if isinstance(proposal, Remove):
            continue
        assert ours.process(message, logs.at, NOW) == Nothing()
    assert say(ours, "not stopped")
    renewing = ours.renew(NOW, entropy=os.urandom)
    committed(ours, renewing, logs)
    assert {m.inbox_id for m in ours.members} == {founder.inbox_id, member.inbox_id}


def test_attack_a_member_commits_an_installation_that_no_log_brings_in(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    attacker = bring_in(ours, member, logs)
    ghost = User("ghost", logs)
    smuggled = attacker._group.commit(
        CommitIntent(add=(ghost.package.secrets.package,)), entropy=os.urandom, now=NOW
    )
    before = ours.counter
    with pytest.raises(CommitRefusedError, match="no inbox's log brings in"):
        ours.process(smuggled.commit, logs.at, NOW)
    assert ours.counter == before
    attacker.discard_commit()
    assert text_of(ours.process(say(attacker, "the group goes on"), logs.at, NOW))


def test_attack_a_member_throws_the_founder_out(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    attacker = bring_in(ours, member, logs)
    for intent in (
        CommitIntent(remove=(0,)),
        CommitIntent(
            remove=(0,),
            extensions=attacker._with(
                replace(
                    attacker.state,
                    membership=replace(
                        attacker.state.membership, inboxes={member.inbox_id: member.sequence_id}
                    ),
                )
            ),
        ),
    ):
        coup = attacker._group.commit(intent, entropy=os.urandom, now=NOW)
        with pytest.raises(CommitRefusedError):
            ours.process(coup.commit, logs.at, NOW)
        attacker.discard_commit()
    assert ours.is_active


def test_attack_a_member_makes_itself_super_admin_and_we_cannot_be_talked_into_it(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    attacker = bring_in(ours, member, logs)

    def crown(state: object) -> object:
        return replace(state, super_admins=(member.inbox_id,))  # type: ignore[type-var]

    coup = attacker._group.commit(
        CommitIntent(extensions=attacker._with(crown(attacker.state))),  # type: ignore[arg-type]
        entropy=os.urandom,
        now=NOW,
    )
    with pytest.raises(CommitRefusedError):
        ours.process(coup.commit, logs.at, NOW)
    attacker.discard_commit()
    with pytest.raises(CommitRefusedError):
        attacker.change_state(crown, NOW, inbox_at=logs.at, entropy=os.urandom)  # type: ignore[arg-type]
    assert not attacker.has_pending_commit


def test_attack_a_key_package_under_another_installations_name(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    with pytest.raises(KeyPackageInvalidError, match="another installation's"):
        read_key_package(member.package.encoded, founder.key.public, NOW)
    with pytest.raises(KeyPackageInvalidError, match="lifetime"):
        read_key_package(member.package.encoded, member.key.public, NOW + 85 * 86_400)
    damaged = bytearray(member.package.encoded)
    damaged[-1] ^= 1
    with pytest.raises(KeyPackageInvalidError, match="not valid"):
        read_key_package(bytes(damaged), member.key.public, NOW)


def test_attack_an_inbox_is_brought_in_with_another_inboxs_key_package(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    ghost = User("ghost", logs)
    mixed = NewMembers(member.inbox_id, member.sequence_id, (ghost.offer,))
    with pytest.raises(CommitRefusedError, match="no inbox's log brings in"):
        ours.change_members(NOW, entropy=os.urandom, inbox_at=logs.at, add=[mixed])
    assert not ours.has_pending_commit


def test_attack_a_member_is_brought_in_under_somebody_elses_inbox(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    attacker = bring_in(ours, member, logs)
    ghost = User("ghost", logs)
    made, impostor = bring_in_as(attacker, ghost, founder.inbox_id)
    # libxmtp compares keys alone: who refuses the commit is left behind.
    assert isinstance(ours.process(made.commit, logs.at, NOW), GroupChanged)
    [named] = ours.impostors
    assert (named.inbox_id, named.installation) == (founder.inbox_id, ghost.key.public)

    counter = ours.counter
    event = ours.process(say(impostor, "pay the member"), logs.at, NOW)
    assert isinstance(event, MessageRefused)
    assert isinstance(event.error, SenderUnfoundedError)
    # The message's key is used up, so the state is another.
    assert ours.counter > counter

    again = Conversation.restore(ours.save(), founder.key, least_counter=ours.counter)
    assert isinstance(again.process(say(impostor, "please"), logs.at, NOW), MessageRefused)
    committed(attacker, made.commit, logs)
    assert text_of(again.process(say(attacker, "the genuine go on"), logs.at, NOW))
    with pytest.raises(CommitRefusedError):
        again.process(impostor.renew(NOW, entropy=os.urandom), logs.at, NOW)


@pytest.mark.parametrize(
    "claimed", ["x", "00" * 32], ids=["no inbox id", "an inbox that is not in"]
)
def test_attack_a_member_is_brought_in_under_an_inbox_that_does_not_belong(
    founder: User, member: User, logs: IdentityLogs, claimed: str
) -> None:
    ours = found(founder)
    attacker = bring_in(ours, member, logs)
    made, impostor = bring_in_as(attacker, User("ghost", logs), claimed)
    ours.process(made.commit, logs.at, NOW)
    assert isinstance(ours.process(say(impostor, "hello"), logs.at, NOW), MessageRefused)


def test_attack_an_impostors_late_message_comes_after_it_was_removed(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    attacker = bring_in(ours, member, logs)
    ghost = User("ghost", logs)
    made, impostor = bring_in_as(attacker, ghost, founder.inbox_id)
    ours.process(made.commit, logs.at, NOW)
    late = say(impostor, "from the past")
    removing = ours.change_members(
        NOW, entropy=os.urandom, inbox_at=logs.at, remove=[ghost.inbox_id]
    )
    committed(ours, removing, logs)
    assert ghost.key.public not in {each.installation for each in ours.members}
    assert isinstance(ours.process(late, logs.at, NOW), MessageRefused)
    for _ in range(CONFIG.max_past_epochs + 1):
        committed(ours, ours.renew(NOW, entropy=os.urandom), logs)
    assert not ours.impostors


def test_a_log_that_is_needed_to_judge_a_newcomers_leaf_is_named(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    attacker = bring_in(ours, member, logs)
    ghost = User("ghost", logs)
    made, _ = bring_in_as(attacker, ghost, member.inbox_id)
    known = IdentityLogs()
    known.extend(ghost.inbox_id, [LogEntry(ghost.sequence_id, ghost.entry)])
    known.extend(founder.inbox_id, [LogEntry(founder.sequence_id, founder.entry)])
    before = ours.counter
    with pytest.raises(IdentityLogMissingError) as missing:
        ours.process(made.commit, known.at, NOW)
    assert missing.value.inbox_id == member.inbox_id
    assert ours.counter == before


def test_we_bring_in_nobody_under_anothers_inbox(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = found(founder)
    package = make_key_package(member.key, founder.inbox_id, NOW, entropy=os.urandom)
    offer = read_key_package(package.encoded, member.key.public, NOW)
    mixed = NewMembers(member.inbox_id, member.sequence_id, (offer,))
    with pytest.raises(CommitRefusedError, match="names an inbox that does not have"):
        ours.change_members(NOW, entropy=os.urandom, inbox_at=logs.at, add=[mixed])
    assert not ours.has_pending_commit


def newcomers_proposal(conversation: Conversation, user: User) -> bytes:
    """A stranger's own proposal to be added, which nobody in the group has asked for."""
    context = conversation._group._member.epoch.context
    content = FramedContent(
        context.group_id,
        context.epoch,
        Sender(SenderType.NEW_MEMBER_PROPOSAL),
        b"",
        Add(user.package.secrets.package),
    )
    signed = sign(WireFormat.PUBLIC_MESSAGE, content, context.encoded, user.key)
    return encode_message(make_public(signed, context.encoded, None))


def let_newcomers_propose(conversation: Conversation) -> None:
    member = conversation._group._member
    member.config = replace(member.config, accept_newcomers_proposals=True)


def test_a_newcomers_proposal_is_not_kept(founder: User, logs: IdentityLogs) -> None:
    ours = found(founder)
    proposal = newcomers_proposal(ours, User("ghost", logs))
    with pytest.raises(ProposalSenderError, match="newcomer's"):
        ours.process(proposal, logs.at, NOW)
    assert ours._group.pending_proposals == ()


def test_attack_a_newcomers_proposal_counts_as_the_super_admins(
    founder: User, member: User, logs: IdentityLogs
) -> None:
    ours = Conversation.create(
        founder.key,
        founder.inbox_id,
        founder.sequence_id,
        NOW,
        entropy=os.urandom,
        permissions=ADMINS_ONLY,
    )
    attacker = bring_in(ours, member, logs)
    ghost = User("ghost", logs)
    proposal = newcomers_proposal(ours, ghost)
    # Even a member that keeps such proposals takes none for that of leaf 0, the founder.
    for conversation in (ours, attacker):
        let_newcomers_propose(conversation)
        conversation.process(proposal, logs.at, NOW)
    state = with_inboxes(attacker, **{ghost.inbox_id: ghost.sequence_id})
    coup = attacker._group.commit(
        CommitIntent(extensions=attacker._with(state)), entropy=os.urandom, now=NOW
    )
    with pytest.raises(CommitRefusedError, match="comes from no member"):
        ours.process(coup.commit, logs.at, NOW)
    assert ghost.inbox_id not in ours.state.membership.inboxes


@pytest.mark.parametrize("data", [b"\xff\xff", b""], ids=["no protobuf", "no known version"])
def test_a_message_that_cannot_be_read_is_an_event_because_its_key_is_used_up(
    founder: User, member: User, logs: IdentityLogs, data: bytes
) -> None:
    ours = found(founder)
    theirs = bring_in(ours, member, logs)
    message = theirs._group.send(data, entropy=os.urandom)
    counter = ours.counter
    event = ours.process(message, logs.at, NOW)
    assert isinstance(event, MessageRefused)
    assert isinstance(event.error, ContentInvalidError)
    assert ours.counter > counter
    again = Conversation.restore(ours.save(), founder.key, least_counter=ours.counter)
    with pytest.raises(MessageReplayedError):
        again.process(message, logs.at, NOW)
