"""Welcomes are wrapped and opened, to a key and behind a pointer; damage and other keys are refused."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee import hpke
from xmtp_tee.xmtp.errors import WelcomeInvalidError
from xmtp_tee.xmtp.proto.groups import WelcomePointer, WelcomeV1Pointer
from xmtp_tee.xmtp.proto.mls_api import WelcomeWrapperAlgorithm
from xmtp_tee.xmtp.welcome import (
    AEAD_CHACHA20_POLY1305,
    WrappedWelcome,
    follow,
    unwrap,
    unwrap_pointer,
    wrap,
    wrap_behind_pointer,
    wrap_pointer,
)

X25519 = WelcomeWrapperAlgorithm.CURVE25519
XWING = WelcomeWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6
SUITES = {X25519: hpke.X25519_CHACHA20_POLY1305, XWING: hpke.XWING_OBSOLETE_CHACHA20_POLY1305}
ALGORITHMS = pytest.mark.parametrize("algorithm", [X25519, XWING])


def key_pair(algorithm: WelcomeWrapperAlgorithm) -> tuple[bytes, bytes]:
    return hpke.derive_key_pair(SUITES[algorithm], os.urandom(32))


@ALGORITHMS
@pytest.mark.parametrize("size", [0, 1, 63, 64, 16_383, 16_384, 100_000])
def test_a_welcome_opens_with_the_key_it_was_wrapped_to(
    algorithm: WelcomeWrapperAlgorithm, size: int
) -> None:
    private, public = key_pair(algorithm)
    wrapped = wrap(bytes(size), 42, public, algorithm, entropy=os.urandom)
    opened = unwrap(wrapped, private, algorithm)
    assert opened.welcome == bytes(size)
    assert opened.message_cursor == 42


@ALGORITHMS
def test_a_welcome_without_metadata_has_no_cursor(algorithm: WelcomeWrapperAlgorithm) -> None:
    private, public = key_pair(algorithm)
    wrapped = wrap(b"welcome", 7, public, algorithm, entropy=os.urandom)
    assert unwrap(WrappedWelcome(wrapped.data, b""), private, algorithm).message_cursor is None


@ALGORITHMS
def test_another_key_opens_nothing(algorithm: WelcomeWrapperAlgorithm) -> None:
    _, public = key_pair(algorithm)
    stranger, _ = key_pair(algorithm)
    wrapped = wrap(b"welcome", 7, public, algorithm, entropy=os.urandom)
    with pytest.raises(WelcomeInvalidError, match="does not open"):
        unwrap(wrapped, stranger, algorithm)


@ALGORITHMS
@given(data=st.data())
def test_a_damaged_welcome_is_refused(
    algorithm: WelcomeWrapperAlgorithm, data: st.DataObject
) -> None:
    private, public = key_pair(algorithm)
    wrapped = wrap(b"welcome", 7, public, algorithm, entropy=os.urandom)
    name = data.draw(st.sampled_from(["data", "metadata"]))
    damaged = bytearray(getattr(wrapped, name))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    parts = {"data": wrapped.data, "metadata": wrapped.metadata, name: bytes(damaged)}
    with pytest.raises(WelcomeInvalidError):
        unwrap(WrappedWelcome(**parts), private, algorithm)


@given(st.binary(max_size=80))
def test_noise_is_refused(noise: bytes) -> None:
    private, _ = key_pair(X25519)
    with pytest.raises(WelcomeInvalidError):
        unwrap(WrappedWelcome(noise, b""), private, X25519)


def test_metadata_of_another_welcome_is_refused() -> None:
    private, public = key_pair(XWING)
    one, other = (wrap(b"w", n, public, XWING, entropy=os.urandom) for n in (1, 2))
    with pytest.raises(WelcomeInvalidError):
        unwrap(WrappedWelcome(one.data, other.metadata), private, XWING)


@pytest.mark.parametrize(
    "algorithm", [WelcomeWrapperAlgorithm.UNSPECIFIED, WelcomeWrapperAlgorithm.SYMMETRIC_KEY]
)
def test_an_algorithm_without_a_key_wraps_nothing(algorithm: WelcomeWrapperAlgorithm) -> None:
    with pytest.raises(WelcomeInvalidError, match="cannot be wrapped so"):
        wrap(b"w", 1, bytes(32), algorithm, entropy=os.urandom)


def test_a_pointer_leads_several_installations_to_one_welcome() -> None:
    pointed = wrap_behind_pointer(b"welcome", 9, entropy=os.urandom)
    for _ in range(3):
        private, public = key_pair(XWING)
        sealed = wrap_pointer(pointed.pointer, public, XWING, entropy=os.urandom)
        pointer = unwrap_pointer(sealed, private, XWING)
        assert pointer.destination == pointed.destination
        opened = follow(pointer, pointed.wrapped)
        assert (opened.welcome, opened.message_cursor) == (b"welcome", 9)


def test_a_pointer_opens_no_other_welcome() -> None:
    one, other = (wrap_behind_pointer(b"welcome", 9, entropy=os.urandom) for _ in range(2))
    pointer = WelcomePointer.decode(one.pointer).welcome_v1_pointer
    assert pointer is not None
    with pytest.raises(WelcomeInvalidError, match="does not open"):
        follow(pointer, other.wrapped)
    swapped = WrappedWelcome(one.wrapped.metadata, one.wrapped.data)
    with pytest.raises(WelcomeInvalidError, match="does not open"):
        follow(pointer, swapped)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"aead_type": 1}, "unknown cipher"),
        ({"encryption_key": bytes(31)}, "key has the wrong size"),
        ({"data_nonce": bytes(11)}, "nonce has the wrong size"),
        ({"welcome_metadata_nonce": b""}, "metadata nonce has the wrong size"),
        ({"data_nonce": b"\x01" * 12}, "one nonce twice"),
    ],
)
def test_a_pointer_with_wrong_parts_is_refused(change: dict[str, object], message: str) -> None:
    fields: dict[str, object] = {
        "destination": bytes(32),
        "aead_type": AEAD_CHACHA20_POLY1305,
        "encryption_key": bytes(32),
        "data_nonce": bytes(12),
        "welcome_metadata_nonce": b"\x01" * 12,
    }
    pointer = WelcomePointer(welcome_v1_pointer=WelcomeV1Pointer(**{**fields, **change}))  # type: ignore[arg-type]
    private, public = key_pair(XWING)
    sealed = wrap_pointer(pointer.encode(), public, XWING, entropy=os.urandom)
    with pytest.raises(WelcomeInvalidError, match=message):
        unwrap_pointer(sealed, private, XWING)


def test_a_pointer_of_an_unknown_version_or_none_is_refused() -> None:
    private, public = key_pair(XWING)
    for inside, message in ((b"", "unknown version"), (b"\xff", "cannot be read")):
        sealed = wrap_pointer(inside, public, XWING, entropy=os.urandom)
        with pytest.raises(WelcomeInvalidError, match=message):
            unwrap_pointer(sealed, private, XWING)


def test_an_opened_welcome_does_not_show_itself() -> None:
    pointed = wrap_behind_pointer(b"hush", 9, entropy=os.urandom)
    pointer = WelcomePointer.decode(pointed.pointer).welcome_v1_pointer
    assert pointer is not None
    assert "hush" not in repr(follow(pointer, pointed.wrapped))
    assert pointer.encryption_key.hex() not in repr(pointed)
