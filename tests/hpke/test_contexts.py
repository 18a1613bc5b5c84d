"""Contexts: order, limits, tampering, and what is refused."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee import hpke
from xmtp_tee.hpke.context import MAX_SEQUENCE

SUITES = [
    hpke.X25519_AES_128_GCM,
    hpke.X25519_AES_256_GCM,
    hpke.X25519_CHACHA20_POLY1305,
    hpke.XWING_CHACHA20_POLY1305,
    hpke.XWING_OBSOLETE_CHACHA20_POLY1305,
]
every_suite = pytest.mark.parametrize("suite", SUITES, ids=lambda s: f"{s.kem.name}-{s.aead.name}")
X25519 = hpke.X25519_CHACHA20_POLY1305
IKM = bytes(range(32))


def contexts(suite: hpke.Suite) -> tuple[hpke.SenderContext, hpke.RecipientContext]:
    private, public = hpke.derive_key_pair(suite, IKM)
    encapsulated, sender = hpke.setup_sender(suite, public, b"info", entropy=os.urandom)
    return sender, hpke.setup_recipient(suite, encapsulated, private, b"info")


@every_suite
def test_messages_in_order_are_opened(suite: hpke.Suite) -> None:
    sender, recipient = contexts(suite)
    for i in range(4):
        assert recipient.open(b"aad", sender.seal(b"aad", b"%d" % i)) == b"%d" % i
    assert sender.sequence == recipient.sequence == 4
    assert sender.export(b"x", 100) == recipient.export(b"x", 100)


@every_suite
def test_sizes_are_those_of_the_suite(suite: hpke.Suite) -> None:
    private, public = hpke.derive_key_pair(suite, IKM)
    encapsulated, sealed = hpke.seal(suite, public, b"", b"", b"four", entropy=os.urandom)
    assert len(private) == suite.kem.private_size
    assert len(public) == suite.kem.public_size
    assert len(encapsulated) == suite.kem.encapsulated_size
    assert len(sealed) == 20


def test_two_x_wing_ids_do_not_understand_each_other() -> None:
    obsolete, standard = hpke.XWING_OBSOLETE_CHACHA20_POLY1305, hpke.XWING_CHACHA20_POLY1305
    public = hpke.public_key(standard, IKM)
    encapsulated, sealed = hpke.seal(obsolete, public, b"", b"", b"text", entropy=os.urandom)
    assert hpke.open_(obsolete, encapsulated, IKM, b"", b"", sealed) == b"text"
    with pytest.raises(hpke.HpkeOpenError):
        hpke.open_(standard, encapsulated, IKM, b"", b"", sealed)


def test_open_when_a_message_is_skipped_or_repeated_is_refused_and_does_not_move() -> None:
    sender, recipient = contexts(X25519)
    first, second = sender.seal(b"", b"first"), sender.seal(b"", b"second")
    with pytest.raises(hpke.HpkeOpenError):
        recipient.open(b"", second)
    assert recipient.open(b"", first) == b"first"
    with pytest.raises(hpke.HpkeOpenError):
        recipient.open(b"", first)
    assert recipient.open(b"", second) == b"second"


@every_suite
def test_open_when_anything_is_altered_is_refused(suite: hpke.Suite) -> None:
    private, public = hpke.derive_key_pair(suite, IKM)
    encapsulated, sealed = hpke.seal(suite, public, b"info", b"aad", b"text", entropy=os.urandom)
    good = (suite, encapsulated, private, b"info", b"aad", sealed)
    assert hpke.open_(*good) == b"text"
    forged = bytes([encapsulated[0] ^ 1]) + encapsulated[1:]
    for position, value in [
        (1, forged),
        (2, bytes([private[0] ^ 8]) + private[1:]),
        (3, b"inf0"),
        (4, b"aae"),
        (5, sealed[:-1]),
        (5, bytes([sealed[0] ^ 1]) + sealed[1:]),
        (5, b""),
    ]:
        altered = (*good[:position], value, *good[position + 1 :])
        with pytest.raises(hpke.HpkeOpenError):
            hpke.open_(*altered)


@given(st.binary(max_size=1300), st.binary(max_size=40))
def test_open_of_garbage_raises_only_typed_errors(encapsulated: bytes, sealed: bytes) -> None:
    for suite in SUITES:
        with pytest.raises(hpke.HpkeError):
            hpke.open_(suite, encapsulated, IKM, b"", b"", sealed)


@every_suite
def test_keys_of_a_wrong_length_are_refused(suite: hpke.Suite) -> None:
    private, public = hpke.derive_key_pair(suite, IKM)
    encapsulated, _ = hpke.setup_sender(suite, public, b"", entropy=os.urandom)
    for wrong in (public[:-1], public + b"\0", b""):
        with pytest.raises(hpke.HpkePublicKeyInvalidError):
            hpke.setup_sender(suite, wrong, b"", entropy=os.urandom)
    for wrong in (encapsulated[:-1], encapsulated + b"\0", b""):
        with pytest.raises(hpke.HpkeEncapsulationInvalidError):
            hpke.setup_recipient(suite, wrong, private, b"")
    for wrong in (private[:-1], private + b"\0", b""):
        with pytest.raises(hpke.HpkePrivateKeyInvalidError):
            hpke.setup_recipient(suite, encapsulated, wrong, b"")
        with pytest.raises(hpke.HpkePrivateKeyInvalidError):
            hpke.public_key(suite, wrong)
    with pytest.raises(hpke.HpkePrivateKeyInvalidError):
        hpke.derive_key_pair(suite, IKM[:-1])
    with pytest.raises(hpke.HpkePrivateKeyInvalidError):
        hpke.setup_sender(suite, public, b"", entropy=lambda n: bytes(n - 1))


@pytest.mark.parametrize("suite", SUITES[2:], ids=lambda s: s.kem.name)
def test_low_order_points_are_refused(suite: hpke.Suite) -> None:
    private, public = hpke.derive_key_pair(suite, IKM)
    encapsulated, _ = hpke.setup_sender(suite, public, b"", entropy=os.urandom)
    for point in (bytes(32), b"\x01" + bytes(31)):
        with pytest.raises(hpke.HpkePublicKeyInvalidError):
            hpke.setup_sender(suite, public[:-32] + point, b"", entropy=os.urandom)
        with pytest.raises(hpke.HpkeEncapsulationInvalidError):
            hpke.setup_recipient(suite, encapsulated[:-32] + point, private, b"")


def test_private_keys_may_be_bytearrays_that_are_wiped_later() -> None:
    private, public = hpke.derive_key_pair(X25519, bytearray(IKM))
    encapsulated, sealed = hpke.seal(X25519, public, b"", b"", b"text", entropy=os.urandom)
    assert hpke.open_(X25519, encapsulated, bytearray(private), b"", b"", sealed) == b"text"
    known = hpke.open_(X25519, encapsulated, private, b"", b"", sealed, public=public)
    assert known == b"text"


def test_a_context_at_its_last_message_refuses_the_next() -> None:
    sender, recipient = contexts(X25519)
    sender._sequence = recipient._sequence = MAX_SEQUENCE - 1
    assert recipient.open(b"", sender.seal(b"", b"last")) == b"last"
    with pytest.raises(hpke.HpkeMessageLimitError):
        sender.seal(b"", b"one more")
    with pytest.raises(hpke.HpkeMessageLimitError):
        recipient.open(b"", bytes(16))


def test_export_up_to_the_limit() -> None:
    sender, recipient = contexts(X25519)
    assert sender.export(b"", 0) == b""
    assert sender.export(b"", 255 * 32) == recipient.export(b"", 255 * 32)
    for length in (255 * 32 + 1, -1):
        with pytest.raises(hpke.HpkeExportLengthError):
            sender.export(b"", length)


def test_psk_below_32_bytes_or_without_id_is_refused() -> None:
    hpke.PreSharedKey(bytes(32), b"i")
    with pytest.raises(hpke.HpkePskInvalidError):
        hpke.PreSharedKey(bytes(31), b"i")
    with pytest.raises(hpke.HpkePskInvalidError):
        hpke.PreSharedKey(bytes(32), b"")


def test_psk_binds_both_ends() -> None:
    private, public = hpke.derive_key_pair(X25519, IKM)
    psk = hpke.PreSharedKey(b"p" * 32, b"id")
    encapsulated, sealed = hpke.seal(X25519, public, b"", b"", b"text", entropy=os.urandom, psk=psk)
    assert hpke.open_(X25519, encapsulated, private, b"", b"", sealed, psk=psk) == b"text"
    for other in (None, hpke.PreSharedKey(b"q" * 32, b"id"), hpke.PreSharedKey(b"p" * 32, b"ie")):
        with pytest.raises(hpke.HpkeOpenError):
            hpke.open_(X25519, encapsulated, private, b"", b"", sealed, psk=other)


def test_reprs_hold_no_secret() -> None:
    sender, _ = contexts(X25519)
    psk = hpke.PreSharedKey(b"secret" * 6, b"id")
    assert "secret" not in repr(psk)
    assert repr(sender) == "<SenderContext X25519_SHA256 at 0>"
