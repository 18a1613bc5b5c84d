"""One connection without its socket: the table of states, row by row."""

from __future__ import annotations

import logging
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.enclave.support import NOW, OWNER, FixedDriver
from xmtp_tee.enclave.callers import Peer
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.session import Session, State
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import (
    ServerMessageDecoder,
    decode_result,
    encode_request,
    request,
)
from xmtp_tee.wire.frames import encode_frame
from xmtp_tee.wire.limits import MAX_REQUEST_BODY, MAX_SIGNED_MESSAGE, PROTOCOL_VERSION

OWN = Peer(uid=os.geteuid())
HELLO = encode_request(wire.Hello(version=PROTOCOL_VERSION, client="test"))


def answers(session: Session, data: bytes) -> list[wire.ServerMessage]:
    session.feed(data)
    decoder = ServerMessageDecoder()
    while (frame := session.next_answer(NOW)) is not None:
        decoder.feed(frame)
    return list(decoder.feed(b""))


def greeted(enclave: Enclave) -> Session:
    session = Session(enclave, OWN)
    answers(session, HELLO)
    assert session.state is State.SERVING
    return session


def failure(session: Session, data: bytes) -> tuple[int, str]:
    (answer,) = answers(session, data)
    assert isinstance(answer, wire.Failure)
    return answer.id, answer.code


def test_hello_is_answered_by_who_the_enclave_is(enclave: Enclave) -> None:
    (welcome,) = answers(Session(enclave, OWN), HELLO)
    assert welcome == wire.Welcome(version=PROTOCOL_VERSION, enclave=enclave.describe())


@pytest.mark.parametrize("version", [0, PROTOCOL_VERSION + 1, 2**40])
def test_hello_of_another_version_ends_the_connection(enclave: Enclave, version: int) -> None:
    session = Session(enclave, OWN)
    assert failure(session, encode_request(wire.Hello(version=version))) == (
        0,
        "wire.protocol-version",
    )
    assert session.state is State.CLOSED


def test_request_before_hello_ends_the_connection(enclave: Enclave) -> None:
    session = Session(enclave, OWN)
    data = encode_request(request(1, wire.GenerateIdentityKey(owner=OWNER)))
    assert failure(session, data) == (0, "wire.message-unexpected")
    assert session.state is State.CLOSED
    assert answers(session, HELLO) == []
    page = enclave.handle(wire.ListKeys(owner=OWNER), NOW)
    assert page == wire.KeyPage(keys=())


def test_second_hello_ends_the_connection(enclave: Enclave) -> None:
    session = greeted(enclave)
    assert failure(session, HELLO) == (0, "wire.message-unexpected")
    assert session.state is State.CLOSED


def test_requests_are_answered_in_order_under_their_ids(enclave: Enclave) -> None:
    session = greeted(enclave)
    data = b"".join(
        encode_request(request(number, operation))
        for number, operation in (
            (7, wire.Ping()),
            (3, wire.GetKey(key_id="none")),
            (9, wire.GenerateIdentityKey(owner=OWNER)),
        )
    )
    pong, missing, key = answers(session, data)
    assert isinstance(pong, wire.Reply)
    assert (pong.id, decode_result(pong)) == (7, wire.Pong())
    assert isinstance(missing, wire.Failure)
    assert (missing.id, missing.code) == (3, "enclave.key-not-found")
    assert isinstance(key, wire.Reply)
    assert key.id == 9
    assert session.state is State.SERVING


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ({"type": "export-private-key", "key_id": "k"}, "wire.message-type-unknown"),
        ({"type": "sign", "key_id": "k"}, "wire.message-field-invalid"),
        (
            {"type": "sign", "key_id": "k", "message": b"", "raw": True},
            "wire.message-field-invalid",
        ),
        ([1], "wire.message-malformed"),
    ],
)
def test_wrong_operation_fails_only_itself(enclave: Enclave, operation: object, code: str) -> None:
    import msgspec

    session = greeted(enclave)
    body = msgspec.msgpack.encode({"type": "request", "id": 5, "operation": operation})
    assert failure(session, encode_frame(body, MAX_REQUEST_BODY)) == (5, code)
    (pong,) = answers(session, encode_request(request(6, wire.Ping())))
    assert isinstance(pong, wire.Reply)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ((MAX_REQUEST_BODY + 1).to_bytes(4, "big"), "wire.frame-too-large"),
        (b"\xff\xff\xff\xff", "wire.frame-too-large"),
        (bytes(4), "wire.message-malformed"),
        (b"\x00\x00\x00\x02{}", "wire.message-malformed"),
        (b"GET / HTTP/1.1\r\n\r\n", "wire.frame-too-large"),
    ],
)
def test_broken_bytes_end_the_connection(enclave: Enclave, data: bytes, code: str) -> None:
    for session in (Session(enclave, OWN), greeted(enclave)):
        assert failure(session, data) == (0, code)
        assert session.state is State.CLOSED


def test_sound_requests_before_broken_bytes_are_still_answered(enclave: Enclave) -> None:
    session = greeted(enclave)
    pong, broken = answers(session, encode_request(request(1, wire.Ping())) + b"\xff" * 4)
    assert isinstance(pong, wire.Reply)
    assert isinstance(broken, wire.Failure)


def test_message_between_the_limits_is_refused_under_its_id(enclave: Enclave) -> None:
    session = greeted(enclave)
    key = enclave.handle(wire.GenerateIdentityKey(owner=OWNER), NOW)
    assert isinstance(key, wire.Key)
    operation = wire.Sign(key_id=key.id, message=bytes(MAX_SIGNED_MESSAGE + 1))
    assert failure(session, encode_request(request(2, operation))) == (
        2,
        "enclave.signed-message-too-large",
    )


def test_fault_inside_names_its_kind_and_nothing_of_its_text(
    enclave: Enclave, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: bytes) -> bytes:
        raise RuntimeError("text that may hold a secret")

    monkeypatch.setattr(FixedDriver, "quote", lambda self, data: broken(data))
    session = greeted(enclave)
    operation = wire.GetAttestation(
        chain_id=1, enclave_registry=OWNER, block_number=1, block_hash=bytes(32)
    )
    with caplog.at_level(logging.DEBUG):
        (answer,) = answers(session, encode_request(request(4, operation)))
    assert isinstance(answer, wire.Failure)
    assert (answer.id, answer.code, answer.got) == (4, "enclave.internal", "RuntimeError")
    assert "secret" not in repr(answer) + caplog.text
    assert session.state is State.SERVING


@given(data=st.binary(max_size=200), hello=st.booleans())
def test_fuzzed_connection_only_gets_typed_failures(
    enclave: Enclave, data: bytes, hello: bool
) -> None:
    session = Session(enclave, OWN)
    for answer in answers(session, (HELLO if hello else b"") + data):
        assert isinstance(answer, wire.Welcome | wire.Failure)
