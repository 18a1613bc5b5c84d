"""When a change of the store is worth a call to the FreshnessAnchor contract. No I/O: times are passed in.

Changes are gathered: the first that matters waits ``soon`` for more of them, one that is traffic waits
``later``. However many there are, no more than ``per_day`` calls are made in any 24 hours, and none while
a failure's pause lasts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from xmtp_tee.audit.entry import CHECKPOINT, AuditEntry

DAY: Final = 86_400.0
FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 900.0

TRAFFIC: Final = frozenset(
    {
        CHECKPOINT,
        "aead-open",
        "aead-seal",
        "compute-mac",
        "get-freshness",
        "hpke-open",
        "hpke-seal",
        "ping",
        "read-audit",
        "shared-secret",
        "sign",
        "sign-anchor",
        "verify-mac",
        "xmtp-create",
        "xmtp-drop-commit",
        "xmtp-find-welcome",
        "xmtp-join",
        "xmtp-learn",
        "xmtp-new-key-package",
        "xmtp-process",
        "xmtp-rename",
        "xmtp-renew-keys",
        "xmtp-send",
    }
)
"""Operations that change the store by being used: counters, and the states of conversations. All others
matter, unknown ones too.
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that a change waits for others: ``soon`` one that matters, ``later`` the rest.

    ``per_day``: calls in any 24 hours.
    """

    soon: float = 15.0
    later: float = 3600.0
    per_day: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.soon <= self.later or self.per_day < 1:
            raise ValueError("soon is not later than later, and there is one call a day at least")


def matters(entries: Iterable[AuditEntry], epoch: int) -> bool:
    """Whether the audit log has a change after ``epoch`` that is more than traffic.

    ``entries``: in order. An entry stands for a change when the store's epoch is greater after it than
    it was after all entries before.
    """
    for entry in entries:
        if entry.epoch > epoch:
            if entry.operation not in TRAFFIC:
                return True
            epoch = entry.epoch
    return False


class Schedule:
    """What is to be done, from what was seen."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._calls: deque[float] = deque()
        self._due: float | None = None
        self._failures = 0
        self._paused_until = 0.0

    def changed(self, now: float, *, matters: bool) -> None:
        """The store is ahead of its anchor."""
        due = now + (self._pace.soon if matters else self._pace.later)
        self._due = due if self._due is None else min(self._due, due)

    def settled(self) -> None:
        """The anchor is as far as the store."""
        self._due = None

    def may_call(self, now: float) -> bool:
        """Whether the anchor is to be moved now."""
        while self._calls and self._calls[0] <= now - DAY:
            self._calls.popleft()
        return (
            self._due is not None
            and now >= self._due
            and now >= self._paused_until
            and len(self._calls) < self._pace.per_day
        )

    def called(self, now: float) -> None:
        """A transaction was sent, whatever came of it: each counts."""
        self._calls.append(now)

    def failed(self, now: float, jitter: float) -> float:
        """Something did not answer; return the pause in seconds, each twice as long as the one before.

        ``jitter``: random, 0 to 1; it shortens the pause by up to a half, so that not everybody comes
        back at once.
        """
        pause = min(FIRST_PAUSE * 2.0 ** min(self._failures, 32), LONGEST_PAUSE)
        pause *= 1 - jitter / 2
        self._failures += 1
        self._paused_until = now + pause
        return pause

    def succeeded(self) -> None:
        """Everything answered."""
        self._failures = 0
        self._paused_until = 0.0
