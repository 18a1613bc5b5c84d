"""The audit log's entries and their chain: what an enclave writes and anyone can check. No I/O.

::

    chain(0) = SHA-256("xmtp-tee/audit/v1" || store id || log id)
    chain(n) = SHA-256("xmtp-tee/audit/v1" || chain(n - 1) || entry n)

An entry is MessagePack, an array of the fields of :class:`AuditEntry`. The enclave's authority signs
the chain at checkpoints, which are entries themselves, and in receipts.
"""

from xmtp_tee.audit.entry import (
    BEGUN,
    CHECKPOINT,
    OK,
    RECOVERED,
    AuditEntry,
    chain_after,
    chain_start,
    decode_entry,
    encode_entry,
)
from xmtp_tee.audit.verify import LogVerifier, verify_receipt

__all__ = [
    "BEGUN",
    "CHECKPOINT",
    "OK",
    "RECOVERED",
    "AuditEntry",
    "LogVerifier",
    "chain_after",
    "chain_start",
    "decode_entry",
    "encode_entry",
    "verify_receipt",
]
