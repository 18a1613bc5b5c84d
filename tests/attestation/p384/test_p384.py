"""The Python half of P-384: oracle, pairs, scalars, digits, witnesses, tables."""

from __future__ import annotations

import hashlib
import random
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.attestation.p384 import NoWitnessError, Point, curve, field, make_witness, tables
from xmtp_tee.attestation.p384.curve import G, N, P
from xmtp_tee.attestation.p384.scalars import half_scalars, signed_digits
from xmtp_tee.attestation.p384.witness import GENERATOR_ENTRIES, MAX_RUN, generator_entries

numbers = st.integers(0, P - 1)


def signature_of(message: bytes) -> tuple[int, int, int, Point]:
    secret = ec.generate_private_key(ec.SECP384R1())
    r, s = decode_dss_signature(secret.sign(message, ec.ECDSA(hashes.SHA384())))
    public = secret.public_key().public_numbers()
    digest = int.from_bytes(hashlib.sha384(message).digest(), "big")
    return digest, r, s, Point(public.x, public.y)


# --- curve ----------------------------------------------------------------------------------------


def test_oracle_agrees_with_cryptography() -> None:
    rng = random.Random(1)
    for index in range(20):
        digest, r, s, key = signature_of(f"message {index}".encode())
        if index % 2:
            s ^= 1 << rng.randrange(380)
        public = ec.EllipticCurvePublicNumbers(key.x, key.y, ec.SECP384R1()).public_key()
        try:
            public.verify(
                encode_dss_signature(r, s),
                digest.to_bytes(48, "big"),
                ec.ECDSA(Prehashed(hashes.SHA384())),
            )
            expected = True
        except InvalidSignature:
            expected = False
        assert curve.verify(digest, r, s, key) is expected


def test_generator_has_the_order_n() -> None:
    assert curve.is_on_curve(G)
    assert curve.multiply(N, G) is None
    assert curve.multiply(N - 1, G) == curve.negate(G)
    assert curve.multiply(-3, G) == curve.negate(curve.add(G, curve.add(G, G)))
    assert curve.add(None, G) == G == curve.add(G, None)


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (N, 1), (1, N), (N + 1, 1), (-1, 1)])
def test_oracle_refuses_numbers_out_of_range(r: int, s: int) -> None:
    assert not curve.verify(1, r, s, G)


def test_oracle_refuses_key_off_the_curve() -> None:
    assert not curve.verify(1, 1, 1, Point(G.x, G.y ^ 1))
    assert not curve.is_on_curve(Point(G.x + P, G.y))


# --- field ----------------------------------------------------------------------------------------


@given(value=numbers)
def test_every_element_has_a_pair_within_the_encoding(value: int) -> None:
    pair = field.to_pair(value)
    assert 0 <= pair.a < 2**200
    assert 0 <= pair.b < 2**192
    assert field.value_of(pair) == value
    assert len(field.encode(value)) == field.ELEMENT_BYTES


@pytest.mark.parametrize("value", [0, 1, P - 1, field.ROOT, P - field.ROOT, 2**256 % P, 2**383])
def test_special_elements_have_pairs(value: int) -> None:
    assert field.value_of(field.to_pair(value)) == value


def test_basis_spans_zero() -> None:
    assert field.ROOT * field.ROOT % P == 2
    for basis in (field.BASIS, field.SHORT_BASIS):
        (a, b), (c, d) = basis
        assert abs(a * d - b * c) == P
        assert all((u + v * field.ROOT) % P == 0 for u, v in basis)
    assert all(coordinate > 0 for row in field.BASIS for coordinate in row)


# --- scalars --------------------------------------------------------------------------------------


@given(digest=st.integers(0, 2**384 - 1), r=st.integers(1, N - 1), s=st.integers(1, N - 1))
def test_half_scalars_satisfy_the_equations_and_the_first_are_short(
    digest: int, r: int, s: int
) -> None:
    found = list(half_scalars(digest, r, s))
    for scalars in found:
        generator = scalars.generator_low + (scalars.generator_high << 192)
        assert (scalars.nonce * r + scalars.key * s) % N == 0
        assert (scalars.nonce * digest + generator * s) % N == 0
        assert scalars.nonce % N != 0
    # Euclid's algorithm bounds the first pair alone. What it combines later is as long as its quotients make it, and
    # whoever makes the witness leaves out what is too long.
    for scalars in found[:2]:
        assert max(map(abs, scalars)) <= 2**192


@given(
    scalar=st.integers(-(2**200), 2**200),
    largest=st.sampled_from([1, 3, 11, 15, 47, 381]),
    taken=st.sets(st.integers(0, 200)),
)
def test_digits_spell_the_scalar(scalar: int, largest: int, taken: set[int]) -> None:
    digits = signed_digits(scalar, largest, taken)
    assert sum(digit.value << digit.position for digit in digits) == scalar
    assert all(digit.value % 2 == 1 and abs(digit.value) <= largest for digit in digits)
    assert len({digit.position for digit in digits}) == len(digits)


# --- witness --------------------------------------------------------------------------------------


def test_witness_is_made_within_a_second() -> None:
    generator_entries()
    signature = signature_of(b"message")
    start = time.process_time()
    witness = make_witness(*signature)
    assert time.process_time() - start < 1
    assert 14_000 < len(witness) < 16_500


def test_witness_is_the_same_each_time() -> None:
    signature = signature_of(b"message")
    assert make_witness(*signature) == make_witness(*signature)


def test_no_witness_for_a_wrong_signature() -> None:
    digest, r, s, key = signature_of(b"message")
    for wrong in (
        (digest ^ 1, r, s, key),
        (digest, r ^ 1, s, key),
        (digest, r, s ^ 1, key),
        (digest, r, s, G),
        (digest, 0, s, key),
        (digest, r, 0, key),
        (digest, r, s + N, key),
        (digest + 2**384, r, s, key),
        (digest, r, s, Point(key.x, key.y ^ 1)),
    ):
        with pytest.raises(NoWitnessError):
            make_witness(*wrong)


def test_random_signatures_have_witnesses() -> None:
    rng = random.Random(100)
    for _ in range(30):
        secret, nonce, digest = (rng.randrange(1, N) for _ in range(3))
        key, point = curve.multiply(secret, G), curve.multiply(nonce, G)
        assert key is not None
        assert point is not None
        r = point.x % N
        s = pow(nonce, -1, N) * (digest + r * secret) % N
        assert make_witness(digest, r, s, key)
    assert MAX_RUN == 12


# --- tables ---------------------------------------------------------------------------------------


def test_tables_hold_the_odd_multiples() -> None:
    for code, base in ((tables.low_table(), G), (tables.high_table(), curve.multiply(2**192, G))):
        assert code[0] == 0  # STOP
        assert len(code) == 1 + GENERATOR_ENTRIES * tables.ENTRY_BYTES < 24_576
        for index in (0, 1, 95, GENERATOR_ENTRIES - 1):
            at = 1 + index * tables.ENTRY_BYTES
            words = [
                int.from_bytes(code[i : i + 32], "big", signed=True)
                for i in range(at, at + 128, 32)
            ]
            expected = curve.multiply(2 * index + 1, base)
            assert expected is not None
            assert field.value_of(field.Pair(*words[:2])) == expected.x
            assert field.value_of(field.Pair(*words[2:])) == expected.y * field.WORD % P
        rows = [code[at : at + 128] for at in range(1, len(code), 128)]
        for row in rows:
            words = [int.from_bytes(row[i : i + 32], "big", signed=True) for i in range(0, 128, 32)]
            assert max(map(abs, words[:2])) < 2**193
            assert min(words[2:]) >= 0
            assert max(words[2:]) < 2**200
