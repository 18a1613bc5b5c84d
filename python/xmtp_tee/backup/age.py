"""An age file for X25519 recipients (age-encryption.org/v1, C2SP specification "age").

Written only; the ``age`` and ``rage`` commands read it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xmtp_tee.wire.backup_faults import BackupRecipientError

_CHUNK: Final = 64 << 10
_CHARSET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_PREFIX: Final = "age"


def encrypt(
    plaintext: bytes | bytearray, recipients: Sequence[str], entropy: Callable[[int], bytes]
) -> bytes:
    """Return an age file that each of ``recipients`` (``age1...``) opens.

    :raises BackupRecipientError: if there is none, or one is not an X25519 recipient
    """
    if not recipients:
        raise BackupRecipientError("An age file needs a recipient")
    file_key = entropy(16)
    lines = ["age-encryption.org/v1"]
    for recipient in recipients:
        public = recipient_key(recipient)
        ephemeral = X25519PrivateKey.from_private_bytes(entropy(32))
        share = ephemeral.public_key().public_bytes_raw()
        try:
            shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError:
            raise BackupRecipientError("The age recipient is a point of low order") from None
        key = _hkdf(shared, share + public, b"age-encryption.org/v1/X25519")
        body = ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)
        lines += [f"-> X25519 {_base64(share)}", _base64(body)]
    header = "\n".join([*lines, "---"]).encode()
    mac = hmac.digest(_hkdf(file_key, b"", b"header"), header, hashlib.sha256)
    nonce = entropy(16)
    cipher = ChaCha20Poly1305(_hkdf(file_key, nonce, b"payload"))
    chunks = [plaintext[at : at + _CHUNK] for at in range(0, max(1, len(plaintext)), _CHUNK)]
    sealed = b"".join(
        cipher.encrypt(number.to_bytes(11, "big") + bytes([number == len(chunks) - 1]), chunk, None)
        for number, chunk in enumerate(chunks)
    )
    return header + f" {_base64(mac)}\n".encode() + nonce + sealed


def recipient_key(text: str) -> bytes:
    """Return the 32-byte public key in an age recipient (Bech32, BIP 173).

    :raises BackupRecipientError: if it is none
    """
    prefix, separator, data = text.rpartition("1")
    values = [_CHARSET.find(character) for character in data]
    if (
        prefix != _PREFIX
        or not separator
        or -1 in values
        or _polymod([*_expanded(prefix), *values]) != 1
    ):
        raise BackupRecipientError("This is no age recipient", got=text[:80], expected="age1...")
    number = 0
    for value in values[:-6]:
        number = number << 5 | value
    spare = 5 * len(values[:-6]) - 256
    if not 0 <= spare < 5 or number & ((1 << spare) - 1):
        raise BackupRecipientError("The age recipient has another length", got=text[:80])
    return (number >> spare).to_bytes(32, "big")


def _expanded(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate(_GENERATOR):
            if top >> bit & 1:
                check ^= term
    return check


def _hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt or None, info).derive(key)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")
