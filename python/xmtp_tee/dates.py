"""Times as text. They come from files and from strangers, so no number may be too much for a calendar."""

from __future__ import annotations

from datetime import UTC, datetime

CALENDAR_END = 253_402_300_800
"""The year 10000 in unix seconds."""


def show_time(seconds: int) -> str:
    """Return unix seconds as text, UTC; the bare number when no calendar has it (milliseconds, say)."""
    if not 0 <= seconds < CALENDAR_END:
        return f"{seconds} (unix seconds)"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
