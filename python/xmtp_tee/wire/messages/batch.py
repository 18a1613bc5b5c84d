"""Several operations in one request."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from xmtp_tee.wire.limits import MAX_BATCH
from xmtp_tee.wire.messages.base import Message
from xmtp_tee.wire.messages.envelope import Failure


class Batch(Message, frozen=True, tag="batch"):
    """Operations, carried out in order, each granted or refused by itself; -> ``BatchResult``. A
    batch holds no batch.
    """

    operations: Annotated[tuple[msgspec.Raw, ...], Meta(min_length=1, max_length=MAX_BATCH)]


class Outcome(Message, frozen=True, tag="outcome"):
    """One operation's result, or its failure (whose id is its place, from 1) with nil as result."""

    result: msgspec.Raw
    failure: Failure | None = None


class BatchResult(Message, frozen=True, tag="batch-result"):
    """The outcomes, in the order of the operations."""

    outcomes: tuple[Outcome, ...]
