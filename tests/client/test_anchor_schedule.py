"""When a change is worth a call: gathered, bounded, patient with failures."""

from __future__ import annotations

import pytest

from tests.support.audit import entry
from xmtp_tee.client.anchor_schedule import (
    DAY,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    TRAFFIC,
    Pace,
    Schedule,
    matters,
)
from xmtp_tee.policy.operations import OPERATIONS

PACE = Pace(soon=10.0, later=100.0, per_day=3)


def test_nothing_changed_calls_nothing() -> None:
    assert not Schedule(PACE).may_call(1e9)


@pytest.mark.parametrize(("important", "wait"), [(True, 10.0), (False, 100.0)])
def test_change_waits_for_others_and_no_longer(important: bool, wait: float) -> None:
    schedule = Schedule(PACE)
    schedule.changed(50.0, matters=important)
    assert not schedule.may_call(50.0 + wait - 0.1)
    # Later ones do not put it off.
    schedule.changed(50.0 + wait - 0.1, matters=important)
    assert schedule.may_call(50.0 + wait)
    schedule.settled()
    assert not schedule.may_call(1e9)


def test_change_that_matters_hurries_traffic_that_waits() -> None:
    schedule = Schedule(PACE)
    schedule.changed(0.0, matters=False)
    schedule.changed(5.0, matters=True)
    schedule.changed(6.0, matters=False)
    assert schedule.may_call(15.0)


def test_calls_of_a_day_are_bounded_in_any_24_hours() -> None:
    schedule = Schedule(PACE)
    calls = []
    for minute in range(2 * 24 * 60):
        now = minute * 60.0
        schedule.changed(now, matters=True)
        if schedule.may_call(now):
            schedule.called(now)
            schedule.settled()
            calls.append(now)
    assert len(calls) == 6
    assert all(later - earlier >= DAY for earlier, later in zip(calls, calls[3:], strict=False))


def test_call_that_failed_counts_as_paid() -> None:
    schedule = Schedule(Pace(0.0, 0.0, per_day=1))
    schedule.changed(0.0, matters=True)
    schedule.called(0.0)
    schedule.failed(0.0, 0.0)
    assert not schedule.may_call(DAY - 1)
    assert schedule.may_call(DAY)


def test_pauses_double_to_a_bound_and_end_with_a_success() -> None:
    schedule = Schedule(Pace(0.0, 0.0, 100))
    schedule.changed(0.0, matters=True)
    pauses = [schedule.failed(0.0, 0.0) for _ in range(50)]
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE == max(pauses)
    assert not schedule.may_call(LONGEST_PAUSE - 1)
    schedule.succeeded()
    assert schedule.may_call(1.0)
    assert schedule.failed(1.0, 1.0) == FIRST_PAUSE / 2


@pytest.mark.parametrize(("soon", "later", "per_day"), [(2, 1, 1), (-1, 1, 1), (1, 2, 0)])
def test_impossible_pace_is_refused(soon: float, later: float, per_day: int) -> None:
    with pytest.raises(ValueError, match="later"):
        Pace(soon, later, per_day)


def test_traffic_names_operations_that_there_are() -> None:
    assert TRAFFIC - {"checkpoint"} <= set(OPERATIONS)
    # What ends a key, a permission or a policy is never traffic.
    for operation in ("destroy-key", "delete-key", "trim-key", "apply-policy", "xmtp-revoke"):
        assert operation in OPERATIONS
        assert operation not in TRAFFIC


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ([], False),
        ([("get-key", 5)], False),
        ([("destroy-key", 5)], False),
        ([("destroy-key", 6)], True),
        ([("xmtp-send", 6), ("xmtp-send", 7)], False),
        # A question after a message has changed nothing.
        ([("xmtp-send", 6), ("get-key", 6)], False),
        ([("xmtp-send", 6), ("rotate-key", 7), ("xmtp-send", 8)], True),
        ([("checkpoint", 6)], False),
        ([("recovered", 6)], True),
        ([("an-operation-of-tomorrow", 6)], True),
    ],
)
def test_change_matters_unless_it_is_traffic(log: list[tuple[str, int]], expected: bool) -> None:
    assert matters([entry(name, epoch) for name, epoch in log], 5) is expected
