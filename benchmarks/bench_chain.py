"""A chain on which every block has a fixed time, so that nothing of a run depends on the clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.chain import Anvil, Chain


class BenchChain(Chain):
    """Sends transactions twelve seconds apart, and returns their gas."""

    HARDFORK = "osaka"
    BLOCK_SECONDS = 12

    def __init__(self, anvil: Anvil, start: int) -> None:
        super().__init__(anvil)
        self._time = start

    def send(self, function: Any, *, sender: str | None = None, value: int = 0) -> Any:
        """Send in a block of the next fixed time."""
        self._time += self.BLOCK_SECONDS
        self._rpc("evm_setNextBlockTimestamp", self._time)
        return super().send(function, sender=sender, value=value)

    def gas(self, function: Any, *, sender: str | None = None) -> int:
        """Send and return the whole transaction's gas."""
        return int(self.send(function, sender=sender)["gasUsed"])

    def mine_fixed(self, blocks: int) -> None:
        """Mine empty blocks at their fixed times."""
        for _ in range(blocks):
            self._time += self.BLOCK_SECONDS
            self.warp(self._time)


@contextmanager
def bench_chain(start: int) -> Iterator[BenchChain]:
    """Start anvil at a fixed time; stop it afterwards."""
    with Anvil(timestamp=start, hardfork=BenchChain.HARDFORK) as anvil:
        yield BenchChain(anvil, start)
