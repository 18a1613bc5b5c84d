"""Filling buffers with what is secret, and overwriting it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def wipe(buffer: bytearray) -> None:
    """Overwrite ``buffer`` with zeros, in place."""
    buffer[:] = bytes(len(buffer))


def fill(buffer: bytearray, begin: int, secret: bytes | bytearray | memoryview) -> None:
    """Put ``secret`` into ``buffer`` from ``begin`` on.

    A slice of a bytearray that is assigned what is no bytearray makes a copy first, and gives it back unwiped.
    """
    memoryview(buffer)[begin : begin + len(secret)] = secret


@contextmanager
def wiped(buffer: bytearray) -> Iterator[bytearray]:
    """Lend ``buffer`` and overwrite it at the end, whatever happens."""
    try:
        yield buffer
    finally:
        wipe(buffer)
