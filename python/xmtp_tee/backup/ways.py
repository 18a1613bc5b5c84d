"""Ways in: the data key of a container, wrapped for a password, a public key or a set of shares.

Every wrap is bound to the facts of the key (``Header.core``), so it cannot be moved to another backup.
A data key that was unwrapped is believed only when it gives the header's commitment: AES-GCM alone
would let somebody make one container that opens under many passwords.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xmtp_tee import hpke
from xmtp_tee.backup.container import NONCE, PasswordWay, PublicKeyWay, SharesWay
from xmtp_tee.backup.passwords import DEFAULT, Argon2Parameters, derive
from xmtp_tee.wire.backup_faults import (
    BackupDoesNotOpenError,
    BackupRecipientError,
    BackupSharesInvalidError,
)

DATA_KEY: Final = 32
Entropy = Callable[[int], bytes]

SUITES: Final = {
    int(suite.kem): suite for suite in (hpke.X25519_CHACHA20_POLY1305, hpke.XWING_CHACHA20_POLY1305)
}
_INFO: Final = b"xmtp-tee/backup/v1/"


@dataclass(frozen=True, slots=True)
class ForPassword:
    """A password's bytes; the caller wipes them."""

    password: bytearray = field(repr=False)
    parameters: Argon2Parameters = DEFAULT


@dataclass(frozen=True, slots=True)
class ForPublicKey:
    """An X25519 (32 bytes) or X-Wing (1,216 bytes) public key; ``successor``: an enclave's transport
    key.
    """

    public_key: bytes
    successor: bool = False


@dataclass(frozen=True, slots=True)
class ForShares:
    """SLIP-39: any ``threshold`` of ``count`` shares, at most 16."""

    threshold: int
    count: int


Recipient = ForPassword | ForPublicKey | ForShares


def expand(data_key: bytes | bytearray) -> tuple[bytearray, bytes]:
    """Return the key of the body, which the caller wipes, and the commitment to the data key."""
    material = bytearray(64)
    HKDF(hashes.SHA256(), len(material), None, _INFO + b"body").derive_into(data_key, material)
    key, commitment = material[:32], bytes(material[32:])
    material[:] = bytes(64)
    return key, commitment


def wrap_for_password(
    data_key: bytearray, recipient: ForPassword, core: bytes, entropy: Entropy
) -> PasswordWay:
    """Return the data key under a password.

    :raises BackupKdfError: if the parameters are out of bounds
    """
    parameters = recipient.parameters
    salt = entropy(16)
    kek = derive(recipient.password, salt, parameters)
    wrapped = _seal(kek, data_key, _INFO + b"password" + core, entropy)
    return PasswordWay(salt, parameters.memory, parameters.iterations, parameters.lanes, wrapped)


def unwrap_with_password(way: PasswordWay, password: bytes | bytearray, core: bytes) -> bytearray:
    """Return the data key; the caller wipes it.

    :raises BackupKdfError: if the parameters are out of bounds: then nothing was computed
    :raises BackupDoesNotOpenError: if the password is wrong or the container was changed
    """
    parameters = Argon2Parameters(way.memory, way.iterations, way.lanes)
    kek = derive(password, way.salt, parameters)
    return _open(kek, way.wrapped, _INFO + b"password" + core)


def wrap_for_public_key(
    data_key: bytearray, recipient: ForPublicKey, core: bytes, entropy: Entropy
) -> PublicKeyWay:
    """Return the data key for a public key.

    :raises BackupRecipientError: if it is none that we know
    """
    suite = next(
        (s for s in SUITES.values() if s.kem.public_size == len(recipient.public_key)), None
    )
    if suite is None:
        raise BackupRecipientError(
            "The recipient's public key has an unknown length",
            got=f"{len(recipient.public_key)} bytes",
            expected="32 (X25519) or 1216 (X-Wing) bytes",
        )
    try:
        enc, wrapped = hpke.seal(
            suite, recipient.public_key, _hpke_info(recipient.successor), core,
            bytes(data_key), entropy=entropy,
        )  # fmt: skip
    except hpke.HpkePublicKeyInvalidError as error:
        raise BackupRecipientError(
            "The recipient's public key is not possible", cause=error.message
        ) from None
    return PublicKeyWay(
        int(suite.kem), sha256(recipient.public_key).digest(), enc, wrapped, recipient.successor
    )


def unwrap_with_private_key(
    way: PublicKeyWay, private_key: bytes | bytearray, core: bytes
) -> bytearray:
    """Return the data key; the caller wipes it.

    :raises BackupDoesNotOpenError: if the private key is another, or the container was changed
    """
    suite = SUITES.get(way.kem)
    if suite is None:
        raise BackupDoesNotOpenError("The backup's recipient uses an unknown KEM", got=way.kem)
    try:
        opened = hpke.open_(
            suite, way.enc, private_key, _hpke_info(way.successor), core, way.wrapped
        )
    except hpke.HpkeError:
        raise _does_not_open() from None
    return bytearray(opened)


def wrap_for_shares(
    data_key: bytearray, recipient: ForShares, core: bytes, entropy: Entropy
) -> tuple[SharesWay, list[str]]:
    """Return the data key under a fresh key, and the SLIP-39 mnemonics of that key.

    :raises BackupRecipientError: if no such set of shares is possible
    """
    from shamir_mnemonic import generate_mnemonics  # type: ignore[import-untyped]

    threshold, count = recipient.threshold, recipient.count
    if not (1 <= threshold <= count <= 16) or (threshold == 1 and count > 1):
        raise BackupRecipientError(
            "There is no such set of shares",
            got=f"{threshold} of {count}",
            expected="2 to 16 shares, and a threshold of at least 2 of them; or 1 of 1",
        )
    kek = bytearray(entropy(DATA_KEY))
    # WARNING: the library takes bytes and draws its own randomness from the operating system.
    (mnemonics,) = generate_mnemonics(1, [(threshold, count)], bytes(kek), iteration_exponent=0)
    wrapped = _seal(kek, data_key, _INFO + b"shares" + core, entropy)
    return SharesWay(threshold, count, wrapped), list(mnemonics)


def unwrap_with_shares(way: SharesWay, mnemonics: Iterable[str], core: bytes) -> bytearray:
    """Return the data key; the caller wipes it.

    :raises BackupSharesInvalidError: if the shares do not fit together
    :raises BackupDoesNotOpenError: if they are another backup's, or the container was changed
    """
    from shamir_mnemonic import MnemonicError, combine_mnemonics

    try:
        kek = bytearray(combine_mnemonics(mnemonics))
    except (MnemonicError, ValueError, UnicodeError):
        # The library's texts repeat words of the shares.
        raise BackupSharesInvalidError(
            "The shares do not fit together",
            expected=f"{way.threshold} of the {way.count} shares of one set, word by word",
        ) from None
    if len(kek) != DATA_KEY:
        raise BackupSharesInvalidError("The shares hold a secret of another length", got=len(kek))
    return _open(kek, way.wrapped, _INFO + b"shares" + core)


def require_commitment(data_key: bytearray, commitment: bytes) -> bytearray:
    """Return the key of the body, which the caller wipes.

    :raises BackupDoesNotOpenError: if the data key is not the one that the header commits to
    """
    key, found = expand(data_key)
    if not hmac.compare_digest(found, commitment):
        raise _does_not_open()
    return key


def _hpke_info(successor: bool) -> bytes:
    return _INFO + (b"successor" if successor else b"public-key")


def _seal(kek: bytearray, data_key: bytearray, data: bytes, entropy: Entropy) -> bytes:
    nonce = entropy(NONCE)
    try:
        return nonce + AESGCM(kek).encrypt(nonce, data_key, data)
    finally:
        kek[:] = bytes(len(kek))


def _open(kek: bytearray, wrapped: bytes, data: bytes) -> bytearray:
    opened = bytearray(DATA_KEY)
    try:
        AESGCM(kek).decrypt_into(wrapped[:NONCE], wrapped[NONCE:], data, opened)
    except InvalidTag:
        raise _does_not_open() from None
    finally:
        kek[:] = bytes(len(kek))
    return opened


def _does_not_open() -> BackupDoesNotOpenError:
    return BackupDoesNotOpenError(
        "The backup does not open",
        cause="the password or key is wrong, or the backup was changed",
    )
