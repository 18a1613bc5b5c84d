"""The node's state: limits, paging, what it reads of an MLS message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.xmtp.identity_support import (
    NOW_NS,
    InstallationActor,
    WalletActor,
    add,
    create,
    revoke,
    update,
)
from xmtp_tee.devnode.envelope import MessageHead, read_head, read_signature_key
from xmtp_tee.devnode.errors import (
    InboxLogFullError,
    RequestRefusedError,
    TooManyInstallationsError,
)
from xmtp_tee.devnode.network import MAX_INSTALLATIONS, MAX_UPDATES, Network
from xmtp_tee.devnode.topics import MAX_PAGE, Topics
from xmtp_tee.xmtp.members import inbox_id
from xmtp_tee.xmtp.proto.mls_api import (
    GroupMessageInputV1,
    PagingInfo,
    SortDirection,
    WelcomeMessageInput,
)

OWNER = WalletActor("owner")
INBOX = inbox_id(OWNER.member, 1)
ASCENDING, DESCENDING = SortDirection.ASCENDING, SortDirection.DESCENDING


def private_message(group: bytes, content_type: int = 1) -> bytes:
    return (
        bytes.fromhex("00010002") + bytes([len(group)]) + group + bytes(8) + bytes([content_type])
    )


def public_message(group: bytes, content_type: int = 3) -> bytes:
    sender = bytes([1, 0, 0, 0, 5])
    return (
        bytes.fromhex("00010001")
        + bytes([len(group)])
        + group
        + bytes(8)
        + sender
        + b"\x02hi"
        + bytes([content_type])
    )


# --- identity -------------------------------------------------------------------------------------


def test_an_inbox_is_found_by_its_wallet_until_the_wallet_leaves() -> None:
    network = Network()
    second = WalletActor("second wallet")
    network.publish_identity_update(
        update(INBOX, create(by=OWNER), add(second, by=OWNER)).encode(), NOW_NS
    )
    assert network.inbox_id_of(OWNER.member.value.upper().replace("0X", "0x"), 1) == INBOX
    assert network.inbox_id_of(second.member.value, 0) == INBOX
    network.publish_identity_update(update(INBOX, revoke(second, by=OWNER)).encode(), NOW_NS)
    assert network.inbox_id_of(second.member.value, 1) is None
    assert network.inbox_id_of(OWNER.member.value, 1) == INBOX


def test_a_log_is_read_from_any_of_its_entries() -> None:
    network = Network()
    first = update(INBOX, create(by=OWNER)).encode()
    later = update(INBOX, add(InstallationActor("phone"), by=OWNER)).encode()
    network.publish_identity_update(first, NOW_NS)
    network.publish_identity_update(later, NOW_NS + 1)
    entries = network.identity_updates(INBOX, 0)
    assert [entry.update for entry in entries] == [first, later]
    assert [entry.server_timestamp_ns for entry in entries] == [NOW_NS, NOW_NS + 1]
    assert network.identity_updates(INBOX, entries[0].sequence_id) == entries[1:]
    assert network.identity_updates("00" * 32, 0) == []


def test_an_update_that_breaks_a_rule_is_refused_and_leaves_nothing() -> None:
    network = Network()
    stranger = WalletActor("stranger")
    network.publish_identity_update(update(INBOX, create(by=OWNER)).encode(), NOW_NS)
    with pytest.raises(RequestRefusedError, match="invalid identity update"):
        network.publish_identity_update(update(INBOX, add(stranger, by=stranger)).encode(), NOW_NS)
    with pytest.raises(RequestRefusedError, match="invalid identity update"):
        network.publish_identity_update(b"\xff", NOW_NS)
    assert len(network.identity_updates(INBOX, 0)) == 1
    assert network.inbox_id_of(stranger.member.value, 1) is None


def test_the_eleventh_installation_is_refused() -> None:
    network = Network()
    phones = [InstallationActor(f"phone {index}") for index in range(MAX_INSTALLATIONS + 1)]
    network.publish_identity_update(
        update(INBOX, create(by=OWNER), *(add(phone, by=OWNER) for phone in phones[:-1])).encode(),
        NOW_NS,
    )
    eleventh = update(INBOX, add(phones[-1], by=OWNER), time_ns=NOW_NS + 10**9)
    with pytest.raises(TooManyInstallationsError, match="got 11"):
        network.publish_identity_update(eleventh.encode(), NOW_NS)
    network.publish_identity_update(update(INBOX, revoke(phones[0], by=OWNER)).encode(), NOW_NS)
    network.publish_identity_update(eleventh.encode(), NOW_NS)


def test_the_257th_update_is_refused() -> None:
    network = Network()
    network.publish_identity_update(update(INBOX, create(by=OWNER)).encode(), NOW_NS)
    phone = InstallationActor("phone")
    for index in range(1, MAX_UPDATES):
        action = add(phone, by=OWNER) if index % 2 else revoke(phone, by=OWNER)
        entry = update(INBOX, action, time_ns=NOW_NS + index * 10**9)
        network.publish_identity_update(entry.encode(), NOW_NS)
    last = update(INBOX, revoke(phone, by=OWNER), time_ns=NOW_NS + MAX_UPDATES * 10**9)
    with pytest.raises(InboxLogFullError, match="inbox log is full"):
        network.publish_identity_update(last.encode(), NOW_NS)


# --- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [private_message, public_message])
def test_the_group_and_whether_it_is_a_commit_are_read_of_a_message(make: object) -> None:
    assert callable(make)
    for content_type, is_commit in ((1, False), (2, False), (3, True)):
        head = read_head(make(b"group", content_type))
        assert head == MessageHead(b"group", 0, is_commit)


@given(st.binary(max_size=40))
def test_noise_is_read_or_refused(noise: bytes) -> None:
    for read in (read_head, read_signature_key):
        try:
            read(noise)
        except RequestRefusedError:
            continue


@pytest.mark.parametrize(
    "message",
    [
        b"",
        bytes.fromhex("00020002") + b"\x00" + bytes(9),
        bytes.fromhex("00010003") + bytes(20),
        private_message(b"group", 4),
        private_message(b"group")[:-1],
        bytes.fromhex("00010002") + b"\xc0" + bytes(20),
        public_message(b"group").replace(bytes([1, 0, 0, 0, 5]), bytes([9, 0, 0, 0, 5])),
    ],
)
def test_a_message_that_is_none_is_refused(message: bytes) -> None:
    with pytest.raises(RequestRefusedError):
        Network().send_group_message(GroupMessageInputV1(data=message), NOW_NS)


def test_ids_grow_over_all_topics() -> None:
    network = Network()
    ids = []
    for group in (b"one", b"two", b"one"):
        stored = network.send_group_message(GroupMessageInputV1(data=private_message(group)), 1)
        assert stored.v1 is not None
        ids.append(stored.v1.id)
    assert ids == sorted(set(ids))
    assert network.group_messages.newest(b"one") is not None
    assert network.group_messages.newest(b"three") is None


def test_a_welcome_of_no_version_is_refused() -> None:
    with pytest.raises(RequestRefusedError, match="unknown version"):
        Network().send_welcome(WelcomeMessageInput(), NOW_NS)


# --- paging ---------------------------------------------------------------------------------------


def topic_of(count: int) -> Topics[int]:
    topics: Topics[int] = Topics()
    for number in range(1, count + 1):
        topics.append(b"topic", number * 10, number * 10)
    return topics


@given(st.integers(0, 250), st.integers(1, 120), st.sampled_from([ASCENDING, DESCENDING]))
def test_following_the_cursor_gives_everything_once(
    count: int, limit: int, direction: SortDirection
) -> None:
    topics = topic_of(count)
    seen: list[int] = []
    cursor = 0
    while True:
        page = topics.page(b"topic", PagingInfo(direction=direction, limit=limit, id_cursor=cursor))
        assert len(page.items) <= min(limit, MAX_PAGE)
        seen += page.items
        cursor = page.paging.id_cursor
        if not cursor:
            break
    expected = [number * 10 for number in range(1, count + 1)]
    assert seen == (expected if direction is ASCENDING else expected[::-1])


def test_no_paging_info_means_the_newest_hundred() -> None:
    assert topic_of(150).page(b"topic", None).items == tuple(range(1500, 500, -10))
    assert topic_of(0).page(b"topic", None).items == ()


def test_after_gives_what_is_newer_than_the_cursor() -> None:
    assert topic_of(5).after(b"topic", 30) == [40, 50]
    assert topic_of(5).after(b"topic", 0) == [10, 20, 30, 40, 50]
    assert topic_of(5).after(b"elsewhere", 0) == []
