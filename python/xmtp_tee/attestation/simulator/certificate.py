"""A certificate written byte by byte, so that everything that can be wrong with one can be made.

A library's builder refuses what AMD issues (serial number zero) and what attackers send.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from xmtp_tee.attestation.ecdsa384 import COORDINATE_SIZE, ECDSA_SHA384, P384_KEY_ALGORITHM
from xmtp_tee.attestation.simulator import der

Signer = Callable[[bytes], bytes]
"""Signs a TBSCertificate; returns the content of the signature's bit string."""

_P384_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension: its dotted type, criticality, and the content of its OCTET STRING."""

    kind: str
    critical: bool
    value: bytes

    def encode(self) -> bytes:
        """Return the DER; a FALSE criticality is left out."""
        critical = der.boolean(True) if self.critical else b""
        return der.sequence(der.oid(self.kind), critical, der.octets(self.value))


@dataclass(frozen=True, slots=True)
class CertificateRecipe:
    """The fields of a certificate; ``issuer``, ``subject``, ``key_info`` and the algorithms are DER.

    ``inner_algorithm`` differs from ``signature_algorithm`` only in forged certificates. Times are unix seconds.
    """

    serial_number: int
    issuer: bytes
    subject: bytes
    not_before: int
    not_after: int
    key_info: bytes
    signature_algorithm: bytes = ECDSA_SHA384
    inner_algorithm: bytes | None = None
    extensions: tuple[Extension, ...] = ()
    version: int = 2

    def tbs(self) -> bytes:
        """Return the TBSCertificate."""
        extensions = der.sequence(*(extension.encode() for extension in self.extensions))
        return der.sequence(
            der.tlv(0xA0, der.integer(self.version)),
            der.integer(self.serial_number),
            self.inner_algorithm or self.signature_algorithm,
            self.issuer,
            der.sequence(der.utc_time(self.not_before), der.utc_time(self.not_after)),
            self.subject,
            self.key_info,
            der.tlv(0xA3, extensions) if self.extensions else b"",
        )

    def build(self, sign: Signer) -> bytes:
        """Return the certificate in DER."""
        tbs = self.tbs()
        return der.sequence(tbs, self.signature_algorithm, der.bit_string(sign(tbs)))


@dataclass(frozen=True, slots=True)
class Certified:
    """A P-384 key and its certificate in DER. ``subject`` is its Name, which certificates below it carry."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    der: bytes
    subject: bytes


def p384_private_key(secret: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the P-384 key of at least 64 uniformly distributed bytes."""
    number = int.from_bytes(secret, "big") % (_P384_ORDER - 1) + 1
    return ec.derive_private_key(number, ec.SECP384R1())


def p384_public_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return x || y (96 bytes) of a key's public half."""
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(COORDINATE_SIZE, "big") + numbers.y.to_bytes(COORDINATE_SIZE, "big")


def p384_key_info(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the SubjectPublicKeyInfo of a key's public half."""
    return der.sequence(P384_KEY_ALGORITHM, der.bit_string(b"\x04" + p384_public_key(key)))


def sign_p384(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Return r || s (96 bytes) of the deterministic ECDSA signature (RFC 6979) over SHA-384 of ``message``."""
    signature = key.sign(message, ec.ECDSA(hashes.SHA384(), deterministic_signing=True))
    r, s = decode_dss_signature(signature)
    return r.to_bytes(COORDINATE_SIZE, "big") + s.to_bytes(COORDINATE_SIZE, "big")


def p384_signer(key: ec.EllipticCurvePrivateKey) -> Signer:
    """Return who signs certificates with this key."""
    return lambda tbs: key.sign(tbs, ec.ECDSA(hashes.SHA384(), deterministic_signing=True))
