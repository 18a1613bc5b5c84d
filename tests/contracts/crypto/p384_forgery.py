"""Witnesses for signatures that have none: what an attacker would try."""

from __future__ import annotations

from collections.abc import Iterator

from tests.contracts.crypto.p384_support import Signature
from xmtp_tee.attestation.p384 import curve, field, witness
from xmtp_tee.attestation.p384.curve import N, P, Point
from xmtp_tee.attestation.p384.scalars import HalfScalars, half_scalars
from xmtp_tee.attestation.p384.witness import Addition


def write(
    flag: int,
    nonce_point: Point,
    key: Point,
    quotients: tuple[int, int],
    program: list[Addition],
) -> bytes:
    """Write a witness whose lines are right whatever the sum and the scalars are."""
    writer = witness._Writer()
    writer.out += bytes([flag])
    writer.out += quotients[0].to_bytes(32, "big", signed=True)
    writer.out += quotients[1].to_bytes(64, "big", signed=True)
    writer.out += field.encode(nonce_point.y * field.WORD)
    entries = writer.odd_multiples(key) + writer.odd_multiples(nonce_point)
    entries += witness.generator_entries()
    try:
        writer.run(program, entries)
    except AssertionError:
        pass  # the sum is not zero: that is the forgery
    except witness._NoProgramError:
        writer.out += bytes(49)
    return bytes(writer.out)


def nonce_points(r: int) -> Iterator[tuple[int, Point]]:
    """Yield every (flag, R) that r could stand for, and one that is off the curve if there is none."""
    found = False
    for flag in (0, 1):
        x = r + flag * N
        y = curve.recover_y(x) if x < P else None
        if y is not None:
            found = True
            yield flag, Point(x, y)
            yield flag, Point(x, -y % P)
    if not found:
        yield 0, Point(r % P, curve.G.y)


def forgeries(signature: Signature) -> Iterator[bytes]:
    """Yield witnesses that keep every rule but one."""
    digest, r, s, key = signature
    for flag, point in nonce_points(r):
        if s % N and r % N:
            # Right scalars: the sum is not zero.
            for scalars in list(half_scalars(digest, r, s))[:3]:
                program = witness.program_of(scalars)
                if witness.is_representable(program):
                    yield write(flag, point, key, _quotients(signature, scalars), program)
        # The sum is zero: the scalars are wrong, or all zero.
        for index in (
            witness.KEY_FIRST,
            witness.NONCE_FIRST,
            witness.LOW_FIRST,
            witness.HIGH_FIRST,
        ):
            nothing = [Addition(0, index, False), Addition(0, index, True)]
            yield write(flag, point, key, (0, 0), nothing)
        minus_one = [Addition(1, index, True), Addition(0, index, False), Addition(0, index, False)]
        yield write(flag, point, key, (0, 0), minus_one)


def _quotients(signature: Signature, scalars: HalfScalars) -> tuple[int, int]:
    digest, r, s, _ = signature
    generator = scalars.generator_low + (scalars.generator_high << 192)
    return (scalars.nonce * r + scalars.key * s) // N, (scalars.nonce * digest + generator * s) // N
