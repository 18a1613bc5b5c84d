"""contracts/crypto/RsaPss4096.sol on AMD's certificates, on fresh signatures and on forged encodings."""

from __future__ import annotations

import hashlib
import random
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.utils import CryptographyDeprecationWarning

from tests.support.chain import Chain, Reverted
from tests.support.fixtures import attestation_fixture

CHAINS = [
    f"snp/ask_ark_{name}.pem"
    for name in ("milan", "milan_vlek", "genoa", "genoa_vlek", "turin_vcek", "turin_vlek")
]
LEAVES = [
    ("snp/google_vcek.testcer", "snp/google_milan.testcer"),
    ("snp/coco_test-vlek.der", "snp/ask_ark_milan_vlek.pem"),
]


@dataclass(frozen=True)
class Signed:
    modulus: bytes
    message: bytes
    signature: bytes


@pytest.fixture(scope="module")
def harness(chain: Chain) -> Any:
    return chain.deploy("CryptoHarness")


def certificates(name: str) -> list[x509.Certificate]:
    raw = attestation_fixture(name).read_bytes()
    with warnings.catch_warnings():
        # AMD's VCEKs have the serial number 0.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        if b"-----BEGIN" in raw:
            return x509.load_pem_x509_certificates(raw)
        return [x509.load_der_x509_certificate(raw)]


def product(name: str) -> str:
    return name.removesuffix(".pem").split("_")[2]


def signed(certificate: x509.Certificate, issuer: x509.Certificate) -> Signed:
    key = issuer.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.public_numbers().e == 65_537
    return Signed(
        key.public_numbers().n.to_bytes(512, "big"),
        certificate.tbs_certificate_bytes,
        certificate.signature,
    )


@cache
def fresh_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 4_096)


def modulus_of(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_numbers().n.to_bytes(512, "big")


def sign_raw(encoded: bytes) -> bytes:
    """Return encoded^d: what a holder of the key can make of any encoding."""
    numbers = fresh_key().private_numbers()
    n = numbers.public_numbers.n
    return pow(int.from_bytes(encoded, "big") % n, numbers.d, n).to_bytes(512, "big")


def mgf1(seed: bytes, length: int) -> bytes:
    blocks = (hashlib.sha384(seed + i.to_bytes(4, "big")).digest() for i in range(length // 48 + 1))
    return b"".join(blocks)[:length]


def encode(
    message: bytes,
    *,
    salt: bytes = bytes(range(48)),
    zeros: bytes = bytes(414),
    mark: int = 1,
    trailer: int = 0xBC,
    top_bit: bool = False,
) -> bytes:
    """EMSA-PSS-ENCODE, with each part open to forgery."""
    digest = hashlib.sha384(bytes(8) + hashlib.sha384(message).digest() + salt[-48:]).digest()
    block = zeros + bytes([mark]) + salt[-48:]
    masked = bytearray(a ^ b for a, b in zip(block, mgf1(digest, 463), strict=True))
    masked[0] = masked[0] & 0x7F | (0x80 if top_bit else 0)
    return bytes(masked) + digest + bytes([trailer])


@pytest.mark.parametrize("name", CHAINS)
def test_ask_and_ark_of_amd_are_signed_by_the_ark(chain: Chain, harness: Any, name: str) -> None:
    ask, ark = certificates(name)
    for certificate in (ask, ark):
        s = signed(certificate, ark)
        chain.call(harness.functions.rsaPss(s.modulus, s.message, s.signature))


@pytest.mark.parametrize(("leaf", "issuers"), LEAVES)
def test_vcek_and_vlek_are_signed_by_their_ask(
    chain: Chain, harness: Any, leaf: str, issuers: str
) -> None:
    s = signed(certificates(leaf)[0], certificates(issuers)[0])
    chain.call(harness.functions.rsaPss(s.modulus, s.message, s.signature))


@pytest.mark.parametrize("name", CHAINS)
def test_ask_is_not_signed_by_another_chains_ark(chain: Chain, harness: Any, name: str) -> None:
    ask, _ = certificates(name)
    other = next(c for c in CHAINS if product(c) != product(name))
    s = signed(ask, certificates(other)[1])
    with pytest.raises(Reverted):
        chain.call(harness.functions.rsaPss(s.modulus, s.message, s.signature))


def test_no_mutated_chain_is_accepted(chain: Chain, harness: Any) -> None:
    ask, ark = certificates(CHAINS[0])
    s = signed(ask, ark)
    rng = random.Random(4096)
    calls = []
    for _ in range(60):
        parts = [bytearray(s.modulus), bytearray(s.message), bytearray(s.signature)]
        part = rng.choice(parts)
        part[rng.randrange(len(part))] ^= 1 << rng.randrange(8)
        calls.append(harness.functions.rsaPss(*(bytes(p) for p in parts)))
    for outcome in chain.outcomes(calls):
        assert isinstance(outcome, Reverted)
        assert outcome.name.startswith(("Rsa", "Pss"))


def test_fresh_signatures_are_accepted(chain: Chain, harness: Any) -> None:
    for message in (b"", b"message", bytes(1_000)):
        signature = fresh_key().sign(
            message, padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384()
        )
        chain.call(harness.functions.rsaPss(modulus_of(fresh_key()), message, signature))
        chain.call(
            harness.functions.rsaPss(modulus_of(fresh_key()), message, sign_raw(encode(message)))
        )


@pytest.mark.parametrize("salt_length", [0, 32, 47, 49, 64])
def test_other_salt_length_is_refused(chain: Chain, harness: Any, salt_length: int) -> None:
    signature = fresh_key().sign(
        b"message", padding.PSS(padding.MGF1(hashes.SHA384()), salt_length), hashes.SHA384()
    )
    with pytest.raises(Reverted) as refusal:
        chain.call(harness.functions.rsaPss(modulus_of(fresh_key()), b"message", signature))
    assert refusal.value.arguments == (10,)


def test_other_hash_or_mask_or_padding_is_refused(chain: Chain, harness: Any) -> None:
    for scheme, digest in (
        (padding.PSS(padding.MGF1(hashes.SHA256()), 48), hashes.SHA384()),
        (padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA256()),
        (padding.PKCS1v15(), hashes.SHA384()),
    ):
        signature = fresh_key().sign(b"message", scheme, digest)
        with pytest.raises(Reverted) as refusal:
            chain.call(harness.functions.rsaPss(modulus_of(fresh_key()), b"message", signature))
        assert refusal.value.name == "PssRefused"


@pytest.mark.parametrize(
    ("forgery", "rule"),
    [
        ({"trailer": 0xCC}, 4),
        ({"trailer": 0x00}, 4),
        ({"mark": 0}, 10),
        ({"mark": 2}, 10),
        ({"zeros": b"\x01" + bytes(413)}, 10),
        ({"zeros": bytes(413) + b"\x01"}, 10),
        ({"zeros": bytes(200) + b"\x80" + bytes(213)}, 10),
    ],
)
def test_wrong_encoding_by_the_key_holder_is_refused_by_its_rule(
    chain: Chain, harness: Any, forgery: dict[str, Any], rule: int
) -> None:
    signature = sign_raw(encode(b"message", **forgery))
    with pytest.raises(Reverted) as refusal:
        chain.call(harness.functions.rsaPss(modulus_of(fresh_key()), b"message", signature))
    assert (refusal.value.name, refusal.value.arguments) == ("PssRefused", (rule,))


def test_every_zero_of_the_padding_is_checked(chain: Chain, harness: Any) -> None:
    def forged(index: int) -> Any:
        zeros = bytearray(414)
        zeros[index] = 0x40 if index == 0 else 1
        return harness.functions.rsaPss(
            modulus_of(fresh_key()), b"message", sign_raw(encode(b"message", zeros=bytes(zeros)))
        )

    indices = [0, 1, 30, 31, 32, 33, 255, 256, 382, 383, 384, 385, 412, 413]
    for outcome in chain.outcomes(forged(index) for index in indices):
        assert isinstance(outcome, Reverted)
        assert outcome.arguments == (10,)


def test_set_top_bit_is_refused(chain: Chain, harness: Any) -> None:
    # Only some encodings with the top bit are below the modulus: look for one.
    n = int.from_bytes(modulus_of(fresh_key()), "big")
    for index in range(4_096):
        encoded = encode(b"message", salt=index.to_bytes(48, "big"), top_bit=True)
        if int.from_bytes(encoded, "big") < n:
            break
    else:
        pytest.skip("the modulus is too small for an encoding with a top bit")
    with pytest.raises(Reverted) as refusal:
        chain.call(harness.functions.rsaPss(modulus_of(fresh_key()), b"message", sign_raw(encoded)))
    assert refusal.value.arguments == (6,)


def test_signature_not_below_the_modulus_is_refused(chain: Chain, harness: Any) -> None:
    n = int.from_bytes(modulus_of(fresh_key()), "big")
    right = sign_raw(encode(b"message"))
    candidates = [n, n + 1, 2**4096 - 1]
    twin = int.from_bytes(right, "big") + n
    if twin < 2**4096:
        candidates.append(twin)
    for number in candidates:
        with pytest.raises(Reverted) as refusal:
            chain.call(
                harness.functions.rsaPss(
                    modulus_of(fresh_key()), b"message", number.to_bytes(512, "big")
                )
            )
        assert refusal.value.name == "RsaSignatureNotBelowModulus"


@pytest.mark.parametrize(
    ("modulus_length", "signature_length"), [(511, 512), (512, 511), (513, 512), (0, 512), (512, 0)]
)
def test_wrong_lengths_are_refused(
    chain: Chain, harness: Any, modulus_length: int, signature_length: int
) -> None:
    with pytest.raises(Reverted) as refusal:
        chain.call(
            harness.functions.rsaPss(b"\xff" * modulus_length, b"", b"\x01" * signature_length)
        )
    assert refusal.value.name == "RsaLengthWrong"
    assert refusal.value.arguments == (modulus_length, signature_length)


@pytest.mark.parametrize("modulus", [b"\x7f" + b"\xff" * 511, b"\xff" * 511 + b"\xfe", bytes(512)])
def test_even_or_short_modulus_is_refused(chain: Chain, harness: Any, modulus: bytes) -> None:
    with pytest.raises(Reverted) as refusal:
        chain.call(harness.functions.rsaPss(modulus, b"", b"\x01" * 512))
    assert refusal.value.name == "RsaModulusRefused"


def test_digest_of_more_than_384_bits_is_refused(chain: Chain, harness: Any) -> None:
    s = Signed(modulus_of(fresh_key()), b"", sign_raw(encode(b"")))
    low = int.from_bytes(hashlib.sha384(b"").digest(), "big")
    with pytest.raises(Reverted) as refusal:
        chain.call(
            harness.functions.rsaPssDigest(
                s.modulus, ((low >> 256) + 2**128, low % 2**256), s.signature
            )
        )
    assert refusal.value.name == "RsaDigestTooLong"


def test_zero_and_one_are_no_signatures(chain: Chain, harness: Any) -> None:
    for number in (0, 1, int.from_bytes(modulus_of(fresh_key()), "big") - 1):
        with pytest.raises(Reverted) as refusal:
            chain.call(
                harness.functions.rsaPss(
                    modulus_of(fresh_key()), b"message", number.to_bytes(512, "big")
                )
            )
        assert refusal.value.name == "PssRefused"


def test_gas_of_a_verification_is_bounded(chain: Chain, harness: Any) -> None:
    ask, ark = certificates(CHAINS[0])
    s = signed(ask, ark)
    digest = hashlib.sha384(s.message).digest()
    pair = (int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:], "big"))
    receipt = chain.send(harness.functions.rsaPssDigest(s.modulus, pair, s.signature))
    print(receipt["gasUsed"])
    assert receipt["gasUsed"] <= 500_000
