"""The life of a key after its birth.

::

    active --delete--> deleted --destroy, after the waiting time--> destroyed
       ^------restore------'

A destroyed key stays as a record without a private half: its id, public key and history are never
used again.
"""

from __future__ import annotations

from typing import Final

import msgspec

from xmtp_tee.enclave.derivation import Derivation, derive
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.operations.limits import require_limits
from xmtp_tee.enclave.private_keys import SECRET_SIZE, generate_secret, public_key, wiped
from xmtp_tee.enclave.purposes import KeyOperation
from xmtp_tee.enclave.records import KeyRecord, KeyVersion
from xmtp_tee.enclave.views import key_view
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.limits import MAX_EXPIRY
from xmtp_tee.wire.refusals import (
    KeyDeletedError,
    KeyLimitError,
    KeyNotDeletedError,
    KeyVersionError,
    WaitingTimeError,
)

MAX_VERSIONS: Final = 64
"""Versions of one key that are kept; trim it to make room."""

_replace = msgspec.structs.replace


def rotate_key(call: Call, operation: wire.RotateKey) -> wire.Key:
    """Make the next version."""
    record = call.active(operation.key_id, KeyOperation.ROTATE)
    if call.repeats(record):
        return key_view(record)
    if len(record.older) + 1 >= MAX_VERSIONS:
        raise KeyLimitError(
            "The key keeps as many versions as it may",
            got=len(record.older) + 1,
            expected=f"fewer than {MAX_VERSIONS}",
            next_command=f"xmtp-tee keys trim {record.id}",
        )
    born = record.rotated_at or record.created_at
    older = (*record.older, KeyVersion(record.version, record.public_key, born))
    size = len(older) * SECRET_SIZE
    with (
        call.mutation() as draft,
        call.store.secret(record) as kept,
        wiped(_next_secret(call, record)) as secret,
        # One buffer of the final size: growing one would leave copies behind.
        wiped(bytearray(size + SECRET_SIZE)) as everything,
    ):
        everything[:size], everything[size:] = kept, secret
        made = _replace(
            record,
            version=record.version + 1,
            public_key=public_key(record.key_type, secret),
            older=older,
            rotated_at=call.now,
            uses=0,
            requests=call.tokens(record.requests),
        )
        draft.replace(made, everything)
    return key_view(made)


def set_minimum_version(call: Call, operation: wire.SetMinimumVersion) -> wire.Key:
    """Refuse older versions from now on."""
    record = call.active(operation.key_id, KeyOperation.ROTATE)
    if call.repeats(record):
        return key_view(record)
    if not record.minimum_version <= operation.version <= record.version:
        raise KeyVersionError(
            "The minimum version only rises, up to the current one",
            got=operation.version,
            expected=f"{record.minimum_version} to {record.version}",
        )
    return _replaced(call, record, minimum_version=operation.version)


def trim_key(call: Call, operation: wire.TrimKey) -> wire.Key:
    """Destroy what lies below the minimum version."""
    record = call.active(operation.key_id, KeyOperation.ROTATE)
    if call.repeats(record):
        return key_view(record)
    kept = tuple(each for each in record.older if each.number >= record.minimum_version)
    gone = (len(record.older) - len(kept)) * SECRET_SIZE
    if gone == 0 and call.idempotency_key is None:
        return key_view(record)
    made = _replace(record, older=kept, requests=call.tokens(record.requests))
    with (
        call.mutation() as draft,
        call.store.secret(record) as everything,
        wiped(everything[gone:]) as rest,
    ):
        draft.replace(made, rest)
    return key_view(made)


def delete_key(call: Call, operation: wire.DeleteKey) -> wire.Key:
    """Take the key out of use, to be destroyed later."""
    record = call.present(operation.key_id, KeyOperation.DELETE)
    if call.repeats(record):
        return key_view(record)
    if record.deleted_at is not None:
        raise KeyDeletedError("The key is deleted already", got=f"{record.id}")
    shortest = call.policy.keys.minimum_waiting
    waiting = shortest if operation.waiting is None else operation.waiting
    if not shortest <= waiting <= MAX_EXPIRY - call.now:
        raise WaitingTimeError(
            "The waiting time before destruction is not possible",
            got=f"{waiting} s",
            expected=f"at least {shortest} s",
            next_command="xmtp-tee policy show",
        )
    deleted = _replaced(call, record, deleted_at=call.now, destroy_after=call.now + waiting)
    call.parts.handles.close_of(record.id)
    return deleted


def restore_key(call: Call, operation: wire.RestoreKey) -> wire.Key:
    """Put a deleted key back into use."""
    record = call.present(operation.key_id, KeyOperation.DELETE)
    if call.repeats(record):
        return key_view(record)
    _require_deleted(record)
    return _replaced(call, record, deleted_at=None, destroy_after=None)


def destroy_key(call: Call, operation: wire.DestroyKey) -> wire.Key:
    """Destroy a deleted key's private half, once its time has come, and what it had as an installation."""
    record = call.find(operation.key_id)
    if record.destroyed_at is not None and call.repeats(record):
        return key_view(record)
    record = call.present(operation.key_id, KeyOperation.DELETE)
    due = _require_deleted(record)
    if call.now < due:
        raise WaitingTimeError(
            "The key's waiting time is not over",
            got=f"now {call.now} (unix seconds)",
            expected=f"at least {due}",
        )
    made = _replace(record, destroyed_at=call.now, older=(), requests=call.tokens(record.requests))
    parent = None if record.derived_from is None else call.store.get(record.derived_from)
    with call.mutation() as draft:
        draft.replace(made, bytearray())
        call.parts.rooms.remove(call, draft, record)
        if parent is not None and parent.destroyed_at is None:
            draft.replace(_replace(parent, children=max(0, parent.children - 1)))
    return key_view(made)


def update_key(call: Call, operation: wire.UpdateKey) -> wire.Key:
    """Change label and limits."""
    record = call.active(operation.key_id, KeyOperation.LIMIT)
    if call.repeats(record):
        return key_view(record)
    changes: dict[str, object] = {}
    if operation.label is not None:
        changes["label"] = operation.label
    if operation.limits is not None:
        changes["limits"] = require_limits(operation.limits, record.key_type, call.now)
    return _replaced(call, record, **changes)


def get_versions(call: Call, operation: wire.GetVersions) -> wire.Versions:
    """Return the versions that a key keeps."""
    record = call.find(operation.key_id)
    born = record.rotated_at or record.created_at
    versions = (*record.older, KeyVersion(record.version, record.public_key, born))
    return wire.Versions(
        minimum=record.minimum_version,
        versions=tuple(
            wire.VersionInfo(
                number=each.number, public_key=each.public_key, created_at=each.created_at
            )
            for each in versions
        ),
    )


def _next_secret(call: Call, record: KeyRecord) -> bytearray:
    """Draw the next version, or derive it where the key was derived."""
    if record.derived_from is None:
        return generate_secret(record.key_type, call.parts.entropy)
    parent = call.active(record.derived_from, KeyOperation.DERIVE)
    call.key_id = record.id
    derivation = Derivation(
        record.purpose, record.key_type, record.version + 1, record.owner, record.path
    )
    with call.secret(parent) as parent_secret:
        return derive(parent_secret, parent.public_key, derivation)[1]


def _require_deleted(record: KeyRecord) -> int:
    if record.deleted_at is None or record.destroy_after is None:
        raise KeyNotDeletedError(
            "The key is not deleted",
            got=record.id,
            next_command=f"xmtp-tee keys delete {record.id}",
        )
    return record.destroy_after


def _replaced(call: Call, record: KeyRecord, **changes: object) -> wire.Key:
    made = _replace(record, **changes, requests=call.tokens(record.requests))
    with call.mutation() as draft:
        draft.replace(made)
    return key_view(made)
