"""Is this quote genuine, on what, and is that acceptable?

The DCAP cryptography is dcap-qvl's (:mod:`xmtp_tee.attestation.qvl`); the decisions are ours, and they are the
contract's: certificates have roles, the PCE id must match, the QE report's data ends in zeros, debug and weak TD
attributes are refused, only accepted TCB levels pass.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from xmtp_tee.attestation.certificates import Certificate, read_certificate
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.collateral_facts import (
    CollateralFacts,
    Window,
    read_collateral,
    show_time,
)
from xmtp_tee.attestation.errors import (
    CertificateRevokedError,
    DebugEnabledError,
    EvidenceExpiredError,
    FieldError,
    PlatformMismatchError,
    QuoteNotGenuineError,
    TcbRevokedError,
    TcbStatusRefusedError,
    TdAttributesRefusedError,
)
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.attestation.pck import PckFacts, read_pck_extension
from xmtp_tee.attestation.quote import TdReport, TdxQuoteV4, parse_quote
from xmtp_tee.attestation.qvl import QvlReport, run_dcap_qvl
from xmtp_tee.attestation.roots import Root, read_root
from xmtp_tee.attestation.workload import workload_id

ACCEPTED_BY_DEFAULT = frozenset({TcbStatus.UP_TO_DATE})

TD_ATTRIBUTE_DEBUG = 0x01
TD_ATTRIBUTES_UNDER_DEBUG = 0xFF
"""TUD, bits 0 to 7: any of them makes the TD untrusted (Intel TDX Module ABI, TDATTRIBUTES)."""


@dataclass(frozen=True, slots=True)
class VerifiedQuote:
    """What a verified quote says; every field comes from signed bytes.

    ``workload`` is the 32-byte workload id, ``report_data`` 64 bytes, ``fmspc`` 6, ``pce_id`` 2, ``ppid`` 16.
    ``shortest`` names the piece of evidence that lapses first, and when. ``development`` is true when the
    pinned root is not the vendor's: then nothing here is evidence of hardware.
    """

    tee: TeeKind
    status: TcbStatus
    advisory_ids: tuple[str, ...]
    workload: bytes
    report_data: bytes
    fmspc: bytes
    pce_id: bytes
    ppid: bytes
    evaluation_number: int
    shortest: Window
    development: bool
    quote: TdxQuoteV4

    @property
    def tcb_status(self) -> str:
        """The converged TCB status in Intel's spelling."""
        return self.status.intel_name


def verify_quote(
    quote: bytes | TdxQuoteV4,
    collateral: Collateral,
    root_ca_der: bytes,
    now: int,
    accept: Collection[TcbStatus] = ACCEPTED_BY_DEFAULT,
) -> VerifiedQuote:
    """Verify a TDX v4 quote completely under a pinned root at ``now`` (unix seconds), or raise.

    Of the chain in the quote only the leaf counts; its CA comes with the collateral, as on chain.

    :raises InvalidEvidenceError: malformed, or not genuine
    :raises CollateralUnavailableError: collateral is not in force at ``now``
    :raises RefusedByPolicyError: genuine, and refused: debug, TD attributes, TCB status, expired
    :raises FieldError: the root is not a root certificate, or ``accept`` holds NONE or REVOKED
    """
    examination = Examination(quote, collateral, root_ca_der, now)
    verified = examination.verified()
    require_accepted_status(verified.status, verified.advisory_ids, accept)
    return verified


class Examination:
    """The steps of :func:`verify_quote`, for callers that report on each. Each step raises typed errors."""

    def __init__(
        self, quote: bytes | TdxQuoteV4, collateral: Collateral, root_ca_der: bytes, now: int
    ) -> None:
        self.root: Root = read_root(root_ca_der)
        self.quote = quote if isinstance(quote, TdxQuoteV4) else parse_quote(quote)
        self.collateral = collateral
        self.now = now

    def collateral_facts(self) -> CollateralFacts:
        """Read the collateral and refuse it unless every piece, and the root, is in force."""
        facts = read_collateral(self.collateral)
        root = self.root.certificate
        Window("root certificate", root.not_before, root.not_after).require(self.now)
        facts.require_in_force(self.now)
        return facts

    def genuine(self, facts: CollateralFacts) -> tuple[QvlReport, PckFacts, Certificate]:
        """Verify every signature from the root to the quote, match identities, TCB level and attributes."""
        require_roles(facts, self.root)
        leaf = read_certificate(self.quote.pck_leaf, "the PCK certificate")
        require_pck_certificate(leaf, facts, self.now)
        pck = read_pck_extension(leaf)
        if (pck.fmspc, pck.pce_id) != (facts.fmspc, facts.pce_id):
            raise PlatformMismatchError(
                "The TCB info is for another platform family or PCE.",
                got=f"FMSPC {pck.fmspc.hex()}, PCE id {pck.pce_id.hex()}",
                expected=f"FMSPC {facts.fmspc.hex()}, PCE id {facts.pce_id.hex()}",
            )
        if any(self.quote.qe_report.report_data[32:]):
            raise QuoteNotGenuineError(
                "The QE report's data does not end in zeros.",
                got=self.quote.qe_report.report_data[32:].hex(),
                expected="32 zero bytes",
            )
        chain = leaf.pem + facts.pck_ca.pem + self.root.certificate.pem
        try:
            report = run_dcap_qvl(
                self.quote.raw, self.collateral, chain, self.root.certificate.der, self.now
            )
        except (DebugEnabledError, TdAttributesRefusedError):
            # The same refusal, with the attributes' value.
            require_td_attributes(self.quote.body)
            raise
        require_td_attributes(self.quote.body)
        return report, pck, leaf

    def verified(self) -> VerifiedQuote:
        """Take all steps except the acceptance of the TCB status."""
        return self.verified_under(self.collateral_facts())

    def verified_under(self, facts: CollateralFacts) -> VerifiedQuote:
        """Take the steps that follow :meth:`collateral_facts`."""
        report, pck, leaf = self.genuine(facts)
        if report.status is TcbStatus.REVOKED:
            raise TcbRevokedError("The platform's TCB is revoked.")
        leaf_window = Window("PCK certificate", leaf.not_before, leaf.not_after)
        return VerifiedQuote(
            tee=TeeKind.TDX,
            status=report.status,
            advisory_ids=report.advisory_ids,
            workload=workload_id(self.quote),
            report_data=self.quote.body.report_data,
            fmspc=pck.fmspc,
            pce_id=pck.pce_id,
            ppid=pck.ppid,
            evaluation_number=facts.evaluation_number,
            shortest=min(facts.shortest, leaf_window, key=lambda window: window.end),
            development=self.root.development,
            quote=self.quote,
        )


def require_roles(facts: CollateralFacts, root: Root) -> None:
    """Refuse collateral whose signers the root did not certify for what they sign.

    :raises QuoteNotGenuineError: wrong issuer, signature or role
    :raises CertificateRevokedError: the root revoked one of them
    """
    facts.pck_ca.require_issued_by(root.certificate)
    facts.pck_ca.require_ca(path_length=0)
    for signer in (facts.tcb_info_signer, facts.qe_identity_signer):
        signer.require_issued_by(root.certificate)
        signer.require_signer(platform=False)
    for certificate in (facts.pck_ca, facts.tcb_info_signer, facts.qe_identity_signer):
        if certificate.serial_number in facts.revoked_by_root:
            raise CertificateRevokedError(
                f"The root revoked {certificate.name}.", got=hex(certificate.serial_number)
            )


def require_pck_certificate(leaf: Certificate, facts: CollateralFacts, now: int) -> None:
    """Refuse a leaf that the collateral's CA did not issue to a platform, that is revoked or expired.

    :raises QuoteNotGenuineError: wrong issuer, signature or role, or revoked
    :raises EvidenceExpiredError: genuine, and outside of its validity at ``now``
    """
    leaf.require_issued_by(facts.pck_ca)
    leaf.require_signer(platform=True)
    if leaf.serial_number in facts.revoked_by_pck_ca:
        raise CertificateRevokedError(
            "The platform's PCK certificate has been revoked.", got=hex(leaf.serial_number)
        )
    if not leaf.not_before <= now <= leaf.not_after:
        raise EvidenceExpiredError(
            "The platform's PCK certificate is not valid at this time.",
            got=f"{show_time(leaf.not_before)} to {show_time(leaf.not_after)}",
            expected=show_time(now),
        )


def require_td_attributes(body: TdReport) -> None:
    """Refuse a TD under debug, and a TDX module with attributes. The rest is judged by dcap-qvl.

    :raises DebugEnabledError: bit 0, DEBUG, is set
    :raises TdAttributesRefusedError: another bit of the debug group (1 to 7), or a SEAM attribute, is set
    """
    attributes = int.from_bytes(body.td_attributes, "little")
    if attributes & TD_ATTRIBUTE_DEBUG:
        raise DebugEnabledError(
            "The TD runs in debug mode.",
            got=f"TDATTRIBUTES {attributes:#018x}",
            expected="bit 0 clear",
        )
    if attributes & TD_ATTRIBUTES_UNDER_DEBUG:
        raise TdAttributesRefusedError(
            "A debug facility of the TD is enabled.",
            got=f"TDATTRIBUTES {attributes:#018x}",
            expected="bits 0 to 7 clear",
        )
    if any(body.seam_attributes):
        raise TdAttributesRefusedError(
            "The TDX module has attributes.",
            got=f"SEAMATTRIBUTES {body.seam_attributes.hex()}",
            expected="8 zero bytes",
        )


def require_accepted_status(
    status: TcbStatus, advisory_ids: Collection[str], accept: Collection[TcbStatus]
) -> None:
    """Refuse a TCB status that is not among ``accept``.

    :raises TcbStatusRefusedError: it is not
    :raises FieldError: ``accept`` holds NONE or REVOKED, which no policy can accept
    """
    if TcbStatus.NONE in accept or TcbStatus.REVOKED in accept:
        raise FieldError("No policy accepts this TCB status.", got="NONE or REVOKED")
    if status not in accept:
        advisories = f" ({', '.join(advisory_ids)})" if advisory_ids else ""
        raise TcbStatusRefusedError(
            "The platform's TCB status is not accepted.",
            got=f"{status.intel_name}{advisories}",
            expected=" or ".join(sorted(s.intel_name for s in accept)),
            cause="The platform needs the updates or settings that Intel's advisories name.",
        )
