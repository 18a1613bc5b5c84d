"""Items that travel to the enclave, cut into pages that one request carries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from xmtp_tee.wire.limits import MAX_REQUEST_BODY

T = TypeVar("T")

PAGE_BYTES: Final = MAX_REQUEST_BODY - (4 << 10)
"""Bytes of the items in the largest page; the rest is the request's own."""

_ENVELOPE: Final = 64
"""Bytes that an item takes in a request beside its own."""


def pages(
    items: Iterable[T], size_of: Callable[[T], int], *, most: int, most_bytes: int = PAGE_BYTES
) -> Iterator[tuple[T, ...]]:
    """Yield the items in their order, in pages of at most ``most`` items and ``most_bytes`` bytes. An item that is
    larger is a page by itself.
    """
    page: list[T] = []
    total = 0
    for item in items:
        size = size_of(item) + _ENVELOPE
        if page and (len(page) == most or total + size > most_bytes):
            yield tuple(page)
            page, total = [], 0
        page.append(item)
        total += size
    if page:
        yield tuple(page)
