"""The enclave itself: operations in, results out. No socket, no clock: ``now`` is passed in.

Each operation passes the same gates, in this order: the policy knows the caller and grants it the
operation, the table of purposes allows it on the key, the key's state and limits allow it now. Then a
private key is touched. Granted or refused, an entry of the audit log is made, which must be written
(:meth:`Enclave.flush`) before the answer leaves.
"""

from __future__ import annotations

import hashlib
import logging
import os
from typing import Final

import msgspec

from xmtp_tee.attestation.address import address_of_public_key
from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.audit.entry import OK, RECOVERED
from xmtp_tee.enclave.agreement import exchange
from xmtp_tee.enclave.audit.log import AuditLog
from xmtp_tee.enclave.callers import Access, Peer, PolicyInForce
from xmtp_tee.enclave.operations.about import description
from xmtp_tee.enclave.operations.call import Call, Parts, StoreMoved
from xmtp_tee.enclave.operations.governance import DOCUMENT as POLICY
from xmtp_tee.enclave.operations.table import HANDLERS
from xmtp_tee.enclave.private_keys import Entropy, kernel_entropy
from xmtp_tee.enclave.purposes import KeyOperation, require_allowed
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.policy import decode_policy
from xmtp_tee.policy.document import Policy, built_in
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import decode_operation, encode, encode_body
from xmtp_tee.wire.errors import FrameTooLargeError
from xmtp_tee.wire.faults import EnclaveInternalError, to_failure
from xmtp_tee.wire.limits import MAX_REPLY_BODY
from xmtp_tee.wire.refusals import BatchInvalidError
from xmtp_tee.wire.store_faults import StoreUnavailableError

log = logging.getLogger("xmtp_tee.enclave")

_ENVELOPE: Final = 4096
"""Bytes of a reply around its result, a receipt among them."""

_ATTEMPTS: Final = 64
"""Among four enclaves that write all the time, 16 fail once in a hundred changes, 64 once in a hundred million."""

_BATCH: Final = "batch"
_REQUESTS: Final = "requests"
"""The store's document with the number of requests of callers that may make only so many."""

_counts_decoder: Final = msgspec.msgpack.Decoder(dict[str, int])
_NIL: Final = msgspec.Raw(msgspec.msgpack.encode(None))
_sha256 = hashlib.sha256


class Enclave:
    """The service over one opened store. Not thread-safe."""

    def __init__(
        self,
        store: SealedStore,
        driver: Driver,
        entropy: Entropy = kernel_entropy,
        audit: AuditLog | None = None,
        further: tuple[Driver, ...] = (),
    ) -> None:
        """Take over an opened store, and its audit log (in memory, if there is none).

        ``further``: drivers that attest this enclave besides the one that seals the store.
        """
        authority = store.authority()
        self._own = Peer(uid=os.geteuid())
        self._now = 0
        self._entry = b""
        self._parts = Parts(
            store=store,
            driver=driver,
            further=further,
            entropy=entropy,
            authority=authority,
            authority_address=address_of_public_key(authority.public_key),
            transport=store.transport(),
            policy=PolicyInForce(_policy_of(store)),
            audit=AuditLog.open(store) if audit is None else audit,
        )
        self._epoch = store.epoch
        audit = self._parts.audit
        if audit.counter and audit.epoch != store.epoch and not store.shared:
            audit.append(0, "enclave", RECOVERED, "", b"", OK, b"")

    def handle(
        self,
        operation: wire.Operation,
        now: int,
        peer: Peer | None = None,
        idempotency_key: str | None = None,
    ) -> wire.Result:
        """Carry out one operation at ``now`` (unix seconds) for ``peer``, by default the enclave's
        own user. What it changed is on disk when it returns.

        :raises XmtpTeeError: one of ``xmtp_tee.wire.faults``; then nothing has changed
        """
        now = self._time(now)
        digest = _sha256(encode_body(operation)).digest()
        who = peer or self._own
        return self._recorded(operation, digest, now, who, idempotency_key)[0]

    def answer(self, request: wire.Request, now: int, peer: Peer) -> bytes:
        """Return the frame that answers ``request``. It must not leave before :meth:`flush`."""
        now = self._time(now)
        digest = _sha256(request.operation).digest()
        self._entry = b""
        try:
            operation = self._decoded(request, digest, now, peer)
            _, body = self._recorded(operation, digest, now, peer, request.idempotency_key)
            receipt = self._receipt() if request.receipt else None
            return encode(wire.Reply(request.id, msgspec.Raw(body), receipt))
        except Exception as error:  # noqa: BLE001 -- one request's fault must not end the others
            failure = to_failure(request.id, typed(error))
            if request.receipt and self._entry:
                failure = msgspec.structs.replace(failure, receipt=self._receipt())
            return encode(failure)

    def admit(self, peer: Peer, now: int) -> None:
        """Return if the policy knows ``peer``.

        :raises CallerUnknownError: if it does not; the audit log says so
        """
        try:
            self._parts.policy.access(peer)
        except XmtpTeeError as error:
            self.record_refusal(peer, error, now)
            raise

    def record_refusal(self, peer: Peer, error: XmtpTeeError, now: int) -> None:
        """Have the audit log say that a connection was refused."""
        self._parts.audit.append(self._time(now), str(peer), "hello", "", b"", error.code, b"")

    def describe(self) -> wire.EnclaveDescription:
        """Return who this enclave is."""
        return description(self._parts)

    def channel_secret(self, share: bytes) -> bytes:
        """Return X25519 of the transport key and a connection's ``share``, for its channel's keys.

        :raises PublicKeyInvalidError: if the share is of low order
        """
        transport = self._parts.transport
        require_allowed(transport.purpose, KeyOperation.OPEN_CHANNEL, transport.id)
        with self._parts.store.secret(transport) as private:
            return exchange(private, share)

    def random(self, size: int) -> bytes:
        """Return unpredictable bytes."""
        buffer = bytearray(size)
        self._parts.entropy(buffer)
        return bytes(buffer)

    def flush(self) -> None:
        """Write down what the answers so far have left to be recorded; no answer leaves before.

        :raises AuditUnavailableError: if that is not possible now
        """
        self._parts.audit.flush(self._parts.sign_statement, self._now)

    def close(self) -> None:
        """Sign the audit log's last checkpoint, forget every key and let go of the store."""
        try:
            self._parts.audit.close(self._parts.sign_statement, self._now)
        finally:
            self._parts.handles.close_all()
            self._parts.store.close()

    # --- one operation ----------------------------------------------------------------------------

    def _decoded(
        self, request: wire.Request, digest: bytes, now: int, peer: Peer
    ) -> wire.Operation:
        try:
            return decode_operation(request)
        except XmtpTeeError as error:
            self._refused(now, str(peer), "?", "", digest, error)
            raise

    def _recorded(
        self,
        operation: wire.Operation,
        digest: bytes,
        now: int,
        peer: Peer,
        idempotency_key: str | None,
    ) -> tuple[wire.Result, bytes]:
        """Carry out an operation and record it; return its result, plain and encoded."""
        name = operation.__struct_config__.tag
        access, call = None, None
        try:
            if self._parts.store.shared:
                self._refresh()
            access = self._parts.policy.access(peer)
            owners = access.require(name, now, self._reserve)  # type: ignore[arg-type]
            if name == _BATCH:
                result: wire.Result = self._batch(operation, now, peer, access, idempotency_key)
            else:
                for _ in range(_ATTEMPTS):
                    call = Call(self._parts, access, owners, now, digest, idempotency_key)
                    try:
                        result = HANDLERS[type(operation)](call, operation)
                        break
                    except StoreMoved:
                        # Another enclave was faster, and may have changed the policy too.
                        self._refresh()
                        access = self._parts.policy.access(peer)
                        owners = access.granted(name, now)  # type: ignore[arg-type]
                else:
                    raise StoreUnavailableError(
                        "Other enclaves keep changing the store", got=f"{_ATTEMPTS} attempts"
                    )
            body = encode_body(result)
            if len(body) > MAX_REPLY_BODY - _ENVELOPE:
                raise FrameTooLargeError(
                    "The result is too large for an answer",
                    got=f"{len(body)} bytes",
                    expected=f"at most {MAX_REPLY_BODY - _ENVELOPE} bytes",
                )
        except Exception as error:
            key_id = "" if call is None else call.key_id
            caller = str(peer) if access is None else access.name
            self._refused(now, caller, str(name), key_id, digest, typed(error))
            raise
        self._entry = self._parts.audit.append(
            now,
            access.name,
            name,  # type: ignore[arg-type]
            "" if call is None else call.key_id,
            digest,
            OK,
            _sha256(body).digest(),
        )
        return result, body

    def _reserve(self, caller: str, block: int, most: int) -> int:
        """Write down that a caller makes up to ``block`` further requests of ``most`` in all;
        return how many it may.
        """
        store = self._parts.store
        with store.mutation() as draft:
            document = store.document(_REQUESTS)
            counts = {} if document is None else _counts_decoder.decode(document)
            made = counts.get(caller, 0)
            granted = max(0, min(block, most - made))
            if granted:
                counts[caller] = made + granted
                draft.put_document(_REQUESTS, msgspec.msgpack.encode(counts))
            self._parts.audit.mark(draft, self._parts.sign_statement, self._now)
        return granted

    def _batch(
        self,
        batch: object,
        now: int,
        peer: Peer,
        access: Access,
        idempotency_key: str | None,
    ) -> wire.BatchResult:
        if not isinstance(batch, wire.Batch):
            raise TypeError("not a batch")
        outcomes, size = [], 0
        for place, raw in enumerate(batch.operations, start=1):
            digest = _sha256(raw).digest()
            request = wire.Request(place, raw)
            try:
                if size > MAX_REPLY_BODY // 2:
                    raise FrameTooLargeError("The batch's results so far fill the answer")
                operation = self._decoded(request, digest, now, peer)
                if isinstance(operation, wire.Batch):
                    error = BatchInvalidError("A batch holds no batch", got=f"at place {place}")
                    self._refused(now, access.name, _BATCH, "", digest, error)
                    raise error
                key = None if idempotency_key is None else f"{idempotency_key}#{place}"
                _, body = self._recorded(operation, digest, now, peer, key)
                size += len(body)
                outcomes.append(wire.Outcome(msgspec.Raw(body)))
            except Exception as error:  # noqa: BLE001 -- one part's fault must not end the others
                outcomes.append(wire.Outcome(_NIL, to_failure(place, typed(error))))
        return wire.BatchResult(outcomes=tuple(outcomes))

    def _refused(
        self,
        now: int,
        caller: str,
        name: str,
        key_id: str,
        digest: bytes,
        error: XmtpTeeError,
    ) -> None:
        log.info("%s refused: %s", name, error.code)
        self._entry = self._parts.audit.append(
            now, caller, name, key_id[:64], digest, error.code, b""
        )

    def _receipt(self) -> wire.SignedReceipt:
        receipt = self._parts.audit.receipt(self._entry)
        return wire.SignedReceipt(
            log_id=receipt.log_id,
            counter=receipt.counter,
            chain=receipt.chain,
            entry=receipt.entry,
            signature=self._parts.sign_statement(receipt.digest()),
        )

    def _refresh(self) -> None:
        """Take over what other enclaves over the same store have written, their policy too."""
        store = self._parts.store
        store.refresh()
        if store.epoch != self._epoch:
            self._epoch = store.epoch
            policy = _policy_of(store)
            if policy != self._parts.policy.policy:
                self._parts.policy = PolicyInForce(policy)

    def _time(self, now: int) -> int:
        """Return the time, which never goes back while the enclave runs: the host sets its
        clock.
        """
        if now > self._now:
            self._now = now
            self._parts.handles.expire(now)
        return self._now


def typed(error: Exception) -> XmtpTeeError:
    """Return ``error`` if it is one of ours; of a foreign one its kind alone, because its text may
    hold anything, secrets too.
    """
    if isinstance(error, XmtpTeeError):
        return error
    log.error("failed inside: %s", type(error).__name__)
    return EnclaveInternalError("A fault inside the enclave", got=type(error).__name__)


def _policy_of(store: SealedStore) -> Policy:
    document = store.document(POLICY)
    if document is None:
        # The users whom the socket lets in; see ``listener.authorise_peer``.
        return built_in(tuple(sorted({0, os.geteuid()})))
    return decode_policy(document)
