"""An audit log, or one receipt of it, against the authority of an attested enclave."""

from __future__ import annotations

import hashlib

from xmtp_tee.attestation.statements import AuditCheckpoint, Receipt, require_signed_by
from xmtp_tee.audit.entry import (
    CHECKPOINT,
    OK,
    AuditEntry,
    chain_after,
    chain_start,
    decode_entry,
)
from xmtp_tee.wire.refusals import AuditTamperedError, ReceiptInvalidError


class LogVerifier:
    """Follows a log from its beginning, or from a checkpoint that was verified before.

    After each entry ``counter`` and ``chain`` say where it stands; ``signed`` is the counter of the
    newest entry that a verified signature covers. Entries after it are only as good as who shows
    them.
    """

    def __init__(
        self,
        store_id: bytes,
        log_id: bytes,
        authority: bytes,
        *,
        counter: int = 0,
        chain: bytes | None = None,
    ) -> None:
        """``authority``: 20 bytes, of an enclave whose attestation was verified."""
        self._store_id = store_id
        self._log_id = log_id
        self._authority = authority
        self.counter = counter
        self.chain = chain_start(store_id, log_id) if chain is None else chain
        self.signed = counter

    def follow(self, data: bytes) -> AuditEntry:
        """Take the next entry, encoded, and return it.

        :raises AuditTamperedError: if it is not the one after the last
        :raises CertificateInvalidError: if it is a checkpoint that the authority did not sign
        """
        entry = decode_entry(data)
        if entry.counter != self.counter + 1:
            raise AuditTamperedError(
                "The audit log has a gap", got=entry.counter, expected=self.counter + 1
            )
        if entry.operation == CHECKPOINT and entry.detail:
            self.require_checkpoint(self.counter, self.chain, entry.time, entry.detail)
            self.signed = self.counter
        self.chain = chain_after(self.chain, data)
        self.counter = entry.counter
        return entry

    def require_checkpoint(self, counter: int, chain: bytes, time: int, signature: bytes) -> None:
        """Return if the authority signed that the log stood so, and it is where this one stands.

        :raises AuditTamperedError: if the log stands elsewhere
        :raises CertificateInvalidError: if the authority did not sign that
        """
        if (counter, chain) != (self.counter, self.chain):
            raise AuditTamperedError(
                "The audit log is not the one that the checkpoint was signed over",
                got=f"entry {self.counter}, chain {self.chain.hex()[:16]}",
                expected=f"entry {counter}, chain {chain.hex()[:16]}",
            )
        checkpoint = AuditCheckpoint(self._store_id, self._log_id, counter, chain, time)
        require_signed_by(checkpoint.digest(), signature, self._authority)
        self.signed = counter


def verify_receipt(
    receipt: Receipt,
    signature: bytes,
    authority: bytes,
    *,
    operation: bytes | None = None,
    result: bytes | None = None,
) -> AuditEntry:
    """Return the entry that a receipt proves.

    ``operation``, ``result``: what travelled, encoded; where given, the entry must be about it. A
    refusal has no result.

    :raises CertificateInvalidError: if ``authority`` did not sign the receipt
    :raises ReceiptInvalidError: if it is about something else
    """
    require_signed_by(receipt.digest(), signature, authority)
    entry = decode_entry(receipt.entry)
    if entry.counter != receipt.counter:
        raise ReceiptInvalidError(
            "The receipt is of another entry", got=entry.counter, expected=receipt.counter
        )
    if operation is not None and hashlib.sha256(operation).digest() != entry.request:
        raise ReceiptInvalidError("The receipt is of another request")
    expected = b"" if entry.outcome != OK else None
    if result is not None:
        expected = hashlib.sha256(result).digest()
    if expected is not None and entry.result != expected:
        raise ReceiptInvalidError("The receipt is of another result")
    return entry
