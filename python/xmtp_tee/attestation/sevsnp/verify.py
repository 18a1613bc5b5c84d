"""Is this SEV-SNP report genuine, on what, and is that acceptable?

The rules are the contract's (contracts/attestation/sevsnp). AMD signs no list of security levels, so what is up to date
is a floor that the judge sets, component by component; below it a platform is out of date.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from xmtp_tee.attestation.acceptance import ACCEPTED_BY_DEFAULT, require_accepted_status
from xmtp_tee.attestation.collateral_facts import Window
from xmtp_tee.attestation.ecdsa384 import is_signed_p384
from xmtp_tee.attestation.errors import (
    CertificateRevokedError,
    DebugEnabledError,
    GuestPolicyRefusedError,
    QuoteNotGenuineError,
    TcbStatusRefusedError,
)
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.attestation.rsa_pss import require_signed_by_rsa, rsa_modulus
from xmtp_tee.attestation.sevsnp.anchors import AMD_ANCHORS, Anchor, anchor_of
from xmtp_tee.attestation.sevsnp.certificate_table import SnpEvidence, parse_evidence
from xmtp_tee.attestation.sevsnp.endorsement import (
    Endorsement,
    read_endorsement,
    require_platform,
)
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.sevsnp.report import SigningKey, SnpReport
from xmtp_tee.attestation.sevsnp.workload import instance_of, snp_workload_id
from xmtp_tee.attestation.x509 import X509, Revoked, read_x509
from xmtp_tee.hashing import keccak256

POLICY_MUST_BE_ONE = 1 << 17
POLICY_MIGRATION_AGENT = 1 << 18
POLICY_DEBUG = 1 << 19
POLICY_KNOWN = (1 << 26) - 1
"""ABI version 0 to 15, SMT 16, one 17, MIGRATE_MA 18, DEBUG 19, SINGLE_SOCKET 20, CXL_ALLOW 21, MEM_AES_256_XTS 22,
RAPL_DIS 23, CIPHERTEXT_HIDING_DRAM 24, PAGE_SWAP_DISABLE 25 (AMD 56860, guest policy)."""


@dataclass(frozen=True, slots=True)
class VerifiedReport:
    """What a verified report says; every field comes from signed bytes.

    ``workload`` is the 32-byte workload id, ``instance`` the 16 bytes under which the chip can be denied (zero if the
    host masked its id), ``tcb`` what the platform reports. ``shortest`` names the certificate that expires first.
    ``development`` is true when the pinned keys are not AMD's: then nothing here is evidence of hardware.
    """

    tee: TeeKind
    status: TcbStatus
    workload: bytes
    report_data: bytes
    instance: bytes
    product: ProductLine
    tcb: Tcb
    shortest: Window
    development: bool
    endorsement: Endorsement
    report: SnpReport


@dataclass(frozen=True, slots=True)
class SnpChain:
    """A verified chain: the anchor it stands on, ARK, ASK or ASVK, and the key that signs reports."""

    anchor: Anchor
    authorities: tuple[X509, X509]
    endorsement: Endorsement

    @property
    def shortest(self) -> X509:
        """The certificate that expires first."""
        certificates = (*self.authorities, self.endorsement.certificate)
        return min(certificates, key=lambda certificate: certificate.not_after)


def verify_report(
    evidence: bytes | SnpEvidence,
    floors: Mapping[ProductLine, Tcb],
    now: int,
    *,
    anchors: tuple[Anchor, ...] = AMD_ANCHORS,
    accept: Collection[TcbStatus] = ACCEPTED_BY_DEFAULT,
    revoked: Collection[Revoked] = (),
    revoked_keys: Collection[bytes] = (),
) -> VerifiedReport:
    """Verify an extended report completely under pinned keys at ``now`` (unix seconds), or raise.

    ``floors`` has the least TCB that counts as up to date, by product line; a line without one is refused.
    ``revoked`` names revoked CA certificates, ``revoked_keys`` VCEKs and VLEKs by keccak256(x || y).

    :raises InvalidEvidenceError: malformed, or not genuine
    :raises CollateralUnavailableError: a certificate of the chain is missing
    :raises RefusedByPolicyError: genuine, and refused: debug, guest policy, TCB, a certificate not valid at this time
    :raises FieldError: ``accept`` holds NONE or REVOKED
    """
    parsed = evidence if isinstance(evidence, SnpEvidence) else parse_evidence(evidence)
    chain, tcb = verify_signatures(parsed, anchors, now, frozenset(revoked), revoked_keys)
    require_guest_policy(parsed.report)
    product = chain.anchor.product
    status = tcb_status(tcb, product, floors)
    require_accepted_status(status, (), accept)
    shortest = chain.shortest
    return VerifiedReport(
        tee=TeeKind.SEV_SNP,
        status=status,
        workload=snp_workload_id(parsed.report.raw),
        report_data=parsed.report.report_data,
        instance=instance_of(parsed.report.chip_id),
        product=product,
        tcb=tcb,
        shortest=Window(shortest.name, shortest.not_before, shortest.not_after),
        development=chain.anchor.development,
        endorsement=chain.endorsement,
        report=parsed.report,
    )


def verify_signatures(
    evidence: SnpEvidence,
    anchors: tuple[Anchor, ...],
    now: int,
    revoked: frozenset[Revoked],
    revoked_keys: Collection[bytes],
) -> tuple[SnpChain, Tcb]:
    """Verify the chain, that the report is its platform's, and the report's signature: all but what policy refuses.

    :raises QuoteNotGenuineError: no valid chain of signatures, or another platform
    :raises EvidenceExpiredError: a certificate is not valid at ``now``
    """
    chain = verify_chain(evidence, anchors, now, revoked, revoked_keys)
    report, endorsement = evidence.report, chain.endorsement
    tcb = require_platform(report, endorsement)
    if not is_signed_p384(endorsement.key, report.signature, report.signed):
        raise QuoteNotGenuineError(f"{endorsement.certificate.name} did not sign the report.")
    return chain, tcb


def verify_chain(
    evidence: SnpEvidence,
    anchors: tuple[Anchor, ...],
    now: int,
    revoked: frozenset[Revoked],
    revoked_keys: Collection[bytes],
) -> SnpChain:
    """Verify ARK, ASK or ASVK, and VCEK or VLEK, at ``now`` (unix seconds); the first two must be pinned.

    :raises CertificateMalformedError: a certificate is not strict DER, or not AMD's profile
    :raises QuoteNotGenuineError: another key, a wrong issuer, signature or role, or revoked
    :raises EvidenceExpiredError: one of them is not valid at this time
    """
    kind = evidence.report.signing_key
    ark = read_x509(evidence.ark, "The ARK certificate")
    issuer = "ASK" if kind is SigningKey.VCEK else "ASVK"
    intermediate = read_x509(evidence.intermediate, f"The {issuer} certificate")
    leaf = read_x509(evidence.endorsement, f"The {kind.name} certificate")
    anchor = anchor_of(keccak256(rsa_modulus(ark)), anchors)
    got = keccak256(rsa_modulus(intermediate))
    if got != anchor.intermediate(kind):
        raise QuoteNotGenuineError(
            f"{intermediate.name} is not the pinned one of {anchor.product.label}.",
            got=got.hex(),
            expected=anchor.intermediate(kind).hex(),
        )
    ark.require_ca(certificates_below=1)
    require_signed_by_rsa(ark, ark)
    intermediate.require_ca(certificates_below=0)
    require_signed_by_rsa(intermediate, ark)
    require_signed_by_rsa(leaf, intermediate)
    endorsement = read_endorsement(leaf, anchor.product)
    for certificate in (ark, intermediate):
        certificate.require_not_revoked(revoked)
    if keccak256(endorsement.key) in revoked_keys:
        raise CertificateRevokedError(f"The key of {leaf.name} has been revoked.")
    for certificate in (ark, intermediate, leaf):
        certificate.require_valid(now)
    return SnpChain(anchor, (ark, intermediate), endorsement)


def require_guest_policy(report: SnpReport) -> None:
    """Refuse a guest that the host may debug or migrate, or whose policy has bits that are not known.

    :raises DebugEnabledError: the policy allows debugging: the host may read the guest's memory
    :raises GuestPolicyRefusedError: it allows a migration agent, which gets the guest's context, or is not understood
    """
    policy = report.policy
    if policy & POLICY_DEBUG:
        raise DebugEnabledError(
            "The guest's policy allows debugging.",
            got=f"policy {policy:#x}",
            expected="bit 19 clear",
        )
    if policy & POLICY_MIGRATION_AGENT:
        raise GuestPolicyRefusedError(
            "The guest's policy allows a migration agent.",
            got=f"policy {policy:#x}",
            expected="bit 18 clear",
        )
    if policy & ~POLICY_KNOWN or not policy & POLICY_MUST_BE_ONE:
        raise GuestPolicyRefusedError(
            "The guest's policy has bits that are not known.",
            got=f"policy {policy:#x}",
            expected=f"within {POLICY_KNOWN:#x}, and bit 17",
        )


def tcb_status(tcb: Tcb, product: ProductLine, floors: Mapping[ProductLine, Tcb]) -> TcbStatus:
    """Return whether a TCB reaches its product line's floor.

    :raises TcbStatusRefusedError: there is no floor for this product line: nothing says that it is up to date
    """
    if product not in floors:
        raise TcbStatusRefusedError(
            "No TCB floor is set for this product line.",
            got=f"{product.label}: {tcb}",
            expected=", ".join(line.label for line in floors) or "a floor",
        )
    return TcbStatus.UP_TO_DATE if tcb.reaches(floors[product]) else TcbStatus.OUT_OF_DATE
