"""Messages are read in pages: one save each, and an answer that can be asked for again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from tests.enclave.member_support import Installation, Room, texts_of
from tests.enclave.operating import Desk
from tests.enclave.support import NOW
from tests.xmtp.conversation_support import Side, User
from xmtp_tee.enclave.callers import Peer
from xmtp_tee.enclave.member.last_page import LastPage
from xmtp_tee.policy.document import Caller, Grant
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import decode_operation, encode_request, request
from xmtp_tee.wire.errors import MessageFieldInvalidError
from xmtp_tee.wire.limits import MAX_INCOMING, MAX_REQUEST_BODY
from xmtp_tee.wire.refusals import CallerNotAllowedError
from xmtp_tee.wire.store_faults import StoreTamperedError, StoreUnavailableError
from xmtp_tee.xmtp import outgoing_welcomes
from xmtp_tee.xmtp.group_state import MAX_MEMBERS
from xmtp_tee.xmtp.identity_logs import IdentityLogs


@pytest.fixture
def logs() -> IdentityLogs:
    """What everybody knows."""
    return IdentityLogs()


@pytest.fixture
def room(desk: Desk, logs: IdentityLogs) -> Room:
    """A group of the enclave's."""
    return Room(Installation(desk, logs))


@pytest.fixture
def peer(room: Room, logs: IdentityLogs) -> Side:
    """A user beyond the walls, brought into it."""
    [side] = room.bring_in(User("peer", logs, NOW))
    return side


def test_a_page_is_answered_message_by_message_in_its_order(room: Room, peer: Side) -> None:
    own = room.send("ours")
    peer.read(own)
    page = room.incoming(peer.say("one"), own, peer.renewed(), peer.say("two"))
    events = room.process(page)
    assert [event.kind for event in events] == ["message", "nothing", "change", "message"]
    assert texts_of(events) == ["one", "two"]
    assert {events[0].sender.inbox_id, events[2].sender.inbox_id} == {peer.user.inbox_id}


def test_a_page_costs_one_change_of_the_store_and_one_entry_of_the_audit_log(
    desk: Desk, room: Room, peer: Side
) -> None:
    page = room.incoming(*(peer.say(str(number)) for number in range(MAX_INCOMING)))
    epoch, entries = desk.enclave._parts.store.epoch, desk.enclave._parts.audit.counter
    assert texts_of(room.process(page)) == [str(number) for number in range(MAX_INCOMING)]
    assert desk.enclave._parts.store.epoch == epoch + 1
    assert desk.enclave._parts.audit.counter == entries + 1


def test_a_wrong_message_is_refused_by_its_name_and_the_page_goes_on(
    desk: Desk, room: Room, peer: Side
) -> None:
    once = peer.say("once")
    stale = peer.room.renew(desk.now, entropy=lambda size: bytes(range(size)))
    peer.room.discard_commit()
    current = peer.renewed()
    page = room.incoming(once, b"noise", once, current, stale, peer.say("still here"))
    events = room.process(page)
    assert texts_of(events) == [
        "once", "mls.version", "mls.replayed", "mls.wrong-epoch", "still here",
    ]  # fmt: skip
    assert events[4].message


def test_a_page_without_anything_right_changes_nothing(desk: Desk, room: Room) -> None:
    epoch = desk.enclave._parts.store.epoch
    assert texts_of(room.process(room.incoming(b"noise", b"more"))) == ["mls.version"] * 2
    assert desk.enclave._parts.store.epoch == epoch


def test_a_page_ends_before_the_message_that_needs_a_log(
    desk: Desk, room: Room, peer: Side, logs: IdentityLogs
) -> None:
    late = User("late", logs, NOW)
    first, adding = peer.say("before"), peer.change(add=[late])
    peer.read(adding)
    page = room.incoming(first, adding, peer.say("after"))
    assert texts_of(room.process(page)) == ["before"]
    # What was answered can be asked for again, although it was less than the page.
    assert texts_of(room.process(page)) == ["before"]
    needed = desk.ask(room.page(page[1:]), wire.XmtpNeedsLog)
    assert needed == wire.XmtpNeedsLog(inbox_id=late.inbox_id, known=0, needed=late.sequence_id)
    assert texts_of(room.process(page)) == ["before"]
    room.ours.knows(late)
    events = room.process(page[1:])
    assert events[0].kind == "change"
    assert texts_of(events) == ["after"]


def test_messages_behind_our_removal_are_refused_and_those_before_it_shown(
    room: Room, logs: IdentityLogs
) -> None:
    founder = User("founder", logs, NOW).found()
    room.be_brought_in_by(founder)
    before = founder.say("before")
    removing = founder.change(remove=[room.ours.inbox_id])
    founder.read(removing)
    page = room.incoming(before, removing, founder.say("without you"))
    events = room.process(page)
    assert texts_of(events) == ["before", "mls.wrong-epoch"]
    assert events[1].removed_us
    assert room.process(page) == events


def test_who_was_removed_is_brought_in_again_by_a_newer_welcome_alone(
    desk: Desk, room: Room, logs: IdentityLogs
) -> None:
    founder = User("founder", logs, NOW).found()
    first = room.be_brought_in_by(founder)
    assert desk.ask(first, wire.XmtpRefused).code == "xmtp.welcome-invalid"
    removing = founder.change(remove=[room.ours.inbox_id])
    founder.read(removing)
    room.process(room.incoming(removing))
    # Its epoch's keys have been used; a host that plays it again must not have them used again.
    assert "before the installation left" in desk.ask(first, wire.XmtpRefused).message
    again = room.welcome_by(founder)
    joined = desk.ask(again, wire.XmtpConversation)
    assert joined.is_active
    assert texts_of(room.process(room.incoming(founder.say("back again")))) == ["back again"]
    founder.read(room.send("thank you"))


# --- sizes ----------------------------------------------------------------------------------------


def test_the_largest_group_is_joined_and_its_messages_are_read(
    room: Room, logs: IdentityLogs
) -> None:
    founder = User("founder", logs, NOW).found()
    others = [User(f"other {number}", logs, NOW) for number in range(MAX_MEMBERS - 2)]
    for other in others:
        room.ours.knows(other)
    joining = room.be_brought_in_by(founder, *others)
    # What the request carries, it carries in one frame.
    assert 128 << 10 < len(encode_request(request(1, joining))) < MAX_REQUEST_BODY
    page = room.incoming(founder.say("to all of you"))
    assert texts_of(room.process(page)) == ["to all of you"]


def test_the_longest_message_is_read_and_answered_again(room: Room, peer: Side) -> None:
    text = "x" * (MAX_REQUEST_BODY - 4096)
    page = room.incoming(peer.say(text))
    encode_request(request(1, room.page(page)))
    assert texts_of(room.process(page)) == [text]
    assert texts_of(room.process(page)) == [text]


def test_newcomers_whose_welcomes_are_too_large_are_refused_and_the_group_goes_on(
    room: Room, peer: Side, logs: IdentityLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = User("late", logs, NOW)
    with monkeypatch.context() as patch:
        patch.setattr(outgoing_welcomes, "MAX_WELCOMES", 5000)
        assert room.refused_commit_to(late).code == "xmtp.welcomes-too-large"
    commit = room.commit_to(late)
    [event] = room.process(room.incoming(commit))
    peer.read(commit)
    side = late.open(event.welcomes[0])
    assert texts_of(room.process(room.incoming(side.say("here")))) == ["here"]


# --- asked again ----------------------------------------------------------------------------------


@pytest.fixture(params=["the enclave runs on", "the enclave restarts"])
def meanwhile(request: pytest.FixtureRequest, desk: Desk) -> object:
    """What happens between two questions."""
    return desk.restart if request.param == "the enclave restarts" else (lambda: None)


def test_the_same_question_gets_the_same_answer_and_changes_nothing(
    desk: Desk, room: Room, peer: Side, logs: IdentityLogs, meanwhile: object
) -> None:
    newcomer = User("newcomer", logs, NOW)
    commit = room.commit_to(newcomer)
    peer.read(commit)
    page = room.incoming(b"noise", commit, peer.say("one"), peer.renewed(), peer.say("two"))
    events = room.process(page)
    meanwhile()  # type: ignore[operator]
    epoch = desk.enclave._parts.store.epoch
    assert room.process(page) == events
    assert desk.enclave._parts.store.epoch == epoch
    # The welcome that our own commit owes is in the answer that was repeated.
    assert newcomer.open(events[1].welcomes[0]).room.epoch == peer.room.epoch - 1


def test_a_question_that_begins_inside_the_last_page_gets_the_rest_of_its_answers(
    room: Room, peer: Side, meanwhile: object
) -> None:
    page = room.incoming(peer.say("one"), peer.say("two"), peer.say("three"))
    more = room.incoming(peer.say("four"))
    events = room.process(page)
    meanwhile()  # type: ignore[operator]
    assert room.process((*page[1:], *more)) == events[1:]
    assert room.process(page[:1]) == events[:1]
    assert texts_of(room.process(more)) == ["four"]


def test_the_next_page_takes_the_place_of_the_last(room: Room, peer: Side) -> None:
    first, second = room.incoming(peer.say("one")), room.incoming(peer.say("two"))
    room.process(first)
    room.process(second)
    assert texts_of(room.process(second)) == ["two"]
    assert texts_of(room.process(first)) == ["mls.replayed"]


def test_what_we_send_and_commit_leaves_the_last_answers_as_they_are(
    desk: Desk, room: Room, peer: Side, meanwhile: object
) -> None:
    page = room.incoming(peer.say("one"))
    events = room.process(page)
    room.send("ours")
    room.renew()
    meanwhile()  # type: ignore[operator]
    assert room.process(page) == events


def test_a_page_that_could_not_be_saved_is_read_when_it_is_asked_for_again(
    desk: Desk, room: Room, peer: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = room.incoming(peer.say("one"), peer.renewed(), peer.say("two"))
    rows = desk.enclave._parts.store._rows

    def full(change: object) -> None:
        raise StoreUnavailableError("The disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(rows, "apply", full)
        with pytest.raises(StoreUnavailableError):
            room.process(page)
    assert texts_of(room.process(page)) == ["one", "two"]


def test_a_page_in_which_the_enclave_fails_is_read_when_it_is_asked_for_again(
    room: Room, peer: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xmtp_tee.enclave.operations.xmtp import reading

    page = room.incoming(peer.say("one"), peer.renewed(), peer.say("two"))
    shown = reading._shown

    def failing(*arguments: object) -> wire.XmtpEvent:
        if arguments[-1] == page[2]:
            raise ZeroDivisionError
        return shown(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(reading, "_shown", failing)
        with pytest.raises(ZeroDivisionError):
            room.process(page)
    assert texts_of(room.process(page)) == ["one", "two"]


# --- attacks by the host --------------------------------------------------------------------------


def test_attack_another_message_under_the_id_of_one_that_was_answered(
    room: Room, peer: Side
) -> None:
    page = room.incoming(peer.say("one"), peer.say("two"))
    room.process(page)
    forged = msgspec.structs.replace(page[0], message=page[1].message)
    assert texts_of(room.process((forged,))) == ["mls.replayed"]
    swapped = (page[0], msgspec.structs.replace(page[1], message=b"noise"))
    assert texts_of(room.process(swapped)) == ["one"]


def test_attack_the_last_answer_is_asked_for_by_a_caller_who_may_not_read(
    desk: Desk, room: Room, peer: Side
) -> None:
    page = room.incoming(peer.say("a secret"))
    room.process(page)
    writer = Peer(uid=4_000_000)
    desk.change(
        callers=(
            *desk.policy.callers,
            Caller(name="writer", uid=writer.uid, grants=(Grant(operations=("xmtp-send",)),)),
        )
    )
    with pytest.raises(CallerNotAllowedError):
        desk.ask(room.page(page), wire.XmtpEvents, writer)


def test_attack_the_last_answers_of_two_conversations_are_exchanged_in_the_store(
    desk: Desk, room: Room, peer: Side, folder: Path
) -> None:
    page = room.incoming(peer.say("one"))
    room.process(page)
    desk.close()
    with sqlite3.connect(desk.path) as database:
        rows = database.execute("SELECT id, epoch, sealed FROM documents").fetchall()
        for (number, *_), (_, epoch, sealed) in zip(rows, rows[1:] + rows[:1], strict=True):
            database.execute(
                "UPDATE documents SET epoch = ?, sealed = ? WHERE id = ?", (epoch, sealed, number)
            )
    database.close()
    with pytest.raises(StoreTamperedError):
        desk.enclave = desk._open()
    with sqlite3.connect(desk.path) as database:
        for number, epoch, sealed in rows:
            database.execute(
                "UPDATE documents SET epoch = ?, sealed = ? WHERE id = ?", (epoch, sealed, number)
            )
    database.close()
    desk.enclave = desk._open()
    assert texts_of(room.process(page)) == ["one"]


def test_the_kept_answers_hold_no_content(desk: Desk, room: Room, peer: Side) -> None:
    kept: list[bytes] = []
    encode = LastPage.encode

    def keep(page: LastPage) -> bytes:
        kept.append(encode(page))
        return kept[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LastPage, "encode", keep)
        events = room.process(room.incoming(peer.say("a secret of theirs")))
    assert b"secret of theirs" in events[0].content
    [page] = kept
    assert events[0].sealed in page
    assert b"secret" not in page


# --- the protocol's bounds ------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, MAX_INCOMING + 1])
def test_a_page_of_none_or_too_many_messages_is_no_request(room: Room, count: int) -> None:
    page = room.page(room.incoming(*[b"x"] * count))
    with pytest.raises(MessageFieldInvalidError):
        decode_operation(request(1, page))


def test_a_page_of_another_version_is_not_read() -> None:
    page = LastPage(2, ())
    with pytest.raises(StoreTamperedError, match="another version"):
        LastPage.decode(page.encode())
    with pytest.raises(StoreTamperedError, match="cannot be read"):
        LastPage.decode(b"\xff")
