"""The field of contracts/crypto/P384.sol against big integers, at the ends of the bounds that its proof states."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import islice, product
from typing import Any

import pytest

from tests.support.chain import ROOT, Chain, Reverted
from xmtp_tee.attestation.p384 import field
from xmtp_tee.attestation.p384.curve import P
from xmtp_tee.attestation.p384.field import BASIS, MODULUS, SHORT_BASIS, WORD, Pair
from xmtp_tee.attestation.p384.field import ROOT as SQRT2

REDUCE, NON_ZERO, PRODUCT, SQUARE, FROM_INTEGER, TANGENT, RETURN, FINISH, CHORD = range(9)
SHIFT = Pair(*(-(2**255) * (BASIS[0][k] + BASIS[1][k]) % MODULUS + 4 * MODULUS for k in (0, 1)))
OFFSET = field.zero_near(Pair(3 * 2**216, 3 * 2**216))

SLOPE_A, SLOPE_B = 2**200 - 1, 2**192 - 1
X_BOUND = 122 * 30 * 2**193 * 2**11 + 2**205
DIFFERENCE_BOUND = 2**219 - 1
Y_BOUND = 2**430 - 1
ZERO_TEST_BOUND = 2**442 - 1


@pytest.fixture(scope="module")
def harness(chain: Chain) -> Any:
    return chain.deploy("P384FieldHarness")


def run(
    harness: Any,
    operation: int,
    arguments: tuple[int, ...],
    state: tuple[int, ...] = (0, 0, 0, 0),
    entry: tuple[int, ...] = (0,) * 7,
) -> Any:
    padded = tuple(arguments) + (0,) * (4 - len(arguments))
    return harness.functions.run(
        operation,
        [word % WORD for word in padded],
        [word % WORD for word in state],
        [word % WORD for word in entry],
    )


def results(chain: Chain, calls: Iterator[Any]) -> Iterator[tuple[int, ...] | None]:
    """Yield the four words of each call, or None where it refused."""
    while group := list(islice(calls, 512)):
        for outcome in chain.outcomes(group):
            if isinstance(outcome, Reverted):
                assert outcome.data.hex() == "329bbfe9"
                yield None
            else:
                yield tuple(int.from_bytes(outcome[i : i + 32], "big") for i in range(0, 128, 32))


def value(pair: tuple[int, int], level: int) -> int:
    """Return the element that a pair at a level stands for."""
    return (pair[0] + pair[1] * SQRT2) * pow(WORD, -level, P) % P


def times(left: tuple[int, int], right: tuple[int, int]) -> Pair:
    return Pair(
        left[0] * right[0] + 2 * left[1] * right[1], left[0] * right[1] + left[1] * right[0]
    )


def is_zero(pair: tuple[int, int]) -> bool:
    return (pair[0] + pair[1] * SQRT2) % P == 0


def near(rng: random.Random, low: int, high: int) -> int:
    """Return an integer of [low, high], mostly at its ends, around zero or at a power of two."""
    kind = rng.randrange(5)
    if kind == 0:
        return min(high, low + rng.randrange(4))
    if kind == 1:
        return max(low, high - rng.randrange(4))
    if kind == 2:
        return max(low, min(high, rng.randrange(-3, 4)))
    if kind == 3:
        sign = 1 if low >= 0 or rng.randrange(2) else -1
        return max(
            low, min(high, sign * (2 ** rng.randrange(high.bit_length()) + rng.randrange(-1, 2)))
        )
    return rng.randrange(low, high + 1)


def element(rng: random.Random, target: tuple[int, int], element_value: int) -> Pair:
    """Return a pair of the level-1 element next to the target."""
    return field.pair_near(element_value, Pair(*target))


def split(pair: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return a y as the contract holds it: modulo 2^256 and modulo M."""
    return pair[0] % WORD, pair[1] % WORD, pair[0] % MODULUS, pair[1] % MODULUS


def test_harness_is_the_contracts_own_text() -> None:
    folder = ROOT / "tests" / "contracts" / "crypto"
    original, copy = (
        re.sub(r"\s+", " ", path.read_text())
        for path in (ROOT / "contracts" / "crypto" / "P384.sol", folder / "P384FieldHarness.sol")
    )
    names = re.findall(r"function (\w+)\(", copy.split("assembly {")[1])
    assert len(names) == 10
    for name in names:
        start = copy.index(f"function {name}(")
        body = copy[
            start : re.compile(r"function \w+\(|let a := calldataload")
            .search(copy, start + 9)
            .start()
        ]  # type: ignore[union-attr]
        body = re.sub(r"\s*//[^/]*$", "", body).strip()
        assert body in original, name


def test_reduction_is_exact_up_to_its_bound(chain: Chain, harness: Any) -> None:
    rng = random.Random(1)
    corners = list(product((0, 1, WORD - 1, WORD, ZERO_TEST_BOUND), repeat=2))
    pairs = corners + [tuple(near(rng, 0, ZERO_TEST_BOUND) for _ in "ab") for _ in range(800)]
    calls = (run(harness, REDUCE, (w[0], w[1], w[0] % MODULUS, w[1] % MODULUS)) for w in pairs)
    for w, got in zip(pairs, results(chain, calls), strict=True):
        assert got is not None
        assert value((got[0], got[1]), 1) == value((w[0], w[1]), 2)
        assert max(got[0], got[1]) < 2**193


def test_reduction_of_a_negative_y_is_exact(chain: Chain, harness: Any) -> None:
    rng = random.Random(2)
    rows = Pair(BASIS[0].a + BASIS[1].a, BASIS[0].b + BASIS[1].b)
    pairs = list(product((-Y_BOUND, -1, 0, 1, Y_BOUND), repeat=2))
    pairs += [(near(rng, -Y_BOUND, Y_BOUND), near(rng, -Y_BOUND, Y_BOUND)) for _ in range(800)]
    calls = (
        run(harness, REDUCE, (w[0], w[1], w[0] % MODULUS + rows.a, w[1] % MODULUS + rows.b))
        for w in pairs
    )
    for w, got in zip(pairs, results(chain, calls), strict=True):
        assert got is not None
        assert value((got[0], got[1]), 1) == value(w, 2)
        assert max(got[0], got[1]) < 2**194


def test_zero_test_accepts_zeros_and_nothing_near_them(chain: Chain, harness: Any) -> None:
    rng = random.Random(3)
    cases: list[Pair] = []
    for _ in range(400):
        target = Pair(
            *(near(rng, -ZERO_TEST_BOUND + 2**193, ZERO_TEST_BOUND - 2**193) for _ in "ab")
        )
        zero = field.zero_near(target)
        cases += [
            zero,
            target,
            Pair(zero.a + rng.choice((-1, 1)), zero.b),
            Pair(zero.a, zero.b + rng.choice((-1, 1))),
            Pair(zero.a + WORD, zero.b),  # the same modulo 2^256
            Pair(zero.a, zero.b - WORD * MODULUS // 2**62),  # the same modulo neither
            Pair(zero.a + MODULUS, zero.b),  # the same modulo M
            Pair(zero.a + SHORT_BASIS[0].a, zero.b + SHORT_BASIS[0].b),
        ]
    calls = (
        run(harness, NON_ZERO, (w.a, w.b, w.a % MODULUS + SHIFT.a, w.b % MODULUS + SHIFT.b))
        for w in cases
    )
    zeros = 0
    for w, got in zip(cases, results(chain, calls), strict=True):
        assert got is not None
        assert (got[0] == 0) == is_zero(w), w
        zeros += got[0] == 0
    assert zeros >= 800


def test_products_and_squares_are_exact(chain: Chain, harness: Any) -> None:
    rng = random.Random(4)
    bounds = (2 * SLOPE_A, 2 * SLOPE_B, DIFFERENCE_BOUND, DIFFERENCE_BOUND)
    cases = list(product(*((0, bound) for bound in bounds)))
    cases += [tuple(near(rng, 0, bound) for bound in bounds) for _ in range(400)]
    for case, got in zip(
        cases, results(chain, (run(harness, PRODUCT, c) for c in cases)), strict=True
    ):
        assert got is not None
        true = times((case[0], case[1]), (case[2], case[3]))
        assert got[:2] == (true.a % WORD, true.b % WORD)
        assert (got[2] % MODULUS, got[3] % MODULUS) == (true.a % MODULUS, true.b % MODULUS)
        assert max(got[2:]) < 2 * MODULUS
    slopes = [(c[0] // 2, c[1] // 2) for c in cases]
    for slope, got in zip(
        slopes, results(chain, (run(harness, SQUARE, s) for s in slopes)), strict=True
    ):
        assert got is not None
        assert value((got[0], got[1]), 1) == pow(value(slope, 1), 2, P)
        assert max(got[:2]) < 2**193


def test_integers_become_elements(chain: Chain, harness: Any) -> None:
    rng = random.Random(5)
    numbers = [0, 1, P - 1, P, 2**384 - 1, 2**192, 2**192 - 1, 2**256, 2**256 - 1]
    numbers += [near(rng, 0, 2**384 - 1) for _ in range(200)]
    calls = (run(harness, FROM_INTEGER, (number >> 256, number)) for number in numbers)
    high = field.to_pair(WORD << 192)
    one = field.to_pair(WORD)
    for number, got in zip(numbers, results(chain, calls), strict=True):
        assert got is not None
        low, upper = number % 2**192, number >> 192
        true = (low * one.a + upper * high.a, low * one.b + upper * high.b)
        assert got == (true[0] % WORD, true[1] % WORD, true[0] % MODULUS, true[1] % MODULUS)
        assert value(true, 2) == number % P


def test_line_to_its_third_point_is_exact(chain: Chain, harness: Any) -> None:
    rng = random.Random(6)
    cases = []
    for _ in range(300):
        slope = near(rng, 0, SLOPE_A), near(rng, 0, SLOPE_B)
        difference = near(rng, 0, DIFFERENCE_BOUND), near(rng, 0, DIFFERENCE_BOUND)
        cases.append(
            (slope, difference, (near(rng, -Y_BOUND, Y_BOUND), near(rng, -Y_BOUND, Y_BOUND)))
        )
    calls = (
        run(harness, FINISH, (*slope, *difference), split(y)) for slope, difference, y in cases
    )
    for (slope, difference, y), got in zip(cases, results(chain, calls), strict=True):
        line = times(slope, difference)
        assert got == split((line.a - y[0], line.b - y[1]))


def _slope_pairs(rng: random.Random, slope: int) -> tuple[int, int]:
    """Return a pair of a slope within its encoding, at a random end of it."""
    for _ in range(200):
        target = (near(rng, 0, SLOPE_A), near(rng, 0, SLOPE_B))
        pair = field.pair_near(slope, Pair(*target))
        if 0 <= pair.a <= SLOPE_A and 0 <= pair.b <= SLOPE_B:
            return pair
    return field.to_pair(slope)


def _verdicts(chain: Chain, calls: list[Any], expected: list[bool], *, least: int) -> None:
    for index, (got, right) in enumerate(zip(results(chain, iter(calls)), expected, strict=True)):
        assert (got is not None) == right, index
    assert least <= sum(expected) <= len(expected) - least


def test_tangent_is_checked_exactly(chain: Chain, harness: Any) -> None:
    rng = random.Random(7)
    calls, expected = [], []
    for index in range(600):
        x = (near(rng, -X_BOUND, X_BOUND), near(rng, -X_BOUND, X_BOUND))
        y = (near(rng, -Y_BOUND, Y_BOUND), near(rng, -Y_BOUND, Y_BOUND))
        if is_zero(y):
            continue
        right = (3 * pow(value(x, 1), 2, P) - 3) * pow(2 * value(y, 2), -1, P) % P
        slope = right if index % 2 else (right + rng.choice((-1, 1, right, P // 2))) % P
        calls.append(run(harness, TANGENT, (*_slope_pairs(rng, slope), *x), split(y)))
        expected.append(slope == right)
    _verdicts(chain, calls, expected, least=150)


def test_return_is_checked_exactly(chain: Chain, harness: Any) -> None:
    rng = random.Random(8)
    calls, expected = [], []
    for index in range(600):
        difference = (near(rng, 1, DIFFERENCE_BOUND), near(rng, 1, DIFFERENCE_BOUND))
        y = (near(rng, -Y_BOUND, Y_BOUND), near(rng, -Y_BOUND, Y_BOUND))
        if is_zero(difference):
            continue
        right = 2 * value(y, 2) * pow(value(difference, 1), -1, P) % P
        slope = right if index % 2 else (right + rng.choice((-1, 1, right, P // 2))) % P
        first, second = _slope_pairs(rng, slope), field.zero_near(Pair(0, 0))
        calls.append(
            run(harness, RETURN, (first[0] + second.a, first[1] + second.b, *difference), split(y))
        )
        expected.append(slope == right or (right == 0 and slope == 0))
    _verdicts(chain, calls, expected, least=150)


def test_chord_is_checked_exactly_and_equal_points_are_refused(chain: Chain, harness: Any) -> None:
    rng = random.Random(9)
    calls, expected = [], []
    for index in range(900):
        x = (near(rng, -X_BOUND, X_BOUND), near(rng, -X_BOUND, X_BOUND))
        y = (near(rng, -Y_BOUND, Y_BOUND), near(rng, -Y_BOUND, Y_BOUND))
        entry_y = (near(rng, -Y_BOUND, Y_BOUND), near(rng, -Y_BOUND, Y_BOUND))
        sign = rng.choice((-1, 1))
        if index % 3 == 0:
            # The entry is the sum itself, as another pair; y are equal too, so any slope would fit.
            zero = field.zero_near(Pair(near(rng, -(2**199), 2**199), near(rng, -(2**199), 2**199)))
            entry_x = (x[0] + zero.a, x[1] + zero.b)
            entry_y = (sign * y[0], sign * y[1])
            slope, right = rng.randrange(P), False
        else:
            entry_x = (near(rng, -(2**200), 2**200), near(rng, -(2**200), 2**200))
            step = (value(entry_x, 1) - value(x, 1)) % P
            if step == 0:
                continue
            true = (sign * value(entry_y, 2) - value(y, 2)) * pow(step, -1, P) % P
            slope = true if index % 3 == 1 else (true + rng.choice((-1, 1, true, P // 2))) % P
            right = slope == true
        calls.append(
            run(
                harness,
                CHORD,
                (*_slope_pairs(rng, slope), *x),
                split(y),
                (sign, entry_x[0], entry_x[1], *split(entry_y)),
            )
        )
        expected.append(right)
    _verdicts(chain, calls, expected, least=200)


def test_offset_dominates_what_is_subtracted() -> None:
    assert is_zero(OFFSET)
    assert min(OFFSET) > 3 * X_BOUND + 2**199
    assert max(OFFSET) + 3 * X_BOUND + 2**200 < 2**219
    assert max(OFFSET) + X_BOUND < 2**218
    assert 3 * 3 * (max(OFFSET) + X_BOUND) ** 2 + 350 * 2**421 < 2**442
    assert BASIS[0].a + BASIS[1].a + 2**186 < 2**193
    assert WORD * MODULUS > 2**503
    assert WORD % MODULUS == 1
