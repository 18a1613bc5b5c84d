"""The verdict's line on revocation, for chains whose vendor publishes lists beside them: Nitro's and SEV-SNP's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from cryptography import x509

from xmtp_tee.attestation.errors import CollateralInvalidError
from xmtp_tee.attestation.judgement import Judgement
from xmtp_tee.attestation.x509 import CRL_DISTRIBUTION_POINTS, X509, Revoked
from xmtp_tee.verdict import CheckResult

REVOCATION = "revocation"
WHY_REVOCATION = "A certificate whose key was lost stays well signed: only its issuer's list tells."


def judge_revocation(
    judgement: Judgement,
    lists: Collection[bytes],
    chain: Sequence[X509],
    read: Callable[[bytes, X509], frozenset[Revoked]],
) -> None:
    """Look a verified chain's certificates up in revocation lists (DER), which ``read`` verifies under their issuer.

    The line passes when the list of every issuer was given whose certificates name one. Without a list, or with some
    of them, it is not checked; a list that revokes one, is not in force or is of no issuer of this chain, fails.
    """
    if not lists:
        judgement.add(REVOCATION, CheckResult.NOT_CHECKED, "no revocation list given")
        return

    def looked_up() -> set[bytes]:
        issuers = [(_issuer(crl, chain), crl) for crl in lists]
        revoked = frozenset[Revoked]().union(*(read(crl, issuer) for issuer, crl in issuers))
        for certificate in chain:
            certificate.require_not_revoked(revoked)
        return {issuer.subject for issuer, _ in issuers}

    given = judgement.attempt(REVOCATION, looked_up)
    if given is None:
        return
    needed = {c.issuer for c in chain if CRL_DISTRIBUTION_POINTS in c.extensions}
    missing = [c.common_name for c in chain if c.subject in needed - given]
    if missing:
        judgement.add(
            REVOCATION,
            CheckResult.NOT_CHECKED,
            f"not revoked by {len(given)} list(s); no list of {', '.join(missing)}",
            "the list of every issuer that publishes one",
        )
    else:
        judgement.add(REVOCATION, CheckResult.PASS, f"not revoked by {len(given)} list(s)")


def _issuer(crl_der: bytes, chain: Sequence[X509]) -> X509:
    """Return the certificate that a list says it is of; nothing of the list is verified here."""
    try:
        name = x509.load_der_x509_crl(crl_der).issuer.public_bytes()
    except (ValueError, TypeError) as error:
        raise CollateralInvalidError(
            "The revocation list cannot be read.", cause=str(error)[:200]
        ) from error
    for certificate in chain:
        if certificate.subject == name:
            return certificate
    raise CollateralInvalidError(
        "A revocation list is of no certificate in this chain.",
        got=f"issuer {name.hex()}",
        expected="an issuer of this chain",
    )
