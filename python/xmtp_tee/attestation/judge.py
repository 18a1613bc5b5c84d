"""The verdict on an attestation: one line per link of the chain of proof, in its order.

A line that was not looked at says so; it never passes. :func:`verify_attestation` is the same judgement for
programs: it raises the first failure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypeVar

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.collateral_facts import show_time
from xmtp_tee.attestation.errors import (
    BindingMismatchError,
    DebugEnabledError,
    EnclaveAttributesRefusedError,
    QuotingEnclaveRefusedError,
    TcbLevelNotFoundError,
    TcbRevokedError,
    TdAttributesRefusedError,
    TeeTypeUnsupportedError,
    WorkloadNotTrustedError,
)
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.kinds import TcbStatus
from xmtp_tee.attestation.quote import Quote, parse_quote
from xmtp_tee.attestation.roots import Root, read_root
from xmtp_tee.attestation.verify import (
    ACCEPTED_BY_DEFAULT,
    Examination,
    VerifiedQuote,
    require_accepted_status,
)
from xmtp_tee.attestation.workload import workload_id
from xmtp_tee.errors import ExitCode, XmtpTeeError
from xmtp_tee.verdict import Check, CheckResult, Verdict

T = TypeVar("T")

FORMAT = "quote format"
COLLATERAL = "collateral in force"
SIGNATURES = "signatures"
QUOTING_ENCLAVE = "quoting enclave"
TCB_LEVEL = "TCB level"
DEBUG_OFF = "debug off"
WORKLOAD = "workload"
BINDING = "report data"
CHAIN = "chain"
REGISTRY = "registry"
FRESHNESS = "block freshness"
ROOT = "root"

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
    FORMAT: "A quote with two readings could be verified in one and used in the other.",
    COLLATERAL: "Old collateral does not know of what was revoked or broken since.",
    SIGNATURES: "They lead from the root through the platform's certificate and the quoting enclave to the "
    "report; dcap-qvl verifies the quote's signature, the QE report and the PCK chain as one.",
    QUOTING_ENCLAVE: "Only Intel's quoting enclave makes the attestation key mean something.",
    TCB_LEVEL: "Genuine hardware without its security updates can be broken.",
    DEBUG_OFF: "The host reads and writes the memory of a TD in debug mode.",
    WORKLOAD: "Genuine hardware runs any code: the measurement says which.",
    BINDING: "The quote must speak of this enclave's own keys, or it belongs to another.",
    CHAIN: "Evidence for another chain could be replayed here.",
    REGISTRY: "Evidence for another registry could be replayed here.",
    FRESHNESS: "The bound block shows that the quote is not older than it; only the chain can tell.",
    ROOT: "Everything above holds only as far as the root is trusted.",
}
_NOT_SHOWN = (
    "That the code behind the workload id deserves trust: see the policy's source and commit.",
    "That the bound block exists and is recent: the chain decides that.",
    "That the hardware was not attacked physically or through side channels.",
    "Which keys the enclave certified: their certificates show that.",
)


@dataclass(slots=True)
class _Judgement:
    """Collects lines; the errors stand beside them in the same order."""

    checks: dict[str, Check] = field(default_factory=dict)
    errors: dict[str, XmtpTeeError] = field(default_factory=dict)

    def add(
        self, name: str, result: CheckResult, got: str | None = None, expected: str | None = None
    ) -> None:
        self.checks[name] = Check(name, result, got, expected, _WHY[name])

    def fail(self, name: str, error: XmtpTeeError) -> None:
        said = [
            error.message,
            *([error.got] if error.got else []),
            *([error.cause] if error.cause else []),
        ]
        self.errors[name] = error
        self.checks[name] = Check(
            name,
            CheckResult.FAIL,
            "; ".join(said),
            error.expected,
            _WHY[name],
            ExitCode(error.exit_code),
        )

    def finish(self, reason: str) -> tuple[Check, ...]:
        for name in LINES:
            if name not in self.checks:
                self.add(name, CheckResult.NOT_CHECKED, reason)
        return tuple(self.checks[name] for name in LINES)

    def first_error(self) -> XmtpTeeError | None:
        return next((self.errors[name] for name in LINES if name in self.errors), None)


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
    judgement, level = _judge(
        attestation,
        collateral,
        root_ca_der,
        now,
        expected_workloads,
        expected_chain_id,
        expected_registry,
        accept,
    )
    return _verdict(attestation, now, judgement, level)


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
    judgement, level = _judge(
        attestation,
        collateral,
        root_ca_der,
        now,
        expected_workloads,
        expected_chain_id,
        expected_registry,
        accept,
    )
    error = judgement.first_error()
    if error is not None:
        raise error
    return _verdict(attestation, now, judgement, level)


def _verdict(
    attestation: Attestation, now: int, judgement: _Judgement, level: AssuranceLevel
) -> Verdict:
    return Verdict(
        subject=f"enclave {checksum_address(attestation.authority)}",
        judged_at=now,
        level=AssuranceLevel.NONE if judgement.errors else level,
        checks=judgement.finish("an earlier check failed"),
        not_shown=_NOT_SHOWN,
    )


def _judge(
    attestation: Attestation,
    collateral: Collateral,
    root_ca_der: bytes,
    now: int,
    expected_workloads: Collection[bytes] | None,
    expected_chain_id: int | None,
    expected_registry: bytes | None,
    accept: Collection[TcbStatus],
) -> tuple[_Judgement, AssuranceLevel]:
    root = read_root(root_ca_der)
    require_accepted_status(TcbStatus.UP_TO_DATE, (), {*accept, TcbStatus.UP_TO_DATE})
    judgement = _Judgement()
    level = _judge_root(judgement, root)
    judgement.add(
        FRESHNESS, CheckResult.NOT_CHECKED, "only the chain knows which blocks are recent"
    )
    quote = _attempt(judgement, FORMAT, lambda: parse_quote(attestation.quote))
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
        _judge_content(judgement, quote, attestation, expected_workloads)
        _judge_claims(judgement, attestation, expected_chain_id, expected_registry)
    return judgement, level


def _judge_root(judgement: _Judgement, root: Root) -> AssuranceLevel:
    """State which root is pinned; return the most that evidence under it can support."""
    if root.development:
        judgement.add(
            ROOT,
            CheckResult.WARN,
            f"DEVELOPMENT root {root.key_hash.hex()}: simulated, anyone can forge this",
            "Intel SGX Root CA",
        )
        return AssuranceLevel.SIMULATED
    judgement.add(ROOT, CheckResult.PASS, "Intel SGX Root CA", "Intel SGX Root CA")
    return AssuranceLevel.CVM


def _judge_genuine(
    judgement: _Judgement,
    quote: Quote,
    collateral: Collateral,
    root: Root,
    now: int,
    accept: Collection[TcbStatus],
) -> bool:
    """Judge collateral, signatures, TCB and debug; return whether the report's content is signed."""
    examination = Examination(quote, collateral, root.certificate.der, now)
    facts = _attempt(judgement, COLLATERAL, examination.collateral_facts)
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


def _pass_signatures(judgement: _Judgement) -> None:
    judgement.add(
        SIGNATURES,
        CheckResult.PASS,
        "quote, QE report, PCK chain, TCB info, QE identity and CRLs, verified as one by dcap-qvl",
    )
    judgement.add(QUOTING_ENCLAVE, CheckResult.PASS, "as the QE identity describes it")


def _judge_status(
    judgement: _Judgement, verified: VerifiedQuote, accept: Collection[TcbStatus]
) -> None:
    def accepted() -> bool:
        require_accepted_status(verified.status, verified.advisory_ids, accept)
        return True

    if _attempt(judgement, TCB_LEVEL, accepted):
        judgement.add(
            TCB_LEVEL,
            CheckResult.PASS if verified.status is TcbStatus.UP_TO_DATE else CheckResult.WARN,
            f"{verified.tcb_status} (evaluation data number {verified.evaluation_number})",
            " or ".join(sorted(status.intel_name for status in accept)),
        )


def _judge_content(
    judgement: _Judgement,
    quote: Quote,
    attestation: Attestation,
    expected_workloads: Collection[bytes] | None,
) -> None:
    """Judge the signed report: which code it measured, and what it binds."""
    workload = workload_id(quote)
    if expected_workloads is None:
        judgement.add(
            WORKLOAD, CheckResult.NOT_CHECKED, f"0x{workload.hex()}", "no list of workloads given"
        )
    else:
        expected = " or ".join(f"0x{w.hex()}" for w in expected_workloads) or "none"
        if workload in expected_workloads:
            judgement.add(WORKLOAD, CheckResult.PASS, f"0x{workload.hex()}", expected)
        else:
            judgement.fail(
                WORKLOAD,
                WorkloadNotTrustedError(
                    "The workload is not among the expected ones.",
                    got=f"0x{workload.hex()}",
                    expected=expected,
                ),
            )
    got, bound = quote.report_data, attestation.binding.report_data()
    if got == bound:
        judgement.add(BINDING, CheckResult.PASS, f"0x{got[:32].hex()}", f"0x{bound[:32].hex()}")
    else:
        judgement.fail(
            BINDING,
            BindingMismatchError(
                "The quote does not bind this authority, transport key, chain, registry and block.",
                got=f"0x{got.hex()}",
                expected=f"0x{bound.hex()}",
            ),
        )


def _judge_claims(
    judgement: _Judgement,
    attestation: Attestation,
    expected_chain_id: int | None,
    expected_registry: bytes | None,
) -> None:
    """Compare what the quote binds with where the reader is. Claims that are not bound are not compared."""
    if BINDING in judgement.errors:
        return
    pairs = (
        (
            CHAIN,
            str(attestation.chain_id),
            None if expected_chain_id is None else str(expected_chain_id),
        ),
        (
            REGISTRY,
            checksum_address(attestation.enclave_registry),
            None if expected_registry is None else checksum_address(expected_registry),
        ),
    )
    for name, got, expected in pairs:
        if expected is None:
            judgement.add(name, CheckResult.NOT_CHECKED, got, f"no {name} given")
        elif got == expected:
            judgement.add(name, CheckResult.PASS, got, expected)
        else:
            judgement.fail(
                name,
                BindingMismatchError(
                    f"The attestation is for another {name}.", got=got, expected=expected
                ),
            )


def _attempt(judgement: _Judgement, name: str, step: Callable[[], T]) -> T | None:
    """Take a step; turn its typed error into a failed line and None."""
    try:
        return step()
    except XmtpTeeError as error:
        judgement.fail(name, error)
        return None
