"""A local node whose streams leave items out, bring them late and out of order, bring them twice, and break.

What it stores and lists is right. libxmtp 1.10 takes its streams for complete and in order: an item that is left out,
or comes behind a later one, is lost to it for good. So its streams are late in order, doubled and broken, no more.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from xmtp_tee.devnode import services

ANY_ORDER = {"left out": 0.15, "late": 0.30, "twice": 0.10, "broken": 0.06}
IN_ORDER = {"late": 0.40, "twice": 0.15, "broken": 0.01}
"""How often each misfortune comes over an item of a stream."""

LATE_SECONDS = 0.2

_asking: ContextVar[str] = ContextVar("asking")
"""The user agent at the other end of a stream."""


class StreamBroken(Exception):
    """The stream ends here."""


class Misfortune:
    """Decides, from a seed, what becomes of an item, and counts it."""

    def __init__(self, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._fates: dict[asyncio.Queue[Any], dict[str, float]] = {}
        self._last: dict[asyncio.Queue[Any], float] = {}

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Have nodes that start from now on suffer it."""
        misfortune = self

        class Unruly(services.Subscribers):
            def open(self, topics: list[bytes]) -> asyncio.Queue[Any]:
                queue = super().open(topics)
                ours = "grpc-python" in _asking.get()
                misfortune._fates[queue] = ANY_ORDER if ours else IN_ORDER
                return queue

            def publish(self, topic: bytes, item: object) -> None:
                for queue in self._queues.get(topic, ()):
                    misfortune.befall(queue, item)

        make = services._stream

        def breakable(kind: Any, answer: Callable[[Any], AsyncIterator[Any]]) -> Any:
            async def until_broken(request: Any) -> AsyncIterator[Any]:
                async for item in answer(request):
                    if isinstance(item, StreamBroken):
                        raise item
                    yield item

            handler = make(kind, until_broken)
            give = handler.unary_stream

            async def handle(data: bytes, context: Any) -> AsyncIterator[bytes]:
                _asking.set(str(dict(context.invocation_metadata()).get("user-agent")))
                async for encoded in give(data, context):
                    yield encoded

            return handler._replace(unary_stream=handle)

        patch.setattr(services, "Subscribers", Unruly)
        patch.setattr(services, "_stream", breakable)

    def befall(self, queue: asyncio.Queue[Any], item: object) -> None:
        """Put an item into a stream's queue, or not."""
        fates = self._fates[queue]
        name = self._drawn(fates)
        self.counts[name] += 1
        delay = self._chance.uniform(0.0, LATE_SECONDS) if name == "late" else 0.0
        put = [item, item] if name == "twice" else [StreamBroken()] if name == "broken" else [item]
        if name != "left out":
            self._put(queue, put, delay, in_order=fates is IN_ORDER)

    def _drawn(self, fates: dict[str, float]) -> str:
        drawn = self._chance.random()
        for name, share in fates.items():
            if drawn < share:
                return name
            drawn -= share
        return "delivered"

    def _put(
        self, queue: asyncio.Queue[Any], items: list[Any], delay: float, *, in_order: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        when = loop.time() + delay
        if in_order:
            when = self._last[queue] = max(when, self._last.get(queue, 0.0) + 1e-6)
        for item in items:
            loop.call_at(when, queue.put_nowait, item)
