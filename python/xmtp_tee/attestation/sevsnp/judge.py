"""The verdict on a SEV-SNP attestation: one line per link of the chain of proof, in its order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.acceptance import ACCEPTED_BY_DEFAULT, require_accepted_status
from xmtp_tee.attestation.ecdsa384 import is_signed_p384
from xmtp_tee.attestation.errors import QuoteNotGenuineError
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.judgement import (
    BINDING,
    CHAIN,
    DEBUG_OFF,
    FORMAT,
    FRESHNESS,
    REGISTRY,
    ROOT,
    SIGNATURES,
    TCB_LEVEL,
    WHY,
    WORKLOAD,
    Expectations,
    Judgement,
)
from xmtp_tee.attestation.kinds import TcbStatus
from xmtp_tee.attestation.revocation_line import REVOCATION, WHY_REVOCATION, judge_revocation
from xmtp_tee.attestation.sevsnp.anchors import AMD_ANCHORS, Anchor
from xmtp_tee.attestation.sevsnp.certificate_table import SnpEvidence, parse_evidence
from xmtp_tee.attestation.sevsnp.endorsement import require_platform
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.sevsnp.revocation import read_amd_crl
from xmtp_tee.attestation.sevsnp.verify import (
    SnpChain,
    require_guest_policy,
    tcb_status,
    verify_chain,
)
from xmtp_tee.attestation.sevsnp.workload import snp_workload_id
from xmtp_tee.attestation.x509 import Revoked
from xmtp_tee.dates import show_time
from xmtp_tee.verdict import CheckResult

CERTIFICATES = "certificates"
PLATFORM = "platform"

LINES = (
    FORMAT,
    CERTIFICATES,
    REVOCATION,
    PLATFORM,
    SIGNATURES,
    TCB_LEVEL,
    DEBUG_OFF,
    WORKLOAD,
    BINDING,
    CHAIN,
    REGISTRY,
    FRESHNESS,
    ROOT,
)
_WHY = {
    **WHY,
    FORMAT: "A report with two readings could be verified in one and used in the other.",
    CERTIFICATES: "They lead from AMD's root of this product line to the key of this chip or cloud provider.",
    REVOCATION: WHY_REVOCATION,
    PLATFORM: "A key is certified for one chip and one TCB: a report that names others cannot be its.",
    SIGNATURES: "The certified key signed every byte of the report that says something.",
    TCB_LEVEL: "Genuine hardware without its security updates can be broken.",
    DEBUG_OFF: "The host reads the memory of a guest whose policy allows debugging or a migration agent.",
}


@dataclass(frozen=True, slots=True)
class SnpTrust:
    """What a judge of SEV-SNP goes by: pinned keys, the least TCB by product line, what is revoked.

    ``revoked`` names CA certificates, ``revoked_keys`` VCEKs and VLEKs by keccak256(x || y). ``crls`` are
    AMD's revocation lists in DER; they cannot name a VCEK or VLEK, which all have the serial number zero.
    """

    floors: Mapping[ProductLine, Tcb]
    anchors: tuple[Anchor, ...] = AMD_ANCHORS
    accept: Collection[TcbStatus] = ACCEPTED_BY_DEFAULT
    revoked: Collection[Revoked] = field(default=())
    revoked_keys: Collection[bytes] = field(default=())
    crls: Collection[bytes] = field(default=())


def judge_sevsnp(
    attestation: Attestation, trust: SnpTrust, now: int, expected: Expectations
) -> tuple[Judgement, AssuranceLevel]:
    """Judge a SEV-SNP attestation offline, at ``now`` (unix seconds).

    Evidence never makes this raise; :meth:`Judgement.verdict` and :meth:`Judgement.first_error` have the outcome.

    :raises FieldError: ``trust.accept`` holds a status that nobody accepts
    """
    require_accepted_status(TcbStatus.UP_TO_DATE, (), {*trust.accept, TcbStatus.UP_TO_DATE})
    judgement = Judgement(LINES, _WHY)
    judgement.add(
        FRESHNESS, CheckResult.NOT_CHECKED, "only the chain knows which blocks are recent"
    )
    evidence = judgement.attempt(FORMAT, lambda: parse_evidence(attestation.quote))
    if evidence is None:
        return judgement, AssuranceLevel.NONE
    version = evidence.report.version
    judgement.add(FORMAT, CheckResult.PASS, f"SEV-SNP report, version {version}", "version 2 to 5")
    chain = judgement.attempt(
        CERTIFICATES,
        lambda: verify_chain(
            evidence, trust.anchors, now, frozenset(trust.revoked), trust.revoked_keys
        ),
    )
    if chain is None:
        return judgement, AssuranceLevel.NONE
    level = _judge_root(judgement, chain.anchor)
    judgement.add(CERTIFICATES, CheckResult.PASS, f"until {show_time(chain.shortest.not_after)}")
    judge_revocation(
        judgement,
        trust.crls,
        (*chain.authorities, chain.endorsement.certificate),
        lambda crl, issuer: read_amd_crl(crl, issuer, now),
    )
    tcb = judgement.attempt(PLATFORM, lambda: require_platform(evidence.report, chain.endorsement))
    if tcb is not None and _judge_signature(judgement, evidence, chain):
        judgement.add(PLATFORM, CheckResult.PASS, chain.endorsement.product_name)
        _judge_tcb(judgement, tcb, chain.anchor.product, trust)
        _judge_policy(judgement, evidence)
        workload = snp_workload_id(evidence.report.raw)
        judgement.content(attestation, workload, evidence.report.report_data, expected)
    return judgement, level


def _judge_root(judgement: Judgement, anchor: Anchor) -> AssuranceLevel:
    vendor = f"AMD ARK of {anchor.product.label}"
    shown = anchor.ark.hex() if anchor.development else vendor
    return judgement.root(development=anchor.development, shown=shown, expected=vendor)


def _judge_signature(judgement: Judgement, evidence: SnpEvidence, chain: SnpChain) -> bool:
    report = evidence.report
    if not is_signed_p384(chain.endorsement.key, report.signature, report.signed):
        name = chain.endorsement.certificate.name
        judgement.fail(SIGNATURES, QuoteNotGenuineError(f"{name} did not sign the report."))
        return False
    judgement.add(SIGNATURES, CheckResult.PASS, "report by ECDSA P-384, certificates by RSASSA-PSS")
    return True


def _judge_tcb(judgement: Judgement, tcb: Tcb, product: ProductLine, trust: SnpTrust) -> None:
    def accepted() -> TcbStatus:
        status = tcb_status(tcb, product, trust.floors)
        require_accepted_status(status, (), trust.accept)
        return status

    status = judgement.attempt(TCB_LEVEL, accepted)
    if status is not None:
        good = status is TcbStatus.UP_TO_DATE
        judgement.add(
            TCB_LEVEL,
            CheckResult.PASS if good else CheckResult.WARN,
            f"{status.intel_name} ({tcb})",
            f"at least {trust.floors[product]}",
        )


def _judge_policy(judgement: Judgement, evidence: SnpEvidence) -> None:
    def production() -> bool:
        require_guest_policy(evidence.report)
        return True

    if judgement.attempt(DEBUG_OFF, production):
        judgement.add(DEBUG_OFF, CheckResult.PASS, "off", "off")
