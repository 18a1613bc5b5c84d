"""The signatures of DCAP, checked once more than dcap-qvl checks them, and alone where it cannot be asked.

ECDSA over P-256 with SHA-256; signatures are r || s, 64 bytes, keys x || y, 64 bytes.
"""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from xmtp_tee.attestation.certificates import Certificate
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.errors import CollateralInvalidError, QuoteNotGenuineError
from xmtp_tee.attestation.quote import Quote


def is_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether ``key`` signed ``message``. A key that is no point of the curve signed nothing."""
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + key)
        encoded = encode_dss_signature(
            int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        )
        public.verify(encoded, message, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True


def require_collateral_signatures(
    collateral: Collateral,
    root: Certificate,
    pck_ca: Certificate,
    tcb_info_signer: Certificate,
    qe_identity_signer: Certificate,
) -> None:
    """Refuse texts and CRLs that are not signed by whom they should be.

    :raises CollateralInvalidError: a signature or a CRL's issuer is wrong
    """
    for name, text, signature, signer in (
        ("TCB info", collateral.tcb_info, collateral.tcb_info_signature, tcb_info_signer),
        (
            "QE identity",
            collateral.qe_identity,
            collateral.qe_identity_signature,
            qe_identity_signer,
        ),
    ):
        if not is_signed(signer.key_bytes, signature, text.encode()):
            raise CollateralInvalidError(f"The {name}'s signature is wrong.")
    for name, der, issuer in (
        ("root CA's CRL", collateral.root_ca_crl, root),
        ("PCK CA's CRL", collateral.pck_crl, pck_ca),
    ):
        _require_crl(name, der, issuer)


def require_quote_signatures(quote: Quote, leaf: Certificate) -> None:
    """Refuse a quote unless the platform signed the QE report, which binds the key that signed the quote.

    :raises QuoteNotGenuineError: one of the links is broken
    """
    if not is_signed(leaf.key_bytes, quote.qe_report_signature, quote.qe_report.raw):
        raise QuoteNotGenuineError("The platform's PCK key did not sign the QE report.")
    bound = hashlib.sha256(quote.attestation_key + quote.qe_auth_data).digest() + bytes(32)
    if quote.qe_report.report_data != bound:
        raise QuoteNotGenuineError(
            "The QE report does not bind the attestation key.",
            got=quote.qe_report.report_data.hex(),
            expected=bound.hex(),
        )
    if not is_signed(quote.attestation_key, quote.signature, quote.signed_bytes):
        raise QuoteNotGenuineError("The attestation key did not sign the quote.")


def _require_crl(name: str, der: bytes, issuer: Certificate) -> None:
    try:
        crl = x509.load_der_x509_crl(der)
        key = ec.EllipticCurvePublicKey.from_encoded_point(
            ec.SECP256R1(), b"\x04" + issuer.key_bytes
        )
        if crl.issuer.public_bytes() != issuer.subject:
            raise CollateralInvalidError(
                f"The {name} is another CA's.", got=crl.issuer.rfc4514_string()[:200]
            )
        algorithm = crl.signature_hash_algorithm
        if not isinstance(algorithm, hashes.SHA256) or not crl.is_signature_valid(key):
            raise CollateralInvalidError(f"The {name}'s signature is wrong.")
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CollateralInvalidError(
            f"The {name} cannot be read.", cause=str(error)[:200]
        ) from error
