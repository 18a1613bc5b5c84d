"""Why a store, a backup or a hand-over is refused; a part of ``xmtp_tee.wire.faults``.

The tree::

    StoreUnavailableError (exit 3)   enclave.store-unavailable
    StoreTamperedError (exit 2)      enclave.store-tampered
    ├── StoreNotADatabaseError       enclave.store-not-a-database
    ├── StoreIncompleteError         enclave.store-incomplete
    ├── StoreRolledBackError         enclave.store-rolled-back
    └── StoreForkedError             enclave.store-forked
    AnchorUnavailableError (exit 3)  enclave.anchor-unavailable
    SuccessorRefusedError (exit 4)   enclave.successor-refused
    └── HandOverNonceError           enclave.hand-over-nonce
"""

from __future__ import annotations

from xmtp_tee.errors import InvalidEvidenceError, RefusedByPolicyError, UnavailableError


class StoreUnavailableError(UnavailableError):
    """The key store cannot be read or written now (disk full, locked, gone). Nothing was
    acknowledged.
    """

    code = "enclave.store-unavailable"


class StoreTamperedError(InvalidEvidenceError):
    """The key store holds something that this enclave did not write there."""

    code = "enclave.store-tampered"


class StoreNotADatabaseError(StoreTamperedError):
    """The store is not a database of xmtp-tee, or a damaged or truncated one."""

    code = "enclave.store-not-a-database"


class StoreIncompleteError(StoreTamperedError):
    """A part of the store is missing: a header, a table, or the file that a write-ahead log belongs
    to.
    """

    code = "enclave.store-incomplete"


class StoreRolledBackError(StoreTamperedError):
    """The store is an older copy: somebody has seen a later state of it."""

    code = "enclave.store-rolled-back"


class StoreForkedError(StoreTamperedError):
    """Two copies of the store went on separately; this one does not descend from what is known."""

    code = "enclave.store-forked"


class AnchorUnavailableError(UnavailableError):
    """The freshness anchor cannot be read or moved now: whether the store is the newest is not
    known.
    """

    code = "enclave.anchor-unavailable"


class SuccessorRefusedError(RefusedByPolicyError):
    """The store is not handed over: the policy does not approve the enclave that asks for it."""

    code = "enclave.successor-refused"


class HandOverNonceError(SuccessorRefusedError):
    """The evidence of a hand-over is not of now: its nonce was used, or is too old."""

    code = "enclave.hand-over-nonce"
