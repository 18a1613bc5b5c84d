"""Private keys: 32-byte secrets in buffers that are wiped, and what is computed with them.

Every private key here is 32 bytes: an Ed25519 seed, an X25519 scalar, a secp256k1 scalar
(big-endian). They are drawn from the kernel straight into a bytearray, are never turned into
``bytes``, ``int`` or text by this module, and are overwritten after use.

WARNING: this is best effort. OpenSSL wipes its own copies only when it frees them, and CPython
promises nothing about memory.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable
from typing import Final

import coincurve
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from xmtp_tee.enclave.ed25519ph import Ed25519Signer, sign_ed25519ph
from xmtp_tee.enclave.purposes import KeyType
from xmtp_tee.enclave.wiping import wipe, wiped
from xmtp_tee.hpke import XWING_CHACHA20_POLY1305
from xmtp_tee.hpke import public_key as hpke_public_key

__all__ = [
    "SECRET_SIZE",
    "Ed25519Signer",
    "Entropy",
    "generate_secret",
    "is_scalar",
    "kernel_entropy",
    "public_key",
    "sign_ed25519ph",
    "sign_secp256k1",
    "wipe",
    "wiped",
]

SECRET_SIZE: Final = 32
Entropy = Callable[[bytearray], None]
"""Fills a buffer with unpredictable bytes."""

_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""The order of secp256k1 (SEC 2, section 2.4.1)."""
_ORDER_BYTES: Final = _ORDER.to_bytes(32, "big")

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.getrandom.restype = ctypes.c_ssize_t

# RFC 5915 ECPrivateKey with the curve's object identifier and without the public key: the one form
# in which OpenSSL takes a scalar from a buffer, so that it never becomes a Python integer.
_SEC1_HEAD: Final = bytes.fromhex("302e0201010420")
_SEC1_TAIL: Final = bytes.fromhex("a00706052b8104000a")


def kernel_entropy(buffer: bytearray) -> None:
    """Fill ``buffer`` from the kernel's generator (getrandom(2)), without a copy in between and
    without a file, of which there may be none left.

    :raises OSError: if the kernel gives nothing
    """
    filled = 0
    while filled < len(buffer):
        rest = (ctypes.c_char * (len(buffer) - filled)).from_buffer(buffer, filled)
        count = _libc.getrandom(rest, ctypes.c_size_t(len(rest)), 0)
        if count > 0:
            filled += count
        elif (number := ctypes.get_errno()) != errno.EINTR:
            raise OSError(number, "the kernel gave no randomness")


def generate_secret(key_type: KeyType, entropy: Entropy = kernel_entropy) -> bytearray:
    """Return a new 32-byte private key; the caller wipes it.

    A secp256k1 scalar is drawn again until it lies in 1..n-1, which takes more than one draw with a
    probability of 2**-128.
    """
    secret = bytearray(SECRET_SIZE)
    for _ in range(16):
        entropy(secret)
        if key_type is not KeyType.SECP256K1 or is_scalar(secret):
            return secret
    wipe(secret)
    raise OSError("the source of randomness keeps giving numbers outside the curve's order")


def is_scalar(secret: bytearray) -> bool:
    """Whether 32 bytes are a private key of secp256k1: a number in 1..n-1, big-endian."""
    return any(secret) and secret < _ORDER_BYTES


def public_key(key_type: KeyType, secret: bytearray) -> bytes:
    """Return the public key: 32 raw bytes, 65 (SEC 1, uncompressed) for secp256k1, 1,216 for
    X-Wing, none for a symmetric key.
    """
    match key_type:
        case KeyType.ED25519:
            return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        case KeyType.X25519:
            return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        case KeyType.SECP256K1:
            return (
                _load_secp256k1(secret)
                .public_key()
                .public_bytes(
                    serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
                )
            )
        case KeyType.XWING:
            return hpke_public_key(XWING_CHACHA20_POLY1305, secret)
        case (
            KeyType.AES_256_GCM
            | KeyType.CHACHA20_POLY1305
            | KeyType.HMAC_SHA256
            | KeyType.HKDF_SHA256
        ):
            return b""


def sign_secp256k1(secret: bytearray, digest: bytes) -> bytes:
    """Return r || s || v (65 bytes; v 27 or 28; s in the lower half, EIP-2) over a 32-byte digest.

    The nonce is deterministic (RFC 6979 with SHA-256). WARNING: the digest is signed blindly; only
    code that has built it may call this.
    """
    if len(digest) != 32:
        raise ValueError(f"a digest has 32 bytes, not {len(digest)}")
    private_key = _load_secp256k1(secret)
    algorithm = ec.ECDSA(Prehashed(hashes.SHA256()), deterministic_signing=True)
    r, s = decode_dss_signature(private_key.sign(digest, algorithm))
    s = min(s, _ORDER - s)
    compact = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    own = private_key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    for recovery_id in (0, 1):
        try:
            found = coincurve.PublicKey.from_signature_and_message(
                compact + bytes([recovery_id]), digest, hasher=None
            )
        except Exception as error:  # noqa: BLE001 -- coincurve raises nothing narrower
            del error
            continue
        if found.format(compressed=True) == own:
            return compact + bytes([27 + recovery_id])
    # r >= n in the x coordinate (recovery ids 2 and 3) has a probability of 2**-127, and Ethereum
    # has no v for it; the check also catches a faulty signature before it leaves.
    raise ArithmeticError("the signature does not recover to the signing key")


def _load_secp256k1(secret: bytearray) -> ec.EllipticCurvePrivateKey:
    head, end = len(_SEC1_HEAD), len(_SEC1_HEAD) + SECRET_SIZE
    # One buffer of the final size: growing one would leave copies behind.
    with wiped(bytearray(end + len(_SEC1_TAIL))) as der:
        der[:head], der[head:end], der[end:] = _SEC1_HEAD, secret, _SEC1_TAIL
        key = serialization.load_der_private_key(der, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("not an elliptic-curve key")
    return key
