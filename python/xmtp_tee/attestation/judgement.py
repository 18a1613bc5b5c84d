"""What the verdicts of all TEEs share: collecting lines, and judging what every report carries.

A line that was not looked at says so; it never passes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.errors import BindingMismatchError, WorkloadNotTrustedError
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.errors import ExitCode, XmtpTeeError
from xmtp_tee.verdict import Check, CheckResult, Verdict

T = TypeVar("T")

FORMAT = "quote format"
SIGNATURES = "signatures"
TCB_LEVEL = "TCB level"
DEBUG_OFF = "debug off"
WORKLOAD = "workload"
BINDING = "report data"
CHAIN = "chain"
REGISTRY = "registry"
FRESHNESS = "block freshness"
ROOT = "root"

WHY: Mapping[str, str] = {
    FORMAT: "A quote with two readings could be verified in one and used in the other.",
    WORKLOAD: "Genuine hardware runs any code: the measurement says which.",
    BINDING: "The quote must speak of this enclave's own keys, or it belongs to another.",
    CHAIN: "Evidence for another chain could be replayed here.",
    REGISTRY: "Evidence for another registry could be replayed here.",
    FRESHNESS: "The bound block shows that the quote is not older than it; only the chain can tell.",
    ROOT: "Everything above holds only as far as the root is trusted.",
}
NOT_SHOWN = (
    "That the code behind the workload id deserves trust: see the policy's source and commit.",
    "That the bound block exists and is recent: the chain decides that.",
    "That the hardware was not attacked physically or through side channels.",
    "Which keys the enclave certified: their certificates show that.",
)


@dataclass(frozen=True, slots=True)
class Expectations:
    """What a report is compared with where it is given: 32-byte workload ids, the chain's id, 20 bytes of registry."""

    workloads: Collection[bytes] | None = None
    chain_id: int | None = None
    registry: bytes | None = None


@dataclass(slots=True)
class Judgement:
    """Collects lines; the errors stand beside them in the same order.

    ``lines`` are the names in the order of the chain of proof, ``why`` says of each why it matters.
    """

    lines: tuple[str, ...]
    why: Mapping[str, str]
    checks: dict[str, Check] = field(default_factory=dict)
    errors: dict[str, XmtpTeeError] = field(default_factory=dict)

    def add(
        self, name: str, result: CheckResult, got: str | None = None, expected: str | None = None
    ) -> None:
        """Put a line in."""
        self.checks[name] = Check(name, result, got, expected, self.why[name])

    def fail(self, name: str, error: XmtpTeeError) -> None:
        """Put a failed line in, in the error's words."""
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
            self.why[name],
            ExitCode(error.exit_code),
        )

    def attempt(self, name: str, step: Callable[[], T]) -> T | None:
        """Take a step; turn its typed error into a failed line and None."""
        try:
            return step()
        except XmtpTeeError as error:
            self.fail(name, error)
            return None

    def first_error(self) -> XmtpTeeError | None:
        """The error of the first line that failed."""
        return next((self.errors[name] for name in self.lines if name in self.errors), None)

    def root(self, *, development: bool, shown: str, expected: str) -> AssuranceLevel:
        """State which root is pinned; return the most that evidence under it can support."""
        if development:
            self.add(
                ROOT,
                CheckResult.WARN,
                f"DEVELOPMENT root {shown}: simulated, anyone can forge this",
                expected,
            )
            return AssuranceLevel.SIMULATED
        self.add(ROOT, CheckResult.PASS, shown, expected)
        return AssuranceLevel.CVM

    def content(
        self,
        attestation: Attestation,
        workload: bytes,
        report_data: bytes,
        expected: Expectations,
    ) -> None:
        """Judge a signed report: which code it measured, what it binds, and whether that is meant for the reader."""
        self._workload(workload, expected.workloads)
        bound = attestation.binding.report_data()
        if report_data != bound:
            self.fail(
                BINDING,
                BindingMismatchError(
                    "The quote does not bind this authority, transport key, chain, registry and block.",
                    got=f"0x{report_data.hex()}",
                    expected=f"0x{bound.hex()}",
                ),
            )
            return
        self.add(BINDING, CheckResult.PASS, f"0x{report_data[:32].hex()}", f"0x{bound[:32].hex()}")
        self._claim(CHAIN, str(attestation.chain_id), expected.chain_id, str)
        registry = checksum_address(attestation.enclave_registry)
        self._claim(REGISTRY, registry, expected.registry, checksum_address)

    def verdict(self, attestation: Attestation, now: int, level: AssuranceLevel) -> Verdict:
        """Return the verdict; lines that nothing was said of are not checked."""
        for name in self.lines:
            if name not in self.checks:
                self.add(name, CheckResult.NOT_CHECKED, "an earlier check failed")
        return Verdict(
            subject=f"enclave {checksum_address(attestation.authority)}",
            judged_at=now,
            level=AssuranceLevel.NONE if self.errors else level,
            checks=tuple(self.checks[name] for name in self.lines),
            not_shown=NOT_SHOWN,
        )

    def _workload(self, workload: bytes, trusted: Collection[bytes] | None) -> None:
        got = f"0x{workload.hex()}"
        if trusted is None:
            self.add(WORKLOAD, CheckResult.NOT_CHECKED, got, "no list of workloads given")
            return
        expected = " or ".join(f"0x{w.hex()}" for w in trusted) or "none"
        if workload in trusted:
            self.add(WORKLOAD, CheckResult.PASS, got, expected)
        else:
            self.fail(
                WORKLOAD,
                WorkloadNotTrustedError(
                    "The workload is not among the expected ones.", got=got, expected=expected
                ),
            )

    def _claim(self, name: str, got: str, expected: T | None, show: Callable[[T], str]) -> None:
        if expected is None:
            self.add(name, CheckResult.NOT_CHECKED, got, f"no {name} given")
        elif got == show(expected):
            self.add(name, CheckResult.PASS, got, show(expected))
        else:
            self.fail(
                name,
                BindingMismatchError(
                    f"The attestation is for another {name}.", got=got, expected=show(expected)
                ),
            )
