"""DHKEM(X25519, HKDF-SHA256) of RFC 9180, section 4.1."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from xmtp_tee.hpke.errors import (
    HpkeEncapsulationInvalidError,
    HpkePrivateKeyInvalidError,
    HpkePublicKeyInvalidError,
)
from xmtp_tee.hpke.kdf import Secret, labeled_expand, labeled_extract

KEY_SIZE: Final = 32
_SUITE_ID: Final = b"KEM\x00\x20"


def derive_private_key(ikm: Secret) -> bytes:
    """Return the private key of DeriveKeyPair (RFC 9180, section 7.1.3) from at least 32 bytes."""
    secret = labeled_extract(_SUITE_ID, b"", b"dkp_prk", ikm)
    return labeled_expand(_SUITE_ID, secret, b"sk", b"", KEY_SIZE)


def load_private(private_key: Secret) -> X25519PrivateKey:
    """Return the private key object of 32 raw bytes.

    :raises HpkePrivateKeyInvalidError: of another length
    """
    if len(private_key) != KEY_SIZE:
        raise HpkePrivateKeyInvalidError(
            "An X25519 private key has the wrong length", got=len(private_key), expected=KEY_SIZE
        )
    return X25519PrivateKey.from_private_bytes(private_key)


def encapsulate(public_key: bytes, ikm: Secret) -> tuple[bytes, bytes]:
    """Return (shared secret, encapsulated key); the ephemeral key is derived from ``ikm``.

    :raises HpkePublicKeyInvalidError: a wrong length, or a point of low order
    """
    if len(public_key) != KEY_SIZE:
        raise HpkePublicKeyInvalidError(
            "An X25519 public key has the wrong length", got=len(public_key), expected=KEY_SIZE
        )
    ephemeral = X25519PrivateKey.from_private_bytes(derive_private_key(ikm))
    try:
        # OpenSSL refuses the all-zero result, as RFC 9180, section 7.1.4, demands.
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public_key))
    except ValueError:
        raise HpkePublicKeyInvalidError(
            "An X25519 public key is of low order", got=public_key.hex()
        ) from None
    encapsulated = ephemeral.public_key().public_bytes_raw()
    return _extract_and_expand(shared, encapsulated + public_key), encapsulated


def decapsulate(encapsulated: bytes, private_key: Secret, public_key: bytes | None) -> bytes:
    """Return the shared secret (32 bytes). ``public_key`` spares its computation where known.

    :raises HpkeEncapsulationInvalidError: a wrong length, or a point of low order
    :raises HpkePrivateKeyInvalidError: a wrong length
    """
    if len(encapsulated) != KEY_SIZE:
        raise HpkeEncapsulationInvalidError(
            "An encapsulated key has the wrong length", got=len(encapsulated), expected=KEY_SIZE
        )
    private = load_private(private_key)
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(encapsulated))
    except ValueError:
        raise HpkeEncapsulationInvalidError(
            "An encapsulated key is of low order", got=encapsulated.hex()
        ) from None
    own = private.public_key().public_bytes_raw() if public_key is None else public_key
    return _extract_and_expand(shared, encapsulated + own)


def _extract_and_expand(shared: bytes, kem_context: bytes) -> bytes:
    prk = labeled_extract(_SUITE_ID, b"", b"eae_prk", shared)
    return labeled_expand(_SUITE_ID, prk, b"shared_secret", kem_context, 32)
