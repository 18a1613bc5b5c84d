"""The calendar without a clock, against Python's own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.xmtp.calendar_time import MAX_TIME, from_text, to_text

FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@given(st.integers(0, MAX_TIME))
def test_times_are_pythons_both_ways(seconds: int) -> None:
    text = datetime.fromtimestamp(seconds, UTC).strftime(FORMAT)
    assert to_text(seconds) == text
    assert from_text(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29T00:00:00Z",
        "2000-02-29T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ],
)
def test_the_edges_of_the_calendar_come_back(text: str) -> None:
    assert to_text(from_text(text)) == text


@given(st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", fullmatch=True))
def test_a_text_is_read_exactly_when_python_reads_it(text: str) -> None:
    try:
        expected = int(datetime.strptime(text, FORMAT).replace(tzinfo=UTC).timestamp())
    except ValueError:
        expected = -1
    try:
        found = from_text(text)
    except ValueError:
        found = -1
    assert found == (expected if expected >= 0 else -1)


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "1969-12-31T23:59:59Z",
        "\uff12024-01-01T00:00:00Z",
        "",
    ],
)
def test_times_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        from_text(text)


@pytest.mark.parametrize("seconds", [-1, MAX_TIME + 1])
def test_times_outside_the_range_are_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="not within"):
        to_text(seconds)
