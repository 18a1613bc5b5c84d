"""What the store remembers of a key, and the associated data that ties its sealed parts to their
place.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec

from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.enclave.purposes import KeyType, Purpose

SCHEMA: Final = 1
"""The version of the layout below and of the tables."""

ID_SIZE: Final = 16
"""Bytes of a key id and of a store id."""

_DOMAIN: Final = b"xmtp-tee/store"


class KeyRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The facts of a key, all of them public within the enclave; sealed, because the host need not
    know.

    ``id``: 16 random bytes in hex. ``owner``: 20 bytes. ``public_key``: 32 bytes, 65 for secp256k1.
    Times are unix seconds. ``identity_key_id``, ``epoch``, ``expires_at`` and ``signature`` are a
    pre-key's.
    """

    id: str
    key_type: KeyType
    purpose: Purpose
    owner: bytes | None
    public_key: bytes
    provenance: Provenance
    created_at: int
    version: int = 1
    epoch: int = 0
    destroyed_at: int | None = None
    identity_key_id: str | None = None
    expires_at: int | None = None
    signature: bytes | None = None


class HeadBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the sealed header holds besides its epoch.

    ``count``: rows. ``set_digest``: 32 bytes over the set of all rows. The two ids are the keys
    made at the store's birth, ``created_at`` its time.
    """

    count: int
    set_digest: bytes
    authority_id: str
    transport_id: str
    created_at: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(KeyRecord)


def new_key_id() -> str:
    """Return a random key id: 16 bytes in hex."""
    return os.urandom(ID_SIZE).hex()


def encode_record(record: KeyRecord) -> bytes:
    """Return the record as MessagePack."""
    return _encoder.encode(record)


def decode_record(data: bytes | bytearray) -> KeyRecord:
    """Return what :func:`encode_record` wrote.

    :raises msgspec.DecodeError: if it is anything else
    """
    return _decoder.decode(data)


def pack(*fields: bytes | int) -> bytes:
    """Return the fields, each with its 4-byte length in front, under this store's name and schema.

    Integers take 8 bytes. No two lists of fields have the same packing.
    """
    parts = [_DOMAIN, SCHEMA.to_bytes(4, "big")]
    for field in fields:
        raw = field.to_bytes(8, "big") if isinstance(field, int) else field
        parts += [len(raw).to_bytes(4, "big"), raw]
    return b"".join(parts)


def record_data(store_id: bytes, epoch: int, key_id: bytes, tag: bytes, position: int) -> bytes:
    """Return the associated data of a sealed record: its store, its row, the mutation that wrote
    it.
    """
    return pack(b"record", store_id, epoch, key_id, tag, position)


def secret_data(store_id: bytes, epoch: int, record: KeyRecord) -> bytes:
    """Return the associated data of a sealed private key: its store, its mutation and its whole
    record.

    So a private key opens under no other id, type, purpose, owner, provenance or version than its
    own.
    """
    return pack(
        b"secret",
        store_id,
        epoch,
        bytes.fromhex(record.id),
        record.key_type.value.encode(),
        record.purpose.value.encode(),
        record.version,
        encode_record(record),
    )


def header_data(store_id: bytes, epoch: int) -> bytes:
    """Return the associated data of the sealed header."""
    return pack(b"header", store_id, epoch)
