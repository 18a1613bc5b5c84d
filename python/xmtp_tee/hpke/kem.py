"""The three KEMs behind one face."""

from __future__ import annotations

from hashlib import shake_256

from xmtp_tee.hpke import dhkem, xwing
from xmtp_tee.hpke.errors import HpkePrivateKeyInvalidError
from xmtp_tee.hpke.kdf import VERSION_LABEL, Secret
from xmtp_tee.hpke.suites import Kem, Suite


def derive_key_pair(suite: Suite, ikm: Secret) -> tuple[bytes, bytes]:
    """Return (private key, public key) of DeriveKeyPair.

    X25519: RFC 9180, section 7.1.3. X-Wing 0x647A: draft-ietf-hpke-pq, one SHAKE256 over the
    labelled input; 0x004D: SHAKE256 of the input (draft-connolly-cfrg-xwing-kem-06, section 5.7).

    :raises HpkePrivateKeyInvalidError: from less than 32 bytes
    """
    if len(ikm) < suite.kem.private_size:
        raise HpkePrivateKeyInvalidError(
            "A key pair cannot be derived from so few bytes",
            got=len(ikm),
            expected=f">= {suite.kem.private_size}",
        )
    match suite.kem:
        case Kem.X25519_SHA256:
            private = dhkem.derive_private_key(ikm)
        case Kem.XWING:
            label = b"DeriveKeyPair"
            labeled = b"".join(
                (
                    ikm,
                    VERSION_LABEL,
                    suite.kem_suite_id,
                    len(label).to_bytes(2, "big"),
                    label,
                    xwing.SEED_SIZE.to_bytes(2, "big"),
                )
            )
            private = shake_256(labeled).digest(xwing.SEED_SIZE)
        case Kem.XWING_OBSOLETE:
            private = shake_256(ikm).digest(xwing.SEED_SIZE)
    return private, public_key(suite, private)


def public_key(suite: Suite, private_key: Secret) -> bytes:
    """Return the public key: 32 bytes, or 1,216 for X-Wing.

    :raises HpkePrivateKeyInvalidError: a private key that has not 32 bytes
    """
    if suite.kem is Kem.X25519_SHA256:
        return dhkem.load_private(private_key).public_key().public_bytes_raw()
    return xwing.public_key(private_key)


def encapsulate(suite: Suite, public: bytes, ephemeral: Secret) -> tuple[bytes, bytes]:
    """Return (shared secret, encapsulated key) from 32 bytes of entropy."""
    if len(ephemeral) != dhkem.KEY_SIZE:
        raise HpkePrivateKeyInvalidError(
            "The entropy source gave another number of bytes", got=len(ephemeral), expected=32
        )
    if suite.kem is Kem.X25519_SHA256:
        return dhkem.encapsulate(public, ephemeral)
    return xwing.encapsulate(public, ephemeral)


def decapsulate(
    suite: Suite, encapsulated: bytes, private_key: Secret, public: bytes | None
) -> bytes:
    """Return the shared secret (32 bytes)."""
    if suite.kem is Kem.X25519_SHA256:
        return dhkem.decapsulate(encapsulated, private_key, public)
    return xwing.decapsulate(encapsulated, private_key)
