"""One entry of an audit log, and the chain through all of them."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from xmtp_tee.wire.refusals import AuditTamperedError

_DOMAIN: Final = b"xmtp-tee/audit/v1"

OK: Final = "ok"
"""The outcome of what was granted; otherwise it is the code of the error."""

BEGUN: Final = "begun"
"""The outcome of an entry that is written before something leaves which cannot be called back: a key,
or the store key. What came of it stands in an entry after it.
"""

CHECKPOINT: Final = "checkpoint"
"""The operation of an entry whose ``detail`` is the authority's signature over the log before it."""

RECOVERED: Final = "recovered"
"""The operation of an entry that says: the store has changed since the entry before, and no answer
was given (the enclave stopped between the change and its answer).
"""


class AuditEntry(msgspec.Struct, frozen=True, array_like=True):
    """Who asked for what, and what came of it.

    ``counter``: from 1. ``time``: unix seconds, by the enclave's clock. ``caller``: the policy's
    name for it, or what it claimed to be. ``key_id``: the key or handle that was used, or "".
    ``request``, ``result``: SHA-256 of the operation and of the result as they travelled; the
    result of a refusal is empty. ``outcome``: ``ok``, ``begun`` or an error's code. ``epoch``: of the store
    afterwards. ``detail``: the signature of a checkpoint.
    """

    counter: int
    time: int
    caller: str
    operation: str
    key_id: str
    request: bytes
    outcome: str
    result: bytes
    epoch: int
    detail: bytes = b""


encode_entry = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(AuditEntry)


def decode_entry(data: bytes) -> AuditEntry:
    """Return what ``encode_entry`` wrote.

    :raises AuditTamperedError: if it is anything else
    """
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, OverflowError):
        raise AuditTamperedError("An entry of the audit log cannot be read") from None


def chain_start(store_id: bytes, log_id: bytes) -> bytes:
    """Return the chain before the first entry of a log."""
    return hashlib.sha256(_DOMAIN + store_id + log_id).digest()


def chain_after(chain: bytes, entry: bytes) -> bytes:
    """Return the chain after one more entry, which is encoded."""
    return hashlib.sha256(_DOMAIN + chain + entry).digest()
