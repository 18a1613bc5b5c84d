"""AWS's revocation lists: which certificates of a Nitro chain no longer count.

A certificate names its list in its CRL distribution points; who fetches it is not decided here.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from xmtp_tee.attestation.ecdsa384 import p384_key
from xmtp_tee.attestation.errors import CollateralInvalidError
from xmtp_tee.attestation.revocation_list import revoked_by
from xmtp_tee.attestation.x509 import X509, Revoked


def read_nitro_crl(crl_der: bytes, issuer: X509, now: int) -> frozenset[Revoked]:
    """Return what ``issuer``'s list revokes; the list must be in force at ``now`` (unix seconds).

    :raises CollateralInvalidError: another issuer's, not signed by its key, or not a list
    :raises CollateralUnavailableError: not in force
    :raises QuoteNotGenuineError: the issuer may sign no lists
    """
    issuer.require_signs_lists()
    try:
        crl = x509.load_der_x509_crl(crl_der)
        key = ec.EllipticCurvePublicKey.from_encoded_point(
            ec.SECP384R1(), b"\x04" + p384_key(issuer)
        )
        signed = (
            crl.issuer.public_bytes() == issuer.subject
            and isinstance(crl.signature_hash_algorithm, hashes.SHA384)
            and crl.is_signature_valid(key)
        )
        if not signed:
            raise CollateralInvalidError(f"The revocation list is not that of {issuer.name}.")
        return revoked_by(crl, issuer, now)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CollateralInvalidError(
            "The revocation list cannot be read.", cause=str(error)[:200]
        ) from error
