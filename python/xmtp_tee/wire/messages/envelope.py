"""What carries operations, results and errors."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from xmtp_tee.wire.messages.base import (
    Bytes16,
    Bytes32,
    Count,
    Label,
    Message,
    RequestId,
    Signature65,
)


class Request(Message, frozen=True, tag="request"):
    """One operation, to be answered under the same id. The operation stays undecoded until it is
    looked at, so that a wrong one can be answered under its id.

    ``idempotency_key``: a mutation that this caller asked for under this key before is not made
    again. ``receipt``: ask for a signed receipt of the operation, granted or refused.
    """

    id: RequestId
    operation: msgspec.Raw
    idempotency_key: Label | None = None
    receipt: bool = False


class SignedReceipt(Message, frozen=True, tag="receipt"):
    """The authority's signature over an entry of the audit log (``attestation.statements.Receipt``).

    ``entry``: as it stands in the log (``xmtp_tee.audit.entry``). ``chain``: the log's chain after
    it.
    """

    log_id: Bytes16
    counter: Count
    chain: Bytes32
    entry: Annotated[bytes, Meta(max_length=1024)]
    signature: Signature65


class Reply(Message, frozen=True, tag="reply"):
    """The result of the request with this id."""

    id: RequestId
    result: msgspec.Raw
    receipt: SignedReceipt | None = None


class Failure(Message, frozen=True, tag="failure"):
    """The typed error of the request with this id; id 0 concerns the connection, which is then
    closed.
    """

    id: Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
    code: Label
    message: str
    got: str | None = None
    expected: str | None = None
    cause: str | None = None
    next_command: str | None = None
    exit_code: int = 1
    receipt: SignedReceipt | None = None
