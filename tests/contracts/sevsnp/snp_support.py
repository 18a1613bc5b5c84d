"""What the tests of SevSnpVerifier share: AMD's chains, deployment, evidence."""

from __future__ import annotations

import hashlib
import warnings
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning

from tests.contracts.crypto import p384_support
from tests.support.chain import Chain
from tests.support.fixtures import attestation_fixture
from xmtp_tee.attestation.p384.curve import Point
from xmtp_tee.attestation.p384.witness import make_witness
from xmtp_tee.hashing import keccak256

MILAN, GENOA, TURIN = 1, 2, 3
PRODUCTS = {MILAN: "milan", GENOA: "genoa", TURIN: "turin"}
REPORT = 1184
SIGNED = 0x2A0
MILAN_FLOOR = 0xD918000000000004
"""The TCB of the VLEK fixture."""
ZERO_ADDRESS = "0x" + "00" * 20
VLEK_TIME = 1_750_000_000
"""2025-06-15: the VLEK fixture's certificate ends on 2025-12-10."""


class Chain3(NamedTuple):
    """A product's certificates, DER."""

    ark: bytes
    ask: bytes
    asvk: bytes


def load(data: bytes) -> list[x509.Certificate]:
    with warnings.catch_warnings():
        # AMD's VCEKs have the serial number 0.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        if b"-----BEGIN" in data:
            return x509.load_pem_x509_certificates(data)
        return [x509.load_der_x509_certificate(data)]


def amd_chain(product: int) -> Chain3:
    name = PRODUCTS[product]
    vcek = f"snp/ask_ark_{name}{'_vcek' if product == TURIN else ''}.pem"
    ask, ark = load(attestation_fixture(vcek).read_bytes())
    asvk, _ = load(attestation_fixture(f"snp/ask_ark_{name}_vlek.pem").read_bytes())
    return Chain3(*(c.public_bytes(Encoding.DER) for c in (ark, ask, asvk)))


def key_hash(der: bytes) -> bytes:
    """keccak256 of the certificate's RSA modulus."""
    key = load(der)[0].public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return keccak256(key.public_numbers().n.to_bytes(512, "big"))


Root = tuple[int, int, bytes, bytes, bytes]


def root(product: int, floor: int, certificates: Chain3) -> Root:
    """What a deployment pins of a product line."""
    return (product, floor, *(key_hash(der) for der in certificates))


def deploy(chain: Chain, roots: list[Root], keeper: str = ZERO_ADDRESS) -> Any:
    """Deploy P384 and the verifier with the product lines that are pinned."""
    p384 = p384_support.deploy(chain)
    verifier = chain.deploy("SevSnpVerifier", p384.address, keeper, roots)
    chain.know("AmdCertificateReader")
    return verifier


def submit(chain: Chain, verifier: Any, product: int, certificates: Chain3) -> None:
    for der in (certificates.ask, certificates.asvk):
        chain.send(verifier.functions.submitSigner(product, certificates.ark, der))


def report_signature(report: bytes) -> tuple[int, int, int]:
    """Digest, r and s of a report."""
    digest = hashlib.sha384(report[:SIGNED]).digest()
    r = int.from_bytes(report[SIGNED : SIGNED + 72], "little")
    s = int.from_bytes(report[SIGNED + 72 : SIGNED + 144], "little")
    return int.from_bytes(digest, "big"), r, s


def point(certificate: bytes) -> Point:
    key = load(certificate)[0].public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return Point(key.public_numbers().x, key.public_numbers().y)


def witness(report: bytes, certificate: bytes) -> bytes:
    return make_witness(*report_signature(report), point(certificate))


def cold_evidence(
    report: bytes, certificate: bytes, proof: bytes, *, product: int = MILAN, vlek: bool
) -> bytes:
    head = bytes([1, 2 * product + vlek]) + len(certificate).to_bytes(2, "big")
    return head + certificate + report + proof


def warm_evidence(
    report: bytes, certificate: bytes, proof: bytes, *, product: int = MILAN
) -> bytes:
    x, y = point(certificate)
    return bytes([0, product]) + x.to_bytes(48, "big") + y.to_bytes(48, "big") + report + proof


def handle(report: bytes, certificate: bytes, product: int = MILAN) -> bytes:
    """The platform's handle, by the formula in ISevSnpVerifier."""
    x, y = point(certificate)
    chip = report[0x1A0:0x1E0]
    instance = keccak256(chip)[:16] if any(chip) else bytes(16)
    tcb = int.from_bytes(report[0x180:0x188], "little")
    words = (4).to_bytes(32, "big") + product.to_bytes(32, "big") + instance.ljust(32, b"\0")
    words += tcb.to_bytes(32, "big") + keccak256(x.to_bytes(48, "big") + y.to_bytes(48, "big"))
    return keccak256(words)[:20]


def workload(report: bytes) -> bytes:
    tag = keccak256(b"xmtp-tee/workload/sev-snp/v1")
    return keccak256(tag + report[0x04:0x34] + report[0x90:0x140])
