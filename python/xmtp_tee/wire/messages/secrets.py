"""Shared secrets, HPKE, and what is sealed or authenticated under a key or a handle.

A handle names a secret that lives in the enclave's memory for one caller: it goes when it is
closed, when its time is over, or when the enclave stops.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from xmtp_tee.wire.limits import MAX_INFO
from xmtp_tee.wire.messages.base import (
    Bytes32,
    Count,
    Data,
    KeyId,
    Label,
    Message,
    PublicKey,
    Sealed,
    Version,
)

Info = Annotated[bytes, Meta(max_length=MAX_INFO)]
Nonce = Annotated[bytes, Meta(min_length=12, max_length=12)]
Suite = Annotated[int, Meta(ge=0, le=0xFFFF)]
Encapsulated = Annotated[bytes, Meta(max_length=1120)]


class SharedSecret(Message, frozen=True, tag="shared-secret"):
    """X25519 with a peer, through HKDF-SHA256 over both public keys and ``label``.

    ``use``: ``aead-aes-256-gcm``, ``aead-chacha20-poly1305`` or ``mac`` (-> ``Handle``), or
    ``bytes`` (-> ``SecretBytes``) where the key was made to release them.
    """

    key_id: KeyId
    peer: Bytes32
    label: Label
    use: Label = "aead-aes-256-gcm"
    version: Version = 0


class HpkeSetupSender(Message, frozen=True, tag="hpke-setup-sender"):
    """Begin a context for messages to the holder of ``recipient``; -> ``HpkeSender``.

    ``kem``, ``aead``: ids of RFC 9180, section 7; KEM 0x647A or 0x004D is X-Wing.
    """

    recipient: PublicKey
    info: Info = b""
    kem: Suite = 0x0020
    aead: Suite = 0x0003


class HpkeSetupRecipient(Message, frozen=True, tag="hpke-setup-recipient"):
    """Begin the context of messages that came with ``encapsulated``; -> ``Handle``."""

    key_id: KeyId
    encapsulated: Encapsulated
    info: Info = b""
    kem: Suite = 0x0020
    aead: Suite = 0x0003
    version: Version = 0


class HpkeSealNext(Message, frozen=True, tag="hpke-seal-next"):
    """Seal the next message of a sender's context; -> ``Ciphertext``."""

    handle: KeyId
    plaintext: Data
    aad: Info = b""


class HpkeOpenNext(Message, frozen=True, tag="hpke-open-next"):
    """Open the next message of a recipient's context; -> ``Plaintext``."""

    handle: KeyId
    ciphertext: Sealed
    aad: Info = b""


class HpkeSeal(Message, frozen=True, tag="hpke-seal"):
    """Seal one message; -> ``HpkeSealed``."""

    recipient: PublicKey
    plaintext: Data
    info: Info = b""
    aad: Info = b""
    kem: Suite = 0x0020
    aead: Suite = 0x0003


class HpkeOpen(Message, frozen=True, tag="hpke-open"):
    """Open one message; -> ``Plaintext``."""

    key_id: KeyId
    encapsulated: Encapsulated
    ciphertext: Sealed
    info: Info = b""
    aad: Info = b""
    kem: Suite = 0x0020
    aead: Suite = 0x0003
    version: Version = 0


class AeadSeal(Message, frozen=True, tag="aead-seal"):
    """Seal under the current version of an AEAD key, or under a handle; the nonce is the enclave's;
    -> ``Ciphertext``.
    """

    key_id: KeyId
    plaintext: Data
    aad: Info = b""


class AeadOpen(Message, frozen=True, tag="aead-open"):
    """Open what was sealed under an AEAD key or a handle; -> ``Plaintext``."""

    key_id: KeyId
    nonce: Nonce
    ciphertext: Sealed
    aad: Info = b""
    version: Version = 0


class ComputeMac(Message, frozen=True, tag="compute-mac"):
    """HMAC-SHA256 under the current version of a MAC key, or under a handle; -> ``Mac``."""

    key_id: KeyId
    message: Data


class VerifyMac(Message, frozen=True, tag="verify-mac"):
    """Check a code in constant time; -> ``Verified``, or the failure ``enclave.mac-invalid``."""

    key_id: KeyId
    message: Data
    mac: Bytes32
    version: Version = 0


class CloseHandle(Message, frozen=True, tag="close-handle"):
    """Forget a handle's secret; -> ``Closed``."""

    handle: KeyId


class Handle(Message, frozen=True, tag="handle"):
    """A secret in the enclave's memory. ``expires_at``: unix seconds."""

    id: KeyId
    kind: Label
    expires_at: Count


class SecretBytes(Message, frozen=True, tag="secret-bytes"):
    """32 bytes derived from a shared secret, released because the key's policy says so."""

    secret: Bytes32


class HpkeSender(Message, frozen=True, tag="hpke-sender"):
    """A sender's context, and the encapsulated key for its recipient."""

    handle: Handle
    encapsulated: Encapsulated


class HpkeSealed(Message, frozen=True, tag="hpke-sealed"):
    """A sealed message and its encapsulated key."""

    encapsulated: Encapsulated
    ciphertext: bytes


class Ciphertext(Message, frozen=True, tag="ciphertext"):
    """A sealed message. ``version``: of the key, 0 under a handle. ``nonce``: none in a context,
    which counts.
    """

    ciphertext: bytes
    version: Version = 0
    nonce: Annotated[bytes, Meta(max_length=12)] = b""


class Plaintext(Message, frozen=True, tag="plaintext"):
    """An opened message."""

    plaintext: bytes


class Mac(Message, frozen=True, tag="mac"):
    """A message authentication code (32 bytes), and the version of the key it was made under."""

    mac: Bytes32
    version: Version = 0


class Verified(Message, frozen=True, tag="verified"):
    """It is right; a wrong one is a failure."""


class Closed(Message, frozen=True, tag="closed"):
    """The handle is gone."""
