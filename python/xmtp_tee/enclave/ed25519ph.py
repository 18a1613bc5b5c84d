"""Ed25519ph with a context (RFC 8032, section 5.1), from libsodium's primitives.

libsodium's own Ed25519ph takes no context, OpenSSL's is out of reach of ``cryptography``, and
pycryptodome's takes a millisecond. So the four lines of section 5.1.6 stand here, over libsodium's
constant-time arithmetic (PyNaCl's bindings), called on buffers that are wiped.

WARNING: the nonce is derived from key and message; nothing here may be changed without the vectors of
RFC 8032 and the comparison with an independent implementation (tests/enclave/test_ed25519ph.py).
"""

from __future__ import annotations

from hashlib import sha512
from typing import Final

# The bindings under `nacl.bindings` take and return `bytes`, which nobody can wipe.
from nacl._sodium import ffi, lib  # type: ignore[import-not-found]

from xmtp_tee.enclave.wiping import fill, wipe

SEED_SIZE: Final = 32
MAX_CONTEXT: Final = 255

_DOM2: Final = b"SigEd25519 no Ed25519 collisions\x01"
_HASH: Final = 64
_ZEROS: Final = bytes(32)
_KEPT_CONTEXTS: Final = 4
_PREFIX_AT: Final = len(_DOM2) + 1 + MAX_CONTEXT
"""Where the prefix stands in what is hashed: behind the longest domain."""


class Ed25519Signer:
    """A private key, expanded once and kept until :meth:`close`. Not thread-safe.

    The scalar lies in one buffer and the prefix in another: where it is hashed for the nonce, with the
    domain in front and the hash of the message behind it.
    """

    __slots__ = (
        "_domains",
        "_hash",
        "_input",
        "_nonce",
        "_pointers",
        "_product",
        "_scalar",
        "_signature",
        "public_key",
    )

    def __init__(self, seed: bytearray) -> None:
        """Expand a 32-byte seed, which the caller wipes."""
        if len(seed) != SEED_SIZE:
            raise ValueError(f"a seed has {SEED_SIZE} bytes, not {len(seed)}")
        self._domains: dict[bytes, bytes] = {}
        self._scalar, self._nonce, self._product = bytearray(32), bytearray(32), bytearray(32)
        self._hash, self._input = bytearray(_HASH), bytearray(_PREFIX_AT + 32 + _HASH)
        # Made once: each pointer into a buffer costs as much as a hash.
        self._signature = bytearray(_HASH)
        buffers = (self._scalar, self._hash, self._nonce, self._product, self._input)
        out = ffi.from_buffer(self._signature)
        self._pointers = (*map(ffi.from_buffer, buffers), out, out + 32)
        scalar, digest = self._pointers[:2]
        lib.crypto_hash_sha512(digest, ffi.from_buffer(seed), SEED_SIZE)
        expanded = memoryview(self._hash)
        fill(self._scalar, 0, expanded[:32])
        fill(self._input, _PREFIX_AT, expanded[32:])
        wipe(self._hash)
        self._scalar[0] &= 248
        self._scalar[31] &= 127
        self._scalar[31] |= 64
        public = bytearray(32)
        if lib.crypto_scalarmult_ed25519_base_noclamp(ffi.from_buffer(public), scalar) != 0:
            raise ArithmeticError("the public key is the neutral element")
        self.public_key = bytes(public)

    def sign_ph(self, message: bytes, context: bytes) -> bytes:
        """Return the 64-byte signature of ``message``.

        ``context``: at most 255 bytes. It separates the uses of one key, so every use has its own.
        """
        domain = self._domains.get(context) or self._domain(context)
        scalar, digest, nonce, product, source, out, out_s = self._pointers
        hashed = sha512(message).digest()
        # r = SHA-512(dom2 || prefix || PH(M)), reduced
        begin = _PREFIX_AT - len(domain)
        self._input[begin:_PREFIX_AT] = domain
        self._input[_PREFIX_AT + 32 :] = hashed
        lib.crypto_hash_sha512(digest, source + begin, len(self._input) - begin)
        lib.crypto_core_ed25519_scalar_reduce(nonce, digest)
        # R = [r]B, then k = SHA-512(dom2 || R || A || PH(M)), reduced
        if lib.crypto_scalarmult_ed25519_base_noclamp(out, nonce) != 0:
            raise ArithmeticError("the nonce is zero")
        self._hash[:] = sha512(
            b"".join((domain, self._signature[:32], self.public_key, hashed))
        ).digest()
        lib.crypto_core_ed25519_scalar_reduce(product, digest)
        # S = r + k * a
        lib.crypto_core_ed25519_scalar_mul(product, product, scalar)
        lib.crypto_core_ed25519_scalar_add(out_s, product, nonce)
        self._nonce[:] = self._product[:] = _ZEROS
        return bytes(self._signature)

    def close(self) -> None:
        """Overwrite the key. Whoever signs after this gets a ValueError."""
        for buffer in (self._scalar, self._hash, self._nonce, self._product, self._input):
            wipe(buffer)
        self._domains.clear()
        self._pointers = ()

    def _domain(self, context: bytes) -> bytes:
        if len(context) > MAX_CONTEXT:
            raise ValueError(f"a context has at most {MAX_CONTEXT} bytes, not {len(context)}")
        if not self._pointers:
            raise ValueError("the signer is closed")
        if len(self._domains) >= _KEPT_CONTEXTS:
            self._domains.clear()
        made = self._domains[context] = _DOM2 + bytes((len(context),)) + context
        return made


def sign_ed25519ph(seed: bytearray, message: bytes, context: bytes) -> bytes:
    """Return the 64-byte Ed25519ph signature of ``message`` by a 32-byte seed."""
    signer = Ed25519Signer(seed)
    try:
        return signer.sign_ph(message, context)
    finally:
        signer.close()
