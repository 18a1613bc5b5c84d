"""Messages: strict, typed errors for everything that is wrong, nothing else ever escapes."""

from __future__ import annotations

import contextlib
import itertools
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.examples import example
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import (
    ClientMessageDecoder,
    ServerMessageDecoder,
    decode_operation,
    decode_result,
    encode,
    encode_request,
    reply,
    request,
)
from xmtp_tee.wire.errors import (
    FrameTooLargeError,
    MessageFieldInvalidError,
    MessageMalformedError,
    MessageTypeUnknownError,
    WireError,
)
from xmtp_tee.wire.frames import encode_frame
from xmtp_tee.wire.limits import (
    MAX_CHAIN_ID,
    MAX_PAGE,
    MAX_PUBLIC_KEY,
    MAX_REPLY_BODY,
    MAX_REQUEST_BODY,
    MAX_SIGNED_MESSAGE,
)

pack = msgspec.msgpack.encode
OWNER, HASH, ID = bytes(range(20)), bytes(range(32)), "00" * 16

OPERATIONS: list[wire.Operation] = [
    *map(example, get_args(wire.Operation)),
    wire.GeneratePreKey(identity_key_id=ID, expires_at=2_000_000_000),
    wire.GetPreKeys(identity_key_id=ID, after=3, limit=5),
    wire.ListKeys(owner=OWNER, label="a", state="active"),
    wire.GenerateKey(purpose="mac", owner=OWNER, limits=wire.Limits(max_uses=3)),
]
RESULTS: list[wire.Result] = [*map(example, get_args(wire.Result))]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: type(o).__name__)
def test_operation_survives_the_passage(operation: wire.Operation) -> None:
    decoder = ClientMessageDecoder()
    (message,) = decoder.feed(encode_request(request(9, operation)))
    assert isinstance(message, wire.Request)
    assert message.id == 9
    assert decode_operation(message) == operation


@pytest.mark.parametrize("result", RESULTS, ids=lambda o: type(o).__name__)
def test_result_survives_the_passage(result: wire.Result) -> None:
    decoder = ServerMessageDecoder()
    (message,) = decoder.feed(encode(reply(9, result)))
    assert isinstance(message, wire.Reply)
    assert decode_result(message) == result


def test_no_two_messages_share_a_name() -> None:
    for union in (wire.Operation, wire.Result, wire.ClientMessage, wire.ServerMessage):
        tags = [kind.__struct_config__.tag for kind in get_args(union)]
        assert len(set(tags)) == len(tags)


@given(st.lists(st.sampled_from(OPERATIONS), max_size=6), st.lists(st.integers(0, 800), max_size=9))
def test_messages_when_fed_in_any_portions_are_the_same(
    sent: list[wire.Operation], cuts: list[int]
) -> None:
    stream = encode_request(wire.Hello(version=2)) + b"".join(
        encode_request(request(i, each)) for i, each in enumerate(sent, 1)
    )
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    decoder = ClientMessageDecoder()
    got = [message for a, b in itertools.pairwise(edges) for message in decoder.feed(stream[a:b])]
    assert got[0] == wire.Hello(version=2)
    assert [decode_operation(each) for each in got[1:] if isinstance(each, wire.Request)] == sent


@given(st.binary(max_size=300))
def test_fuzzed_stream_raises_only_wire_errors(data: bytes) -> None:
    for decoder in (ClientMessageDecoder(), ServerMessageDecoder()):
        try:
            list(decoder.feed(data))
            decoder.eof()
        except WireError as error:
            with pytest.raises(type(error)):
                decoder.next_message()


@given(st.binary(max_size=300))
def test_fuzzed_body_raises_only_wire_errors(body: bytes) -> None:
    for decoder in (ClientMessageDecoder(), ServerMessageDecoder()):
        try:
            list(decoder.feed(encode_frame(body, 1000)))
        except WireError:
            continue


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
tags = st.sampled_from([str(o.__struct_config__.tag) for o in OPERATIONS] + ["request", "?"])
fields = st.sampled_from(
    ["id", "owner", "key_id", "message", "limit", "after", "chain_id", "operation", "extra"]
)


@given(tags, st.dictionaries(fields, json_like, max_size=5))
def test_fuzzed_fields_raise_only_wire_errors(tag: str, content: dict[str, object]) -> None:
    body = pack({"type": tag, **content})
    with contextlib.suppress(WireError):
        decode_operation(wire.Request(id=1, operation=msgspec.Raw(body)))
    with contextlib.suppress(WireError):
        list(ClientMessageDecoder().feed(encode_frame(body, MAX_REQUEST_BODY)))


def operation_of(body: bytes) -> wire.Operation:
    return decode_operation(wire.Request(id=1, operation=msgspec.Raw(body)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        pack([1, 2]),
        pack("ping"),
        pack({"owner": OWNER}),
        pack({"type": 5}),
        b"\x81\xa4type\xa4pin",
        b"\x91" * 2000 + b"\x90",
        b"\x82\xa4type\xa4ping\xa1x" + b"\x91" * 2000 + b"\x90",
    ],
    ids=[
        "nothing",
        "reserved byte",
        "list",
        "text",
        "no type",
        "type is a number",
        "truncated",
        "nested too deep",
        "nested too deep in a superfluous field",
    ],
)
def test_malformed_operation_is_refused(body: bytes) -> None:
    with pytest.raises((MessageMalformedError, MessageFieldInvalidError)):
        operation_of(body)


@pytest.mark.parametrize("tag", ["export-private-key", "", "Ping", "pong", "x" * 100])
def test_unknown_operation_is_refused_by_name(tag: str) -> None:
    with pytest.raises(MessageTypeUnknownError) as caught:
        operation_of(pack({"type": tag}))
    assert caught.value.got == repr(tag[:64])
    assert "sign" in str(caught.value.expected)


ATTEST = {
    "type": "get-attestation",
    "chain_id": 1,
    "enclave_registry": OWNER,
    "block_number": 7,
    "block_hash": HASH,
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "generate-identity-key"},
        {"type": "generate-identity-key", "owner": bytes(19)},
        {"type": "generate-identity-key", "owner": bytes(21)},
        {"type": "generate-identity-key", "owner": "0x" + "11" * 20},
        {"type": "generate-identity-key", "owner": OWNER, "seed": bytes(32)},
        {"type": "get-key", "key_id": ""},
        {"type": "get-key", "key_id": "k" * 65},
        {"type": "get-key", "key_id": b"k"},
        {"type": "sign", "key_id": ID, "message": "text"},
        {"type": "list-keys", "limit": 0},
        {"type": "list-keys", "limit": MAX_PAGE + 1},
        {"type": "list-keys", "after": -1},
        {"type": "list-keys", "after": True},
        {"type": "generate-pre-key", "identity_key_id": ID, "expires_at": -1},
        {"type": "generate-pre-key", "identity_key_id": ID, "expires_at": 2**63},
        {"type": "generate-pre-key", "identity_key_id": ID, "expires_at": 1.5},
        ATTEST | {"chain_id": 0},
        ATTEST | {"chain_id": MAX_CHAIN_ID + 1},
        ATTEST | {"block_hash": bytes(31)},
        ATTEST | {"enclave_registry": bytes(32)},
    ],
    ids=str,
)
def test_wrong_field_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(MessageFieldInvalidError) as caught:
        operation_of(pack(wrong))
    assert str(wrong["type"]) in caught.value.message


def test_request_with_a_superfluous_field_is_refused() -> None:
    body = pack({"type": "request", "id": 1, "operation": {"type": "ping"}, "as": "root"})
    with pytest.raises(MessageFieldInvalidError):
        list(ClientMessageDecoder().feed(encode_frame(body, MAX_REQUEST_BODY)))


@pytest.mark.parametrize("number", [0, -1, 2**53, "1", None])
def test_request_with_a_wrong_id_is_refused(number: object) -> None:
    body = pack({"type": "request", "id": number, "operation": {"type": "ping"}})
    with pytest.raises(MessageFieldInvalidError):
        list(ClientMessageDecoder().feed(encode_frame(body, MAX_REQUEST_BODY)))


def test_hello_of_a_later_version_can_be_read_though_it_has_more_fields() -> None:
    body = pack({"type": "hello", "version": 99, "client": "c", "features": ["batch"]})
    (message,) = ClientMessageDecoder().feed(encode_frame(body, MAX_REQUEST_BODY))
    assert message == wire.Hello(version=99, client="c")


def test_error_text_never_repeats_a_field_of_bytes() -> None:
    secret = b"would-be secret that is 32 bytes"
    with pytest.raises(MessageFieldInvalidError) as caught:
        operation_of(pack({"type": "generate-identity-key", "owner": secret}))
    assert "would-be" not in str(caught.value)


def test_request_limit_is_smaller_than_the_reply_limit_and_fits_the_largest_message() -> None:
    assert MAX_REQUEST_BODY < MAX_REPLY_BODY == 4 << 20
    encode_request(request(1, wire.Sign(key_id="k" * 64, message=bytes(MAX_SIGNED_MESSAGE))))
    with pytest.raises(FrameTooLargeError):
        encode_request(request(1, wire.Sign(key_id=ID, message=bytes(MAX_REQUEST_BODY))))


def test_a_request_that_is_too_large_is_not_sealed_so_the_channel_stays_in_step() -> None:
    sealed: list[bytes] = []

    def seal(body: bytes) -> bytes:
        sealed.append(body)
        return body + bytes(16)

    too_large = request(1, wire.Sign(key_id=ID, message=bytes(MAX_REQUEST_BODY)))
    with pytest.raises(FrameTooLargeError):
        encode_request(too_large, seal)
    assert sealed == []
    assert encode_request(request(1, wire.Ping()), seal)
    assert len(sealed) == 1


def test_largest_page_fits_the_reply_limit() -> None:
    largest, text = 2**63 - 1, "é" * 64
    limits = wire.Limits(
        expires_at=largest, max_uses=2**53 - 1, rate_count=2**53 - 1, rate_seconds=2**53 - 1
    )
    key = wire.Key(
        id="f" * 32,
        key_type="chacha20-poly1305",
        purpose="xmtp-installation",
        owner=OWNER,
        public_key=bytes(MAX_PUBLIC_KEY),
        version=largest,
        epoch=largest,
        provenance="generated",
        operations=tuple(f"certify-as-identity-{n}" for n in range(8)),
        created_at=largest,
        destroyed_at=largest,
        state="destroyed",
        label=text,
        minimum_version=largest,
        rotated_at=largest,
        limits=limits,
        derived_from="f" * 32,
        releases=True,
        exportable=True,
        deleted_at=largest,
        destroy_after=largest,
    )
    page = wire.KeyPage(keys=(key,) * MAX_PAGE, next=largest)
    decoder = ServerMessageDecoder()
    (message,) = decoder.feed(encode(reply(1, page)))
    assert isinstance(message, wire.Reply)
    assert decode_result(message) == page
