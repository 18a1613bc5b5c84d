"""RSA-4096 keys from a seed, and deterministic RSASSA-PSS: what the simulated CAs of AMD sign with.

WARNING: for development keys only. The primes come from a seed, the arithmetic takes no constant time, and the salt is
a hash of the message, so that the same seed gives the same certificates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from xmtp_tee.attestation.rsa_pss import MODULUS_SIZE, PUBLIC_EXPONENT, RSA_KEY_ALGORITHM, SALT_SIZE
from xmtp_tee.attestation.simulator import der

PRIME_SIZE = MODULUS_SIZE // 2
_HASH_SIZE = 48
_SIEVE_LIMIT = 20_000
_MILLER_RABIN_BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


@dataclass(frozen=True, slots=True)
class RsaKey:
    """An RSA-4096 key of two primes, with the exponent 65537."""

    p: int = field(repr=False)
    q: int = field(repr=False)

    @property
    def modulus(self) -> bytes:
        """512 bytes, big-endian."""
        return (self.p * self.q).to_bytes(MODULUS_SIZE, "big")

    @property
    def key_info(self) -> bytes:
        """The SubjectPublicKeyInfo."""
        numbers = der.sequence(der.integer(self.p * self.q), der.integer(PUBLIC_EXPONENT))
        return der.sequence(RSA_KEY_ALGORITHM, der.bit_string(numbers))

    def sign(self, message: bytes) -> bytes:
        """Return the signature (512 bytes) over SHA-384 of ``message`` (RFC 8017, 8.1.1)."""
        encoded = int.from_bytes(_encode_pss(message), "big")
        exponent = pow(PUBLIC_EXPONENT, -1, (self.p - 1) * (self.q - 1))
        at_p = pow(encoded, exponent % (self.p - 1), self.p)
        at_q = pow(encoded, exponent % (self.q - 1), self.q)
        signature = at_q + self.q * ((at_p - at_q) * pow(self.q, -1, self.p) % self.p)
        return signature.to_bytes(MODULUS_SIZE, "big")


def _encode_pss(message: bytes) -> bytes:
    """Return the encoded message (RFC 8017, 9.1.1) of 4,095 bits, with SHA-384 and a salt of 48 bytes."""
    salt = hashlib.sha384(b"xmtp-tee/simulator/pss-salt" + message).digest()[:SALT_SIZE]
    digest = hashlib.sha384(message).digest()
    hashed = hashlib.sha384(bytes(8) + digest + salt).digest()
    size = MODULUS_SIZE - _HASH_SIZE - 1
    block = bytes(size - SALT_SIZE - 1) + b"\x01" + salt
    mask = b"".join(
        hashlib.sha384(hashed + counter.to_bytes(4, "big")).digest()
        for counter in range(-(-size // _HASH_SIZE))
    )[:size]
    masked = bytes(a ^ b for a, b in zip(block, mask, strict=True))
    return bytes([masked[0] & 0x7F]) + masked[1:] + hashed + b"\xbc"


def rsa_key(seed_p: bytes, seed_q: bytes, offsets: tuple[int, int] | None = None) -> RsaKey:
    """Return the key of two seeds of 256 bytes: the first primes from them on.

    ``offsets`` are the primes' distances from where their search begins, where somebody has searched already (about
    three seconds); they are not trusted further than that.
    """
    starts = tuple(_search_start(seed) for seed in (seed_p, seed_q))
    if offsets is None:
        return RsaKey(*(start + prime_offset(start) for start in starts))
    return RsaKey(*(start + offset for start, offset in zip(starts, offsets, strict=True)))


def _search_start(seed: bytes) -> int:
    """Return where the search begins: odd, and with the top two bits set, so that the product has 4,096 bits."""
    return int.from_bytes(seed, "big") | 3 << 8 * PRIME_SIZE - 2 | 1


def prime_offset(start: int) -> int:
    """Return the distance from an odd number to the next prime p with gcd(p - 1, 65537) = 1."""
    residues = [(prime, start % prime) for prime in _small_primes()]
    for offset in _even_numbers():
        candidate = start + offset
        if any((residue + offset) % prime == 0 for prime, residue in residues):
            continue
        if candidate % PUBLIC_EXPONENT != 1 and is_prime(candidate):
            return offset
    raise AssertionError("there is always another prime")


def is_prime(number: int) -> bool:
    """Whether an odd number passes Miller and Rabin's test to twelve bases; for numbers that nobody chose."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in _MILLER_RABIN_BASES:
        power = pow(base, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def _even_numbers() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 2


@cache
def _small_primes() -> tuple[int, ...]:
    sieve = bytearray([1]) * _SIEVE_LIMIT
    for number in range(2, int(_SIEVE_LIMIT**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(sieve[number * number :: number]))
    return tuple(number for number in range(3, _SIEVE_LIMIT) if sieve[number])
