"""How often and how fast each key is used."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from xmtp_tee.enclave.rates import Meter
from xmtp_tee.enclave.records import KeyLimits, KeyRecord
from xmtp_tee.wire.refusals import KeyLimitError, RateLimitedError

MAX_BLOCK: Final = 1 << 16
_KEPT: Final = 100_000
"""Keys whose uses are counted in memory at a time."""

Reserve = Callable[[KeyRecord, int], None]
"""Writes into the key's record that so many uses are reserved; on disk when it returns."""


class _Count:
    __slots__ = ("reserved", "used", "version")

    def __init__(self, version: int, used: int) -> None:
        self.version = version
        self.used = used
        self.reserved = used


class Usage:
    """Counts uses against the limits of keys.

    Uses are reserved in blocks: a block is in the key's record, on disk, before the first of it is
    made. What a stop leaves of a block is lost, so a key is used at most as often as its limit says,
    whatever happens.
    """

    def __init__(self) -> None:
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._meters: OrderedDict[str, tuple[KeyLimits, Meter]] = OrderedDict()

    def take(self, record: KeyRecord, now: int, reserve: Reserve) -> None:
        """Count one use of a key that has limits, and whose time is not over.

        :raises RateLimitedError: if it is used too fast
        :raises KeyLimitError: if it is used up
        """
        limits = record.limits
        if limits.rate_count is not None and limits.rate_seconds is not None:
            meter = self._meter(record, limits.rate_count, limits.rate_seconds)
            if not meter.take(now):
                raise RateLimitedError(
                    "The key is used too fast", got=record.id, expected=f"at most {meter}"
                )
        if limits.max_uses is not None:
            self._take(record, limits.max_uses, reserve)

    def _take(self, record: KeyRecord, maximum: int, reserve: Reserve) -> None:
        count = self._counts.get(record.id)
        if count is None or count.version != record.version:
            count = self._counts[record.id] = _Count(record.version, record.uses)
            if len(self._counts) > _KEPT:
                # What was reserved of it is lost, as by a stop.
                self._counts.popitem(last=False)
        else:
            self._counts.move_to_end(record.id)
        used_up = count.used >= count.reserved
        # Another enclave over the same store may have reserved some meanwhile, and the limit may
        # have been lowered.
        if (record.uses if used_up else count.used) >= maximum:
            raise KeyLimitError(
                "The key is used up", got=record.id, expected=f"at most {maximum} uses"
            )
        if used_up:
            block = max(1, min(MAX_BLOCK, maximum // 64))
            reserved = min(maximum, record.uses + block)
            reserve(record, reserved)
            count.used, count.reserved = record.uses, reserved
        count.used += 1

    def _meter(self, record: KeyRecord, count: int, seconds: int) -> Meter:
        known = self._meters.get(record.id)
        if known is None or known[0] != record.limits:
            known = self._meters[record.id] = (record.limits, Meter(count, seconds))
            if len(self._meters) > _KEPT:
                self._meters.popitem(last=False)
        return known[1]
