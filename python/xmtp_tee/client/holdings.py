"""What a verifier has, until when, and what must be renewed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

METRIC = "xmtp_tee_collateral_lapse_timestamp_seconds"


class State(IntEnum):
    """How a piece stands, from good to bad."""

    UNUSED = 0
    IN_FORCE = 1
    DUE = 2
    LAPSED = 3
    MISSING = 4

    @property
    def label(self) -> str:
        """The word that is printed."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Holding:
    """A piece that the verifier has or lacks.

    ``until`` is the unix time until which it is meant to be used (a certificate's expiry, the others' next update);
    0 when it is missing. It counts ``grace`` seconds longer. ``in_use`` is false where nothing depends on it any more:
    a TCB signer whose texts have all been replaced.
    """

    what: str
    until: int
    component: str = ""
    subject: str = ""
    grace: int = 0
    in_use: bool = True

    @property
    def lapses_at(self) -> int:
        """The first second at which the contract does not use it any more; 0 when it is missing."""
        return self.until + self.grace if self.until else 0

    def state(self, now: int, within: int = 0) -> State:
        """Return how it stands at ``now``; due when it is to be renewed within that many seconds."""
        if not self.in_use:
            return State.UNUSED
        if not self.until:
            return State.MISSING
        if now >= self.lapses_at:
            return State.LAPSED
        return State.DUE if self.until - now <= within else State.IN_FORCE

    def as_dict(self, now: int, within: int = 0) -> dict[str, object]:
        """Return the object that ``--json`` prints."""
        return {
            "what": self.what,
            "component": self.component,
            "subject": self.subject,
            "state": self.state(now, within).label,
            "until": self.until or None,
            "lapses_at": self.lapses_at or None,
            "in_use": self.in_use,
        }


def worst(holdings: Iterable[Holding], now: int, within: int) -> State:
    """Return the worst state; MISSING when nothing is held at all."""
    return max((holding.state(now, within) for holding in holdings), default=State.MISSING)


def metrics(holdings: Iterable[Holding], now: int) -> list[str]:
    """Return Prometheus' text format: when each piece in use stops to count, 0 for what is missing."""
    lines = [
        f"# HELP {METRIC} When the verifier stops to use this piece, unix seconds; 0 if it has none.",
        f"# TYPE {METRIC} gauge",
    ]
    lines += [
        f'{METRIC}{{component="{holding.component}",subject="{holding.subject}"}} {holding.lapses_at}'
        for holding in holdings
        if holding.in_use
    ]
    judged = "xmtp_tee_collateral_judged_timestamp_seconds"
    lines += [
        f"# HELP {judged} The chain's time at which this was read, unix seconds.",
        f"# TYPE {judged} gauge",
        f"{judged} {now}",
    ]
    return lines
