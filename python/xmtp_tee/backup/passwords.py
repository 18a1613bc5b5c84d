"""A key from a password: Argon2id (RFC 9106), within bounds."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from xmtp_tee.wire.backup_faults import BackupKdfError, BackupPasswordError

MIN_PASSWORD: Final = 12
MAX_PASSWORD: Final = 1024
"""Bytes in UTF-8, after NFKC."""


@dataclass(frozen=True, slots=True)
class Argon2Parameters:
    """``memory``: KiB."""

    memory: int
    iterations: int
    lanes: int


DEFAULT: Final = Argon2Parameters(memory=256 << 10, iterations=3, lanes=4)
"""About half a second, and four times RFC 9106's second recommendation."""

FLOOR: Final = Argon2Parameters(memory=64 << 10, iterations=3, lanes=1)
"""RFC 9106, section 4, second recommendation: weaker containers were made by somebody else."""

CEILING: Final = Argon2Parameters(memory=1 << 20, iterations=16, lanes=16)
"""A gibibyte: more would let a container stop the enclave that opens it."""


def require_bounds(parameters: Argon2Parameters) -> None:
    """Return if the parameters are within floor and ceiling.

    :raises BackupKdfError: otherwise; nothing has been computed yet
    """
    for name in ("memory", "iterations", "lanes"):
        low, high = getattr(FLOOR, name), getattr(CEILING, name)
        if not low <= (value := getattr(parameters, name)) <= high:
            raise BackupKdfError(
                f"Argon2id's {name} is out of bounds", got=value, expected=f"{low} to {high}"
            )


def password_bytes(password: str) -> bytearray:
    """Return the bytes of a password: NFKC, UTF-8; the caller wipes them.

    :raises BackupPasswordError: if it is too short or too long
    """
    raw = bytearray(unicodedata.normalize("NFKC", password).encode())
    require_password(raw)
    return raw


def require_password(raw: bytes | bytearray) -> None:
    """Return if a password has a possible length.

    :raises BackupPasswordError: otherwise
    """
    if not MIN_PASSWORD <= len(raw) <= MAX_PASSWORD:
        raise BackupPasswordError(
            "The password has an unacceptable length",
            got=f"{len(raw)} bytes",
            expected=f"{MIN_PASSWORD} to {MAX_PASSWORD} bytes",
        )


def derive(password: bytes | bytearray, salt: bytes, parameters: Argon2Parameters) -> bytearray:
    """Return 32 bytes; the caller wipes them.

    :raises BackupKdfError: if the parameters are out of bounds
    """
    require_bounds(parameters)
    key = bytearray(32)
    Argon2id(
        salt=salt,
        length=len(key),
        iterations=parameters.iterations,
        lanes=parameters.lanes,
        memory_cost=parameters.memory,
    ).derive_into(password, key)  # type: ignore[arg-type] # a buffer is taken too
    return key
