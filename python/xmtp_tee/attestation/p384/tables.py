"""The two table contracts: odd multiples of G and of 2^192*G, as runtime code that nobody can run.

Code is the cheapest storage to read much of: EXTCODECOPY takes 128 bytes for about 130 gas. The code is a STOP byte,
so that a call does nothing, then 191 entries of four words, two's complement: x.a, x.b, y.a, y.b, each pair the one
of smallest size in Montgomery form (see :mod:`.field`).
"""

from __future__ import annotations

from . import curve, field
from .witness import GENERATOR_ENTRIES, HIGH_GENERATOR, odd_multiples

ENTRY_BYTES = 128
_STOP = b"\x00"


def table_code(base: curve.Point) -> bytes:
    """Return the runtime code with base, 3*base, 5*base ..."""
    return _STOP + b"".join(_entry(point) for point in odd_multiples(base, GENERATOR_ENTRIES))


def _entry(point: curve.Point) -> bytes:
    x = field.pair_near(point.x, field.Pair(0, 0))
    y = field.to_pair(point.y * field.WORD)
    return b"".join(integer.to_bytes(32, "big", signed=True) for integer in (*x, *y))


def low_table() -> bytes:
    """Return the runtime code with the odd multiples of G."""
    return table_code(curve.G)


def high_table() -> bytes:
    """Return the runtime code with the odd multiples of 2^192*G."""
    if HIGH_GENERATOR is None:
        raise AssertionError("2^192*G is not the point at infinity")
    return table_code(HIGH_GENERATOR)


def creation_code(runtime: bytes) -> bytes:
    """Return the code of a transaction that deploys exactly this runtime code.

    PUSH2 length, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN: 10 bytes, then the runtime code.
    """
    return b"\x61" + len(runtime).to_bytes(2, "big") + bytes.fromhex("80600a5f395ff3") + runtime
