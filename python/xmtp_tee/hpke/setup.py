"""From an encapsulated key to a context: modes base and PSK (RFC 9180, sections 5.1 and 6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from xmtp_tee.hpke import kem
from xmtp_tee.hpke.context import RecipientContext, SenderContext
from xmtp_tee.hpke.errors import HpkePskInvalidError
from xmtp_tee.hpke.kdf import Secret, labeled_expand, labeled_extract
from xmtp_tee.hpke.suites import NONCE_SIZE, Suite

Entropy = Callable[[int], bytes]
"""Returns that many unpredictable bytes."""

MIN_PSK: Final = 32
_MODE_BASE: Final = b"\x00"
_MODE_PSK: Final = b"\x01"


@dataclass(frozen=True)
class PreSharedKey:
    """A pre-shared key and its id, for the mode PSK.

    :raises HpkePskInvalidError: a key below 32 bytes, or an empty id
    """

    key: bytes = field(repr=False)
    id: bytes

    def __post_init__(self) -> None:
        if len(self.key) < MIN_PSK:
            raise HpkePskInvalidError(
                "A pre-shared key is too short", got=len(self.key), expected=f">= {MIN_PSK}"
            )
        if not self.id:
            raise HpkePskInvalidError("A pre-shared key's id is empty", got=0, expected=">= 1")


def setup_sender(
    suite: Suite,
    recipient_public: bytes,
    info: bytes,
    *,
    entropy: Entropy,
    psk: PreSharedKey | None = None,
) -> tuple[bytes, SenderContext]:
    """Return (encapsulated key, context) for messages to the holder of ``recipient_public``.

    :raises HpkePublicKeyInvalidError: a wrong length, not canonical, or of low order
    """
    secret, encapsulated = kem.encapsulate(suite, recipient_public, entropy(32))
    return encapsulated, SenderContext(suite, *_key_schedule(suite, secret, info, psk))


def setup_recipient(
    suite: Suite,
    encapsulated: bytes,
    private_key: Secret,
    info: bytes,
    *,
    public: bytes | None = None,
    psk: PreSharedKey | None = None,
) -> RecipientContext:
    """Return the context of messages that came with ``encapsulated``.

    ``public`` spares the computation of one's own public key, where the caller knows it.

    :raises HpkeEncapsulationInvalidError: a wrong length, or of low order
    :raises HpkePrivateKeyInvalidError: a wrong length
    """
    secret = kem.decapsulate(suite, encapsulated, private_key, public)
    return RecipientContext(suite, *_key_schedule(suite, secret, info, psk))


def seal(
    suite: Suite,
    recipient_public: bytes,
    info: bytes,
    aad: bytes,
    plaintext: bytes,
    *,
    entropy: Entropy,
    psk: PreSharedKey | None = None,
) -> tuple[bytes, bytes]:
    """Return (encapsulated key, ciphertext) of a single message; raises as setup_sender does."""
    encapsulated, context = setup_sender(suite, recipient_public, info, entropy=entropy, psk=psk)
    return encapsulated, context.seal(aad, plaintext)


def open_(
    suite: Suite,
    encapsulated: bytes,
    private_key: Secret,
    info: bytes,
    aad: bytes,
    ciphertext: bytes,
    *,
    public: bytes | None = None,
    psk: PreSharedKey | None = None,
) -> bytes:
    """Return the plaintext of a single message.

    :raises HpkeOpenError: not authentic; otherwise as setup_recipient
    """
    context = setup_recipient(suite, encapsulated, private_key, info, public=public, psk=psk)
    return context.open(aad, ciphertext)


def _key_schedule(
    suite: Suite, shared_secret: bytes, info: bytes, psk: PreSharedKey | None
) -> tuple[bytes, bytes, bytes]:
    """Return (key, base nonce, exporter secret)."""
    suite_id = suite.suite_id
    if psk is None:
        mode, psk_key, psk_id_hash = _MODE_BASE, b"", _no_psk_id_hash(suite_id)
    else:
        mode, psk_key = _MODE_PSK, psk.key
        psk_id_hash = labeled_extract(suite_id, b"", b"psk_id_hash", psk.id)
    context = mode + psk_id_hash + labeled_extract(suite_id, b"", b"info_hash", info)
    secret = labeled_extract(suite_id, shared_secret, b"secret", psk_key)
    return (
        labeled_expand(suite_id, secret, b"key", context, suite.aead.key_size),
        labeled_expand(suite_id, secret, b"base_nonce", context, NONCE_SIZE),
        labeled_expand(suite_id, secret, b"exp", context, 32),
    )


@lru_cache(maxsize=16)
def _no_psk_id_hash(suite_id: bytes) -> bytes:
    return labeled_extract(suite_id, b"", b"psk_id_hash", b"")
