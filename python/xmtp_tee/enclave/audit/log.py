"""The log: entries are chained as they come, and sealed and written before any answer leaves.

What the host can do: delete the newest entries that nobody has seen, as far back as the mark that the
last change of the store left in it; and old segments as a whole. It can neither read an entry, nor
change, exchange, add or leave one out, nor begin a new log unnoticed. A receipt or a signed
checkpoint in a client's hands shows even the loss of the newest.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from xmtp_tee.attestation.statements import AuditCheckpoint, Receipt
from xmtp_tee.audit.entry import (
    CHECKPOINT,
    OK,
    AuditEntry,
    chain_after,
    chain_start,
    decode_entry,
    encode_entry,
)
from xmtp_tee.enclave.audit.segments import MemorySegments, Segments
from xmtp_tee.enclave.draft import Draft
from xmtp_tee.enclave.records import AUDIT_DOCUMENT
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.wire.refusals import AuditTamperedError
from xmtp_tee.wire.store_faults import StoreTamperedError

DOCUMENT: Final = AUDIT_DOCUMENT
"""The store's document with a mark for each log."""

SEGMENT_SIZE: Final = 8 << 20
CHECKPOINT_EVERY: Final = 4096
_MAX_PENDING: Final = 512

Signer = Callable[[bytes], bytes]
"""Signs a digest with the authority's key."""


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """Where a log stood at a mutation of the store."""

    counter: int
    chain: bytes


_marks_decoder: Final = msgspec.msgpack.Decoder(dict[str, Mark])
_frame_decoder: Final = msgspec.msgpack.Decoder(tuple[bytes, list[bytes]])
_encode: Final = msgspec.msgpack.Encoder().encode


class AuditLog:
    """One log, open at its end. ``sign`` makes the authority's signatures."""

    def __init__(
        self, store: SealedStore, segments: Segments, log_id: bytes, counter: int, chain: bytes
    ) -> None:
        """Use :meth:`open`."""
        self._store = store
        self._segments = segments
        self.log_id = log_id
        self.counter = counter
        self.chain = chain
        self._flushed = chain
        self._pending: list[bytes] = []
        self._chains: list[bytes] = []
        self._durable = False
        self._unsynced = False
        self._checkpoint = counter
        self.epoch = 0

    @classmethod
    def open(
        cls, store: SealedStore, segments: Segments | None = None, *, accept_lost: bool = False
    ) -> AuditLog:
        """Open the log in ``segments``, or begin one there; in memory if there is no place.

        ``accept_lost``: begin a new log although the store knows one that is not here.

        :raises AuditTamperedError: if it is not the log that this store's marks are of
        :raises AuditUnavailableError: if it cannot be read or written
        """
        places: Segments = MemorySegments() if segments is None else segments
        marks = _marks(store)
        log_id = places.log_id()
        if log_id is None:
            if marks and segments is not None and not store.shared and not accept_lost:
                raise AuditTamperedError(
                    "The audit log is gone",
                    expected=f"the log {next(iter(marks))}",
                    cause="its folder was removed or emptied; bring it back",
                    next_command="xmtp-tee enclave run --unsafe-accept-lost-audit, if it is lost",
                )
            log_id = os.urandom(16)
            places.begin(log_id, 1)
            return cls(store, places, log_id, 0, chain_start(store.store_id, log_id))
        mark = marks.get(log_id.hex())
        if mark is None and not accept_lost:
            mark = Mark(0, chain_start(store.store_id, log_id))
        return cls._resumed(store, places, log_id, mark)

    @classmethod
    def _resumed(
        cls, store: SealedStore, segments: Segments, log_id: bytes, mark: Mark | None
    ) -> AuditLog:
        firsts = segments.firsts()
        begin = firsts[0]
        for first in firsts:
            if mark is not None and first <= mark.counter + 1:
                begin = first
        log = cls(store, segments, log_id, begin - 1, b"")
        seen = mark is None
        for chain, entries in log._read(begin):
            if log.chain and log.chain != chain:
                raise AuditTamperedError("The audit log has a break", got=log.counter)
            log.chain = chain
            if mark is not None and (log.counter, log.chain) == (mark.counter, mark.chain):
                seen = True
            for data in entries:
                log.chain = chain_after(log.chain, data)
                log.counter += 1
                log.epoch = decode_entry(data).epoch
                if mark is not None and log.counter == mark.counter:
                    seen = log.chain == mark.chain
        if not log.chain:
            # An empty first segment: begun, and never written to.
            log.chain = chain_start(store.store_id, log_id)
            seen = seen or (mark is not None and mark == Mark(log.counter, log.chain))
        if not seen:
            raise AuditTamperedError(
                "The audit log is not the one that the store knows",
                got=f"{log.counter} entries",
                expected=f"entry {mark.counter if mark else 0} as the store has marked it",
                cause="entries were removed or exchanged, or an older copy was put back",
            )
        log._flushed = log.chain
        log._checkpoint = log.counter
        return log

    def append(
        self,
        now: int,
        caller: str,
        operation: str,
        key_id: str,
        request: bytes,
        outcome: str,
        result: bytes,
        detail: bytes = b"",
    ) -> bytes:
        """Add an entry to the chain and return it, encoded. It is not written before
        :meth:`flush`.

        ``request``, ``result``: digests.
        """
        epoch = self._store.epoch
        if epoch != self.epoch:
            # The store has changed: that change is on disk, and so must be this entry.
            self._durable = True
            self.epoch = epoch
        data = encode_entry(
            AuditEntry(
                self.counter + 1,
                now,
                caller,
                operation,
                key_id,
                request,
                outcome,
                result,
                epoch,
                detail,
            )
        )
        self.counter += 1
        self.chain = chain_after(self.chain, data)
        self._pending.append(data)
        self._chains.append(self.chain)
        return data

    def flush(self, sign: Signer, now: int) -> None:
        """Write what is pending, before any answer to it leaves.

        :raises AuditUnavailableError: if it cannot be written; it stays pending
        """
        if not self._pending:
            return
        if self.counter - self._checkpoint >= CHECKPOINT_EVERY:
            self.checkpoint(sign, now)
        while self._pending:
            part = self._pending[:_MAX_PENDING]
            first = self.counter - len(self._pending) + 1
            body = _encode((self._flushed, part))
            size = self._segments.append(self._store.seal_audit(body, self.log_id, first))
            self._unsynced = True
            self._flushed = self._chains[len(part) - 1]
            del self._pending[: len(part)], self._chains[: len(part)]
            if size > SEGMENT_SIZE:
                self._sync()
                self._segments.begin(self.log_id, first + len(part))
        if self._durable:
            self._sync()
            self._durable = False

    def checkpoint(self, sign: Signer, now: int) -> None:
        """Have the authority sign where the log stands, in an entry of its own."""
        statement = AuditCheckpoint(
            self._store.store_id, self.log_id, self.counter, self.chain, now
        )
        signature = sign(statement.digest())
        self.append(now, "enclave", CHECKPOINT, "", b"", OK, b"", signature)
        self._checkpoint = self.counter
        self._durable = True

    def receipt(self, entry: bytes) -> Receipt:
        """Return the receipt of the newest entry."""
        return Receipt(self._store.store_id, self.log_id, self.counter, self.chain, entry)

    def mark(self, draft: Draft, sign: Signer, now: int) -> None:
        """Have a change of the store carry where this log stands. Nothing is marked of a log in
        memory, which nobody will look for.

        What the mark covers is on disk before: otherwise the store would know entries that an
        interruption has lost, and no start would be possible any more.

        :raises AuditUnavailableError: if it cannot be written; the change must not be made then
        """
        if isinstance(self._segments, MemorySegments):
            return
        self.flush(sign, now)
        if self._unsynced:
            self._sync()
        marks = _marks(self._store) if self._store.shared else {}
        marks[self.log_id.hex()] = Mark(self.counter, self.chain)
        draft.put_document(DOCUMENT, _encode(marks))

    @property
    def first_kept(self) -> int:
        """The counter of the oldest entry that is still here."""
        return self._segments.firsts()[0]

    def read(self, after: int, limit: int) -> tuple[bytes, list[bytes]]:
        """Return (chain before the first, up to ``limit`` entries after the counter ``after``).

        :raises AuditTamperedError: if the log on disk is not what was written
        """
        begin = max((f for f in self._segments.firsts() if f <= after + 1), default=None)
        if begin is None:
            begin = self.first_kept
            after = begin - 1
        counter, chain, before, found = begin - 1, b"", b"", []
        for stated, entries in self._read(begin):
            if chain and chain != stated:
                raise AuditTamperedError("The audit log has a break", got=counter)
            chain = stated
            for data in entries:
                if counter == after:
                    before = chain
                chain = chain_after(chain, data)
                counter += 1
                if counter > after:
                    found.append(data)
                    if len(found) == limit:
                        return before, found
        if counter == self.counter - len(self._pending) and chain not in (b"", self._flushed):
            raise AuditTamperedError("The audit log does not end as it was written", got=counter)
        return (before if found else self.chain), found

    def close(self, sign: Signer, now: int) -> None:
        """Sign a last checkpoint, if anything happened since the one before, and let go."""
        try:
            if self.counter > self._checkpoint:
                self.checkpoint(sign, now)
            self.flush(sign, now)
        finally:
            self._segments.close()

    def _sync(self) -> None:
        self._segments.sync()
        self._unsynced = False

    def _read(self, begin: int) -> Iterator[tuple[bytes, list[bytes]]]:
        """Yield (chain before, entries) of every frame from the segment ``begin`` on."""
        counter = begin
        for first in self._segments.firsts():
            if first < begin:
                continue
            if first != counter:
                raise AuditTamperedError(
                    "A segment of the audit log is missing", got=first, expected=counter
                )
            for frame in self._segments.frames(first):
                try:
                    body = self._store.open_audit(frame, self.log_id, counter)
                    chain, entries = _frame_decoder.decode(body)
                except (StoreTamperedError, msgspec.DecodeError):
                    raise AuditTamperedError(
                        "The audit log was changed", got=f"at entry {counter}"
                    ) from None
                yield chain, entries
                counter += len(entries)


def digest(data: bytes | memoryview) -> bytes:
    """Return the SHA-256 by which an entry names a request or result."""
    return hashlib.sha256(data).digest()


def _marks(store: SealedStore) -> dict[str, Mark]:
    document = store.document(DOCUMENT)
    return {} if document is None else _marks_decoder.decode(document)
