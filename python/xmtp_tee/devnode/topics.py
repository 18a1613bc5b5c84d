"""Lists of messages under a topic, paged by the node's ids. No I/O."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from xmtp_tee.xmtp.proto.mls_api import PagingInfo, SortDirection

MAX_PAGE: Final = 100
"""Messages a page, and the default."""

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """A page, and what the answer says of the next."""

    items: tuple[T, ...]
    paging: PagingInfo


class Topics(Generic[T]):
    """Items under their topics, in the order of their ids, which only grow."""

    def __init__(self) -> None:
        self._ids: defaultdict[bytes, list[int]] = defaultdict(list)
        self._items: defaultdict[bytes, list[T]] = defaultdict(list)

    def append(self, topic: bytes, item_id: int, item: T) -> None:
        """Add the newest item."""
        self._ids[topic].append(item_id)
        self._items[topic].append(item)

    def newest(self, topic: bytes) -> T | None:
        """Return the last item, if any."""
        items = self._items.get(topic)
        return items[-1] if items else None

    def after(self, topic: bytes, cursor: int) -> list[T]:
        """Return every item whose id is greater than the cursor."""
        ids = self._ids.get(topic, [])
        return self._items.get(topic, [])[bisect_right(ids, cursor) :]

    def page(self, topic: bytes, paging: PagingInfo | None) -> Page[T]:
        """Return a page. Ascending starts after the cursor, descending before it; cursor 0 is the end that
        the direction starts from. The answer's cursor is the last item's id, or 0 when there is no more.
        """
        asked = paging or PagingInfo()
        limit = min(asked.limit or MAX_PAGE, MAX_PAGE)
        ids, items = self._ids.get(topic, []), self._items.get(topic, [])
        if asked.direction == SortDirection.ASCENDING:
            start = bisect_right(ids, asked.id_cursor)
            chosen = range(start, min(start + limit, len(ids)))
            more = start + limit < len(ids)
        else:
            stop = bisect_left(ids, asked.id_cursor) if asked.id_cursor else len(ids)
            chosen = range(stop - 1, max(stop - 1 - limit, -1), -1)
            more = stop > limit
        return Page(
            tuple(items[index] for index in chosen),
            PagingInfo(
                direction=asked.direction,
                limit=limit,
                id_cursor=ids[chosen[-1]] if more else 0,
            ),
        )
