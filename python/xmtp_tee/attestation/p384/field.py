"""Field elements as pairs (a, b), read as a + b*sqrt(2) modulo P: the form in which the contract computes.

2 is a square modulo P, so every element of the field is a + b*ROOT with a and b of about 192 bits: half the size
of P, which leaves an EVM word a quarter empty. The pairs that stand for zero are the lattice that BASIS spans.
The contract keeps elements in Montgomery form: the pair of an element v stands for v * 2^256.

contracts/crypto/P384.sol explains why the arithmetic is exact; tools/p384_constants.py writes the constants of
this module into it.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from .curve import P

WORD = 2**256
"""The Montgomery radix, and the modulus of MUL."""
MODULUS = (WORD - 1) // 255
"""The second modulus. It divides 2^256 - 1, so dividing by the radix changes nothing modulo it."""

ROOT = pow(2, (P + 1) // 4, P)
"""A square root of 2 modulo P."""

SLOPE_A_BYTES = 25
SLOPE_B_BYTES = 24
ELEMENT_BYTES = SLOPE_A_BYTES + SLOPE_B_BYTES
"""An element in a witness: a in 25 bytes, b in 24. Every class has such a pair, most with a leading zero byte."""


class Pair(NamedTuple):
    """The integers (a, b), standing for a + b*ROOT."""

    a: int
    b: int


Basis: TypeAlias = tuple[Pair, Pair]


def _reduced_basis() -> Basis:
    """Return a shortest basis of the pairs that stand for zero (Lagrange's reduction)."""
    long, short = Pair(P, 0), Pair(-ROOT % P, 1)
    while True:
        if _dot(long, long) < _dot(short, short):
            long, short = short, long
        norm = _dot(short, short)
        factor = (2 * _dot(long, short) + norm) // (2 * norm)
        if factor == 0:
            return short, long
        long = Pair(long.a - factor * short.a, long.b - factor * short.b)


def _dot(left: Pair, right: Pair) -> int:
    return left.a * right.a + left.b * right.b


def _positive_basis(basis: Basis) -> Basis:
    """Return the basis without a negative coordinate whose sum is smallest, among small combinations."""
    small = range(-4, 5)
    vectors = [_combine(basis, i, j) for i in small for j in small]
    positive = sorted((v for v in vectors if v.a > 0 and v.b > 0), key=lambda v: max(v.a, v.b))
    for j, right in enumerate(positive):
        for left in positive[:j]:
            if abs(left.a * right.b - left.b * right.a) == P:
                return left, right
    raise AssertionError("no positive basis")


def _combine(basis: Basis, i: int, j: int) -> Pair:
    return Pair(i * basis[0].a + j * basis[1].a, i * basis[0].b + j * basis[1].b)


SHORT_BASIS = _reduced_basis()
BASIS = _positive_basis(SHORT_BASIS)
"""Two pairs that stand for zero and generate all others; all four integers are positive."""
_DETERMINANT = BASIS[0].a * BASIS[1].b - BASIS[0].b * BASIS[1].a
_MINUS_INVERSE = -pow(_DETERMINANT, -1, WORD) % WORD
QUOTIENT: tuple[Pair, Pair] = (
    Pair(BASIS[1].b * _MINUS_INVERSE % WORD, -BASIS[0].b * _MINUS_INVERSE % WORD),
    Pair(-BASIS[1].a * _MINUS_INVERSE % WORD, BASIS[0].a * _MINUS_INVERSE % WORD),
)
"""Minus the inverse of BASIS modulo 2^256: the row vector w * QUOTIENT is the Montgomery quotient of w."""


def value_of(pair: Pair) -> int:
    """Return the element that a pair stands for, out of Montgomery form."""
    return (pair.a + pair.b * ROOT) * pow(WORD, -1, P) % P


def zero_near(target: Pair) -> Pair:
    """Return the pair for zero next to the target."""
    first, second = SHORT_BASIS
    determinant = first.a * second.b - first.b * second.a
    i = _round_divide(target.a * second.b - target.b * second.a, determinant)
    j = _round_divide(first.a * target.b - first.b * target.a, determinant)
    return _combine(SHORT_BASIS, i, j)


def _round_divide(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def pair_near(value: int, target: Pair) -> Pair:
    """Return a pair of an element, in Montgomery form, next to the target."""
    residue = value * WORD % P
    zero = zero_near(Pair(target.a - residue, target.b))
    return Pair(residue + zero.a, zero.b)


_CENTRE = Pair(2**191, 2**191)
_NEIGHBOURS = tuple(
    _combine(SHORT_BASIS, i, j)
    for i, j in sorted(
        ((i, j) for i in range(-2, 3) for j in range(-2, 3)), key=lambda ij: abs(ij[0]) + abs(ij[1])
    )
)
_HIGH_CENTRE = Pair(2**195, 2**191)


def to_pair(value: int) -> Pair:
    """Return the pair of an element with 0 <= a < 2^200 and 0 <= b < 2^192, and a < 2^192 where there is one."""
    for target, bits in ((_CENTRE, 192), (_HIGH_CENTRE, 200)):
        near = pair_near(value, target)
        for step in _NEIGHBOURS:
            pair = Pair(near.a + step.a, near.b + step.b)
            if 0 <= pair.a < 2**bits and 0 <= pair.b < 2**192:
                return pair
    raise AssertionError("every element has a pair in this rectangle")


def encode(value: int) -> bytes:
    """Return an element as a witness carries it: 49 bytes."""
    pair = to_pair(value)
    return pair.a.to_bytes(SLOPE_A_BYTES, "big") + pair.b.to_bytes(SLOPE_B_BYTES, "big")
