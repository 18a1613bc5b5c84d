"""Logs are what was asked for or an error; pages adapt to what the node takes."""

from __future__ import annotations

from typing import Any, cast

import pytest
from eth_abi import encode
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import LogMalformed, RequestRefused
from xmtp_tee.client.history.events import Change, decode_key_event, key_event_topics, owner_topic
from xmtp_tee.client.log_search import Pager, find_logs
from xmtp_tee.client.logs import Log, decode_log, event_entry, topic_of

ADDRESS = "0x" + "aa" * 20
OWNER = "0x" + "11" * 20
REVOKED = event_entry("KeyRegistry", "KeyBundleRevoked")


def raw(block: int = 5, index: int = 0, **changes: Any) -> dict[str, Any]:
    topics = [topic_of(REVOKED), owner_topic(OWNER), b"\x22" * 32]
    return {
        "address": ADDRESS,
        "topics": ["0x" + topic.hex() for topic in topics],
        "data": "0x" + encode(["uint64"], [3]).hex(),
        "blockNumber": hex(block),
        "blockHash": "0x" + "bb" * 32,
        "transactionHash": "0x" + "cc" * 32,
        "logIndex": hex(index),
        "removed": False,
    } | changes


class FakeNode:
    """A node with one log in each of some blocks, which refuses pages that are too wide or too full."""

    def __init__(self, blocks: list[int], *, widest: int = 10**9, most: int = 10**9) -> None:
        self.blocks, self.widest, self.most = blocks, widest, most
        self.requests = 0

    def request(self, method: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        assert method == "eth_getLogs"
        self.requests += 1
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        found = [block for block in self.blocks if first <= block <= last]
        if last - first >= self.widest or len(found) > self.most:
            raise RequestRefused("query returned more than 10000 results")
        return [raw(block) for block in found]


def search(node: object, first: int, last: int, **more: Any) -> list[Log]:
    topics = [key_event_topics(), owner_topic(OWNER)]
    return list(find_logs(cast("Chain", node), ADDRESS, topics, first, last, **more))


def test_log_is_read() -> None:
    event = decode_key_event(Log.from_json(raw()))
    assert event.change is Change.REVOKED
    assert event.owner == OWNER
    assert (event.identity_key, event.previous_change) == (b"\x22" * 32, 3)
    assert event.position == (5, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "0x11"},
        {"topics": []},
        {"topics": ["0x11"]},
        {"topics": None},
        {"topics": ["0x" + "11" * 32] * 5},
        {"data": "12"},
        {"data": "0xzz"},
        {"blockNumber": None},
        {"blockNumber": "0xg"},
        {"blockHash": "0x"},
        {"transactionHash": 5},
        {"logIndex": "5"},
        {"removed": True},
    ],
    ids=str,
)
def test_malformed_log_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(LogMalformed):
        Log.from_json(raw(**changes))
    with pytest.raises(LogMalformed):
        Log.from_json([raw()])


@pytest.mark.parametrize(
    "changes",
    [
        {"topics": ["0x" + "11" * 32]},
        {"topics": ["0x" + topic_of(REVOKED).hex()]},
        {"data": "0x"},
        {"data": "0x" + encode(["uint64", "uint64"], [3, 4]).hex()},
        {"data": "0x" + (2**64).to_bytes(32, "big").hex()},
        {"topics": [raw()["topics"][0], "0x" + "ff" * 32, "0x" + "22" * 32]},
    ],
    ids=str,
)
def test_log_that_is_no_such_event_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(LogMalformed):
        decode_key_event(Log.from_json(raw(**changes)))


@given(st.binary(max_size=400))
def test_any_data_is_decoded_exactly_or_refused(data: bytes) -> None:
    entry = event_entry("KeyRegistry", "KeyBundleRegistered")
    log = Log(
        b"\xaa" * 20,
        (topic_of(entry), owner_topic(OWNER), b"\x22" * 32, owner_topic(OWNER)),
        data,
        1,
        bytes(32),
        "0x" + "cc" * 32,
        0,
    )
    try:
        values = decode_log(entry, log)
    except LogMalformed:
        return
    types = [item["type"] for item in entry["inputs"] if not item["indexed"]]
    names = [item["name"] for item in entry["inputs"] if not item["indexed"]]
    assert encode(types, [values[name] for name in names]) == data


@given(
    st.lists(st.integers(0, 3_000), unique=True).map(sorted),
    st.integers(1, 4_000),
    st.integers(1, 20),
    st.integers(1, 5_000),
)
def test_paged_search_finds_every_log_once(
    blocks: list[int], widest: int, most: int, page: int
) -> None:
    node = FakeNode(blocks, widest=widest, most=most)
    found = search(node, 10, 2_900, page=page)
    assert [log.block_number for log in found] == [b for b in blocks if 10 <= b <= 2_900]


def test_wide_search_of_a_generous_node_takes_few_requests() -> None:
    node = FakeNode([5])
    search(node, 0, 20_000_000)
    assert node.requests < 40


def test_node_that_refuses_single_blocks_is_an_error() -> None:
    with pytest.raises(RequestRefused):
        search(FakeNode([5], most=0), 0, 100)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        [raw(101)],
        [raw(4)],
        [raw(address="0x" + "ab" * 20)],
        [raw(topics=["0x" + "11" * 32, *raw()["topics"][1:]])],
        [raw(topics=raw()["topics"][:1])],
        [raw(7), raw(6)],
        [raw(6), raw(6)],
    ],
    ids=str,
)
def test_answer_to_another_question_is_refused(answer: object) -> None:
    class Liar:
        def request(self, method: str, query: object) -> object:
            return answer

    with pytest.raises(LogMalformed):
        search(Liar(), 5, 100)


@given(st.integers(0, 10**7), st.integers(0, 10**6), st.data())
def test_pager_covers_every_block_once(first: int, size: int, data: st.DataObject) -> None:
    pager, covered = Pager(first, first + size), first
    for _ in range(10_000):
        if pager.done:
            break
        start, end = pager.range
        assert start == covered
        assert start <= end <= first + size
        if data.draw(st.integers(0, 3)) == 0 and pager.refused():
            assert pager.range[1] < end
            continue
        pager.answered()
        covered = end + 1
    else:
        pytest.fail("the pager does not end")
    assert covered == first + size + 1
