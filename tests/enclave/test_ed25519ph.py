"""Ed25519ph: the vector of RFC 8032, an independent implementation, and what becomes of the key."""

from __future__ import annotations

import pytest
from Crypto.Hash import SHA512
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.enclave.ed25519ph import Ed25519Signer, sign_ed25519ph

# RFC 8032, section 7.3.
SEED = bytes.fromhex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
PUBLIC = "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"
SIGNATURE = (
    "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
    "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
)


def independent(seed: bytes, message: bytes, context: bytes) -> bytes:
    key = ECC.construct(curve="Ed25519", seed=seed)
    return eddsa.new(key, "rfc8032", context=context).sign(SHA512.new(message))


def test_vector_of_the_rfc() -> None:
    signer = Ed25519Signer(bytearray(SEED))
    assert signer.public_key.hex() == PUBLIC
    assert signer.sign_ph(b"abc", b"").hex() == SIGNATURE


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300), st.binary(max_size=255))
def test_signature_is_that_of_an_independent_implementation(
    seed: bytes, message: bytes, context: bytes
) -> None:
    assert sign_ed25519ph(bytearray(seed), message, context) == independent(seed, message, context)


def test_one_signer_signs_many_messages_each_as_a_new_one_would() -> None:
    signer = Ed25519Signer(bytearray(SEED))
    for number in range(20):
        message, context = bytes(number), b"c" * number
        assert signer.sign_ph(message, context) == independent(SEED, message, context)


def test_context_has_at_most_255_bytes() -> None:
    signer = Ed25519Signer(bytearray(SEED))
    assert signer.sign_ph(b"", bytes(255)) == independent(SEED, b"", bytes(255))
    with pytest.raises(ValueError, match="255"):
        signer.sign_ph(b"", bytes(256))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_seed_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Ed25519Signer(bytearray(length))


def test_closed_signer_holds_no_key_and_signs_nothing() -> None:
    signer = Ed25519Signer(bytearray(SEED))
    kept = (signer._scalar, signer._input)
    assert all(map(any, kept))
    signer.close()
    assert not any(map(any, kept))
    with pytest.raises(ValueError, match="closed"):
        signer.sign_ph(b"", b"")
    assert SEED.hex() not in repr(signer)


def test_nothing_secret_stays_after_a_signature_but_the_expanded_key() -> None:
    signer = Ed25519Signer(bytearray(SEED))
    signer.sign_ph(b"message", b"context")
    assert not any(signer._nonce)
    assert not any(signer._product)
