"""Sealing: AES-256-GCM under keys that descend from the platform's seal root.

::

    seal root (driver) --HKDF-SHA256, salt = store id--> key-encryption key (KEK) and its check
    value store key: 32 random bytes, wrapped under the KEK; one wrap per way in
    store key --HKDF-SHA256, salt = store id--> record, secret, document, header, audit, tag and
    digest keys

A sealed text is nonce (12 random bytes) || ciphertext || tag (16). NIST SP 800-38D allows 2**32
random nonces per key; the store stops at 2**31 mutations.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.enclave.errors import StoreSealedElsewhereError
from xmtp_tee.enclave.private_keys import Entropy, kernel_entropy, wipe, wiped
from xmtp_tee.enclave.records import pack
from xmtp_tee.wire.store_faults import StoreIncompleteError, StoreTamperedError

NONCE_SIZE: Final = 12
TAG_SIZE: Final = 16
OVERHEAD: Final = NONCE_SIZE + TAG_SIZE
KEY_SIZE: Final = 32
CHECK_SIZE: Final = 16
KEK_VERSION: Final = 1
MAX_WRAPS: Final = 16
"""Ways into one store."""
_PLATFORM: Final = "platform/"
RECOVERY: Final = "recovery/"
"""How the names of recovery recipients' ways in begin."""


@dataclass(frozen=True, slots=True)
class Wrap:
    """The store key, wrapped for one way in.

    ``name``: the way: ``platform/`` and the check in hex, or ``recovery/`` and the recipient's
    fingerprint. ``provider``: the driver and assurance that sealed it. ``check``: 16 bytes that tell
    a wrong root from a damaged wrap. All three are public; the wrap's associated data covers them.
    """

    name: str
    provider: str
    check: bytes
    wrapped: bytes

    @classmethod
    def of_platform(cls, provider: str, check: bytes, wrapped: bytes) -> Wrap:
        """Return a platform's wrap under its name."""
        return cls(_PLATFORM + check.hex(), provider, check, wrapped)


def recovery_check(recipient: bytes) -> bytes:
    """Return the 16 bytes that stand for a recovery recipient, an X25519 public key."""
    return hashlib.sha256(recipient).digest()[:CHECK_SIZE]


def recovery_name(recipient: bytes) -> str:
    """Return the name of a recovery recipient's way in."""
    return RECOVERY + recovery_check(recipient).hex()


def provider_of(driver: Driver) -> str:
    """Return the name under which this driver seals: a simulated store never opens under
    hardware.
    """
    return f"{driver.tee.label}/{driver.assurance.label}"


def wrap_store_key(
    store_key: bytearray, seal_root: bytearray, store_id: bytes, provider: str
) -> Wrap:
    """Return the store key wrapped under the platform's seal root. The caller wipes both
    buffers.
    """
    with _kek(seal_root, store_id, provider) as (kek, check):
        name = _PLATFORM + check.hex()
        data = pack(b"wrap", store_id, name.encode(), provider.encode(), check)
        return Wrap.of_platform(provider, check, _seal(AESGCM(kek), store_key, data))


def unseal_store_key(wraps: list[Wrap], driver: Driver, store_id: bytes) -> bytearray:
    """Return the store key for this driver; the caller wipes it. See :func:`unwrap_store_key`."""
    with wiped(driver.seal_root()) as root:
        return unwrap_store_key(wraps, root, store_id, provider_of(driver))


def unwrap_store_key(
    wraps: list[Wrap], seal_root: bytearray, store_id: bytes, provider: str
) -> bytearray:
    """Return the store key from the wrap that this platform made; the caller wipes it.

    :raises StoreIncompleteError: if no platform has wrapped it
    :raises StoreSealedElsewhereError: if other drivers or other platforms have
    :raises StoreTamperedError: if this platform has and it does not open
    """
    platforms = [wrap for wrap in wraps if wrap.name.startswith(_PLATFORM)]
    if not platforms:
        raise StoreIncompleteError("The store has no wrapped key for any platform")
    own = [wrap for wrap in platforms if wrap.provider == provider]
    if not own:
        raise StoreSealedElsewhereError(
            "The store was sealed by another kind of enclave",
            got=platforms[0].provider[:64],
            expected=provider,
        )
    with _kek(seal_root, store_id, provider) as (kek, check):
        for wrap in own:
            if hmac.compare_digest(wrap.check, check):
                data = pack(b"wrap", store_id, wrap.name.encode(), provider.encode(), check)
                store_key = bytearray(KEY_SIZE)
                _open_into(AESGCM(kek), wrap.wrapped, data, store_key, "wrapped store key")
                return store_key
    raise StoreSealedElsewhereError(
        "The store was sealed under another seal root",
        cause="another machine, another simulator seed, or another enclave made this store",
    )


class Sealer:
    """Seals and opens the parts of one store, each kind under its own key."""

    def __init__(self, store_key: bytearray, store_id: bytes) -> None:
        """Derive the keys; the caller wipes ``store_key``."""
        self._ciphers: dict[str, AESGCM] = {}
        for kind in ("record", "secret", "document", "header", "audit"):
            with wiped(_derive(store_key, store_id, kind)) as key:
                self._ciphers[kind] = AESGCM(key)
        self._tag_key = _derive(store_key, store_id, "tag")
        self._digest_key = _derive(store_key, store_id, "digest")

    def seal(self, kind: str, plaintext: bytes | bytearray, data: bytes) -> bytes:
        """Return ``plaintext`` sealed as a ``record``, ``secret``, ``document``, ``header`` or
        ``audit`` under ``data``.
        """
        return _seal(self._ciphers[kind], plaintext, data)

    def open(self, kind: str, sealed: bytes, data: bytes) -> bytearray:
        """Return the plaintext, in a buffer that the caller wipes if it is secret.

        :raises StoreTamperedError: if anything of it, or of its place, was changed
        """
        plaintext = bytearray(max(0, len(sealed) - OVERHEAD))
        _open_into(self._ciphers[kind], sealed, data, plaintext, kind)
        return plaintext

    def tag(self, kind: bytes, value: bytes) -> bytes:
        """Return 16 bytes by which rows of one owner or parent are found without naming it to the
        host.
        """
        return hmac.digest(self._tag_key, pack(kind, value), hashlib.sha256)[:16]

    def digest16(self, label: bytes, data: bytes) -> bytes:
        """Return a keyed 16-byte digest (BLAKE2b, RFC 7693). ``label``: at most 16 bytes."""
        return blake2b(data, key=self._digest_key, digest_size=16, person=label).digest()

    def digest32(self, label: bytes, data: bytes) -> bytes:
        """Return a keyed 32-byte digest, as :meth:`digest16`."""
        return blake2b(data, key=self._digest_key, digest_size=32, person=label).digest()

    def close(self) -> None:
        """Overwrite the keys held in buffers; the ciphers' own copies go with this object."""
        self._ciphers.clear()
        wipe(self._tag_key)
        wipe(self._digest_key)


def new_store_key(entropy: Entropy = kernel_entropy) -> bytearray:
    """Return a random store key; the caller wipes it."""
    key = bytearray(KEY_SIZE)
    entropy(key)
    return key


@contextmanager
def _kek(seal_root: bytearray, store_id: bytes, provider: str) -> Iterator[tuple[bytearray, bytes]]:
    if len(seal_root) < 16:
        raise ValueError(f"a seal root has at least 16 bytes, not {len(seal_root)}")
    with wiped(bytearray(KEY_SIZE + CHECK_SIZE)) as material:
        info = pack(b"store-key-encryption-key", provider.encode(), KEK_VERSION)
        HKDF(hashes.SHA256(), len(material), store_id, info).derive_into(seal_root, material)
        with wiped(material[:KEY_SIZE]) as kek:
            yield kek, bytes(material[KEY_SIZE:])


def _derive(store_key: bytearray, store_id: bytes, kind: str) -> bytearray:
    key = bytearray(KEY_SIZE)
    info = pack(b"store-subkey", kind.encode())
    HKDF(hashes.SHA256(), KEY_SIZE, store_id, info).derive_into(store_key, key)
    return key


def _seal(cipher: AESGCM, plaintext: bytes | bytearray, data: bytes) -> bytes:
    nonce = os.urandom(NONCE_SIZE)
    return nonce + cipher.encrypt(nonce, plaintext, data)


def _open_into(cipher: AESGCM, sealed: bytes, data: bytes, plaintext: bytearray, what: str) -> None:
    if len(sealed) < OVERHEAD or len(sealed) - OVERHEAD != len(plaintext):
        raise StoreTamperedError(
            f"A sealed {what} has an impossible length",
            got=f"{len(sealed)} bytes",
            expected=f"{len(plaintext) + OVERHEAD} bytes or at least {OVERHEAD}",
        )
    try:
        cipher.decrypt_into(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], data, plaintext)
    except InvalidTag:
        raise StoreTamperedError(
            f"A sealed {what} does not open",
            cause="it was changed, moved to another place, or mixed with another store",
        ) from None
