"""ECDSA over P-384 with SHA-384: what Nitro documents, their certificates and SEV-SNP reports are signed with.

Keys are x || y and signatures r || s, 96 bytes each, big-endian. A signature and its twin (r, n - s) both hold:
never use a signature, or a hash of what contains it, as an identity.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from xmtp_tee.attestation.der import Der
from xmtp_tee.attestation.errors import CertificateMalformedError, QuoteNotGenuineError
from xmtp_tee.attestation.x509 import X509

COORDINATE_SIZE = 48
KEY_SIZE = SIGNATURE_SIZE = 2 * COORDINATE_SIZE
P384_KEY_ALGORITHM = bytes.fromhex("301006072a8648ce3d020106052b81040022")
"""AlgorithmIdentifier: id-ecPublicKey, secp384r1."""
ECDSA_SHA384 = bytes.fromhex("300a06082a8648ce3d040303")
"""AlgorithmIdentifier: ecdsa-with-SHA384."""
_ORDER_LIMIT = 2**384 - 1


def is_signed_p384(key: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether ``key`` signed ``message``. A key that is no point of the curve signed nothing."""
    if len(key) != KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), b"\x04" + key)
        encoded = encode_dss_signature(
            int.from_bytes(signature[:COORDINATE_SIZE], "big"),
            int.from_bytes(signature[COORDINATE_SIZE:], "big"),
        )
        public.verify(encoded, message, ec.ECDSA(hashes.SHA384()))
    except (ValueError, InvalidSignature):
        return False
    return True


def p384_key(certificate: X509) -> bytes:
    """Return x || y (96 bytes) of a certificate's key.

    :raises CertificateMalformedError: another kind of key, or another form than the uncompressed point
    """
    key = certificate.key
    if certificate.key_algorithm != P384_KEY_ALGORITHM or key[:1] != b"\x04" or len(key) != 97:
        raise CertificateMalformedError(
            f"The key of {certificate.name} is not an uncompressed point of P-384.",
            got=certificate.key_algorithm.hex(),
            expected=P384_KEY_ALGORITHM.hex(),
        )
    return key[1:]


def certificate_signature(certificate: X509) -> bytes:
    """Return r || s (96 bytes) of a certificate that is signed by ECDSA with SHA-384.

    :raises CertificateMalformedError: another algorithm, or r and s are not in DER
    """
    if certificate.signature_algorithm != ECDSA_SHA384:
        raise CertificateMalformedError(
            f"{certificate.name} is not signed by ECDSA with SHA-384.",
            got=certificate.signature_algorithm.hex(),
            expected=ECDSA_SHA384.hex(),
        )
    reader = Der(
        certificate.signature, f"The signature of {certificate.name}", CertificateMalformedError
    )
    numbers = reader.sequence()
    reader.end()
    r, s = numbers.unsigned(_ORDER_LIMIT), numbers.unsigned(_ORDER_LIMIT)
    numbers.end()
    return r.to_bytes(COORDINATE_SIZE, "big") + s.to_bytes(COORDINATE_SIZE, "big")


def require_signed_by(certificate: X509, issuer: X509) -> None:
    """Refuse unless ``issuer``'s P-384 key signed the certificate, and its name stands in it.

    :raises QuoteNotGenuineError: another name, algorithm or key, or a bad signature
    """
    certificate.require_names(issuer)
    signature = certificate_signature(certificate)
    if not is_signed_p384(p384_key(issuer), signature, certificate.tbs):
        raise QuoteNotGenuineError(f"The signature of {certificate.name} is not {issuer.name}'s.")
