"""Private keys: made, used and wiped; signatures checked by vectors and by independent
implementations.
"""

from __future__ import annotations

import os
import resource
import tracemalloc
from collections.abc import Callable

import coincurve
import pytest
from Crypto.Hash import SHA512
from Crypto.Signature import eddsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from tests.enclave import reference
from xmtp_tee.attestation.address import address_of_public_key, checksum_address
from xmtp_tee.enclave.private_keys import (
    generate_secret,
    kernel_entropy,
    public_key,
    sign_ed25519ph,
    sign_secp256k1,
    wiped,
)
from xmtp_tee.enclave.purposes import KeyType
from xmtp_tee.enclave.wiping import fill

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
seeds = st.binary(min_size=32, max_size=32)
scalars = st.integers(1, ORDER - 1).map(lambda d: d.to_bytes(32, "big"))

# RFC 8032, section 7.3 (Ed25519ph, test "abc").
RFC_SECRET = bytes.fromhex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
RFC_SIGNATURE = bytes.fromhex(
    "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
    "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
)


def test_ed25519ph_gives_the_signature_of_rfc_8032() -> None:
    assert sign_ed25519ph(bytearray(RFC_SECRET), b"abc", b"") == RFC_SIGNATURE


def test_reference_gives_the_signature_of_rfc_8032() -> None:
    public = public_key(KeyType.ED25519, bytearray(RFC_SECRET))
    assert reference.sign(RFC_SECRET, b"abc", b"") == RFC_SIGNATURE
    assert reference.verifies(public, b"abc", RFC_SIGNATURE, b"")


@given(seeds, st.binary(max_size=300), st.binary(max_size=255))
def test_ed25519ph_is_what_a_naive_reference_computes(
    seed: bytes, message: bytes, context: bytes
) -> None:
    signature = sign_ed25519ph(bytearray(seed), message, context)
    assert signature == reference.sign(seed, message, context)


def test_ed25519ph_under_another_context_does_not_verify() -> None:
    secret = generate_secret(KeyType.ED25519)
    key = eddsa.import_public_key(public_key(KeyType.ED25519, secret))
    signature = sign_ed25519ph(secret, b"message", b"one")
    eddsa.new(key, "rfc8032", context=b"one").verify(SHA512.new(b"message"), signature)
    with pytest.raises(ValueError, match="signature"):
        eddsa.new(key, "rfc8032", context=b"two").verify(SHA512.new(b"message"), signature)


def test_context_of_256_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="255"):
        sign_ed25519ph(bytearray(RFC_SECRET), b"", bytes(256))


@given(scalars, st.binary(min_size=32, max_size=32))
def test_secp256k1_signature_recovers_and_is_libsecp256k1s(scalar: bytes, digest: bytes) -> None:
    signature = sign_secp256k1(bytearray(scalar), digest)
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    assert 1 <= s <= ORDER // 2
    assert v in (27, 28)
    recovered = Account._recover_hash(digest, vrs=(v, int.from_bytes(r, "big"), s))
    public = public_key(KeyType.SECP256K1, bytearray(scalar))
    assert recovered == checksum_address(address_of_public_key(public))
    # libsecp256k1 takes its nonces from RFC 6979 too; the two agree where no digest is reduced.
    if int.from_bytes(digest, "big") < ORDER:
        theirs = coincurve.PrivateKey(scalar).sign_recoverable(digest, hasher=None)
        assert signature == theirs[:64] + bytes([27 + theirs[64]])


@pytest.mark.parametrize("size", [0, 31, 33])
def test_secp256k1_refuses_what_is_no_digest(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        sign_secp256k1(bytearray(b"\x01" * 32), bytes(size))


@given(seeds)
def test_public_keys_are_those_of_the_private_keys(seed: bytes) -> None:
    ed = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    dh = X25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert public_key(KeyType.ED25519, bytearray(seed)) == ed
    assert public_key(KeyType.X25519, bytearray(seed)) == dh


@given(scalars)
def test_secp256k1_public_key_is_coincurves(scalar: bytes) -> None:
    theirs = coincurve.PrivateKey(scalar).public_key.format(compressed=False)
    assert public_key(KeyType.SECP256K1, bytearray(scalar)) == theirs


@pytest.mark.parametrize("outside", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_scalar_outside_the_order_is_drawn_again(outside: int) -> None:
    draws = [outside, ORDER - 1]

    def entropy(buffer: bytearray) -> None:
        buffer[:] = draws.pop(0).to_bytes(32, "big")

    secret = generate_secret(KeyType.SECP256K1, entropy)
    assert int.from_bytes(secret, "big") == ORDER - 1


def test_stuck_source_of_randomness_is_refused() -> None:
    with pytest.raises(OSError, match="randomness"):
        generate_secret(KeyType.SECP256K1, lambda buffer: None)


def test_kernel_entropy_fills_the_buffer_in_place_and_differs() -> None:
    one, two = bytearray(64), bytearray(64)
    kernel_entropy(one)
    kernel_entropy(two)
    assert one != two
    assert any(one[:32])
    assert any(one[32:])


def test_kernel_entropy_needs_no_file_descriptor() -> None:
    """Attack: connections take every descriptor, and the next draw of randomness fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            os.open("/dev/urandom", os.O_RDONLY)
        buffer = bytearray(1000)
        kernel_entropy(buffer)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert buffer.count(0) < 100


def test_wiped_overwrites_even_after_an_error() -> None:
    buffer = bytearray(b"secret")
    with pytest.raises(RuntimeError), wiped(buffer):
        raise RuntimeError
    assert buffer == bytes(6)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_fill_puts_a_secret_into_its_place_and_makes_no_copy_of_it(kind: Callable) -> None:
    secret, buffer = kind(b"x" * 1_000_000), bytearray(1_000_002)
    tracemalloc.start()
    try:
        fill(buffer, 1, secret)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert buffer == b"\x00" + b"x" * 1_000_000 + b"\x00"
    assert most < 10_000


def test_fill_beyond_the_buffer_is_refused() -> None:
    buffer = bytearray(3)
    with pytest.raises(ValueError, match="different structures"):
        fill(buffer, 1, b"abc")
    assert buffer == bytes(3)


@pytest.mark.parametrize("key_type", list(KeyType))
def test_use_leaves_the_callers_buffer_alone(key_type: KeyType) -> None:
    secret = generate_secret(key_type)
    before = bytes(secret)
    public_key(key_type, secret)
    assert secret == before
