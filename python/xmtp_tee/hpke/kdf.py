"""HKDF-SHA256 (RFC 5869) and its labelled forms (RFC 9180, section 4)."""

from __future__ import annotations

from hmac import digest
from typing import Final

from xmtp_tee.hpke.errors import HpkeExportLengthError
from xmtp_tee.hpke.suites import HASH_SIZE

VERSION_LABEL: Final = b"HPKE-v1"
MAX_EXPAND: Final = 255 * HASH_SIZE

Secret = bytes | bytearray


def extract(salt: Secret, ikm: Secret) -> bytes:
    """Return HKDF-Extract (32 bytes). An empty salt means 32 zeros, which HMAC pads to anyway."""
    return digest(salt, ikm, "sha256")


def expand(prk: Secret, info: bytes, length: int) -> bytes:
    """Return ``length`` bytes of HKDF-Expand.

    :raises HpkeExportLengthError: beyond 255 * 32 bytes, or a negative length
    """
    if length <= HASH_SIZE and length >= 0:
        return digest(prk, info + b"\x01", "sha256")[:length]
    if not 0 <= length <= MAX_EXPAND:
        raise HpkeExportLengthError(
            "HKDF cannot give so many bytes", got=length, expected=f"0..{MAX_EXPAND}"
        )
    output, block, counter = b"", b"", 0
    while len(output) < length:
        counter += 1
        block = digest(prk, block + info + bytes((counter,)), "sha256")
        output += block
    return output[:length]


def labeled_extract(suite_id: bytes, salt: Secret, label: bytes, ikm: Secret) -> bytes:
    """Return LabeledExtract (32 bytes)."""
    return digest(salt, VERSION_LABEL + suite_id + label + ikm, "sha256")


def labeled_expand(suite_id: bytes, prk: Secret, label: bytes, info: bytes, length: int) -> bytes:
    """Return LabeledExpand.

    :raises HpkeExportLengthError: beyond 255 * 32 bytes
    """
    if not 0 <= length <= MAX_EXPAND:
        raise HpkeExportLengthError(
            "HKDF cannot give so many bytes", got=length, expected=f"0..{MAX_EXPAND}"
        )
    labeled = length.to_bytes(2, "big") + VERSION_LABEL + suite_id + label + info
    return expand(prk, labeled, length)
