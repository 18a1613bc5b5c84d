"""Sealing and message authentication codes, under keys of the store and under handles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from xmtp_tee.enclave.handles import PREFIX, require_kind
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.operations.sharing import handle_of
from xmtp_tee.enclave.purposes import KeyOperation
from xmtp_tee.enclave.symmetric import SymmetricKey
from xmtp_tee.wire import messages as wire

_AEAD_KINDS: Final = ("aead-aes-256-gcm", "aead-chacha20-poly1305")
_MAC_KINDS: Final = ("mac",)


def seal(call: Call, operation: wire.AeadSeal) -> wire.Ciphertext:
    """Seal under a key's current version, or a handle."""
    with _key(call, operation.key_id, KeyOperation.SEAL, _AEAD_KINDS) as (key, version):
        nonce, ciphertext = key.seal(operation.plaintext, operation.aad, call.parts.entropy)
    return wire.Ciphertext(ciphertext=ciphertext, version=version, nonce=nonce)


def open_(call: Call, operation: wire.AeadOpen) -> wire.Plaintext:
    """Open what was sealed."""
    with _key(call, operation.key_id, KeyOperation.OPEN, _AEAD_KINDS, operation.version) as (
        key,
        _,
    ):
        plaintext = key.open(operation.nonce, operation.ciphertext, operation.aad)
    return wire.Plaintext(plaintext=plaintext)


def compute_mac(call: Call, operation: wire.ComputeMac) -> wire.Mac:
    """Compute a code under a key's current version, or a handle."""
    with _key(call, operation.key_id, KeyOperation.MAC, _MAC_KINDS) as (key, version):
        return wire.Mac(mac=key.mac(operation.message), version=version)


def verify_mac(call: Call, operation: wire.VerifyMac) -> wire.Verified:
    """Check a code."""
    with _key(call, operation.key_id, KeyOperation.MAC, _MAC_KINDS, operation.version) as (key, _):
        key.verify_mac(operation.message, operation.mac)
    return wire.Verified()


@contextmanager
def _key(
    call: Call,
    key_id: str,
    operation: KeyOperation,
    kinds: tuple[str, ...],
    version: int = 0,
) -> Iterator[tuple[SymmetricKey, int]]:
    """Lend the key, and tell its version (0 of a handle)."""
    if key_id.startswith(PREFIX):
        handle = handle_of(call, key_id)
        require_kind(handle, *kinds)
        if not isinstance(handle.content, SymmetricKey):
            raise TypeError("a handle of this kind holds a symmetric key")
        yield handle.content, 0
        return
    record = call.use(key_id, operation, version)
    used = version or record.version
    with call.secret(record, used) as secret:
        key = SymmetricKey(record.key_type, secret)
    try:
        yield key, used
    finally:
        key.close()
