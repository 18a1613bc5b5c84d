"""Labelled cryptography: RFC 9420, sections 5.1 and 5.2.

Every signature, derivation and encryption names its purpose with a label that starts with
"MLS 1.0 ", so what was made for one use means nothing in another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from xmtp_tee import hpke
from xmtp_tee.hpke.kdf import expand
from xmtp_tee.mls.codec import Reader, opaque, u16
from xmtp_tee.mls.errors import (
    DecryptionError,
    KeyLengthError,
    KeyUnusableError,
    SignatureInvalidError,
)
from xmtp_tee.mls.suites import HASH_SIZE, PUBLIC_KEY_SIZE, CipherSuite

Entropy = hpke.Entropy
"""Returns that many unpredictable bytes."""

_PREFIX: Final = b"MLS 1.0 "


def hash_of(data: bytes) -> bytes:
    """Return SHA-256 (32 bytes)."""
    return sha256(data).digest()


def extract(salt: bytes, ikm: bytes) -> bytes:
    """Return KDF.Extract (32 bytes)."""
    return hmac_digest(salt, ikm, "sha256")


def expand_with_label(secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """Return ``length`` bytes derived from ``secret`` for ``label`` (section 8)."""
    if length <= HASH_SIZE:
        info = _kdf_label(label, length) + opaque(context) + b"\x01"
        return hmac_digest(secret, info, "sha256")[:length]
    return expand(secret, _kdf_label(label, length) + opaque(context), length)


def derive_secret(secret: bytes, label: bytes) -> bytes:
    """Return a 32-byte secret derived for ``label`` (section 8)."""
    return hmac_digest(secret, _derive_secret_info(label), "sha256")


def derive_tree_secret(secret: bytes, label: bytes, generation: int, length: int) -> bytes:
    """Return what a ratchet gives at ``generation`` (section 9); at most 32 bytes."""
    info = _kdf_label(label, length) + b"\x04" + generation.to_bytes(4, "big") + b"\x01"
    return hmac_digest(secret, info, "sha256")[:length]


@lru_cache(maxsize=64)
def _kdf_label(label: bytes, length: int) -> bytes:
    return u16(length) + opaque(_PREFIX + label)


@lru_cache(maxsize=64)
def _derive_secret_info(label: bytes) -> bytes:
    return _kdf_label(label, HASH_SIZE) + b"\x00\x01"


def ref_hash(label: bytes, value: bytes) -> bytes:
    """Return the reference (32 bytes) of an encoded object (section 5.2)."""
    return sha256(opaque(_PREFIX + label) + opaque(value)).digest()


def mac(key: bytes, data: bytes) -> bytes:
    """Return HMAC-SHA-256 (32 bytes)."""
    return hmac_digest(key, data, "sha256")


def same(left: bytes, right: bytes) -> bool:
    """Return whether two tags are equal, in a time that does not depend on where they differ."""
    return compare_digest(left, right)


class SignatureKey:
    """An Ed25519 key that signs labelled content only. Its ``public`` half has 32 bytes."""

    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes | bytearray) -> None:
        if len(seed) != PUBLIC_KEY_SIZE:
            raise KeyLengthError("An Ed25519 seed has 32 bytes", got=len(seed), expected=32)
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public: bytes = self._key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"<SignatureKey {self.public.hex()}>"

    def sign(self, label: bytes, content: bytes) -> bytes:
        """Return SignWithLabel (64 bytes)."""
        return self._key.sign(opaque(_PREFIX + label) + opaque(content))


def verify(public: bytes, label: bytes, content: bytes, signature: bytes, what: str) -> None:
    """Refuse a signature that is not SignWithLabel's. ``what`` names the object.

    :raises SignatureInvalidError: not authentic, or not a possible key or signature
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(public)
        key.verify(signature, opaque(_PREFIX + label) + opaque(content))
    except (InvalidSignature, ValueError):
        raise SignatureInvalidError(
            f"The signature of {what} does not verify", got=f"key {public[:32].hex()}"
        ) from None


@dataclass(frozen=True)
class HpkeCiphertext:
    """An encapsulated key and a ciphertext."""

    kem_output: bytes
    ciphertext: bytes

    @classmethod
    def decode(cls, reader: Reader) -> HpkeCiphertext:
        """Read one."""
        return cls(reader.opaque(), reader.opaque())

    def encode(self) -> bytes:
        """Return the bytes."""
        return opaque(self.kem_output) + opaque(self.ciphertext)


def encrypt_with_label(
    suite: CipherSuite,
    public: bytes,
    label: bytes,
    context: bytes,
    plaintext: bytes,
    entropy: Entropy,
) -> HpkeCiphertext:
    """Return ``plaintext`` encrypted to ``public``, bound to ``label`` and ``context``.

    :raises HpkePublicKeyInvalidError: not a usable key
    """
    info = opaque(_PREFIX + label) + opaque(context)
    return HpkeCiphertext(*hpke.seal(suite.hpke, public, info, b"", plaintext, entropy=entropy))


def decrypt_with_label(
    suite: CipherSuite,
    private: bytes,
    public: bytes,
    label: bytes,
    context: bytes,
    sealed: HpkeCiphertext,
) -> bytes:
    """Return the plaintext of :func:`encrypt_with_label`.

    :raises DecryptionError: not encrypted to this key, label and context
    """
    info = opaque(_PREFIX + label) + opaque(context)
    try:
        return hpke.open_(
            suite.hpke, sealed.kem_output, private, info, b"", sealed.ciphertext, public=public
        )
    except hpke.HpkeError as error:
        raise DecryptionError(
            f"{label.decode()} cannot be decrypted", cause=error.message
        ) from None


def generate_key_pair(suite: CipherSuite, entropy: Entropy) -> tuple[bytes, bytes]:
    """Return a new (private, public) HPKE key pair, 32 bytes each."""
    return hpke.derive_key_pair(suite.hpke, entropy(HASH_SIZE))


# The u-coordinates of low order (RFC 7748, section 6.1; the curve's order is 8 times a prime), and
# the values at and above p that mean the same.
_P: Final = 2**255 - 19
_LOW_ORDER: Final = frozenset(
    value.to_bytes(32, "little")
    for value in (
        0,
        1,
        _P - 1,
        _P,
        _P + 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    )
)


def require_encryption_key(what: str, key: bytes) -> None:
    """Refuse an X25519 public key to which nobody could encrypt: it would stop every commit.

    :raises KeyLengthError: not 32 bytes
    :raises KeyUnusableError: of low order
    """
    require_public_key(what, key)
    # X25519 ignores the highest bit.
    if key[:-1] + bytes((key[-1] & 0x7F,)) in _LOW_ORDER:
        raise KeyUnusableError(f"{what} is of low order", got=key.hex())


def require_public_key(what: str, key: bytes) -> None:
    """Refuse a public key of another length than 32.

    :raises KeyLengthError: naming the key
    """
    if len(key) != PUBLIC_KEY_SIZE:
        raise KeyLengthError(f"{what} has the wrong length", got=len(key), expected=32)
