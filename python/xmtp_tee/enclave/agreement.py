"""A shared secret with a peer: X25519 (RFC 7748), and HKDF-SHA256 over both public keys and a label.

::

    secret = HKDF-SHA256(ikm = X25519(own private, peer public), salt = "",
                         info = "xmtp-tee/shared-secret/v1" | use | label | first | second)

where ``|`` joins fields that each have their 4-byte big-endian length in front, and ``first`` and
``second`` are the two public keys in lexicographic order: both sides come to the same 32 bytes. The
raw output of X25519 is never kept and never leaves.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xmtp_tee.enclave.private_keys import SECRET_SIZE, wiped
from xmtp_tee.wire.refusals import PublicKeyInvalidError

DOMAIN: Final = b"xmtp-tee/shared-secret/v1"


def shared_secret(
    private: bytearray, public: bytes, peer: bytes, use: bytes, label: bytes
) -> bytearray:
    """Return the 32-byte secret for one use and label; the caller wipes it.

    :raises PublicKeyInvalidError: if ``peer`` is of low order (its shared secret would be zero for
        everyone), or is ``public`` itself in whatever spelling
    """
    if _point(peer) == _point(public):
        raise PublicKeyInvalidError("The peer's public key is the key's own", got=peer.hex())
    secret = bytearray(SECRET_SIZE)
    with wiped(bytearray(exchange(private, peer))) as raw:
        info = joined(DOMAIN, use, label, *sorted((public, peer)))
        HKDF(hashes.SHA256(), SECRET_SIZE, b"", info).derive_into(raw, secret)
    return secret


def _point(public: bytes) -> bytes:
    """Return a public key as X25519 reads it: the top bit does not count (RFC 7748, section 5)."""
    return public[:-1] + bytes([public[-1] & 0x7F]) if public else public


def exchange(private: bytearray, peer: bytes) -> bytes:
    """Return X25519's output. WARNING: it is not a key; derive one from it at once.

    :raises PublicKeyInvalidError: if ``peer`` has another length or is of low order
    """
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(
            X25519PublicKey.from_public_bytes(peer)
        )
    except ValueError:
        raise PublicKeyInvalidError(
            "The peer's public key gives no shared secret",
            got=peer.hex()[:80],
            expected="32 bytes, not of low order",
        ) from None


def joined(*fields: bytes) -> bytes:
    """Return the fields, each with its 4-byte length in front."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)
