"""AEAD and message authentication codes under 32-byte keys."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from xmtp_tee.enclave.private_keys import Entropy, wipe
from xmtp_tee.enclave.purposes import KeyType
from xmtp_tee.wire.refusals import CiphertextInvalidError, KeyLimitError, MacInvalidError

NONCE_SIZE: Final = 12

MAX_SEALED: Final = 1 << 31
"""Messages under one key, whose nonces are random: NIST SP 800-38D (section 8.3) allows 2**32."""


class SymmetricKey:
    """A key of one type, in a buffer of its own until :meth:`close`."""

    __slots__ = ("_key", "_sealed", "key_type")

    def __init__(self, key_type: KeyType, key: bytearray) -> None:
        """Copy the 32 bytes of ``key``, which the caller wipes."""
        self.key_type = key_type
        self._key = bytearray(key)
        self._sealed = 0

    def __repr__(self) -> str:
        return f"<SymmetricKey {self.key_type.value}>"

    def close(self) -> None:
        """Overwrite the key."""
        wipe(self._key)

    def seal(self, plaintext: bytes, aad: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
        """Return (random 12-byte nonce, ciphertext with its 16-byte tag).

        :raises KeyLimitError: after MAX_SEALED messages
        """
        if self._sealed >= MAX_SEALED:
            raise KeyLimitError("The key has sealed as much as its nonces allow", got=MAX_SEALED)
        self._sealed += 1
        nonce = bytearray(NONCE_SIZE)
        entropy(nonce)
        return bytes(nonce), self._cipher().encrypt(bytes(nonce), plaintext, aad)

    def open(self, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
        """Return the plaintext.

        :raises CiphertextInvalidError: if anything of it was changed
        """
        try:
            return self._cipher().decrypt(nonce, ciphertext, aad)
        except (InvalidTag, ValueError):
            raise CiphertextInvalidError(
                "The ciphertext is not authentic", got=f"{len(ciphertext)} bytes"
            ) from None

    def mac(self, message: bytes) -> bytes:
        """Return HMAC-SHA256 (RFC 2104), 32 bytes."""
        return hmac.digest(self._key, message, hashlib.sha256)

    def verify_mac(self, message: bytes, mac: bytes) -> None:
        """Return if ``mac`` is the message's, in constant time.

        :raises MacInvalidError: otherwise
        """
        if not hmac.compare_digest(self.mac(message), mac):
            raise MacInvalidError("The code is not the message's", got=f"{len(message)} bytes")

    def _cipher(self) -> AESGCM | ChaCha20Poly1305:
        if self.key_type is KeyType.CHACHA20_POLY1305:
            return ChaCha20Poly1305(self._key)
        return AESGCM(self._key)
