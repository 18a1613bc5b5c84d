"""RSA-PSS: what AMD signs with, and the simulator's own keys."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.attestation.sevsnp.support import MILAN
from xmtp_tee.attestation.errors import CertificateMalformedError
from xmtp_tee.attestation.rsa_pss import PUBLIC_EXPONENT, rsa_modulus
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.sevsnp.report import SigningKey
from xmtp_tee.attestation.simulator import der
from xmtp_tee.attestation.simulator.certificate import CertificateRecipe
from xmtp_tee.attestation.simulator.sevsnp.pki import DevelopmentSnpPki
from xmtp_tee.attestation.simulator.sevsnp.prime_offsets import PRIME_OFFSETS
from xmtp_tee.attestation.simulator.sevsnp.rsa import PRIME_SIZE, is_prime, prime_offset, rsa_key
from xmtp_tee.attestation.x509 import X509, read_x509

SCHEME = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)


def public(modulus: bytes) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(PUBLIC_EXPONENT, int.from_bytes(modulus, "big")).public_key()


@pytest.mark.parametrize("label", ["ark", "ask", "asvk"])
def test_simulated_signatures_are_rsassa_pss_for_another_implementation(label: str) -> None:
    key = MILAN.rsa(label)
    for message in (b"", b"message", bytes(1000)):
        signature = key.sign(message)
        public(key.modulus).verify(signature, message, SCHEME, hashes.SHA384())
        assert key.sign(message) == signature
        with pytest.raises(InvalidSignature):
            public(key.modulus).verify(signature, message + b"x", SCHEME, hashes.SHA384())


@pytest.mark.parametrize(("product", "label"), PRIME_OFFSETS)
def test_the_offsets_that_were_found_lead_to_primes(product: str, label: str) -> None:
    key = DevelopmentSnpPki(ProductLine.from_label(product)).rsa(label)
    for prime in (key.p, key.q):
        assert prime.bit_length() == 8 * PRIME_SIZE
        # Fermat's test to one base; the search itself made twelve of Miller and Rabin's.
        assert pow(2, prime - 1, prime) == 1
        assert prime % PUBLIC_EXPONENT != 1
    assert key.p != key.q
    assert int.from_bytes(key.modulus, "big").bit_length() == 4096


@pytest.mark.proof
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(("product", "label"), PRIME_OFFSETS)
def test_the_offsets_are_those_that_the_search_finds(product: str, label: str) -> None:
    key = DevelopmentSnpPki(ProductLine.from_label(product)).rsa(label)
    for prime, offset in zip((key.p, key.q), PRIME_OFFSETS[product, label], strict=True):
        assert prime_offset(prime - offset) == offset


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (9, False),
        (25, False),
        (561, False),
        (41041, False),
        (3215031751, False),
        (2**89 - 1, True),
        (2**521 - 1, True),
        (2**521 + 1, False),
    ],
)
def test_primality_knows_carmichael_and_pseudoprimes(number: int, expected: bool) -> None:
    assert is_prime(number) == expected


def test_search_skips_what_is_not_prime() -> None:
    assert prime_offset(2**521 - 1) == 0
    assert prime_offset(2**521 - 3) == 2


def test_other_seeds_give_other_keys() -> None:
    small = rsa_key(b"\x01" * 256, b"\x02" * 256, (0, 2))
    assert small.modulus != MILAN.rsa("ark").modulus


def _certificate(key_info: bytes) -> X509:
    recipe = CertificateRecipe(
        serial_number=1,
        issuer=der.name((der.COMMON_NAME, "x")),
        subject=der.name((der.COMMON_NAME, "x")),
        not_before=0,
        not_after=1,
        key_info=key_info,
    )
    return read_x509(recipe.build(lambda tbs: b"\x00"), "A certificate")


def _info(modulus: int, exponent: int = PUBLIC_EXPONENT, rest: bytes = b"") -> bytes:
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    numbers = der.sequence(der.integer(modulus), der.integer(exponent), rest)
    return der.sequence(algorithm, der.bit_string(numbers))


GOOD = int.from_bytes(MILAN.rsa("ark").modulus, "big")


def test_modulus_is_read() -> None:
    assert rsa_modulus(_certificate(_info(GOOD))) == MILAN.rsa("ark").modulus


@pytest.mark.parametrize(
    "info",
    [
        _info(GOOD - 1),
        _info(GOOD >> 1 | 1),
        _info(GOOD << 1 | 1),
        _info(GOOD, 3),
        _info(GOOD, PUBLIC_EXPONENT + 2),
        _info(GOOD, rest=der.integer(0)),
        der.sequence(bytes.fromhex("300d06092a864886f70d01010a0500"), der.bit_string(b"\x30\x00")),
    ],
)
def test_a_key_of_another_size_exponent_or_kind_is_refused(info: bytes) -> None:
    with pytest.raises(CertificateMalformedError):
        rsa_modulus(_certificate(info))


def test_authorities_are_cached_and_alike() -> None:
    assert MILAN.ark() is MILAN.ark()
    again = DevelopmentSnpPki(ProductLine.MILAN)
    assert again.intermediate(SigningKey.VLEK).der == MILAN.intermediate(SigningKey.VLEK).der
