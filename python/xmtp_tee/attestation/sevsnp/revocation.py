"""AMD's revocation lists: which of its CAs' certificates no longer count.

A product line's list is at ``https://kdsintf.amd.com/vcek/v1/<line>/crl``, signed by the ARK. It names ASKs and ASVKs;
who fetches it is not decided here.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import SignatureAlgorithmOID

from xmtp_tee.attestation.errors import CollateralInvalidError
from xmtp_tee.attestation.revocation_list import revoked_by
from xmtp_tee.attestation.rsa_pss import is_signed_rsa_pss, rsa_modulus
from xmtp_tee.attestation.x509 import X509, Revoked


def read_amd_crl(crl_der: bytes, ark: X509, now: int) -> frozenset[Revoked]:
    """Return what a product line's list revokes; it must be in force at ``now`` (unix seconds).

    :raises CollateralInvalidError: another issuer's, not signed by its key, or not a list
    :raises CollateralUnavailableError: not in force
    :raises QuoteNotGenuineError: the issuer may sign no lists
    """
    ark.require_signs_lists()
    try:
        crl = x509.load_der_x509_crl(crl_der)
        signed = (
            crl.issuer.public_bytes() == ark.subject
            and crl.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS
            and is_signed_rsa_pss(rsa_modulus(ark), crl.signature, crl.tbs_certlist_bytes)
        )
        if not signed:
            raise CollateralInvalidError(f"The revocation list is not that of {ark.name}.")
        return revoked_by(crl, ark, now)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CollateralInvalidError(
            "The revocation list cannot be read.", cause=str(error)[:200]
        ) from error
