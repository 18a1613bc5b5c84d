"""A client of one enclave: connected, asking, believing nothing that does not fit."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.client.answers import built
from xmtp_tee.client.caller import CallerKey
from xmtp_tee.client.connection import EnclaveConnection
from xmtp_tee.client.errors import EnclaveMismatchError
from xmtp_tee.client.freshness import ReceiptBook
from xmtp_tee.client.models import EnclaveInfo
from xmtp_tee.client.receipts import OperationReceipt
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import decode_result, encode_body
from xmtp_tee.wire.errors import MessageUnexpectedError
from xmtp_tee.wire.faults import to_exception
from xmtp_tee.wire.limits import PROTOCOL_VERSION

R = TypeVar("R", bound=wire.Message)
M = TypeVar("M", bound=wire.Message)


class EnclaveClient:
    """The base of ``KeyManager``; see there."""

    def __init__(
        self,
        socket_path: str | os.PathLike[str],
        timeout: float = 10.0,
        *,
        caller: CallerKey | None = None,
        transport_key: bytes | None = None,
        state_receipts: ReceiptBook | None = None,
    ) -> None:
        """Connect to the enclave's Unix socket. ``timeout``: seconds for each answer.

        ``caller``: the key by which the enclave's policy knows this client; with it the connection
        is encrypted to the enclave, and nobody in between can add to it. Without, the client is
        whoever the kernel says. ``transport_key``: the 32 bytes of the enclave's attestation, to
        refuse any other. ``state_receipts``: refuse a store that went back behind what this client
        has seen.

        :raises EnclaveUnavailableError: if no enclave answers there
        :raises EnclaveMismatchError: if it is another one
        :raises ProtocolVersionError: if it is of another release
        :raises CallerUnknownError: if its policy does not know this client
        :raises StoreRolledBackError: if the store is older than the client's receipt
        :raises StoreForkedError: if it descends from another past than the receipt's
        """
        self._connection = EnclaveConnection(socket_path, timeout, caller, transport_key)
        self._asking = threading.local()
        self._verified = False
        """Whether this connection's enclave was verified by its attestation, and its code is among the trusted."""
        self._state_receipts = state_receipts
        try:
            self.check_freshness()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up. The keys stay."""
        self._connection.close()

    @property
    def authority(self) -> bytes:
        """The address (20 bytes) that the enclave on this connection signs under."""
        return self._connection.enclave.authority

    def check_freshness(self) -> None:
        """Have the enclave prove that its store has not gone back, and remember how far it is;
        without ``state_receipts`` nothing is asked. Done at connecting; to be done again after
        changes that matter.

        :raises StoreRolledBackError: if the store is older than the client's receipt
        :raises StoreForkedError: if it descends from another past than the receipt's
        """
        if self._state_receipts is not None:
            enclave = self._connection.enclave
            self._state_receipts.check(
                enclave.authority, enclave.store_id, lambda ask: self._call(ask, wire.Freshness)
            )

    def ping(self) -> None:
        """Return if the enclave answers."""
        self._call(wire.Ping(), wire.Pong)

    def info(self) -> EnclaveInfo:
        """Return who the enclave says it is, asked anew.

        :raises EnclaveMismatchError: if that is another than the one that greeted
        """
        about = self._call(wire.Describe(), wire.EnclaveDescription)
        greeted = self._connection.enclave
        if (about.authority, about.transport_key, about.store_id) != (
            greeted.authority,
            greeted.transport_key,
            greeted.store_id,
        ):
            raise EnclaveMismatchError(
                "Another enclave answers than the one that greeted",
                got=checksum_address(about.authority),
                expected=checksum_address(greeted.authority),
            )
        return EnclaveInfo.from_wire(about, PROTOCOL_VERSION)

    @contextmanager
    def receipts(self) -> Iterator[list[OperationReceipt]]:
        """Collect a signed receipt of every operation of this thread inside the block, refused ones
        too; each is verified under this connection's enclave. ::

            with keys.receipts() as receipts:
                signature = keys.sign(key_id, message)
            receipts[0].to_json()
        """
        before = getattr(self._asking, "receipts", None)
        collected: list[OperationReceipt] = []
        self._asking.receipts = collected
        try:
            yield collected
        finally:
            self._asking.receipts = before

    def call(self, operation: wire.Operation) -> wire.Message:
        """Send one operation (``xmtp_tee.wire.messages``) and return its result as it is."""
        return self._call(operation, wire.Message)

    def batch(self, operations: Sequence[wire.Operation]) -> list[wire.Result | XmtpTeeError]:
        """Carry out up to 256 operations (``xmtp_tee.wire.messages``) in one request, in order.

        Returns each one's result, or the error that it was refused with: one that is refused stops
        no other.
        """
        raws = tuple(msgspec.Raw(encode_body(each)) for each in operations)
        answer = self._ask(wire.Batch, wire.BatchResult, operations=raws)
        if len(answer.outcomes) != len(operations):
            raise EnclaveMismatchError(
                "The batch has other outcomes than operations",
                got=len(answer.outcomes),
                expected=len(operations),
            )
        return [_outcome(each) for each in answer.outcomes]

    def _ask(
        self, kind: type[M], expected: type[R], *, idempotency_key: str | None = None, **fields: Any
    ) -> R:
        """Build an operation from checked fields, and return its result."""
        operation = built(kind, **fields)
        return self._call(operation, expected, idempotency_key)  # type: ignore[arg-type]

    def _call(
        self, operation: wire.Operation, expected: type[R], idempotency_key: str | None = None
    ) -> R:
        receipts: list[OperationReceipt] | None = getattr(self._asking, "receipts", None)
        asked, answer = self._connection.ask(operation, idempotency_key, receipts is not None)
        if receipts is not None:
            receipts.append(OperationReceipt.of_answer(self._connection.enclave, asked, answer))
        if isinstance(answer, wire.Failure):
            raise to_exception(answer)
        result = decode_result(answer)
        if not isinstance(result, expected):
            raise MessageUnexpectedError(
                "The enclave answered another question",
                got=type(result).__name__,
                expected=expected.__name__,
            )
        return result


def _outcome(outcome: wire.Outcome) -> wire.Result | XmtpTeeError:
    if outcome.failure is not None:
        return to_exception(outcome.failure)
    return decode_result(wire.Reply(1, outcome.result))
