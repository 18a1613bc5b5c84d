"""Bytes that somebody else made: the container's parser answers with typed errors or a container."""

from __future__ import annotations

import random

import msgspec
import pytest

from tests.backup.support import sealed
from xmtp_tee.backup.container import Container, encode_header, parse
from xmtp_tee.backup.ways import ForShares
from xmtp_tee.wire.backup_faults import BackupMalformedError, BackupVersionError

SEED = 0x5EED_BAC0
INTERESTING = (0x00, 0x01, 0x7F, 0x80, 0x8F, 0x90, 0xA1, 0xC0, 0xC1, 0xC4, 0xCF, 0xD9, 0xDF, 0xFF)


def seeds() -> list[bytes]:
    """Genuine containers, and their headers alone."""
    made = [sealed(ForShares(2, 2))[0], sealed()[0]]
    nested = b"\x81\xa3key" * 5000
    return [*made, made[0][:14], made[0][:14] + nested, b"XTEEBKUP\x00\x01" + bytes(100)]


def mutated(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
        place = chance.randrange(len(changed) + 1)
        match chance.randrange(6):
            case 0 if place < len(changed):
                changed[place] ^= 1 << chance.randrange(8)
            case 1 if place < len(changed):
                changed[place] = chance.choice(INTERESTING)
            case 2:
                del changed[place : place + chance.randrange(1, 40)]
            case 3:
                changed[place:place] = chance.randbytes(chance.randrange(1, 40))
            case 4:
                other = chance.randrange(len(changed) + 1)
                changed[place:place] = changed[other : other + chance.randrange(1, 60)]
            case _:
                del changed[place:]
        if not changed:
            break
    return bytes(changed)


def fuzz(inputs: int, seed: int) -> int:
    chance, corpus, taken = random.Random(seed), seeds(), 0
    for number in range(inputs):
        data = mutated(chance, corpus[number % len(corpus)])
        try:
            container = parse(data)
        except (BackupMalformedError, BackupVersionError):
            continue
        taken += 1
        assert isinstance(container, Container)
        assert encode_header(container.header) + container.body == data
        assert msgspec.msgpack.encode(container.header) == container.data[14:]
    return taken


def test_fuzzed_containers_are_refused_with_typed_errors_or_taken_as_they_are() -> None:
    assert fuzz(200_000, SEED) > 1000


@pytest.mark.proof
@pytest.mark.timeout(3000)
def test_fuzzed_containers_for_long() -> None:
    assert fuzz(10_000_000, random.randrange(2**32)) > 1000
