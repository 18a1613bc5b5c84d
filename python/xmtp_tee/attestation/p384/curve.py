"""NIST P-384 in plain big-integer arithmetic: the oracle that every faster implementation is compared to.

Slow and simple on purpose, and not constant time: it verifies public data only. Source: FIPS 186-5 section 6,
SP 800-186 section 3.2.1.4.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

P = 2**384 - 2**128 - 2**96 + 2**32 - 1
"""The prime of the field."""
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
"""The prime order of the group; the cofactor is 1."""
A = P - 3
B = 0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF
"""The curve is y^2 = x^3 - 3x + B."""


class Point(NamedTuple):
    """An affine point. The point at infinity is None, never a Point."""

    x: int
    y: int


MaybePoint: TypeAlias = Point | None

G = Point(
    0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
    0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
)


def is_on_curve(point: Point) -> bool:
    """Whether both coordinates are canonical (below P) and satisfy the curve's equation."""
    x, y = point
    return 0 <= x < P and 0 <= y < P and (y * y - (x * x * x + A * x + B)) % P == 0


def negate(point: MaybePoint) -> MaybePoint:
    """Return -point."""
    return None if point is None else Point(point.x, -point.y % P)


def tangent_slope(point: Point) -> int:
    """Return the slope of the tangent at a point. There is no point with y = 0, for the order is odd."""
    return (3 * point.x * point.x + A) * pow(2 * point.y, -1, P) % P


def chord_slope(left: Point, right: Point) -> int:
    """Return the slope through two points whose x differ."""
    return (right.y - left.y) * pow(right.x - left.x, -1, P) % P


def add(left: MaybePoint, right: MaybePoint) -> MaybePoint:
    """Return left + right, in every case."""
    if left is None:
        return right
    if right is None:
        return left
    if left.x == right.x:
        if (left.y + right.y) % P == 0:
            return None
        slope = tangent_slope(left)
    else:
        slope = chord_slope(left, right)
    x = (slope * slope - left.x - right.x) % P
    return Point(x, (slope * (left.x - x) - left.y) % P)


def multiply(scalar: int, point: MaybePoint) -> MaybePoint:
    """Return scalar * point by double-and-add; the scalar may be negative or exceed N."""
    if scalar < 0:
        return multiply(-scalar, negate(point))
    result: MaybePoint = None
    for bit in f"{scalar:b}":
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def recover_y(x: int) -> int | None:
    """Return a y with (x, y) on the curve, or None when x is no coordinate of a point. P = 3 mod 4."""
    square = (x * x * x + A * x + B) % P
    y = pow(square, (P + 1) // 4, P)
    return y if y * y % P == square else None


def verify(digest: int, r: int, s: int, public_key: Point) -> bool:
    """Whether (r, s) is an ECDSA signature of the digest, taken as an integer below 2^384, by the key."""
    if not is_on_curve(public_key) or not (0 < r < N and 0 < s < N):
        return False
    inverse = pow(s, -1, N)
    sum_ = add(multiply(digest * inverse % N, G), multiply(r * inverse % N, public_key))
    return sum_ is not None and sum_.x % N == r
