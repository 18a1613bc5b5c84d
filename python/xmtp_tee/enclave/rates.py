"""Counting in time: at most so many in any so many seconds.

Counts live in memory: they begin anew when the enclave restarts, which the host can bring about. What must
hold over restarts is a number of uses (``KeyLimits.max_uses``), which is on disk before it is used.
"""

from __future__ import annotations

from collections import deque
from typing import Final

_SLOTS: Final = 60


class Meter:
    """At most ``count`` in any ``seconds``.

    Time is cut into slots of a sixtieth of the window, at least a second; a slot counts until all
    of it has left the window, so the limit is never exceeded, and may hold a slot longer.
    """

    __slots__ = ("_count", "_seconds", "_slots", "_sum", "_width")

    def __init__(self, count: int, seconds: int) -> None:
        self._count = count
        self._seconds = seconds
        self._width = max(1, seconds // _SLOTS)
        self._slots: deque[list[int]] = deque()
        self._sum = 0

    def take(self, now: int) -> bool:
        """Count one at ``now`` (unix seconds) and return True; or False if that is one too many."""
        slots = self._slots
        while slots and (slots[0][0] + 1) * self._width + self._seconds <= now + 1:
            self._sum -= slots.popleft()[1]
        if self._sum >= self._count:
            return False
        slot = now // self._width
        # A clock that was put back counts into the newest slot: it gives nothing back.
        if slots and slots[-1][0] >= slot:
            slots[-1][1] += 1
        else:
            slots.append([slot, 1])
        self._sum += 1
        return True

    def __str__(self) -> str:
        return f"{self._count} in {self._seconds} s"
