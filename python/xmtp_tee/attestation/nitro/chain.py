"""The certificates of a Nitro document: root, regional, zonal and instance CA, and the enclave's own."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.ecdsa384 import p384_key, require_signed_by
from xmtp_tee.attestation.errors import QuoteNotGenuineError
from xmtp_tee.attestation.nitro.document import NitroDocument
from xmtp_tee.attestation.nitro.roots import NitroRoot
from xmtp_tee.attestation.x509 import X509, Revoked, read_x509


@dataclass(frozen=True, slots=True)
class NitroChain:
    """A verified chain; ``authorities`` from the root down, ``leaf`` the certificate of the document's key."""

    authorities: tuple[X509, ...]
    leaf: X509

    @property
    def certificates(self) -> tuple[X509, ...]:
        """All of them, the root first."""
        return (*self.authorities, self.leaf)

    @property
    def shortest(self) -> X509:
        """The certificate that expires first."""
        return min(self.certificates, key=lambda certificate: certificate.not_after)


def verify_chain(
    document: NitroDocument, root: NitroRoot, now: int, revoked: frozenset[Revoked]
) -> NitroChain:
    """Verify the chain in a document from the pinned root down, at ``now`` (unix seconds).

    Every certificate is looked at: names, signature, role, path length, validity, revocation.

    :raises CertificateMalformedError: a certificate is not strict DER with a P-384 key
    :raises QuoteNotGenuineError: another root, a wrong issuer, signature or role, or revoked
    :raises EvidenceExpiredError: one of them is not valid at this time
    """
    if document.bundle[0] != root.certificate.der:
        raise QuoteNotGenuineError("The chain does not begin with the pinned root.")
    names = ["The root certificate"]
    names += [f"The CA certificate {place}" for place in range(1, len(document.bundle))]
    authorities = tuple(
        read_x509(der, name) for der, name in zip(document.bundle, names, strict=True)
    )
    leaf = read_x509(document.certificate, "The enclave's certificate")
    p384_key(leaf)
    for place, authority in enumerate(authorities):
        authority.require_ca(certificates_below=len(authorities) - 1 - place)
        if place > 0:
            require_signed_by(authority, authorities[place - 1])
    leaf.require_end_entity()
    if leaf.common_name.partition(".")[0] != document.module_id:
        raise QuoteNotGenuineError(
            f"{leaf.name} is another module's.", got=leaf.common_name, expected=document.module_id
        )
    require_signed_by(leaf, authorities[-1])
    chain = NitroChain(authorities, leaf)
    for certificate in chain.certificates:
        certificate.require_not_revoked(revoked)
    for certificate in chain.certificates:
        certificate.require_valid(now)
    return chain
