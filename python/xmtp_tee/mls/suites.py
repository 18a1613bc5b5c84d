"""Cipher suites (RFC 9420, sections 5.1 and 17.1). Both have SHA-256 and Ed25519.

0x0001 is MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, mandatory for everybody; 0x0003 is
MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519, XMTP's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from xmtp_tee import hpke
from xmtp_tee.hpke.suites import AeadCipher
from xmtp_tee.mls.errors import CipherSuiteUnsupportedError

HASH_SIZE: Final = 32
"""Nh: bytes of SHA-256, of every secret and of every tag."""
NONCE_SIZE: Final = 12
"""Nn: bytes of an AEAD's nonce."""
PUBLIC_KEY_SIZE: Final = 32
"""Bytes of an X25519 or Ed25519 public key."""
SIGNATURE_SIZE: Final = 64

MLS10: Final = 1
"""The protocol version."""


@dataclass(frozen=True)
class CipherSuite:
    """A cipher suite: its number and its AEAD."""

    id: int
    hpke: hpke.Suite

    @property
    def key_size(self) -> int:
        """Nk: bytes of an AEAD key."""
        return self.hpke.aead.key_size

    def cipher(self, key: bytes) -> AeadCipher:
        """Return the AEAD under ``key``."""
        return self.hpke.aead.cipher(key)


SUITE_1: Final = CipherSuite(0x0001, hpke.X25519_AES_128_GCM)
SUITE_3: Final = CipherSuite(0x0003, hpke.X25519_CHACHA20_POLY1305)
SUITES: Final = {suite.id: suite for suite in (SUITE_1, SUITE_3)}


def suite_of(number: int) -> CipherSuite:
    """Return the cipher suite of a number.

    :raises CipherSuiteUnsupportedError: a number other than 1 and 3
    """
    suite = SUITES.get(number)
    if suite is None:
        raise CipherSuiteUnsupportedError(
            "The cipher suite is not supported", got=f"{number:#06x}", expected="0x0001 or 0x0003"
        )
    return suite
