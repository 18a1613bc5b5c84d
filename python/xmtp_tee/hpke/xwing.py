"""X-Wing: ML-KEM-768 and X25519 in one KEM (draft-connolly-cfrg-xwing-kem, sections 5 and 6).

A private key is a 32-byte seed; a public key 1,184 + 32 bytes; a ciphertext 1,088 + 32 bytes; the
shared secret 32 bytes.

WARNING: OpenSSL draws the randomness of ML-KEM's encapsulation itself; the caller's entropy makes
the X25519 half alone. Decapsulation and key derivation are deterministic.
"""

from __future__ import annotations

from hashlib import sha3_256, shake_256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from xmtp_tee.hpke.errors import (
    HpkeEncapsulationInvalidError,
    HpkePrivateKeyInvalidError,
    HpkePublicKeyInvalidError,
)
from xmtp_tee.hpke.kdf import Secret

SEED_SIZE: Final = 32
PUBLIC_SIZE: Final = 1216
CIPHERTEXT_SIZE: Final = 1120
_MLKEM_PUBLIC: Final = 1184
_MLKEM_CIPHERTEXT: Final = 1088
_LABEL: Final = b"\\.//^\\"
"""Six bytes that draw a wing: 5c 2e 2f 2f 5e 5c."""


def expand_seed(seed: Secret) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    """Return the two private keys of a 32-byte seed.

    :raises HpkePrivateKeyInvalidError: of another length
    """
    if len(seed) != SEED_SIZE:
        raise HpkePrivateKeyInvalidError(
            "An X-Wing seed has the wrong length", got=len(seed), expected=SEED_SIZE
        )
    expanded = shake_256(seed).digest(96)
    return (
        MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
        X25519PrivateKey.from_private_bytes(expanded[64:]),
    )


def public_key(seed: Secret) -> bytes:
    """Return the public key (1,216 bytes) of a seed."""
    mlkem, x25519 = expand_seed(seed)
    return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()


def encapsulate(public: bytes, ephemeral: Secret) -> tuple[bytes, bytes]:
    """Return (shared secret, ciphertext). ``ephemeral``: the X25519 private key, 32 bytes.

    :raises HpkePublicKeyInvalidError: a wrong length, a non-canonical ML-KEM key, a low order
    """
    if len(public) != PUBLIC_SIZE:
        raise HpkePublicKeyInvalidError(
            "An X-Wing public key has the wrong length", got=len(public), expected=PUBLIC_SIZE
        )
    x25519_public = public[_MLKEM_PUBLIC:]
    private = X25519PrivateKey.from_private_bytes(ephemeral)
    try:
        mlkem = MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC])
        mlkem_secret, mlkem_ciphertext = mlkem.encapsulate()
        x25519_secret = private.exchange(X25519PublicKey.from_public_bytes(x25519_public))
    except ValueError:
        raise HpkePublicKeyInvalidError(
            "An X-Wing public key is not canonical, or of low order"
        ) from None
    x25519_ciphertext = private.public_key().public_bytes_raw()
    shared = combine(mlkem_secret, x25519_secret, x25519_ciphertext, x25519_public)
    return shared, mlkem_ciphertext + x25519_ciphertext


def decapsulate(ciphertext: bytes, seed: Secret) -> bytes:
    """Return the shared secret (32 bytes).

    ML-KEM rejects implicitly: a forged ciphertext of the right length gives another secret.

    :raises HpkeEncapsulationInvalidError: a wrong length, or an X25519 point of low order
    :raises HpkePrivateKeyInvalidError: a wrong length
    """
    if len(ciphertext) != CIPHERTEXT_SIZE:
        raise HpkeEncapsulationInvalidError(
            "An X-Wing ciphertext has the wrong length",
            got=len(ciphertext),
            expected=CIPHERTEXT_SIZE,
        )
    mlkem, x25519 = expand_seed(seed)
    x25519_ciphertext = ciphertext[_MLKEM_CIPHERTEXT:]
    try:
        mlkem_secret = mlkem.decapsulate(ciphertext[:_MLKEM_CIPHERTEXT])
        x25519_secret = x25519.exchange(X25519PublicKey.from_public_bytes(x25519_ciphertext))
    except ValueError:
        raise HpkeEncapsulationInvalidError(
            "An X-Wing ciphertext's X25519 half is of low order"
        ) from None
    own = x25519.public_key().public_bytes_raw()
    return combine(mlkem_secret, x25519_secret, x25519_ciphertext, own)


def combine(mlkem: bytes, x25519: bytes, ciphertext: bytes, public: bytes) -> bytes:
    """Return the shared secret of both halves' secrets, X25519's ciphertext and public key."""
    return sha3_256(mlkem + x25519 + ciphertext + public + _LABEL).digest()
