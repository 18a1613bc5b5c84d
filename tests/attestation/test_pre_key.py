"""The pre-key signature: Ed25519ph by the identity key, in a context of its own."""

from __future__ import annotations

from typing import Any

import pytest
from Crypto.Hash import SHA512
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa
from hypothesis import given
from hypothesis import strategies as st

from tests.attestation.support import flipped
from xmtp_tee.attestation import PRE_KEY_CONTEXT, pre_key_message, verify_pre_key_signature
from xmtp_tee.attestation.errors import FieldError, PreKeySignatureInvalidError

ORDER = (1 << 252) + 27742317777372353535851937790883648493
IDENTITY = ECC.construct(curve="Ed25519", seed=bytes.fromhex("77" * 32))
FIELDS: dict[str, Any] = {
    "owner": bytes.fromhex("22" * 20),
    "identity_key": IDENTITY.public_key().export_key(format="raw"),
    "pre_key": bytes.fromhex("44" * 32),
    "epoch": 3,
    "expires_at": 1_900_000_000,
}


def sign(context: bytes = PRE_KEY_CONTEXT, *, prehash: bool = True) -> bytes:
    message = pre_key_message(**FIELDS)
    signer = eddsa.new(IDENTITY, "rfc8032", context=context)
    return signer.sign(SHA512.new(message) if prehash else message)


SIGNATURE = sign()


def verify(signature: bytes = SIGNATURE, **changes: Any) -> None:
    verify_pre_key_signature(**{**FIELDS, **changes}, signature=signature)


def test_pre_key_message_is_owner_keys_epoch_and_expiry() -> None:
    assert pre_key_message(**FIELDS) == (
        b"\x22" * 20
        + FIELDS["identity_key"]
        + b"\x44" * 32
        + bytes([0, 0, 0, 0, 0, 0, 0, 3])
        + (1_900_000_000).to_bytes(8, "big")
    )


def test_ed25519ph_follows_rfc_8032_section_7_3() -> None:
    # TEST abc of RFC 8032: the library under us computes the standard's Ed25519ph.
    key = ECC.construct(
        curve="Ed25519",
        seed=bytes.fromhex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42"),
    )
    signature = eddsa.new(key, "rfc8032").sign(SHA512.new(b"abc"))
    assert signature.hex() == (
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
        "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
    )


def test_verify_pre_key_signature_accepts_the_identity_keys_signature() -> None:
    verify()


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": bytes(20)},
        {"pre_key": bytes(32)},
        {"epoch": 4},
        {"expires_at": 1_900_000_001},
        {
            "identity_key": ECC.construct(curve="Ed25519", seed=bytes(32))
            .public_key()
            .export_key(format="raw")
        },
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_verify_pre_key_signature_refuses_another_statement(changes: dict[str, Any]) -> None:
    with pytest.raises(PreKeySignatureInvalidError):
        verify(**changes)


@given(st.integers(0, 64 * 8 - 1))
def test_verify_pre_key_signature_refuses_any_flipped_bit(bit: int) -> None:
    with pytest.raises(PreKeySignatureInvalidError):
        verify(flipped(SIGNATURE, bit))


@pytest.mark.parametrize(
    "signature",
    [
        sign(b"PUBLIC SIGNATURE CONTEXT"),
        sign(b""),
        sign(prehash=False),
        sign(b"xmtp-tee/pre-key/v2"),
    ],
    ids=["XMTP's public signing", "no context", "pure Ed25519", "another version"],
)
def test_verify_pre_key_signature_refuses_signatures_for_other_purposes(signature: bytes) -> None:
    with pytest.raises(PreKeySignatureInvalidError):
        verify(signature)


def test_verify_pre_key_signature_refuses_the_malleable_twin() -> None:
    twin = SIGNATURE[:32] + (int.from_bytes(SIGNATURE[32:], "little") + ORDER).to_bytes(
        32, "little"
    )
    with pytest.raises(PreKeySignatureInvalidError):
        verify(twin)


@pytest.mark.parametrize(
    "key",
    [
        bytes([1]) + bytes(31),
        bytes(32),
        bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    ],
    ids=["order 1", "order 4", "order 2", "order 8"],
)
def test_verify_pre_key_signature_refuses_identity_keys_of_small_order(key: bytes) -> None:
    # R = identity, s = 0: valid for any message under a key of order 1.
    with pytest.raises(PreKeySignatureInvalidError, match=r"small order|not a point"):
        verify(bytes([1]) + bytes(63), identity_key=key)


def test_verify_pre_key_signature_refuses_an_identity_key_that_is_no_point() -> None:
    with pytest.raises(PreKeySignatureInvalidError, match="not a point"):
        verify(identity_key=b"\x02" + bytes(31))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("owner", bytes(32)),
        ("identity_key", bytes(31)),
        ("pre_key", bytes(33)),
        ("epoch", 1 << 64),
        ("expires_at", -1),
        ("signature", bytes(63)),
    ],
)
def test_verify_pre_key_signature_refuses_fields_of_wrong_shape(name: str, value: object) -> None:
    with pytest.raises(FieldError):
        verify(**{name: value})  # type: ignore[arg-type]
