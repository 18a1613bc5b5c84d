"""Is this quote genuine, on what, and is that acceptable?

Two verifiers must agree: dcap-qvl (:mod:`xmtp_tee.attestation.qvl`), and our own reading of Intel's rules
(:mod:`~xmtp_tee.attestation.signatures`, :mod:`~xmtp_tee.attestation.levels`), which is the contract's. The
decisions are ours: certificates have roles, the PCE id must match, the QE report's data ends in zeros, debug and
weak attributes are refused, only accepted TCB levels pass.

dcap-qvl has no opinion in two cases, and then ours stands alone: it cannot read TCB info of version 2, and it
refuses every TD 1.5 with a service TD, whose measurement is part of the workload id here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from xmtp_tee.attestation.acceptance import ACCEPTED_BY_DEFAULT, require_accepted_status
from xmtp_tee.attestation.advisories import advisory_commitment
from xmtp_tee.attestation.certificates import Certificate, read_certificate
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.collateral_facts import (
    CollateralFacts,
    Window,
    read_collateral,
)
from xmtp_tee.attestation.errors import (
    CertificateRevokedError,
    DebugEnabledError,
    EnclaveAttributesRefusedError,
    EvidenceExpiredError,
    PlatformMismatchError,
    QuoteNotGenuineError,
    ServiceTdNotJudgedError,
    TcbRevokedError,
    TdAttributesRefusedError,
)
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.attestation.levels import Standing, converge
from xmtp_tee.attestation.pck import PckFacts, read_pck_extension
from xmtp_tee.attestation.quote import Quote, parse_quote
from xmtp_tee.attestation.qvl import QvlReport, run_dcap_qvl
from xmtp_tee.attestation.reports import SgxReport, TdReport
from xmtp_tee.attestation.roots import Root, read_root
from xmtp_tee.attestation.signatures import (
    require_collateral_signatures,
    require_quote_signatures,
)
from xmtp_tee.attestation.workload import workload_id
from xmtp_tee.dates import show_time

TD_ATTRIBUTE_DEBUG = 0x01
TD_ATTRIBUTES_UNDER_DEBUG = 0xFF
"""TUD, bits 0 to 7: any of them makes the TD untrusted (Intel TDX Module ABI, TDATTRIBUTES)."""
TD_ATTRIBUTES_ALLOWED = sum(1 << bit for bit in (16, 18, 19, 20, 21, 22, 27, 28, 30, 31, 62, 63))
"""ICSSD 16, 18 to 22, LASS 27, SEPT_VE_DISABLE 28, PKS 30, KL 31, TPA 62, PERFMON 63; as the contract has it."""
TD_ATTRIBUTES_REQUIRED = 1 << 28
"""SEPT_VE_DISABLE: without it the host can inject faults into the TD by unmapping its memory."""

SGX_FLAG_DEBUG = 0x02
SGX_FLAGS_ALLOWED = 0x01 | 0x04 | 0x40 | 0x80 | 0x400
"""INIT, MODE64BIT, CET, KSS, AEX_NOTIFY (Intel SDM volume 3D, ATTRIBUTES). Left out are DEBUG, PROVISION_KEY (0x10),
EINITTOKEN_KEY (0x20), with which an enclave can impersonate Intel's own, and unknown ones."""
SGX_FLAGS_REQUIRED = 0x01
"""INIT: the enclave's measurement is complete."""


@dataclass(frozen=True, slots=True)
class VerifiedQuote:
    """What a verified quote says; every field comes from signed bytes.

    ``workload`` is the 32-byte workload id, ``report_data`` 64 bytes, ``fmspc`` 6, ``pce_id`` 2, ``ppid`` 16.
    ``advisory_ids`` are those of the platform, the TDX module and the quoting enclave, each once; ``advisories`` is
    the 32-byte commitment to them that the contract reports (:mod:`xmtp_tee.attestation.advisories`). Under TCB info
    of version 2 the platform's advisories are not known.
    ``shortest`` names the piece of evidence that lapses first, and when. ``development`` is true when the
    pinned root is not the vendor's: then nothing here is evidence of hardware.
    """

    tee: TeeKind
    status: TcbStatus
    advisory_ids: tuple[str, ...]
    advisories: bytes
    workload: bytes
    report_data: bytes
    fmspc: bytes
    pce_id: bytes
    ppid: bytes
    evaluation_number: int
    shortest: Window
    development: bool
    quote: Quote

    @property
    def tcb_status(self) -> str:
        """The converged TCB status in Intel's spelling."""
        return self.status.intel_name


def verify_quote(
    quote: bytes | Quote,
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
        self, quote: bytes | Quote, collateral: Collateral, root_ca_der: bytes, now: int
    ) -> None:
        self.root: Root = read_root(root_ca_der)
        self.quote = quote if isinstance(quote, Quote) else parse_quote(quote)
        self.collateral = collateral
        self.now = now

    def collateral_facts(self) -> CollateralFacts:
        """Read the collateral and refuse it unless every piece, and the root, is in force."""
        facts = read_collateral(self.collateral)
        root = self.root.certificate
        Window("root certificate", root.not_before, root.not_after).require(self.now)
        facts.require_in_force(self.now)
        return facts

    def genuine(self, facts: CollateralFacts) -> tuple[Judgement, PckFacts, Certificate]:
        """Verify every signature from the root to the quote, match identities, TCB level and attributes."""
        if self.quote.tee is not facts.tee:
            raise PlatformMismatchError(
                "The collateral is for another kind of TEE.",
                got=facts.tee.label,
                expected=self.quote.tee.label,
            )
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
        opinion = self._dcap_qvl(facts, leaf)
        judgement = self._judge(facts, leaf, pck)
        if opinion is not None and (opinion.status, set(opinion.advisory_ids)) != (
            judgement.status,
            set(judgement.advisory_ids),
        ):
            raise QuoteNotGenuineError(
                "The two verifiers do not agree on the TCB level.",
                got=f"{judgement.status.intel_name} {', '.join(judgement.advisory_ids)}",
                expected=f"{opinion.status.intel_name} {', '.join(opinion.advisory_ids)}",
            )
        return judgement, pck, leaf

    def _dcap_qvl(self, facts: CollateralFacts, leaf: Certificate) -> QvlReport | None:
        """Ask dcap-qvl; None where it has no opinion (see the head of this module)."""
        if facts.tcb_info_version == 2:
            return None
        chain = leaf.pem + facts.pck_ca.pem + self.root.certificate.pem
        body = self.quote.body
        try:
            return run_dcap_qvl(
                self.quote.raw, self.collateral, chain, self.root.certificate.der, self.now
            )
        except ServiceTdNotJudgedError:
            if isinstance(body, TdReport) and body.mr_service_td and any(body.mr_service_td):
                return None
            raise
        except (DebugEnabledError, TdAttributesRefusedError):
            # The same refusal, with the attributes' value.
            require_attributes(body)
            raise

    def _judge(self, facts: CollateralFacts, leaf: Certificate, pck: PckFacts) -> Judgement:
        """Verify and judge without dcap-qvl."""
        require_collateral_signatures(
            self.collateral,
            self.root.certificate,
            facts.pck_ca,
            facts.tcb_info_signer,
            facts.qe_identity_signer,
        )
        require_quote_signatures(self.quote, leaf)
        quoting_enclave = facts.quoting_enclave.standing(self.quote.qe_report)
        body = self.quote.body
        require_attributes(body)
        tdx = body.tee_tcb_svn if isinstance(body, TdReport) else None
        platform = facts.levels.platform_standing(pck.cpu_svn, pck.pce_svn, tdx)
        module = None
        if isinstance(body, TdReport):
            module = facts.levels.module_standing(body.tee_tcb_svn, body.mr_signer_seam)
        return Judgement.of(platform, module, quoting_enclave)

    def verified(self) -> VerifiedQuote:
        """Take all steps except the acceptance of the TCB status."""
        return self.verified_under(self.collateral_facts())

    def verified_under(self, facts: CollateralFacts) -> VerifiedQuote:
        """Take the steps that follow :meth:`collateral_facts`."""
        judgement, pck, leaf = self.genuine(facts)
        leaf_window = Window("PCK certificate", leaf.not_before, leaf.not_after)
        return VerifiedQuote(
            tee=self.quote.tee,
            status=judgement.status,
            advisory_ids=judgement.advisory_ids,
            advisories=judgement.advisories,
            workload=workload_id(self.quote),
            report_data=self.quote.report_data,
            fmspc=pck.fmspc,
            pce_id=pck.pce_id,
            ppid=pck.ppid,
            evaluation_number=facts.evaluation_number,
            shortest=min(facts.shortest, leaf_window, key=lambda window: window.end),
            development=self.root.development,
            quote=self.quote,
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """The converged TCB status, the advisories behind it, each once, and the commitment to them."""

    status: TcbStatus
    advisory_ids: tuple[str, ...]
    advisories: bytes

    @classmethod
    def of(
        cls, platform: Standing, module: Standing | None, quoting_enclave: Standing
    ) -> Judgement:
        """Converge the standing of the platform with those of its parts.

        :raises TcbRevokedError: one of them is revoked
        """
        parts = [part for part in (module, quoting_enclave) if part is not None]
        status = platform.status
        for part in parts:
            status = converge(status, part.status)
        if status is TcbStatus.REVOKED:
            raise TcbRevokedError("The platform's TCB is revoked.")
        named = [advisory for part in (platform, *parts) for advisory in part.advisory_ids or ()]
        commitment = advisory_commitment(
            status,
            platform.advisory_ids,
            (module.advisory_ids or ()) if module is not None else (),
            quoting_enclave.advisory_ids or (),
        )
        return cls(status, tuple(dict.fromkeys(named)), commitment)


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


def require_attributes(body: TdReport | SgxReport) -> None:
    """Refuse a TD or enclave that the host can look into, or with attributes that weaken it.

    :raises DebugEnabledError: it is under debug
    :raises TdAttributesRefusedError: a TD attribute or SEAM attribute is set or missing
    :raises EnclaveAttributesRefusedError: an SGX attribute is set or missing
    """
    if isinstance(body, SgxReport):
        _require_sgx_attributes(body)
    else:
        _require_td_attributes(body)


def _require_sgx_attributes(body: SgxReport) -> None:
    flags = int.from_bytes(body.attributes[:8], "little")
    if flags & SGX_FLAG_DEBUG:
        raise DebugEnabledError(
            "The enclave runs in debug mode.",
            got=f"ATTRIBUTES {flags:#018x}",
            expected="bit 1 clear",
        )
    if flags & ~SGX_FLAGS_ALLOWED or flags & SGX_FLAGS_REQUIRED != SGX_FLAGS_REQUIRED:
        raise EnclaveAttributesRefusedError(
            "The enclave holds the provisioning or launch key, or has attributes that are not known.",
            got=f"ATTRIBUTES {flags:#018x}",
            expected=f"within {SGX_FLAGS_ALLOWED:#018x}, and bit 0 (INIT)",
        )


def _require_td_attributes(body: TdReport) -> None:
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
    missing = attributes & TD_ATTRIBUTES_REQUIRED != TD_ATTRIBUTES_REQUIRED
    if missing or attributes & ~TD_ATTRIBUTES_ALLOWED:
        raise TdAttributesRefusedError(
            "The TD's attributes weaken it, or are not known.",
            got=f"TDATTRIBUTES {attributes:#018x}",
            expected=f"within {TD_ATTRIBUTES_ALLOWED:#018x}, and bit 28 (SEPT_VE_DISABLE)",
        )
    if any(body.seam_attributes):
        raise TdAttributesRefusedError(
            "The TDX module has attributes.",
            got=f"SEAMATTRIBUTES {body.seam_attributes.hex()}",
            expected="8 zero bytes",
        )
