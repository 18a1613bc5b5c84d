"""How a client proves who it is, and comes to a protected connection (see ``wire.channel``)."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from xmtp_tee.client.errors import CallerKeyError, EnclaveMismatchError
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.channel import Channel, proof_message, transcript


class CallerKey:
    """A client's Ed25519 key, which stays with the client. The enclave's policy names its public
    half.
    """

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        """Take a key over."""
        self._private_key = private_key

    def __repr__(self) -> str:
        return f"<CallerKey {self.public_key.hex()}>"

    @classmethod
    def generate(cls) -> CallerKey:
        """Make a new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CallerKey:
        """Read a key from a PEM file (PKCS #8, without a password), which only its user can read.

        :raises CallerKeyError: if there is none, it is another kind of key, or others can read it
        """
        file = Path(path)
        try:
            mode = file.stat().st_mode & 0o077
            key = serialization.load_pem_private_key(file.read_bytes(), password=None)
        except OSError as error:
            raise CallerKeyError(
                "The caller's key cannot be read", got=file, cause=error.strerror
            ) from None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise CallerKeyError(
                "The caller's key is no PEM key without password", got=file
            ) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise CallerKeyError(
                "The caller's key is of another kind", got=file, expected="Ed25519"
            )
        if mode:
            raise CallerKeyError(
                "Others can read the caller's key",
                got=f"{file}, mode {file.stat().st_mode & 0o777:04o}",
                expected="mode 0600",
                next_command=f"chmod 600 {file}",
            )
        return cls(key)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the key to a new file of mode 0600.

        :raises CallerKeyError: if the file is there already, or cannot be written
        """
        data = self._private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
        except OSError as error:
            raise CallerKeyError(
                "The caller's key cannot be written", got=os.fspath(path), cause=error.strerror
            ) from None

    @property
    def public_key(self) -> bytes:
        """The 32 bytes that the policy names."""
        return self._private_key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature (64 bytes)."""
        return self._private_key.sign(message)


class Greeting:
    """One connection's greeting by a client with a key."""

    def __init__(self, caller: CallerKey) -> None:
        """Draw this connection's share."""
        self._caller = caller
        self._share = X25519PrivateKey.generate()
        self.claim = wire.CallerClaim(
            key=caller.public_key, share=self._share.public_key().public_bytes_raw()
        )

    def proof(self, challenge: wire.Challenge) -> tuple[wire.Proof, Channel]:
        """Return the answer to the enclave's challenge, and the channel that follows it.

        :raises EnclaveMismatchError: if the enclave's transport key is of low order
        """
        digest = transcript(self.claim, challenge)
        try:
            secret = self._share.exchange(
                X25519PublicKey.from_public_bytes(challenge.enclave.transport_key)
            )
        except ValueError:
            raise EnclaveMismatchError(
                "The enclave's transport key is no key", got=challenge.enclave.transport_key.hex()
            ) from None
        signature = self._caller.sign(proof_message(digest))
        return wire.Proof(signature=signature), Channel(secret, digest, enclave=False)


def require_transport_key(enclave: wire.EnclaveDescription, expected: bytes | None) -> None:
    """Refuse an enclave with another transport key than the one that was attested.

    :raises EnclaveMismatchError: if it has another
    """
    if expected is not None and enclave.transport_key != expected:
        raise EnclaveMismatchError(
            "Another enclave answers than the one that was attested",
            got=enclave.transport_key.hex(),
            expected=expected.hex(),
        )
