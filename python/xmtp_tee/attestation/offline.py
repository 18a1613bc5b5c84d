"""Judging the evidence of any TEE offline: one call, whatever kind the evidence is of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.acceptance import ACCEPTED_BY_DEFAULT
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.errors import CollateralUnavailableError, FieldError
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.judge import judge_dcap
from xmtp_tee.attestation.judgement import Expectations, Judgement
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.attestation.nitro.document import parse_document
from xmtp_tee.attestation.nitro.judge import judge_nitro
from xmtp_tee.attestation.nitro.workload import workload_of
from xmtp_tee.attestation.quote import parse_quote
from xmtp_tee.attestation.sevsnp.anchors import AMD_ANCHORS, Anchor
from xmtp_tee.attestation.sevsnp.certificate_table import parse_evidence
from xmtp_tee.attestation.sevsnp.judge import SnpTrust, judge_sevsnp
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.sevsnp.workload import snp_workload_id
from xmtp_tee.attestation.workload import workload_id
from xmtp_tee.attestation.x509 import Revoked
from xmtp_tee.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Trust:
    """What a judge goes by, for any TEE.

    ``root`` is the pinned root in DER: Intel's or AWS's; SEV-SNP has several, ``anchors``, AMD's unless given.
    ``collateral`` is SGX's and TDX's alone. ``floors`` is SEV-SNP's least TCB by product line: a line without one is
    refused. ``revoked`` and ``revoked_keys`` as :func:`verify_document` and :func:`verify_report` take them.
    ``crls`` are the vendor's revocation lists in DER, for Nitro and SEV-SNP; without them the line *revocation* is not
    checked. SGX's and TDX's are in their collateral, and always looked at.
    """

    root: bytes | None = None
    anchors: tuple[Anchor, ...] = AMD_ANCHORS
    collateral: Collateral | None = None
    floors: Mapping[ProductLine, Tcb] = field(default_factory=dict)
    accept: Collection[TcbStatus] = ACCEPTED_BY_DEFAULT
    revoked: Collection[Revoked] = ()
    revoked_keys: Collection[bytes] = ()
    crls: Collection[bytes] = ()


def judge_offline(
    attestation: Attestation, trust: Trust, now: int, expected: Expectations | None = None
) -> Verdict:
    """Judge an attestation of any TEE at ``now`` (unix seconds). Evidence never makes this raise.

    :raises FieldError: the root is missing or no root certificate, or ``trust.accept`` holds a status nobody accepts
    :raises CollateralUnavailableError: SGX or TDX without collateral
    """
    judgement, level = _judge(attestation, trust, now, expected or Expectations())
    return judgement.verdict(attestation, now, level)


def verify_offline(
    attestation: Attestation, trust: Trust, now: int, expected: Expectations | None = None
) -> Verdict:
    """Like :func:`judge_offline`, but raise the typed error of the first line that fails.

    :raises InvalidEvidenceError: the evidence proves nothing
    :raises UnavailableError: collateral or a certificate is missing, or not in force
    :raises RefusedByPolicyError: genuine, and refused
    :raises FieldError: as :func:`judge_offline`
    """
    judgement, level = _judge(attestation, trust, now, expected or Expectations())
    error = judgement.first_error()
    if error is not None:
        raise error
    return judgement.verdict(attestation, now, level)


def _judge(
    attestation: Attestation, trust: Trust, now: int, expected: Expectations
) -> tuple[Judgement, AssuranceLevel]:
    if attestation.tee is TeeKind.SEV_SNP:
        snp = SnpTrust(
            trust.floors,
            trust.anchors,
            trust.accept,
            trust.revoked,
            trust.revoked_keys,
            trust.crls,
        )
        return judge_sevsnp(attestation, snp, now, expected)
    if trust.root is None:
        raise FieldError(
            "Evidence is judged under a root, and none is given.",
            got=attestation.tee.label,
            expected="the vendor's root certificate in DER",
        )
    if attestation.tee is TeeKind.NITRO:
        return judge_nitro(
            attestation, trust.root, now, expected, revoked=trust.revoked, crls=trust.crls
        )
    if trust.collateral is None:
        raise CollateralUnavailableError(
            "The vendor's collateral is needed to judge this evidence.", got=attestation.tee.label
        )
    return judge_dcap(attestation, trust.collateral, trust.root, now, expected, trust.accept)


def workload_of_attestation(attestation: Attestation) -> bytes:
    """Return the 32-byte workload id that the evidence states. It means nothing before the evidence is verified.

    :raises QuoteMalformedError: the evidence cannot be read
    """
    if attestation.tee is TeeKind.NITRO:
        return workload_of(parse_document(attestation.quote))
    if attestation.tee is TeeKind.SEV_SNP:
        return snp_workload_id(parse_evidence(attestation.quote).report.raw)
    return workload_id(parse_quote(attestation.quote))
