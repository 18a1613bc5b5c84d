"""RSASSA-PSS as AMD's CAs sign: SHA-384, MGF1 with SHA-384, a salt of 48 bytes, a modulus of 4096 bits."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from xmtp_tee.attestation.der import Der
from xmtp_tee.attestation.errors import CertificateMalformedError, QuoteNotGenuineError
from xmtp_tee.attestation.x509 import X509

MODULUS_SIZE = 512
PUBLIC_EXPONENT = 65_537
SALT_SIZE = 48
RSA_KEY_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")
"""AlgorithmIdentifier: rsaEncryption, NULL."""
RSA_PSS_SHA384 = bytes.fromhex(
    "304106092a864886f70d01010a3034a00f300d06096086480165030402020500"
    "a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130"
)
"""AlgorithmIdentifier: RSASSA-PSS, SHA-384, MGF1 with SHA-384, salt 48; the trailer field left to its default."""
RSA_PSS_SHA384_TRAILER = bytes.fromhex(
    "304606092a864886f70d01010a3039a00f300d06096086480165030402020500"
    "a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130a303020101"
)
"""The same with the trailer field written out, as AMD's CAs and its older VCEKs have it."""


def rsa_modulus(certificate: X509) -> bytes:
    """Return the modulus (512 bytes, big-endian) of a certificate's key.

    :raises CertificateMalformedError: another kind or size of key, or another exponent than 65537
    """
    if certificate.key_algorithm != RSA_KEY_ALGORITHM:
        raise CertificateMalformedError(
            f"The key of {certificate.name} is not RSA.",
            got=certificate.key_algorithm.hex(),
            expected=RSA_KEY_ALGORITHM.hex(),
        )
    reader = Der(certificate.key, f"The key of {certificate.name}", CertificateMalformedError)
    numbers = reader.sequence()
    reader.end()
    modulus = numbers.unsigned(2 ** (8 * MODULUS_SIZE) - 1)
    exponent = numbers.unsigned(PUBLIC_EXPONENT)
    numbers.end()
    if modulus.bit_length() != 8 * MODULUS_SIZE or modulus % 2 == 0 or exponent != PUBLIC_EXPONENT:
        raise CertificateMalformedError(
            f"The key of {certificate.name} is of another size or exponent.",
            got=f"{modulus.bit_length()} bits, exponent {exponent}",
            expected=f"{8 * MODULUS_SIZE} bits, odd, exponent {PUBLIC_EXPONENT}",
        )
    return modulus.to_bytes(MODULUS_SIZE, "big")


def require_signed_by_rsa(certificate: X509, issuer: X509) -> None:
    """Refuse unless ``issuer``'s RSA key signed the certificate, and its name stands in it.

    :raises QuoteNotGenuineError: another name, algorithm or key, or a bad signature
    """
    certificate.require_names(issuer)
    if certificate.signature_algorithm not in (RSA_PSS_SHA384, RSA_PSS_SHA384_TRAILER):
        raise CertificateMalformedError(
            f"{certificate.name} is not signed by RSASSA-PSS with SHA-384.",
            got=certificate.signature_algorithm.hex(),
            expected=RSA_PSS_SHA384.hex(),
        )
    if not is_signed_rsa_pss(rsa_modulus(issuer), certificate.signature, certificate.tbs):
        raise QuoteNotGenuineError(f"The signature of {certificate.name} is not {issuer.name}'s.")


def is_signed_rsa_pss(modulus: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether the key of a modulus (512 bytes) signed ``message``, in the one form that AMD's CAs use."""
    scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=SALT_SIZE)
    try:
        key = rsa.RSAPublicNumbers(PUBLIC_EXPONENT, int.from_bytes(modulus, "big")).public_key()
        key.verify(signature, message, scheme, hashes.SHA384())
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
