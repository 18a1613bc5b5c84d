"""Half-size scalars and their signed digits.

An ECDSA verification asks whether R = u1*G + u2*Q. Multiplied by a well chosen number, every scalar of the equation
fits half the bits (Antipa, Brown, Gallant, Lambert, Struik, Vanstone: Accelerated Verification of ECDSA Signatures,
SAC 2005), so half the doublings are enough.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from functools import cache
from typing import NamedTuple, TypeAlias

from .curve import N

HALF_BITS = 192
"""G's scalar is cut here: it counts for G below, for 2^192*G above."""


class HalfScalars(NamedTuple):
    """Integers with generator_low*G + generator_high*2^192*G + key*Q + nonce*R = 0, each of about 192 bits."""

    generator_low: int
    generator_high: int
    key: int
    nonce: int


def half_scalars(digest: int, r: int, s: int) -> Iterator[HalfScalars]:
    """Yield equations that are equivalent to the signature's own, the shortest first.

    Each has nonce*r + key*s = 0 and nonce*digest + (generator_low + 2^192*generator_high)*s = 0 modulo N, and a nonce
    other than zero. No scalar of the first two is above 2^192; the others are as long as they come.
    """
    inverse = pow(s, -1, N)
    u1, u2 = digest * inverse % N, r * inverse % N
    first, second = _short_vectors(u2)
    for i, j in _COMBINATIONS:
        nonce = i * first[0] + j * second[0]
        key = i * first[1] + j * second[1]
        if nonce == 0:
            continue  # Euclid's first pair, (0, N): it holds whatever the signature is.
        generator = -nonce * u1 % N
        for candidate in (generator, generator - N):
            low = (candidate + 2 ** (HALF_BITS - 1)) % 2**HALF_BITS - 2 ** (HALF_BITS - 1)
            yield HalfScalars(low, (candidate - low) >> HALF_BITS, key, nonce)


_COMBINATIONS = (
    (1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (2, -1), (1, 2), (1, -2), (3, 1), (3, -1), (1, 3), (1, -3)
)  # fmt: skip


def _short_vectors(u2: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return two short pairs (nonce, key) with key = -nonce*u2 modulo N, from Euclid's algorithm half way."""
    previous, current = (0, N), (1, -u2 % N)
    while current[1] >= 2**HALF_BITS:
        factor = previous[1] // current[1]
        previous, current = (
            current,
            (previous[0] - factor * current[0], previous[1] - factor * current[1]),
        )
    return current, previous


class Digit(NamedTuple):
    """One addition: value * 2^position times the point, value odd."""

    position: int
    value: int


def signed_digits(scalar: int, largest: int, taken: Container[int] = ()) -> list[Digit]:
    """Write a scalar as a sum of odd digits, none larger than ``largest``: the cheapest of all such sums.

    A digit costs an addition. An addition at a bit position that another scalar has ``taken`` already cannot be joined
    with that position's doubling, and costs more.
    """
    widest = largest.bit_length() + 1

    @cache
    def cheapest(position: int, rest: int) -> tuple[int, _Chain]:
        # At each position there are only two rests: the scalar's upper bits, and one more after a negative digit.
        if rest == 0:
            return 0, None
        if rest & 1 == 0:
            zeros = (rest & -rest).bit_length() - 1
            return cheapest(position + zeros, rest >> zeros)
        least, chosen = _IMPOSSIBLE, None
        for width in range(max(1, widest - 3), widest + 1):
            low = rest % 2**width
            # A negative digit never ends a sum: after 1 - 2^width comes the same rest again.
            for value in (low,) if rest == 1 else (low, low - 2**width):
                if -largest <= value <= largest:
                    cost, following = cheapest(position + width, (rest - value) >> width)
                    if cost < least:
                        least, chosen = cost, (position, value, following)
        return least + (_ALONE if position in taken else _JOINED), chosen

    sign = -1 if scalar < 0 else 1
    digits = []
    chain = cheapest(0, abs(scalar))[1]
    while chain is not None:
        position, value, chain = chain
        digits.append(Digit(position, sign * value))
    return digits


_Chain: TypeAlias = "tuple[int, int, _Chain] | None"
"""Position and value of a digit, and the rest."""
_IMPOSSIBLE = 2**30
_JOINED, _ALONE = 29, 38
"""What an addition costs with a doubling and without one, in units of 50 gas."""
