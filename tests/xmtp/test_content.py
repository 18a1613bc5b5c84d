"""Envelopes and contents: text both ways, other types handed on, damage refused."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.xmtp.content import (
    GROUP_UPDATED,
    TEXT,
    Envelope,
    decode_content,
    encode_leave_request,
    encode_text,
    open_envelope,
    seal_envelope,
)
from xmtp_tee.xmtp.errors import ContentInvalidError
from xmtp_tee.xmtp.proto.content import EncodedContent, PlaintextEnvelope, PlaintextEnvelopeV2


@given(st.text(), st.text(max_size=20))
def test_text_survives_content_and_envelope(value: str, key: str) -> None:
    envelope = open_envelope(seal_envelope(encode_text(value), key))
    assert envelope is not None
    assert envelope.idempotency_key == key
    content = decode_content(envelope.content)
    assert content.text == value
    assert content.type_name == "xmtp.org/text:1.0"


def test_the_message_id_is_the_networks() -> None:
    envelope = Envelope(b"content", "17")
    assert envelope.message_id(b"group") == hashlib.sha256(b"group\t17\tcontent").digest()


def test_another_type_is_handed_on_with_its_fallback() -> None:
    encoded = EncodedContent(type=GROUP_UPDATED, content=b"\x01", fallback="group changed").encode()
    content = decode_content(encoded)
    assert (content.data, content.text) == (b"\x01", "group changed")
    assert decode_content(encode_leave_request()).type_name == "xmtp.org/leave_request:1.0"


def test_what_ones_own_devices_say_is_no_message() -> None:
    plaintext = PlaintextEnvelope(v2=PlaintextEnvelopeV2(idempotency_key="1")).encode()
    assert open_envelope(plaintext) is None


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (b"\xff", "cannot be read"),
        (b"", "does not say what it is"),
        (EncodedContent(type=TEXT, content=b"\xff").encode(), "not UTF-8"),
        (EncodedContent(type=TEXT, content=b"x", compression=1).encode(), "Compressed"),
    ],
)
def test_content_that_cannot_be_read_is_refused(encoded: bytes, message: str) -> None:
    with pytest.raises(ContentInvalidError, match=message):
        decode_content(encoded)


@pytest.mark.parametrize(
    ("plaintext", "message"), [(b"\xff", "cannot be read"), (b"", "unknown version")]
)
def test_an_envelope_that_cannot_be_read_is_refused(plaintext: bytes, message: str) -> None:
    with pytest.raises(ContentInvalidError, match=message):
        open_envelope(plaintext)


def test_contents_do_not_show_themselves() -> None:
    envelope = open_envelope(seal_envelope(encode_text("hush"), "1"))
    assert envelope is not None
    assert "hush" not in repr(envelope)
    assert "hush" not in repr(decode_content(envelope.content))
