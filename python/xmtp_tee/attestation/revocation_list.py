"""What a revocation list says, once its signature has been verified."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509

from xmtp_tee.attestation.collateral_facts import Window
from xmtp_tee.attestation.errors import CollateralInvalidError
from xmtp_tee.attestation.x509 import X509, Revoked


def revoked_by(crl: x509.CertificateRevocationList, issuer: X509, now: int) -> frozenset[Revoked]:
    """Return what a list revokes whose signature was verified; it must be in force at ``now`` (unix seconds).

    :raises CollateralInvalidError: it does not say until when it counts
    :raises CollateralUnavailableError: not in force
    """
    if crl.next_update_utc is None:
        raise CollateralInvalidError("The revocation list has no next update.")
    start, end = crl.last_update_utc.timestamp(), crl.next_update_utc.timestamp()
    Window(f"revocation list of {issuer.name}", int(start), int(end)).require(now)
    entries: Iterable[x509.RevokedCertificate] = crl
    return frozenset(Revoked(issuer.subject, entry.serial_number) for entry in entries)
