"""Encryption contexts (RFC 9180, section 5.2) and the exporter (section 5.3)."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag

from xmtp_tee.hpke.errors import HpkeMessageLimitError, HpkeOpenError
from xmtp_tee.hpke.kdf import labeled_expand
from xmtp_tee.hpke.suites import NONCE_SIZE, AeadCipher, Suite

MAX_SEQUENCE: Final = (1 << (8 * NONCE_SIZE)) - 1


class _Context:
    __slots__ = ("_base_nonce", "_cipher", "_exporter_secret", "_sequence", "_suite")

    def __init__(self, suite: Suite, key: bytes, base_nonce: bytes, exporter_secret: bytes) -> None:
        self._suite = suite
        self._cipher: AeadCipher = suite.aead.cipher(key)
        self._base_nonce = int.from_bytes(base_nonce, "big")
        self._exporter_secret = bytearray(exporter_secret)
        self._sequence = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._suite.kem.name} at {self._sequence}>"

    def close(self) -> None:
        """Overwrite what is held in a buffer, and let go of the cipher, which wipes its own key; the
        context cannot be used any more.
        """
        self._exporter_secret[:] = bytes(len(self._exporter_secret))
        self._base_nonce = 0
        del self._cipher

    @property
    def sequence(self) -> int:
        """The number of messages so far."""
        return self._sequence

    def export(self, exporter_context: bytes, length: int) -> bytes:
        """Return ``length`` bytes bound to ``exporter_context``.

        :raises HpkeExportLengthError: beyond 255 * 32 bytes
        """
        return labeled_expand(
            self._suite.suite_id, self._exporter_secret, b"sec", exporter_context, length
        )

    def _nonce(self) -> bytes:
        if self._sequence >= MAX_SEQUENCE:
            raise HpkeMessageLimitError(
                "An HPKE context is used up", got=self._sequence, expected=f"< {MAX_SEQUENCE}"
            )
        return (self._base_nonce ^ self._sequence).to_bytes(NONCE_SIZE, "big")


class SenderContext(_Context):
    """The sender's end: seals messages in order."""

    __slots__ = ()

    def seal(self, aad: bytes, plaintext: bytes) -> bytes:
        """Return the ciphertext, 16 bytes longer than ``plaintext``.

        :raises HpkeMessageLimitError: after 2**96 - 1 messages
        """
        ciphertext = self._cipher.encrypt(self._nonce(), plaintext, aad)
        self._sequence += 1
        return ciphertext


class RecipientContext(_Context):
    """The recipient's end: opens messages in the order in which they were sealed."""

    __slots__ = ()

    def open(self, aad: bytes, ciphertext: bytes) -> bytes:
        """Return the plaintext. A failure does not move the position.

        :raises HpkeOpenError: not authentic
        :raises HpkeMessageLimitError: after 2**96 - 1 messages
        """
        nonce = self._nonce()
        try:
            plaintext = self._cipher.decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            raise HpkeOpenError(
                "An HPKE ciphertext is not authentic", got=f"{len(ciphertext)} bytes"
            ) from None
        self._sequence += 1
        return plaintext
