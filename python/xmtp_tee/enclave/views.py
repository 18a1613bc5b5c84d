"""Records as clients see them."""

from __future__ import annotations

from xmtp_tee.enclave.purposes import allowed_operations
from xmtp_tee.enclave.records import NO_LIMITS, KeyLimits, KeyRecord
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import OwnerInvalidError, PreKeyMismatchError


def owner_of(record: KeyRecord) -> bytes:
    """Return the owner of a key that must have one.

    :raises OwnerInvalidError: if it is the enclave's own
    """
    if record.owner is None:
        raise OwnerInvalidError("The key has no owner", got=record.id)
    return record.owner


def state_of(record: KeyRecord) -> str:
    """Return ``active``, ``deleted`` or ``destroyed``."""
    if record.destroyed_at is not None:
        return "destroyed"
    return "active" if record.deleted_at is None else "deleted"


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
        state=state_of(record),
        label=record.label,
        minimum_version=record.minimum_version,
        rotated_at=record.rotated_at,
        limits=limits_view(record.limits),
        derived_from=record.derived_from,
        releases=record.releases,
        exportable=record.exportable,
        deleted_at=record.deleted_at,
        destroy_after=record.destroy_after,
    )


def limits_view(limits: KeyLimits) -> wire.Limits | None:
    """Return limits as a client sees them; None if there are none."""
    if limits == NO_LIMITS:
        return None
    return wire.Limits(
        expires_at=limits.expires_at,
        max_uses=limits.max_uses,
        rate_count=limits.rate_count,
        rate_seconds=limits.rate_seconds,
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
