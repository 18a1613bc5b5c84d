"""Whether the chain would take collateral: decided before gas is spent.

The DCAP contracts check the same when collateral is submitted: who certified whom for what, signatures, revocation,
dates. What they compare with what they have (older, lower numbers) is the client's to look up.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from xmtp_tee.attestation.certificates import read_certificate
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.collateral_facts import CollateralFacts, Window, read_collateral
from xmtp_tee.attestation.errors import (
    CollateralInvalidError,
    FieldError,
    PlatformMismatchError,
    QuoteNotGenuineError,
)
from xmtp_tee.attestation.pck import read_pck_extension
from xmtp_tee.attestation.roots import Root, read_root
from xmtp_tee.attestation.signatures import require_collateral_signatures
from xmtp_tee.attestation.verify import require_pck_certificate, require_roles


def require_submittable(
    collateral: Collateral, root_key_hash: bytes, now: int, leaf: bytes | None = None
) -> CollateralFacts:
    """Refuse collateral, and a PCK certificate (DER), that a chain with this root would not take at ``now``.

    ``root_key_hash`` is keccak256(x || y) of the root's key (32 bytes), ``now`` the chain's time in unix seconds.

    :raises CollateralInvalidError: malformed, or not signed by whom it should be
    :raises QuoteNotGenuineError: a certificate is not the root's, revoked, or of the wrong role
    :raises CollateralUnavailableError: a piece has lapsed or is from the future
    :raises EvidenceExpiredError: the PCK certificate is not valid at this time
    """
    root = _root(collateral)
    if root.key_hash != root_key_hash:
        raise QuoteNotGenuineError(
            "The collateral stands under another root than the one that the chain pins.",
            got=root.key_hash.hex(),
            expected=root_key_hash.hex(),
        )
    facts = read_collateral(collateral)
    certificate = root.certificate
    Window("root certificate", certificate.not_before, certificate.not_after).require(now)
    facts.require_in_force(now)
    require_roles(facts, root)
    require_collateral_signatures(
        collateral, certificate, facts.pck_ca, facts.tcb_info_signer, facts.qe_identity_signer
    )
    if leaf is not None:
        platform = read_certificate(leaf, "the PCK certificate")
        require_pck_certificate(platform, facts, now)
        pck = read_pck_extension(platform)
        if (pck.fmspc, pck.pce_id) != (facts.fmspc, facts.pce_id):
            raise PlatformMismatchError(
                "The TCB info is for another platform family or PCE.",
                got=f"FMSPC {facts.fmspc.hex()}, PCE id {facts.pce_id.hex()}",
                expected=f"FMSPC {pck.fmspc.hex()}, PCE id {pck.pce_id.hex()}",
            )
    return facts


def _root(collateral: Collateral) -> Root:
    """Return the root at the end of the TCB info's chain; its key hash decides whether it is the pinned one."""
    try:
        chain = x509.load_pem_x509_certificates(collateral.tcb_info_issuer_chain.encode())
        return read_root(chain[-1].public_bytes(Encoding.DER))
    except (ValueError, IndexError, FieldError) as error:
        raise CollateralInvalidError(
            "The TCB info's issuer chain does not end in a root.", cause=str(error)[:200]
        ) from error
