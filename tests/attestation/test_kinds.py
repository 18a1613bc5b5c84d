"""Sets of TEE kinds as the contracts write them."""

from __future__ import annotations

import itertools

import pytest

from xmtp_tee.attestation.kinds import TeeKind, bits_of, kinds_in

KINDS = [kind for kind in TeeKind if kind is not TeeKind.NONE]


def test_every_set_of_kinds_has_one_number() -> None:
    seen = set()
    for size in range(len(KINDS) + 1):
        for kinds in itertools.combinations(KINDS, size):
            number = bits_of(kinds)
            assert kinds_in(number) == kinds
            seen.add(number)
    assert seen == set(range(0, 0x20, 2))


def test_kind_named_twice_is_in_the_set_once() -> None:
    assert bits_of([TeeKind.TDX, TeeKind.TDX]) == 1 << 2


@pytest.mark.parametrize("number", [1, 3, 0x20, 0xFF, -1])
def test_bit_of_no_kind_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="unknown bits"):
        kinds_in(number)
