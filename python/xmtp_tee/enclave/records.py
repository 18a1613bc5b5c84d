"""What the store remembers of a key, and the associated data that ties its sealed parts to their
place.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Final

import msgspec

from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.enclave.purposes import KeyType, Purpose

SCHEMA: Final = 3
"""The version of the layout below and of the tables."""

ID_SIZE: Final = 16
"""Bytes of a key id and of a store id."""

AUDIT_DOCUMENT: Final = "audit"
"""The name of the document with the audit logs' marks."""

_DOMAIN: Final = b"xmtp-tee/store"
_EIGHT: Final = (8).to_bytes(4, "big")
_HEAD: Final = _DOMAIN + SCHEMA.to_bytes(4, "big")


class KeyVersion(msgspec.Struct, frozen=True, array_like=True):
    """A version of a key before its current one. ``created_at``: unix seconds."""

    number: int
    public_key: bytes
    created_at: int


class KeyLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a key may be used. None: without limit.

    ``expires_at``: unix seconds, from which on it is refused. ``max_uses``: uses of each version.
    ``rate_count`` uses in any ``rate_seconds``.
    """

    expires_at: int | None = None
    max_uses: int | None = None
    rate_count: int | None = None
    rate_seconds: int | None = None


NO_LIMITS: Final = KeyLimits()


class KeyRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The facts of a key, all of them public within the enclave; sealed, because the host need not
    know.

    ``id``: 16 bytes in hex. ``owner``: 20 bytes. ``public_key``: of the current version; 32 bytes,
    65 for secp256k1, 1,216 for X-Wing, none for symmetric keys. Times are unix seconds.
    ``older``: the versions before the current one that are kept, ascending; those below
    ``minimum_version`` are refused. ``uses``: how many uses of the current version are reserved;
    they are on disk before the first of them is made. ``releases``: its shared secrets may leave.
    ``exportable``: it may go into a backup. ``derived_from``, ``path``: its parent and the label
    of its derivation. ``children``: keys derived from it that are not destroyed. ``deleted_at``,
    ``destroy_after``: set while it waits for its destruction. ``requests``: the last idempotency
    tokens. ``identity_updates``, ``installations``: what a wallet key has signed.
    ``identity_key_id``, ``epoch``, ``expires_at`` and ``signature`` are a pre-key's.
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
    label: str = ""
    older: tuple[KeyVersion, ...] = ()
    minimum_version: int = 1
    rotated_at: int | None = None
    limits: KeyLimits = NO_LIMITS
    uses: int = 0
    releases: bool = False
    exportable: bool = False
    derived_from: str | None = None
    path: str = ""
    children: int = 0
    deleted_at: int | None = None
    destroy_after: int | None = None
    requests: tuple[bytes, ...] = ()
    identity_updates: int = 0
    installations: tuple[bytes, ...] = ()

    def public_key_of(self, version: int) -> bytes | None:
        """Return the public key of a version that is kept, or None."""
        if version == self.version:
            return self.public_key
        return next((each.public_key for each in self.older if each.number == version), None)


class HeadBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the sealed header holds besides its epoch.

    ``count``: rows. ``tree_root``: 16 bytes, the tree over every fact of the store. ``chain``: 32
    bytes over all its states. The two ids are the keys made at the store's birth, ``created_at``
    its time.
    """

    count: int
    tree_root: bytes
    chain: bytes
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


def tags_of(record: KeyRecord) -> list[tuple[bytes, bytes]]:
    """Return the indexes (kind, value) in which a record stands, fixed at its birth.

    A pre-key stands under its identity key alone; an identity key under its owner, twice, since an
    owner has it before any other key; a derived key under its parent too.
    """
    if record.identity_key_id is not None:
        return [(b"parent", bytes.fromhex(record.identity_key_id))]
    tags = [(b"enclave", b"") if record.owner is None else (b"owner", record.owner)]
    if record.purpose is Purpose.IDENTITY and record.owner is not None:
        tags.append((b"identity", record.owner))
    if record.derived_from is not None:
        tags.append((b"derived", bytes.fromhex(record.derived_from)))
    return tags


def pack(*fields: bytes | int) -> bytes:
    """Return the fields, each with its 4-byte length in front, under this store's name and schema.

    Integers take 8 bytes. No two lists of fields have the same packing.
    """
    parts = [_HEAD]
    for field in fields:
        raw = field.to_bytes(8, "big") if isinstance(field, int) else field
        parts += [len(raw).to_bytes(4, "big"), raw]
    return b"".join(parts)


@lru_cache(maxsize=4)
def _audit_head(store_id: bytes, log_id: bytes) -> bytes:
    return pack(b"audit", store_id, log_id)


def audit_data(store_id: bytes, log_id: bytes, first: int) -> bytes:
    """Return the associated data of a sealed frame of an audit log: its store, its log, its first entry's counter.

    One is made with every answer, so what does not change is packed once.
    """
    return _audit_head(store_id, log_id) + _EIGHT + first.to_bytes(8, "big")


def record_data(store_id: bytes, epoch: int, key_id: bytes, tags: bytes, position: int) -> bytes:
    """Return the associated data of a sealed record: its store, its row, the mutation that wrote
    it.
    """
    return pack(b"record", store_id, epoch, key_id, tags, position)


def document_data(store_id: bytes, epoch: int, document_id: bytes) -> bytes:
    """Return the associated data of a sealed document: its store, its name, the mutation that wrote
    it.
    """
    return pack(b"document", store_id, epoch, document_id)


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
