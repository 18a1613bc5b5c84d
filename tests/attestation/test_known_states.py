"""Known states as a file: one form, and nothing else is taken for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.known_states import KnownState, KnownStates

STATES = KnownStates(
    bytes(range(20)), (KnownState(1, b"\x01" * 24), KnownState(2**64 - 1, b"\x02" * 32))
)


def test_states_survive_the_file() -> None:
    assert KnownStates.from_json(STATES.to_json()) == STATES


def document(**changes: Any) -> str:
    return json.dumps(json.loads(STATES.to_json()) | changes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        document(format=2),
        document(authority="0x1234"),
        document(authority=7),
        document(states=[]),
        document(states={}),
        document(states=[{"epoch": 1}]),
        document(states=[{"epoch": True, "chain": "0x" + "00" * 24}]),
        document(states=[{"epoch": "1", "chain": "0x" + "00" * 24}]),
        document(states=[{"epoch": 1, "chain": "00" * 24}]),
        document(states=[{"epoch": 1, "chain": "0xzz"}]),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(FieldError):
        KnownStates.from_json(text)


@pytest.mark.parametrize(
    ("epoch", "size"), [(0, 24), (-1, 24), (1 << 64, 24), (1, 0), (1, 23), (1, 25), (1, 33)]
)
def test_state_out_of_range_is_refused(epoch: int, size: int) -> None:
    with pytest.raises(FieldError):
        KnownState(epoch, bytes(size))
