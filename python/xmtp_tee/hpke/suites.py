"""The algorithms of RFC 9180, section 7, that are supported, and their sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

KDF_HKDF_SHA256: Final = 0x0001
"""The only key derivation function here; its output has HASH_SIZE bytes."""

HASH_SIZE: Final = 32
NONCE_SIZE: Final = 12
TAG_SIZE: Final = 16

AeadCipher = AESGCM | ChaCha20Poly1305


class Kem(IntEnum):
    """Key encapsulation mechanisms.

    The two X-Wings differ in the id alone, which goes into every derived key: 0x647A is the
    registered one (draft-connolly-cfrg-xwing-kem), 0x004D the one that libxmtp 1.x sends.
    """

    X25519_SHA256 = 0x0020
    XWING = 0x647A
    XWING_OBSOLETE = 0x004D

    @property
    def public_size(self) -> int:
        """Bytes of a public key."""
        return 32 if self is Kem.X25519_SHA256 else 1216

    @property
    def private_size(self) -> int:
        """Bytes of a private key; an X-Wing's is its seed."""
        return 32

    @property
    def encapsulated_size(self) -> int:
        """Bytes of an encapsulated key."""
        return 32 if self is Kem.X25519_SHA256 else 1120


class Aead(IntEnum):
    """Ciphers. All have 12-byte nonces and 16-byte tags."""

    AES_128_GCM = 0x0001
    AES_256_GCM = 0x0002
    CHACHA20_POLY1305 = 0x0003

    @property
    def key_size(self) -> int:
        """Bytes of a key."""
        return 16 if self is Aead.AES_128_GCM else 32

    def cipher(self, key: bytes) -> AeadCipher:
        """Return the cipher under ``key``."""
        return ChaCha20Poly1305(key) if self is Aead.CHACHA20_POLY1305 else AESGCM(key)


@dataclass(frozen=True)
class Suite:
    """A KEM and an AEAD, with HKDF-SHA256 between them."""

    kem: Kem
    aead: Aead
    kem_suite_id: bytes = field(init=False, repr=False, compare=False)
    """What labels the KEM's derivations (RFC 9180, section 4.1)."""
    suite_id: bytes = field(init=False, repr=False, compare=False)
    """What labels the key schedule's derivations (RFC 9180, section 5.1)."""

    def __post_init__(self) -> None:
        kem = self.kem.to_bytes(2, "big")
        kdf = KDF_HKDF_SHA256.to_bytes(2, "big")
        object.__setattr__(self, "kem_suite_id", b"KEM" + kem)
        object.__setattr__(self, "suite_id", b"HPKE" + kem + kdf + self.aead.to_bytes(2, "big"))


X25519_AES_128_GCM: Final = Suite(Kem.X25519_SHA256, Aead.AES_128_GCM)
X25519_AES_256_GCM: Final = Suite(Kem.X25519_SHA256, Aead.AES_256_GCM)
X25519_CHACHA20_POLY1305: Final = Suite(Kem.X25519_SHA256, Aead.CHACHA20_POLY1305)
XWING_CHACHA20_POLY1305: Final = Suite(Kem.XWING, Aead.CHACHA20_POLY1305)
XWING_OBSOLETE_CHACHA20_POLY1305: Final = Suite(Kem.XWING_OBSOLETE, Aead.CHACHA20_POLY1305)
