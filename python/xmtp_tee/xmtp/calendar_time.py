"""Unix seconds as RFC 3339 text and back, in UTC and whole seconds, without the system's clock or zones.

The Gregorian calendar repeats every 400 years (146,097 days); counted from 1 March, its leap day is the last
day of a year.
"""

from __future__ import annotations

import re
from typing import Final

MAX_TIME: Final = 253_402_300_799
"""9999-12-31T23:59:59Z."""

_DAY: Final = 86_400
_ERA: Final = 146_097
_EPOCH: Final = 719_468
"""Days from 0000-03-01 to 1970-01-01."""
_SHAPE: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})Z", re.ASCII)


def to_text(seconds: int) -> str:
    """Return ``2026-11-22T18:00:00Z``.

    :raises ValueError: not within the years 1970 to 9999
    """
    if not 0 <= seconds <= MAX_TIME:
        raise ValueError(f"{seconds} is not within the years 1970 to 9999")
    days, rest = divmod(seconds, _DAY)
    era, day_of_era = divmod(days + _EPOCH, _ERA)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // (_ERA - 1)
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = era * 400 + year_of_era + (month <= 2)
    return f"{year:04}-{month:02}-{day:02}T{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}Z"


def from_text(text: str) -> int:
    """Return the unix seconds of what :func:`to_text` gives.

    :raises ValueError: any other text, a date that the calendar does not have included
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise ValueError("not a time")
    year, month, day, hour, minute, second = map(int, shape.groups())
    shifted_year = year - (month <= 2)
    era, year_of_era = divmod(shifted_year, 400)
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    seconds = (era * _ERA + day_of_era - _EPOCH) * _DAY + hour * 3600 + minute * 60 + second
    # A month 13, a 30 February or an hour 24 comes back as another time.
    if not 0 <= seconds <= MAX_TIME or to_text(seconds) != text:
        raise ValueError("no such time")
    return seconds
