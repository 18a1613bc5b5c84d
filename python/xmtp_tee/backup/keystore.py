"""An Ethereum keystore, version 3 (Web3 Secret Storage Definition), for a secp256k1 key.

WARNING: its MAC is a plain Keccak over half of the derived key, and its cipher AES-128-CTR. It exists
for wallets that read nothing else.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from xmtp_tee.hashing import keccak256

SCRYPT_N: Final = 1 << 17
SCRYPT_R: Final = 8
SCRYPT_P: Final = 1


def keystore(
    secret: bytearray,
    address: bytes,
    password: bytes | bytearray,
    entropy: Callable[[int], bytes],
) -> bytes:
    """Return the keystore (JSON) of a 32-byte secp256k1 key. The caller wipes key and password."""
    salt, counter = entropy(32), entropy(16)
    derived = bytearray(Scrypt(salt, 32, SCRYPT_N, SCRYPT_R, SCRYPT_P).derive(bytes(password)))
    encryptor = Cipher(algorithms.AES128(bytes(derived[:16])), modes.CTR(counter)).encryptor()
    ciphertext = encryptor.update(secret) + encryptor.finalize()
    mac = keccak256(bytes(derived[16:]) + ciphertext)
    derived[:] = bytes(32)
    document = {
        "version": 3,
        "id": str(uuid.UUID(bytes=entropy(16), version=4)),
        "address": address.hex(),
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": counter.hex()},
            "ciphertext": ciphertext.hex(),
            "kdf": "scrypt",
            "kdfparams": {
                "dklen": 32, "n": SCRYPT_N, "r": SCRYPT_R, "p": SCRYPT_P, "salt": salt.hex(),
            },
            "mac": mac.hex(),
        },
    }  # fmt: skip
    return json.dumps(document, indent=2).encode()
