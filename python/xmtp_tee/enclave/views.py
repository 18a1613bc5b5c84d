"""Records as clients see them."""

from __future__ import annotations

from xmtp_tee.enclave.purposes import allowed_operations
from xmtp_tee.enclave.records import KeyRecord
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import OwnerInvalidError, PreKeyMismatchError


def owner_of(record: KeyRecord) -> bytes:
    """Return the owner of a key that must have one.

    :raises OwnerInvalidError: if it is the enclave's own
    """
    if record.owner is None:
        raise OwnerInvalidError("The key has no owner", got=record.id)
    return record.owner


def key_view(record: KeyRecord) -> wire.Key:
    """Return a record as a client sees it."""
    return wire.Key(
        id=record.id,
        key_type=record.key_type.value,
        purpose=record.purpose.value,
        owner=record.owner,
        public_key=record.public_key,
        version=record.version,
        epoch=record.epoch,
        provenance=record.provenance.label,
        operations=allowed_operations(record.purpose),
        created_at=record.created_at,
        destroyed_at=record.destroyed_at,
    )


def pre_key_view(record: KeyRecord, identity: KeyRecord) -> wire.PreKey:
    """Return a pre-key's record as a client sees it, with its identity key's public half.

    :raises PreKeyMismatchError: if it is no pre-key
    """
    if record.signature is None or record.expires_at is None:
        raise PreKeyMismatchError("The key is not a signed pre-key", got=record.id)
    return wire.PreKey(
        id=record.id,
        identity_key_id=identity.id,
        owner=owner_of(record),
        identity_key=identity.public_key,
        public_key=record.public_key,
        signature=record.signature,
        epoch=record.epoch,
        expires_at=record.expires_at,
        created_at=record.created_at,
    )
