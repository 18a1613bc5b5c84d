"""Identity keys and their pre-keys: made and found."""

from __future__ import annotations

from typing import Final

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.attestation.pre_key import PRE_KEY_CONTEXT, pre_key_message
from xmtp_tee.enclave.operations.call import Call, require_address
from xmtp_tee.enclave.operations.making import require_exportable
from xmtp_tee.enclave.private_keys import generate_secret, public_key, wiped
from xmtp_tee.enclave.purposes import RULES, KeyOperation, Purpose, require_allowed
from xmtp_tee.enclave.records import KeyRecord
from xmtp_tee.enclave.views import key_view, owner_of, pre_key_view
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import (
    ExpiryInvalidError,
    IdentityKeyExistsError,
    IdentityKeyNotFoundError,
    PreKeyExpiredError,
    PreKeyMismatchError,
)
from xmtp_tee.wire.limits import MAX_EXPIRY

PRE_KEY_LIFETIME: Final = 90 * 24 * 3600
"""Seconds until a pre-key expires, unless the request says otherwise."""


def generate_identity_key(call: Call, operation: wire.GenerateIdentityKey) -> wire.Key:
    """Make the owner's identity key, the only one it ever gets this way."""
    owner = operation.owner
    require_address(owner)
    call.require_owner(owner)
    if operation.exportable:
        require_exportable(call)
    if (made := call.made_before()) is not None:
        return key_view(made)
    key_type = RULES[Purpose.IDENTITY].key_type
    with call.mutation() as draft:
        if (present := call.store.identity_of(owner)) is not None:
            raise IdentityKeyExistsError(
                "The owner has an identity key already",
                got=f"{checksum_address(owner)} with the key {present.id}",
                next_command=f"xmtp-tee keys show {present.id}",
            )
        with wiped(generate_secret(key_type, call.parts.entropy)) as secret:
            record = KeyRecord(
                id=call.new_id(),
                key_type=key_type,
                purpose=Purpose.IDENTITY,
                owner=owner,
                public_key=public_key(key_type, secret),
                provenance=Provenance.GENERATED,
                created_at=call.now,
                label=operation.label,
                exportable=operation.exportable,
                requests=call.tokens(),
            )
            draft.add(record, secret)
    call.key_id = record.id
    return key_view(record)


def generate_pre_key(call: Call, operation: wire.GeneratePreKey) -> wire.PreKey:
    """Make and sign the identity key's next pre-key."""
    identity = call.use(operation.identity_key_id, KeyOperation.SIGN_PRE_KEY)
    if (before := call.made_before()) is not None:
        return pre_key_view(before, identity)
    expiry = operation.expires_at
    if expiry is None:
        expiry = call.now + PRE_KEY_LIFETIME
    if not call.now < expiry <= MAX_EXPIRY:
        raise ExpiryInvalidError(
            "The pre-key's expiry is not possible",
            got=f"{expiry} (unix seconds)",
            expected=f"after now ({call.now}) and at most {MAX_EXPIRY}",
        )
    key_type, owner = RULES[Purpose.PRE_KEY].key_type, owner_of(identity)
    with call.mutation() as draft:
        last = call.store.last_pre_key(identity.id)
        # An imported identity key remembers the last epoch of its pre-keys.
        epoch = (identity.epoch if last is None else last.epoch) + 1
        with wiped(generate_secret(key_type, call.parts.entropy)) as secret:
            public = public_key(key_type, secret)
            message = pre_key_message(owner, identity.public_key, public, epoch, expiry)
            signature = call.store.signer(identity).sign_ph(message, PRE_KEY_CONTEXT)
            record = KeyRecord(
                id=call.new_id(),
                key_type=key_type,
                purpose=Purpose.PRE_KEY,
                owner=owner,
                public_key=public,
                provenance=Provenance.GENERATED,
                created_at=call.now,
                epoch=epoch,
                identity_key_id=identity.id,
                expires_at=expiry,
                signature=signature,
                requests=call.tokens(),
            )
            draft.add(record, secret)
    return pre_key_view(record, identity)


def get_identity_key(call: Call, operation: wire.GetIdentityKey) -> wire.Key:
    """Find the owner's identity key."""
    call.require_owner(operation.owner)
    record = call.store.identity_of(operation.owner)
    if record is None:
        owner = checksum_address(operation.owner)
        raise IdentityKeyNotFoundError(
            "The owner has no identity key", got=owner, next_command=f"xmtp-tee keys new {owner}"
        )
    call.key_id = record.id
    return key_view(record)


def get_pre_keys(call: Call, operation: wire.GetPreKeys) -> wire.PreKeyPage:
    """List the identity key's pre-keys."""
    identity = call.find(operation.identity_key_id)
    require_allowed(identity.purpose, KeyOperation.SIGN_PRE_KEY, identity.id)
    records, cursor = call.store.pre_keys(identity.id, operation.after, operation.limit)
    return wire.PreKeyPage(pre_keys=tuple(pre_key_view(r, identity) for r in records), next=cursor)


def usable_pre_key(call: Call, pre_key_id: str, identity: KeyRecord) -> wire.PreKey:
    """Return a pre-key that may stand behind an identity key in a bundle now.

    :raises PreKeyMismatchError: another identity key signed it
    :raises PreKeyExpiredError: it has expired
    """
    record = call.active(pre_key_id, KeyOperation.CERTIFY_AS_PRE_KEY)
    if record.identity_key_id != identity.id:
        raise PreKeyMismatchError(
            "The pre-key was signed by another identity key",
            got=record.identity_key_id,
            expected=identity.id,
        )
    pre_key = pre_key_view(record, identity)
    if pre_key.expires_at <= call.now:
        raise PreKeyExpiredError(
            "The pre-key has expired",
            got=f"{pre_key.expires_at} (unix seconds)",
            expected=f"after now ({call.now})",
            next_command=f"xmtp-tee keys new --pre-key {checksum_address(pre_key.owner)}",
        )
    return pre_key
