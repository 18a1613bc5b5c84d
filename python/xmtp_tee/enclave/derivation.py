"""Keys from keys: HKDF-SHA256 (RFC 5869) with everything that the new key is in its info.

::

    id || secret = HKDF-SHA256(ikm = parent's private key, salt = parent's public key,
                               info = "xmtp-tee/derive/v1" | purpose | type | version | owner | epoch
                                      | path)

with 16 and 32 bytes, fields joined as in ``agreement``, numbers as 8 big-endian bytes, no owner as
the empty field. The same parent gives the same key, under the same id, in every enclave that holds
it; another purpose, type, version, owner, epoch or path gives an unrelated one. Nothing of it can be
guessed from outside, so the id tells the host nothing either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xmtp_tee.enclave.agreement import joined
from xmtp_tee.enclave.private_keys import SECRET_SIZE, is_scalar, wiped
from xmtp_tee.enclave.purposes import KeyType, Purpose
from xmtp_tee.enclave.records import ID_SIZE
from xmtp_tee.enclave.wiping import fill

DOMAIN: Final = b"xmtp-tee/derive/v1"


@dataclass(frozen=True, slots=True)
class Derivation:
    """What a derived key is."""

    purpose: Purpose
    key_type: KeyType
    version: int
    owner: bytes | None
    path: str
    epoch: int = 0

    def info(self) -> bytes:
        """Return HKDF's info."""
        return joined(
            DOMAIN,
            self.purpose.value.encode(),
            self.key_type.value.encode(),
            self.version.to_bytes(8, "big"),
            self.owner or b"",
            self.epoch.to_bytes(8, "big"),
            self.path.encode(),
        )


def derive(
    parent_secret: bytearray, parent_public: bytes, derivation: Derivation
) -> tuple[str, bytearray]:
    """Return (key id, private key) of what ``derivation`` describes; the caller wipes the key."""
    secret = bytearray(SECRET_SIZE)
    with wiped(bytearray(ID_SIZE + SECRET_SIZE)) as material:
        hkdf = HKDF(hashes.SHA256(), len(material), parent_public, derivation.info())
        hkdf.derive_into(parent_secret, material)
        fill(secret, 0, memoryview(material)[ID_SIZE:])
        key_id = bytes(material[:ID_SIZE]).hex()
    if derivation.key_type is KeyType.SECP256K1 and not is_scalar(secret):
        # With a probability of 2**-128; another path is another key.
        raise ArithmeticError("the derived number is no secp256k1 key")
    return key_id, secret
