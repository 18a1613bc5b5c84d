"""The witness for a signature over a message, from bytes as they stand in certificates, documents and reports."""

from __future__ import annotations

import hashlib

from xmtp_tee.attestation.ecdsa384 import COORDINATE_SIZE

from .curve import Point
from .witness import make_witness


def witness_of(key: bytes, signature: bytes, message: bytes) -> bytes:
    """Return the witness for a P-384 signature over SHA-384 of ``message``; key and signature 96 bytes each.

    :raises NoWitnessError: the signature is wrong
    """
    digest = int.from_bytes(hashlib.sha384(message).digest(), "big")
    x, y, r, s = (
        int.from_bytes(part, "big")
        for whole in (key, signature)
        for part in (whole[:COORDINATE_SIZE], whole[COORDINATE_SIZE:])
    )
    return make_witness(digest, r, s, Point(x, y))
