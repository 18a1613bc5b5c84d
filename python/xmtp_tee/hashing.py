"""Keccak-256, the hash of the Ethereum world (not SHA3-256: the padding differs)."""

from __future__ import annotations

from Crypto.Hash import keccak


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 digest of ``data``."""
    return keccak.new(digest_bits=256, data=data).digest()
