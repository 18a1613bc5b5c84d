"""The verdict: what was checked, in the order of the chain of proof, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.dates import show_time
from xmtp_tee.errors import ExitCode


class CheckResult(StrEnum):
    """The outcome of one check. A check that was skipped is never a pass."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a verdict.

    ``why`` says why the check matters (printed by ``--explain``). ``exit_code`` is what a failure of this
    check means: invalid evidence by default, refused by policy for debug, TCB, expiry and simulation.
    """

    name: str
    result: CheckResult
    got: str | None = None
    expected: str | None = None
    why: str = ""
    exit_code: ExitCode = ExitCode.INVALID_EVIDENCE

    def as_dict(self) -> dict[str, str | None]:
        """Return the check as ``--json`` prints it."""
        return {
            "name": self.name,
            "result": self.result.value,
            "got": self.got,
            "expected": self.expected,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """All checks, the assurance level they support, and what they do not show.

    ``subject`` names what was judged; ``judged_at`` is unix seconds.
    """

    subject: str
    judged_at: int
    level: AssuranceLevel
    checks: tuple[Check, ...]
    not_shown: tuple[str, ...] = field(default=())

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed, in order."""
        return tuple(check for check in self.checks if check.result is CheckResult.FAIL)

    def passed(self, name: str) -> bool:
        """Whether the check of this name was made, and passed."""
        return any(c.name == name and c.result is CheckResult.PASS for c in self.checks)

    @property
    def exit_code(self) -> ExitCode:
        """0 when at least one check passed and none failed; else the gravest failure's code.

        Invalid evidence outweighs a refusal by policy. A verdict in which nothing passed shows nothing,
        so it is not a success.
        """
        codes = {check.exit_code for check in self.failed}
        if ExitCode.INVALID_EVIDENCE in codes:
            return ExitCode.INVALID_EVIDENCE
        if codes:
            return max(codes)
        if not any(check.result is CheckResult.PASS for check in self.checks):
            return ExitCode.UNAVAILABLE
        return ExitCode.VERIFIED

    @property
    def sentence(self) -> str:
        """One dated sentence in words."""
        date = show_time(self.judged_at)
        if self.failed:
            return f"On {date}, {self.subject} did NOT verify: {self.failed[0].name} failed."
        open_checks = [c for c in self.checks if c.result is CheckResult.NOT_CHECKED]
        if self.exit_code is not ExitCode.VERIFIED:
            return f"On {date}, nothing could be checked of {self.subject}."
        if open_checks:
            return f"On {date}, {self.subject} verified, with {len(open_checks)} check(s) not made."
        return f"On {date}, {self.subject} verified in every check."

    def as_dict(self) -> dict[str, object]:
        """Return the verdict as ``--json`` prints it."""
        return {
            "subject": self.subject,
            "judged_at": self.judged_at,
            "verified": self.exit_code is ExitCode.VERIFIED,
            "exit_code": int(self.exit_code),
            "sentence": self.sentence,
            "level": self.level.label,
            "claim": self.level.claim,
            "checks": [check.as_dict() for check in self.checks],
            "not_shown": list(self.not_shown),
        }
