"""Shared secrets, HPKE, sealing and message authentication codes."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.client.errors import EnclaveMismatchError
from xmtp_tee.client.keys.base import EnclaveClient
from xmtp_tee.wire import messages as wire

X25519 = 0x0020
"""The KEM's id (RFC 9180)."""
CHACHA20_POLY1305 = 0x0003
"""The AEAD's id (RFC 9180)."""


@dataclass(frozen=True, slots=True)
class SecretHandle:
    """A secret in the enclave's memory. ``expires_at``: unix seconds."""

    id: str
    kind: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class SealedMessage:
    """What was sealed: ``version`` of the key (0 under a handle), 12-byte ``nonce``, ciphertext
    with its tag.
    """

    version: int
    nonce: bytes
    ciphertext: bytes


class KeySecrets(EnclaveClient):
    """What is done with keys that agree, open, seal and authenticate. ``key_id`` may be the id of
    a handle wherever something is sealed or authenticated.
    """

    def shared_secret(
        self,
        key_id: str,
        peer: bytes,
        label: str,
        use: str = "aead-aes-256-gcm",
        *,
        version: int = 0,
    ) -> SecretHandle:
        """Agree with ``peer`` (an X25519 public key) on a secret that stays in the enclave.

        It is HKDF-SHA256 over both public keys, ``use`` and ``label``: the peer's enclave comes to
        the same. ``use``: ``aead-aes-256-gcm``, ``aead-chacha20-poly1305`` or ``mac``.

        :raises PublicKeyInvalidError: if ``peer`` is of low order, or the key's own
        """
        made = self._ask(
            wire.SharedSecret,
            wire.Handle,
            key_id=key_id,
            peer=peer,
            label=label,
            use=use,
            version=version,
        )
        return _handle(made)

    def release_shared_secret(
        self, key_id: str, peer: bytes, label: str, *, version: int = 0
    ) -> bytes:
        """Return 32 bytes derived from a shared secret, if the key was made to release them.

        :raises ReleaseRefusedError: if it was not, or the policy does not allow it
        """
        made = self._ask(
            wire.SharedSecret,
            wire.SecretBytes,
            key_id=key_id,
            peer=peer,
            label=label,
            use="bytes",
            version=version,
        )
        return made.secret

    def close_handle(self, handle: SecretHandle | str) -> None:
        """Have a handle's secret forgotten."""
        self._ask(wire.CloseHandle, wire.Closed, handle=_id(handle))

    def seal(self, key_id: SecretHandle | str, plaintext: bytes, aad: bytes = b"") -> SealedMessage:
        """Seal up to 64 KiB; the nonce is the enclave's."""
        made = self._ask(
            wire.AeadSeal, wire.Ciphertext, key_id=_id(key_id), plaintext=plaintext, aad=aad
        )
        if len(made.nonce) != 12 or len(made.ciphertext) != len(plaintext) + 16:
            raise EnclaveMismatchError("What came back is no sealed message")
        return SealedMessage(made.version, made.nonce, made.ciphertext)

    def open(self, key_id: SecretHandle | str, sealed: SealedMessage, aad: bytes = b"") -> bytes:
        """Open what was sealed.

        :raises CiphertextInvalidError: if anything of it was changed
        :raises KeyVersionError: if its version is refused or gone
        """
        return self._ask(
            wire.AeadOpen,
            wire.Plaintext,
            key_id=_id(key_id),
            nonce=sealed.nonce,
            ciphertext=sealed.ciphertext,
            aad=aad,
            version=sealed.version,
        ).plaintext

    def mac(self, key_id: SecretHandle | str, message: bytes) -> tuple[int, bytes]:
        """Return (version of the key, HMAC-SHA256)."""
        made = self._ask(wire.ComputeMac, wire.Mac, key_id=_id(key_id), message=message)
        return made.version, made.mac

    def verify_mac(
        self, key_id: SecretHandle | str, message: bytes, mac: bytes, *, version: int = 0
    ) -> None:
        """Return if ``mac`` is the message's.

        :raises MacInvalidError: otherwise
        """
        self._ask(
            wire.VerifyMac,
            wire.Verified,
            key_id=_id(key_id),
            message=message,
            mac=mac,
            version=version,
        )

    # --- HPKE (RFC 9180) --------------------------------------------------------------------------

    def hpke_seal(
        self,
        recipient: bytes,
        plaintext: bytes,
        *,
        info: bytes = b"",
        aad: bytes = b"",
        kem: int = X25519,
        aead: int = CHACHA20_POLY1305,
    ) -> tuple[bytes, bytes]:
        """Return (encapsulated key, ciphertext) of one message to a public key.

        :raises PublicKeyInvalidError: if ``recipient`` is none of the KEM's
        """
        made = self._ask(
            wire.HpkeSeal,
            wire.HpkeSealed,
            recipient=recipient,
            plaintext=plaintext,
            info=info,
            aad=aad,
            kem=kem,
            aead=aead,
        )
        return made.encapsulated, made.ciphertext

    def hpke_open(
        self,
        key_id: str,
        encapsulated: bytes,
        ciphertext: bytes,
        *,
        info: bytes = b"",
        aad: bytes = b"",
        kem: int = X25519,
        aead: int = CHACHA20_POLY1305,
        version: int = 0,
    ) -> bytes:
        """Open one message to an ``hpke`` key or a pre-key.

        :raises CiphertextInvalidError: if anything of it was changed
        """
        return self._ask(
            wire.HpkeOpen,
            wire.Plaintext,
            key_id=key_id,
            encapsulated=encapsulated,
            ciphertext=ciphertext,
            info=info,
            aad=aad,
            kem=kem,
            aead=aead,
            version=version,
        ).plaintext

    def hpke_sender(
        self,
        recipient: bytes,
        *,
        info: bytes = b"",
        kem: int = X25519,
        aead: int = CHACHA20_POLY1305,
    ) -> tuple[SecretHandle, bytes]:
        """Begin a context for several messages to a public key; return it and the encapsulated
        key.
        """
        made = self._ask(
            wire.HpkeSetupSender,
            wire.HpkeSender,
            recipient=recipient,
            info=info,
            kem=kem,
            aead=aead,
        )
        return _handle(made.handle), made.encapsulated

    def hpke_recipient(
        self,
        key_id: str,
        encapsulated: bytes,
        *,
        info: bytes = b"",
        kem: int = X25519,
        aead: int = CHACHA20_POLY1305,
        version: int = 0,
    ) -> SecretHandle:
        """Begin the context of several messages to a key."""
        made = self._ask(
            wire.HpkeSetupRecipient,
            wire.Handle,
            key_id=key_id,
            encapsulated=encapsulated,
            info=info,
            kem=kem,
            aead=aead,
            version=version,
        )
        return _handle(made)

    def hpke_seal_next(
        self, handle: SecretHandle | str, plaintext: bytes, aad: bytes = b""
    ) -> bytes:
        """Seal the next message of a sender's context."""
        return self._ask(
            wire.HpkeSealNext, wire.Ciphertext, handle=_id(handle), plaintext=plaintext, aad=aad
        ).ciphertext

    def hpke_open_next(
        self, handle: SecretHandle | str, ciphertext: bytes, aad: bytes = b""
    ) -> bytes:
        """Open the next message of a recipient's context.

        :raises CiphertextInvalidError: if it is not the next one, or was changed
        """
        return self._ask(
            wire.HpkeOpenNext, wire.Plaintext, handle=_id(handle), ciphertext=ciphertext, aad=aad
        ).plaintext


def _handle(made: wire.Handle) -> SecretHandle:
    return SecretHandle(made.id, made.kind, made.expires_at)


def _id(key: SecretHandle | str) -> str:
    return key.id if isinstance(key, SecretHandle) else key
