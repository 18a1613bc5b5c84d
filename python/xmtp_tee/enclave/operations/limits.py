"""The limits of keys, as they are asked for."""

from __future__ import annotations

from xmtp_tee.enclave.purposes import KeyType
from xmtp_tee.enclave.records import KeyLimits
from xmtp_tee.enclave.symmetric import MAX_SEALED
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.limits import MAX_EXPIRY
from xmtp_tee.wire.refusals import LimitsInvalidError

_AEAD = frozenset({KeyType.AES_256_GCM, KeyType.CHACHA20_POLY1305})


def require_limits(limits: wire.Limits | None, key_type: KeyType, now: int) -> KeyLimits:
    """Return the limits for a key; an AEAD key is always limited by its random nonces.

    :raises LimitsInvalidError: an expiry that is not after ``now``, half a rate
    """
    asked = wire.Limits() if limits is None else limits
    if asked.expires_at is not None and not now < asked.expires_at <= MAX_EXPIRY:
        raise LimitsInvalidError(
            "The key's expiry is not possible",
            got=asked.expires_at,
            expected=f"after now ({now}) and at most {MAX_EXPIRY}",
        )
    if (asked.rate_count is None) != (asked.rate_seconds is None):
        raise LimitsInvalidError("A rate is a count and a number of seconds")
    max_uses = asked.max_uses
    if key_type in _AEAD:
        max_uses = min(max_uses or MAX_SEALED, MAX_SEALED)
    return KeyLimits(
        expires_at=asked.expires_at,
        max_uses=max_uses,
        rate_count=asked.rate_count,
        rate_seconds=asked.rate_seconds,
    )
