"""The result of a step, and the table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xmtp_tee.commands.console import table


@dataclass(frozen=True, slots=True)
class Done:
    """What a step did: a result in a few words, and the gas of its transaction if it made one.

    ``skipped``: it did nothing, for the reason in ``text``.
    """

    text: str
    gas: int | None = None
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A step that was run, and failed unless ``ok``; one that was ``skipped`` shows nothing."""

    step: str
    ok: bool
    result: str
    gas: int | None
    seconds: float
    skipped: bool = False

    def as_dict(self) -> dict[str, object]:
        """Return the outcome as ``--json`` prints it."""
        return {
            "step": self.step,
            "ok": self.ok,
            "skipped": self.skipped,
            "result": self.result,
            "gas": self.gas,
            "seconds": round(self.seconds, 2),
        }


def closing(outcomes: Sequence[Outcome], seconds: float) -> str:
    """Return the sentence at the end; it names what was skipped."""
    failed = sum(not outcome.ok for outcome in outcomes)
    skipped = [outcome.step for outcome in outcomes if outcome.skipped]
    if failed:
        return f"{failed} step(s) did NOT do what they should."
    level = "Level: simulated (development root)."
    if skipped:
        names = "; ".join(skipped)
        return (
            f"Every step that ran did what it should, in {seconds:.1f} s; SKIPPED: {names}. {level}"
        )
    return f"Every step did what it should, in {seconds:.1f} s. {level}"


def outcome_table(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the table: step, result, gas."""
    rows = [
        (
            str(number),
            outcome.step,
            outcome.result if outcome.ok else f"FAILED: {_last_line(outcome.result)}",
            "" if outcome.gas is None else f"{outcome.gas:,}",
        )
        for number, outcome in enumerate(outcomes, 1)
    ]
    return table(("#", "step", "result", "gas"), rows, right=frozenset({0, 3}))


def _last_line(text: str) -> str:
    """A program's last words hold its error; a table has room for one line."""
    line = text.strip().splitlines()[-1] if text.strip() else ""
    return line if len(line) <= 120 else line[:117] + "..."
