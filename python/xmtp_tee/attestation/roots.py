"""Pinned roots: Intel's, and everything else, which is for development."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.certificates import Certificate, read_certificate
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.errors import InvalidEvidenceError
from xmtp_tee.hashing import keccak256

INTEL_ROOT_KEY_HASH = bytes.fromhex(
    "89f72d7c488e5b53a77c23ebcb36970ef7eb5bcf6658e9b8292cfbe4703a8473"
)
"""keccak256(x || y) of the Intel SGX Root CA's key; the contracts pin the same value."""


@dataclass(frozen=True, slots=True)
class Root:
    """A pinned root certificate. ``development`` is true for every root that is not Intel's."""

    certificate: Certificate
    key_hash: bytes

    @property
    def development(self) -> bool:
        """Whether evidence under this root is simulated."""
        return self.key_hash != INTEL_ROOT_KEY_HASH


def read_root(root_ca_der: bytes) -> Root:
    """Read the root certificate that the caller pins.

    :raises FieldError: it is not a self-signed P-256 CA certificate in DER
    """
    try:
        certificate = read_certificate(root_ca_der, "the root certificate")
        certificate.require_issued_by(certificate)
        certificate.require_ca(path_length=1)
    except InvalidEvidenceError as error:
        raise FieldError(
            "The pinned root is not a root certificate.",
            got=error.got,
            expected=error.expected,
            cause=error.message,
        ) from error
    return Root(certificate, keccak256(certificate.key_bytes))
