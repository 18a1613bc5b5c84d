"""A whole container, sealed and opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from xmtp_tee.backup import ways
from xmtp_tee.backup.container import (
    MAX_WAYS,
    NONCE,
    OVERHEAD,
    Container,
    Header,
    KeyFacts,
    PasswordWay,
    PublicKeyWay,
    SharesWay,
    Way,
    encode_header,
    parse,
)
from xmtp_tee.wire.backup_faults import (
    BackupDoesNotOpenError,
    BackupRecipientError,
    BackupWayMissingError,
)

W = TypeVar("W", PasswordWay, SharesWay)


def seal(
    key: KeyFacts,
    secret: bytearray,
    recipients: Sequence[ways.Recipient],
    *,
    store_id: bytes,
    now: int,
    entropy: ways.Entropy,
) -> tuple[bytes, list[list[str]]]:
    """Return a container for all ``recipients``, and the mnemonics of each set of shares.

    The caller wipes ``secret`` and the passwords.

    :raises BackupRecipientError: if there is no recipient, too many, or an impossible one
    :raises BackupKdfError: if a password's parameters are out of bounds
    :raises BackupMalformedError: if the key's facts are more than a backup holds
    """
    if not 1 <= len(recipients) <= MAX_WAYS:
        raise BackupRecipientError(
            "A backup needs a recipient", got=len(recipients), expected=f"1 to {MAX_WAYS}"
        )
    data_key = bytearray(entropy(ways.DATA_KEY))
    body_key, commitment = ways.expand(data_key)
    try:
        bare = Header(store_id=store_id, exported_at=now, key=key, commitment=commitment, ways=())
        core, made, shares = bare.core(), list[Way](), list[list[str]]()
        for recipient in recipients:
            match recipient:
                case ways.ForPassword():
                    made.append(ways.wrap_for_password(data_key, recipient, core, entropy))
                case ways.ForPublicKey():
                    made.append(ways.wrap_for_public_key(data_key, recipient, core, entropy))
                case ways.ForShares():
                    way, mnemonics = ways.wrap_for_shares(data_key, recipient, core, entropy)
                    made.append(way)
                    shares.append(mnemonics)
        data = encode_header(msgspec.structs.replace(bare, ways=tuple(made)))
        nonce = entropy(NONCE)
        whole = data + nonce + AESGCM(body_key).encrypt(nonce, secret, data)
    finally:
        data_key[:] = bytes(len(data_key))
        body_key[:] = bytes(len(body_key))
    # What could not be read again must not be taken for a backup.
    parse(whole)
    return whole, shares


def open_with_password(container: Container, password: bytes | bytearray) -> bytearray:
    """Return the secret; the caller wipes it.

    :raises BackupWayMissingError: if the backup has no password
    :raises BackupKdfError: if its parameters are out of bounds
    :raises BackupDoesNotOpenError: if the password is wrong or the backup was changed
    """
    way = _only(container, PasswordWay, "a password")
    return _body(container, ways.unwrap_with_password(way, password, container.header.core()))


def open_with_shares(container: Container, mnemonics: Iterable[str]) -> bytearray:
    """Return the secret; the caller wipes it.

    :raises BackupWayMissingError: if the backup has no shares
    :raises BackupSharesInvalidError: if the shares do not fit together
    :raises BackupDoesNotOpenError: if they are another backup's, or it was changed
    """
    way = _only(container, SharesWay, "SLIP-39 shares")
    return _body(container, ways.unwrap_with_shares(way, mnemonics, container.header.core()))


def open_with_private_key(
    container: Container, private_key: bytes | bytearray, public_key: bytes
) -> bytearray:
    """Return the secret; the caller wipes it.

    :raises BackupWayMissingError: if the backup is not for this public key
    :raises BackupDoesNotOpenError: if it was changed
    """
    return _body(container, unwrap_data_key(container, private_key, public_key))


def open_with_data_key(container: Container, data_key: bytearray) -> bytearray:
    """Return the secret; ``data_key`` is wiped, the caller wipes the secret.

    :raises BackupDoesNotOpenError: if it is another backup's, or it was changed
    """
    return _body(container, data_key)


def unwrap_data_key(
    container: Container, private_key: bytes | bytearray, public_key: bytes
) -> bytearray:
    """Return the data key for the holder of a private key; the caller wipes it.

    :raises BackupWayMissingError: if the backup is not for this public key
    :raises BackupDoesNotOpenError: if it was changed
    """
    fingerprint = sha256(public_key).digest()
    for way in container.header.ways:
        if isinstance(way, PublicKeyWay) and way.recipient == fingerprint:
            return ways.unwrap_with_private_key(way, private_key, container.header.core())
    raise BackupWayMissingError("The backup is for other public keys", got=fingerprint.hex())


def _only(container: Container, kind: type[W], what: str) -> W:
    found = [way for way in container.header.ways if isinstance(way, kind)]
    if len(found) != 1:
        raise BackupWayMissingError(
            f"The backup does not open with {what}",
            got=", ".join(str(way.__struct_config__.tag) for way in container.header.ways),
        )
    return found[0]


_EXPECTED: Final = "the password or key is wrong, or the backup was changed"


def _body(container: Container, data_key: bytearray) -> bytearray:
    try:
        key = ways.require_commitment(data_key, container.header.commitment)
    finally:
        data_key[:] = bytes(len(data_key))
    secret = bytearray(len(container.body) - OVERHEAD)
    nonce, sealed = container.body[:NONCE], container.body[NONCE:]
    try:
        AESGCM(key).decrypt_into(nonce, sealed, container.data, secret)
    except InvalidTag:
        raise BackupDoesNotOpenError("The backup does not open", cause=_EXPECTED) from None
    finally:
        key[:] = bytes(len(key))
    return secret
