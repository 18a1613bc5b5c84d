"""The verdict on SGX and TDX attestations: one line per link of the chain of proof, in its order.

A line that was not looked at says so; it never passes. :func:`verify_attestation` is the same judgement for
programs: it raises the first failure. :mod:`xmtp_tee.attestation.offline` judges the evidence of any TEE.
"""

from __future__ import annotations

from collections.abc import Collection

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.acceptance import ACCEPTED_BY_DEFAULT, require_accepted_status
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.errors import (
    DebugEnabledError,
    EnclaveAttributesRefusedError,
    QuotingEnclaveRefusedError,
    TcbLevelNotFoundError,
    TcbRevokedError,
    TdAttributesRefusedError,
    TeeTypeUnsupportedError,
)
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
from xmtp_tee.attestation.quote import Quote, parse_quote
from xmtp_tee.attestation.roots import Root, read_root
from xmtp_tee.attestation.verify import Examination, VerifiedQuote
from xmtp_tee.attestation.workload import workload_id
from xmtp_tee.dates import show_time
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.verdict import CheckResult, Verdict

__all__ = [
    "BINDING",
    "CHAIN",
    "COLLATERAL",
    "DEBUG_OFF",
    "FORMAT",
    "FRESHNESS",
    "LINES",
    "QUOTING_ENCLAVE",
    "REGISTRY",
    "ROOT",
    "SIGNATURES",
    "TCB_LEVEL",
    "WORKLOAD",
    "judge_attestation",
    "judge_dcap",
    "verify_attestation",
]

COLLATERAL = "collateral in force"
QUOTING_ENCLAVE = "quoting enclave"

LINES = (
    FORMAT,
    COLLATERAL,
    SIGNATURES,
    QUOTING_ENCLAVE,
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
    COLLATERAL: "Old collateral does not know of what was revoked or broken since.",
    SIGNATURES: "They lead from the root through the platform's certificate and the quoting enclave to the "
    "report; dcap-qvl verifies the quote's signature, the QE report and the PCK chain as one.",
    QUOTING_ENCLAVE: "Only Intel's quoting enclave makes the attestation key mean something.",
    TCB_LEVEL: "Genuine hardware without its security updates can be broken.",
    DEBUG_OFF: "The host reads and writes the memory of a TD in debug mode.",
}
_VENDOR_ROOT = "Intel SGX Root CA"


def judge_attestation(
    attestation: Attestation,
    collateral: Collateral,
    root_ca_der: bytes,
    now: int,
    expected_workloads: Collection[bytes] | None = None,
    expected_chain_id: int | None = None,
    expected_registry: bytes | None = None,
    accept: Collection[TcbStatus] = ACCEPTED_BY_DEFAULT,
) -> Verdict:
    """Judge an attestation offline, under a pinned root, at ``now`` (unix seconds).

    ``expected_workloads`` (32-byte ids), ``expected_chain_id`` and ``expected_registry`` (20 bytes) are compared
    where given, else their lines say that they were not checked. Evidence never makes this raise.

    :raises FieldError: the root is not a root certificate, or ``accept`` holds a status that nobody accepts
    """
    judgement, level = judge_dcap(
        attestation,
        collateral,
        root_ca_der,
        now,
        Expectations(expected_workloads, expected_chain_id, expected_registry),
        accept,
    )
    return judgement.verdict(attestation, now, level)


def verify_attestation(
    attestation: Attestation,
    collateral: Collateral,
    root_ca_der: bytes,
    now: int,
    expected_workloads: Collection[bytes] | None = None,
    expected_chain_id: int | None = None,
    expected_registry: bytes | None = None,
    accept: Collection[TcbStatus] = ACCEPTED_BY_DEFAULT,
) -> Verdict:
    """Like :func:`judge_attestation`, but raise the typed error of the first line that fails.

    :raises InvalidEvidenceError: the evidence proves nothing
    :raises UnavailableError: collateral is not in force
    :raises RefusedByPolicyError: genuine, and refused
    """
    judgement, level = judge_dcap(
        attestation,
        collateral,
        root_ca_der,
        now,
        Expectations(expected_workloads, expected_chain_id, expected_registry),
        accept,
    )
    error = judgement.first_error()
    if error is not None:
        raise error
    return judgement.verdict(attestation, now, level)


def judge_dcap(
    attestation: Attestation,
    collateral: Collateral,
    root_ca_der: bytes,
    now: int,
    expected: Expectations,
    accept: Collection[TcbStatus],
) -> tuple[Judgement, AssuranceLevel]:
    """Judge as :func:`judge_attestation` does; return the lines before they are a verdict, and the level.

    :raises FieldError: the root is not a root certificate, or ``accept`` holds a status that nobody accepts
    """
    root = read_root(root_ca_der)
    require_accepted_status(TcbStatus.UP_TO_DATE, (), {*accept, TcbStatus.UP_TO_DATE})
    judgement = Judgement(LINES, _WHY)
    level = judgement.root(
        development=root.development,
        shown=root.key_hash.hex() if root.development else _VENDOR_ROOT,
        expected=_VENDOR_ROOT,
    )
    judgement.add(
        FRESHNESS, CheckResult.NOT_CHECKED, "only the chain knows which blocks are recent"
    )
    quote = judgement.attempt(FORMAT, lambda: parse_quote(attestation.quote))
    if quote is None:
        return judgement, level
    if quote.tee is not attestation.tee:
        judgement.fail(
            FORMAT,
            TeeTypeUnsupportedError(
                "The quote is of another kind of TEE than the evidence claims.",
                got=quote.tee.label,
                expected=attestation.tee.label,
            ),
        )
        return judgement, level
    judgement.add(FORMAT, CheckResult.PASS, quote.format_name, "SGX 3, TDX 4 or TDX 5")
    if _judge_genuine(judgement, quote, collateral, root, now, accept):
        judgement.content(attestation, workload_id(quote), quote.report_data, expected)
    return judgement, level


def _judge_genuine(
    judgement: Judgement,
    quote: Quote,
    collateral: Collateral,
    root: Root,
    now: int,
    accept: Collection[TcbStatus],
) -> bool:
    """Judge collateral, signatures, TCB and debug; return whether the report's content is signed."""
    examination = Examination(quote, collateral, root.certificate.der, now)
    facts = judgement.attempt(COLLATERAL, examination.collateral_facts)
    if facts is None:
        return False
    shortest = facts.shortest
    judgement.add(
        COLLATERAL, CheckResult.PASS, f"until {show_time(shortest.end)} ({shortest.name})"
    )
    try:
        verified = examination.verified_under(facts)
    except QuotingEnclaveRefusedError as error:
        # dcap-qvl stops here, before the quote's own signature.
        judgement.fail(QUOTING_ENCLAVE, error)
        return False
    except (TcbLevelNotFoundError, TcbRevokedError) as error:
        _pass_signatures(judgement)
        judgement.fail(TCB_LEVEL, error)
        return True
    except (
        DebugEnabledError,
        TdAttributesRefusedError,
        EnclaveAttributesRefusedError,
    ) as error:
        _pass_signatures(judgement)
        judgement.add(TCB_LEVEL, CheckResult.NOT_CHECKED, "not reported for refused attributes")
        judgement.fail(DEBUG_OFF, error)
        return True
    except XmtpTeeError as error:
        judgement.fail(SIGNATURES, error)
        return False
    _pass_signatures(judgement)
    judgement.add(DEBUG_OFF, CheckResult.PASS, "off", "off")
    _judge_status(judgement, verified, accept)
    return True


def _pass_signatures(judgement: Judgement) -> None:
    judgement.add(
        SIGNATURES,
        CheckResult.PASS,
        "quote, QE report, PCK chain, TCB info, QE identity and CRLs, verified as one by dcap-qvl",
    )
    judgement.add(QUOTING_ENCLAVE, CheckResult.PASS, "as the QE identity describes it")


def _judge_status(
    judgement: Judgement, verified: VerifiedQuote, accept: Collection[TcbStatus]
) -> None:
    def accepted() -> bool:
        require_accepted_status(verified.status, verified.advisory_ids, accept)
        return True

    if judgement.attempt(TCB_LEVEL, accepted):
        judgement.add(
            TCB_LEVEL,
            CheckResult.PASS if verified.status is TcbStatus.UP_TO_DATE else CheckResult.WARN,
            f"{verified.tcb_status} (evaluation data number {verified.evaluation_number})",
            " or ".join(sorted(status.intel_name for status in accept)),
        )
