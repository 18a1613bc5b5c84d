"""The XMTP member under attack by members and strangers: an installation in the test's own process."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.enclave.member_support import Installation, founded_by, invitation
from tests.enclave.operating import Desk
from tests.enclave.support import NOW
from tests.xmtp.conversation_support import User, bring_in_as, say
from xmtp_tee.mls.proposals import GroupContextExtensions
from xmtp_tee.wire import messages as wire
from xmtp_tee.xmtp.conversation import Conversation
from xmtp_tee.xmtp.conversation_state import MAX_STATE
from xmtp_tee.xmtp.identity_logs import IdentityLogs


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
def theirs(peer: User) -> Conversation:
    return founded_by(peer)


@pytest.fixture
def group_id(theirs: Conversation, ours: Installation) -> bytes:
    """A conversation of the peer's that we have joined."""
    joined = ours.join(invitation(theirs, ours))
    assert isinstance(joined, wire.XmtpConversation), joined
    return joined.group_id


def hears(ours: Installation, group_id: bytes, theirs: Conversation, text: str) -> bool:
    """Whether a message of the peer's comes through."""
    event = ours.process(group_id, say(theirs, text))
    return isinstance(event, wire.XmtpEvent) and event.kind == "message"


# --- members who grow the state -------------------------------------------------------------------


def test_attack_a_member_grows_a_conversation_by_proposals_that_nobody_commits(
    ours: Installation, theirs: Conversation, group_id: bytes
) -> None:
    answers = []
    for fill, size in (("a", 30_000), ("b", 30_000), ("c", 30_000), ("d", 110_000)):
        padded = theirs._with(theirs.state.with_attribute("padding", fill * size))
        proposal = theirs._group.propose(
            GroupContextExtensions(padded), entropy=os.urandom, now=NOW
        )
        answers.append(ours.process(group_id, proposal))
    assert [each.kind for each in answers[:2]] == ["nothing", "nothing"]
    assert [each.code for each in answers[2:]] == ["mls.too-large", "mls.too-large"]
    ours.desk.restart()
    assert hears(ours, group_id, theirs, "the conversation is still usable")


def test_attack_a_member_skips_messages_to_have_their_keys_kept(
    ours: Installation, theirs: Conversation, group_id: bytes
) -> None:
    for _ in range(3):
        for index in range(900):
            message = say(theirs, str(index))
        answer = ours.process(group_id, message)
        assert isinstance(answer, wire.XmtpEvent)
    room = ours.desk.enclave._parts.rooms._open[ours.key.id, group_id]
    [tree] = [room._group._member.epoch.secret_tree]
    assert sum(len(each.skipped) for each in tree.ratchets.values()) == 512
    assert len(room.save()) < MAX_STATE // 8


def test_a_state_that_would_be_too_large_is_a_refusal_and_the_conversation_goes_on(
    ours: Installation,
    theirs: Conversation,
    group_id: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = ours.look(group_id)
    with monkeypatch.context() as narrow:
        narrow.setattr("xmtp_tee.xmtp.conversation_state.MAX_STATE", 100)
        answer = ours.process(group_id, say(theirs, "too much"))
        assert isinstance(answer, wire.XmtpRefused)
        assert answer.code == "xmtp.state-too-large"
    assert ours.look(group_id) == before
    assert hears(ours, group_id, theirs, "goes on")


def test_a_page_that_would_make_the_state_too_large_is_read_as_far_as_it_does_not(
    ours: Installation,
    theirs: Conversation,
    group_id: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = ours.desk.enclave._parts.rooms._open[ours.key.id, group_id]
    # A proposal of 20 KB fits, two do not.
    limit = len(room.save()) + 30_000
    monkeypatch.setattr("xmtp_tee.xmtp.conversation_state.MAX_STATE", limit)
    page = [say(theirs, "before")]
    for fill in "ab":
        padded = theirs._with(theirs.state.with_attribute("padding", fill * 20_000))
        page.append(
            theirs._group.propose(GroupContextExtensions(padded), entropy=os.urandom, now=NOW)
        )
    page.append(say(theirs, "after"))
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
    ours: Installation, peer: User, theirs: Conversation, group_id: bytes, logs: IdentityLogs
) -> None:
    ghost = User("ghost", logs, NOW)
    ours.knows(ghost)
    made, impostor = bring_in_as(theirs, ghost, ours.inbox_id)
    assert ours.process(group_id, made.commit).kind == "change"
    answer = ours.process(group_id, say(impostor, "it was me"))
    assert isinstance(answer, wire.XmtpRefused)
    assert answer.code == "xmtp.sender-unfounded"
    shown = {member.installation: member.belongs for member in ours.look(group_id).members}
    assert shown == {ours.key.public_key: True, peer.key.public: True, ghost.key.public: False}
