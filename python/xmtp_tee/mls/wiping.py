"""Overwriting secrets that are not needed any more.

Secrets are ``bytes`` that HMAC, an AEAD or X25519 has just made: objects that nobody else holds.
``wipe`` overwrites their memory before it is given back.

WARNING: only what this package made itself, and gives to nobody, may be wiped; a caller's object,
a constant or a shared one would change under its holder's hands, and one that a set or a dictionary
holds would not be found there any more. Best effort: OpenSSL's own copies
are OpenSSL's to clean, and CPython promises nothing about memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from ctypes import memset


def wipe(*secrets: bytes | None) -> None:
    """Overwrite each secret with zeros, in place. Short objects may be shared and are left."""
    for secret in secrets:
        if secret is not None and len(secret) >= 12:
            memset(secret, 0, len(secret))  # type: ignore[arg-type]


def wipe_all(secrets: Iterable[bytes]) -> None:
    """Overwrite all of them."""
    wipe(*secrets)


def own_copy(secret: bytes) -> bytes:
    """Return an object of our own with a caller's secret in it, which may be wiped; no third one is made."""
    return bytes(memoryview(secret))
