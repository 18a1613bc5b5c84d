"""Recovery: the store key sealed to a public key whose private half lies in a safe.

For the day on which every platform that could unseal the store is gone. The policy names the
recipients; the wrap lies in the store beside the platforms'. With the private key, an enclave on a new
platform (``--recover-with FILE``) opens the store and has a new one born in its place: under a store
key of its own, with an authority and a transport key of its own, and with the keys of the old one
marked as imported for ever. The holder of the recovery key has had the old store key, and nothing shows
in here where the old store was made: a host may have made it itself, with keys that it knows.

WARNING: the private key and a copy of the database are together every key in the store, the enclave's
own two among them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from xmtp_tee import hpke
from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.enclave.birth import give_birth
from xmtp_tee.enclave.errors import ConfigurationError, StoreSealedElsewhereError
from xmtp_tee.enclave.private_keys import Entropy, kernel_entropy, wipe, wiped
from xmtp_tee.enclave.records import pack
from xmtp_tee.enclave.sealing import KEY_SIZE, Wrap, recovery_check, recovery_name
from xmtp_tee.enclave.storage.rows import RowStore
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.wire.store_faults import StoreTamperedError

SUITE: Final = hpke.X25519_CHACHA20_POLY1305
INFO: Final = b"xmtp-tee/recovery/v1"
_PROVIDER: Final = "hpke/x25519"
_ENC: Final = 32


def wrap_for_recovery(
    store_key: bytearray, recipient: bytes, store_id: bytes, entropy: Callable[[int], bytes]
) -> Wrap:
    """Return the store key sealed to an X25519 public key; the caller wipes ``store_key``.

    :raises HpkePublicKeyInvalidError: if it is none
    """
    name, check = recovery_name(recipient), recovery_check(recipient)
    enc, sealed = hpke.seal(
        SUITE, recipient, INFO, pack(b"wrap", store_id), bytes(store_key), entropy=entropy
    )
    return Wrap(name, _PROVIDER, check, enc + sealed)


def recover(
    rows: RowStore,
    private_key: bytearray,
    driver: Driver,
    now: int,
    entropy: Entropy = kernel_entropy,
) -> str:
    """Put a new store in the place of the one in ``rows``, and return its id in hex.

    It has the old one's keys, as imported ones, and its documents; its store key, authority and
    transport key are new, and this platform alone opens it.

    :raises StoreSealedElsewhereError: if the store has no wrap for this private key
    :raises StoreTamperedError: if it has, and anything was changed
    """
    with wiped(_store_key(rows, private_key)) as store_key:
        old = SealedStore.unsealed(rows, store_key)
    old.verify()
    return give_birth(rows.supersede, driver, now, entropy, estate=old).hex()


def _store_key(rows: RowStore, private_key: bytearray) -> bytearray:
    store_id = rows.head().store_id
    recipient = hpke.public_key(SUITE, private_key)
    name, check = recovery_name(recipient), recovery_check(recipient)
    found = [wrap for wrap in rows.wraps() if wrap.name == name and wrap.check == check]
    if len(found) != 1:
        raise StoreSealedElsewhereError(
            "The store key is not sealed to this recovery key", expected=name
        )
    wrapped = found[0].wrapped
    try:
        opened = hpke.open_(
            SUITE, wrapped[:_ENC], private_key, INFO, pack(b"wrap", store_id), wrapped[_ENC:]
        )
    except hpke.HpkeError:
        raise StoreTamperedError("The store key that is sealed to this key does not open") from None
    if len(opened) != KEY_SIZE:
        raise StoreTamperedError("What is sealed to this recovery key is no store key")
    return bytearray(opened)


def read_recovery_key(path: Path) -> bytearray:
    """Return the private key in a file: 32 raw bytes. The caller wipes it.

    :raises ConfigurationError: if the file cannot be read, or has another size
    """
    buffer = bytearray(KEY_SIZE + 1)
    try:
        with path.open("rb", buffering=0) as file:
            size = file.readinto(buffer)
    except OSError as error:
        raise ConfigurationError(
            "The recovery key cannot be read", got=path, cause=error.strerror
        ) from None
    if size != KEY_SIZE:
        wipe(buffer)
        raise ConfigurationError("A recovery key has 32 bytes", got=f"another size: {path}")
    del buffer[KEY_SIZE:]
    return buffer
