"""The pinned root of Nitro: AWS's, and everything else, which is for development."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.ecdsa384 import p384_key, require_signed_by
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.x509 import X509, read_x509
from xmtp_tee.errors import InvalidEvidenceError
from xmtp_tee.hashing import keccak256

AWS_ROOT_KEY_HASH = bytes.fromhex(
    "3cd380ce7079e2d83662d81de2199d3ce01d5993a92707ef3c9a77b3cae1a0d8"
)
"""keccak256(x || y), 96 bytes, of the key of "aws.nitro-enclaves" (AWS_NitroEnclaves_Root-G1, the SHA-256 of whose
certificate is 641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b)."""


@dataclass(frozen=True, slots=True)
class NitroRoot:
    """A pinned root certificate. ``development`` is true for every root that is not AWS's."""

    certificate: X509
    key_hash: bytes

    @property
    def development(self) -> bool:
        """Whether evidence under this root is simulated."""
        return self.key_hash != AWS_ROOT_KEY_HASH


def read_nitro_root(root_ca_der: bytes) -> NitroRoot:
    """Read the root certificate that the caller pins.

    :raises FieldError: it is not a self-signed P-384 CA certificate in DER
    """
    try:
        certificate = read_x509(root_ca_der, "The root certificate")
        require_signed_by(certificate, certificate)
        certificate.require_ca(certificates_below=0)
    except InvalidEvidenceError as error:
        raise FieldError(
            "The pinned root is not a root certificate.",
            got=error.got,
            expected=error.expected,
            cause=error.message,
        ) from error
    return NitroRoot(certificate, keccak256(p384_key(certificate)))
