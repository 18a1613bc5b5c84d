"""The witness that contracts/crypto/P384.sol checks a signature with.

It holds the half-size scalars, written as a program of doublings and additions, and the slope of every line that the
program draws: the contract then needs no inversion. Nothing in it is trusted and nothing in it is secret.

Layout, integers big-endian; an element is 49 bytes as in :mod:`.field`::

    flag 1            0: R.x = r; 1: R.x = r + n
    key quotient 32   (nonce*r + key*s) / n, signed
    quotient 64       (nonce*digest + generator*s) / n, signed
    R.y               element
    multiples of Q    slope of the tangent at Q, then 7 slopes for 3Q, 5Q ... 15Q
    multiples of R    likewise
    start 3           all doublings u8, step u16: the sum starts as this entry
    end 2             step u16: after the last doublings, the sum and this entry must cancel
    steps             step u16 = doublings << 10 | negative << 9 | table index, then the slopes
    last doublings    as many tangents as the end's step says

A step of d >= 1 doublings has d + 1 slopes: d - 1 tangents, then two chords: sum + entry, and that + sum. A step
without doublings has one, the chord to its entry.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

from xmtp_tee.errors import InvalidEvidenceError

from . import curve, field
from .curve import N, P, Point
from .scalars import HalfScalars, half_scalars, signed_digits

KEY_ENTRIES = 8
"""Odd multiples of Q, and as many of R, that the contract makes."""
GENERATOR_ENTRIES = 191
"""Odd multiples of G, and of 2^192*G, that a table contract holds."""
MAX_RUN = 12
"""The most doublings in a step."""
MAX_STEPS = 120
MAX_DOUBLINGS = 207
KEY_FIRST, NONCE_FIRST, LOW_FIRST = 0, KEY_ENTRIES, 2 * KEY_ENTRIES
HIGH_FIRST = LOW_FIRST + GENERATOR_ENTRIES
"""Where each point's odd multiples begin in the table index."""

HIGH_GENERATOR = curve.multiply(2**192, curve.G)


class NoWitnessError(InvalidEvidenceError):
    """The signature is not valid, or (never seen) none of the equations that were tried has a witness."""

    code = "attestation.p384-no-witness"


class _NoProgramError(Exception):
    """This equation has no witness; another may."""


class Addition(NamedTuple):
    """What the program adds at a bit position."""

    position: int
    entry: int
    negative: bool


def make_witness(digest: int, r: int, s: int, key: Point) -> bytes:
    """Return a witness for a valid signature, the cheapest of a few dozen.

    :raises NoWitnessError: the signature is not valid.
    """
    if not curve.is_on_curve(key) or not (0 < r < N and 0 < s < N and 0 <= digest < 2**384):
        raise NoWitnessError("the key is not on the curve, or r or s is not below the order")
    nonce_point = _nonce_point(digest, r, s, key)
    programs = sorted(
        ((_cost(program), program, scalars) for scalars, program in _programs(digest, r, s)),
        key=lambda entry: entry[0],
    )
    for _, program, scalars in programs:
        try:
            return _write(digest, r, s, key, nonce_point, scalars, program)
        except _NoProgramError:
            continue
    raise NoWitnessError("no equation of this signature has a witness")


def _nonce_point(digest: int, r: int, s: int, key: Point) -> Point:
    inverse = pow(s, -1, N)
    point = curve.add(
        curve.multiply(digest * inverse % N, curve.G), curve.multiply(r * inverse % N, key)
    )
    if point is None or point.x % N != r:
        raise NoWitnessError("the signature is not valid")
    return point


def _programs(digest: int, r: int, s: int) -> list[tuple[HalfScalars, list[Addition]]]:
    found = []
    for scalars in half_scalars(digest, r, s):
        program = program_of(scalars)
        if is_representable(program):
            found.append((scalars, program))
    return found


def program_of(scalars: HalfScalars) -> list[Addition]:
    """Return the additions in the order in which the contract makes them: the highest position first."""
    program: list[Addition] = []
    taken: set[int] = set()
    for scalar, first, entries in (
        (scalars.key, KEY_FIRST, KEY_ENTRIES),
        (scalars.nonce, NONCE_FIRST, KEY_ENTRIES),
        (scalars.generator_low, LOW_FIRST, GENERATOR_ENTRIES),
        (scalars.generator_high, HIGH_FIRST, GENERATOR_ENTRIES),
    ):
        for digit in signed_digits(scalar, 2 * entries - 1, taken):
            index = first + abs(digit.value) // 2
            program.append(Addition(digit.position, index, digit.value < 0))
            taken.add(digit.position)
    return sorted(program, key=lambda addition: -addition.position)


def is_representable(program: list[Addition]) -> bool:
    """Whether the program keeps the contract's limits on steps, doublings and runs."""
    if len(program) < 2 or program[-1].position != 0 or program[0].position > MAX_DOUBLINGS:
        return False
    runs = [a.position - b.position for a, b in itertools.pairwise(program)]
    return len(program) - 2 <= MAX_STEPS and max(runs) <= MAX_RUN


def _cost(program: list[Addition]) -> int:
    """Gas of the program, roughly: a doubling, a doubling with addition, an addition alone."""
    cost = 0
    for before, after in itertools.pairwise(program):
        run = before.position - after.position
        cost += 1_900 if run == 0 else 1_850 * (run - 1) + 3_300
        cost += 130 if after.entry >= LOW_FIRST else 0
    return cost


def _write(
    digest: int,
    r: int,
    s: int,
    key: Point,
    nonce_point: Point,
    scalars: HalfScalars,
    program: list[Addition],
) -> bytes:
    generator = scalars.generator_low + (scalars.generator_high << 192)
    writer = _Writer()
    writer.out += bytes([int(nonce_point.x != r)])
    writer.out += _quotient(scalars.nonce * r + scalars.key * s).to_bytes(32, "big", signed=True)
    writer.out += _quotient(scalars.nonce * digest + generator * s).to_bytes(64, "big", signed=True)
    writer.out += field.encode(nonce_point.y * field.WORD)
    entries = writer.odd_multiples(key) + writer.odd_multiples(nonce_point)
    entries += generator_entries()
    writer.run(program, entries)
    return bytes(writer.out)


def _quotient(multiple_of_n: int) -> int:
    quotient, remainder = divmod(multiple_of_n, N)
    if remainder:
        raise AssertionError("the scalars do not satisfy their equation")
    return quotient


_GENERATOR_ENTRIES: list[Point] = []


def odd_multiples(point: Point, count: int) -> list[Point]:
    """Return point, 3*point, 5*point ..."""
    double = curve.add(point, point)
    multiples: list[Point] = [point]
    while len(multiples) < count:
        following = curve.add(multiples[-1], double)
        if following is None:
            raise AssertionError("a small multiple is not the point at infinity")
        multiples.append(following)
    return multiples


def generator_entries() -> list[Point]:
    """Return the points of both table contracts, in the order of the table index."""
    if not _GENERATOR_ENTRIES:
        for base in (curve.G, HIGH_GENERATOR):
            if base is None:
                raise AssertionError("2^192*G is not the point at infinity")
            _GENERATOR_ENTRIES.extend(odd_multiples(base, GENERATOR_ENTRIES))
    return _GENERATOR_ENTRIES


class _Writer:
    """Draws the lines and writes their slopes."""

    def __init__(self) -> None:
        self.out = bytearray()

    def double(self, point: Point) -> Point:
        slope = curve.tangent_slope(point)
        self.out += field.encode(slope)
        return _third(slope, point, point)

    def add(self, left: Point, right: Point) -> Point:
        if left.x == right.x:
            raise _NoProgramError
        slope = curve.chord_slope(left, right)
        self.out += field.encode(slope)
        return _third(slope, left, right)

    def odd_multiples(self, point: Point) -> list[Point]:
        double = self.double(point)
        multiples = [point]
        while len(multiples) < KEY_ENTRIES:
            multiples.append(self.add(multiples[-1], double))
        return multiples

    def run(self, program: list[Addition], entries: list[Point]) -> None:
        first, *middle, last = program
        self.out += bytes([first.position]) + self._word(0, first)
        total = self._entry(entries, first)
        position = first.position
        tail = (middle or [first])[-1].position
        self.out += self._word(tail, last)
        for addition in middle:
            doublings = position - addition.position
            position = addition.position
            self.out += self._word(doublings, addition)
            entry = self._entry(entries, addition)
            for _ in range(doublings - 1):
                total = self.double(total)
            chord = self.add(total, entry)
            total = self.add(chord, total) if doublings else chord
        for _ in range(tail):
            total = self.double(total)
        if total != curve.negate(self._entry(entries, last)):
            raise AssertionError("the program's sum is not zero")

    @staticmethod
    def _word(doublings: int, addition: Addition) -> bytes:
        return (doublings << 10 | addition.negative << 9 | addition.entry).to_bytes(2, "big")

    @staticmethod
    def _entry(entries: list[Point], addition: Addition) -> Point:
        point = entries[addition.entry]
        return Point(point.x, -point.y % P) if addition.negative else point


def _third(slope: int, left: Point, right: Point) -> Point:
    x = (slope * slope - left.x - right.x) % P
    return Point(x, (slope * (left.x - x) - left.y) % P)
