"""Overwriting what was secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def wipe(buffer: bytearray) -> None:
    """Overwrite ``buffer`` with zeros, in place."""
    buffer[:] = bytes(len(buffer))


@contextmanager
def wiped(buffer: bytearray) -> Iterator[bytearray]:
    """Lend ``buffer`` and overwrite it at the end, whatever happens."""
    try:
        yield buffer
    finally:
        wipe(buffer)
