"""Shared secrets: kept inside under a handle, or released where key and policy say so."""

from __future__ import annotations

from typing import Final

from xmtp_tee.enclave.agreement import shared_secret
from xmtp_tee.enclave.handles import Content, Handle
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.private_keys import wiped
from xmtp_tee.enclave.purposes import KeyOperation, KeyType
from xmtp_tee.enclave.records import KeyRecord
from xmtp_tee.enclave.symmetric import SymmetricKey
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.refusals import (
    KeyDeletedError,
    KeyDestroyedError,
    PurposeInvalidError,
    ReleaseRefusedError,
)

BYTES: Final = "bytes"
USES: Final = {
    "aead-aes-256-gcm": KeyType.AES_256_GCM,
    "aead-chacha20-poly1305": KeyType.CHACHA20_POLY1305,
    "mac": KeyType.HMAC_SHA256,
}
"""What a shared secret may be used for under a handle; each gives another secret."""


RECIPIENT: Final = "hpke-recipient"
"""The kind of a handle to a recipient's context of HPKE."""

_SOURCES: Final = {RECIPIENT: KeyOperation.HPKE_OPEN}
"""What the key did from which a handle of a kind came; otherwise it agreed."""


def agree(call: Call, operation: wire.SharedSecret) -> wire.Handle | wire.SecretBytes:
    """Agree with a peer on a secret for one use and label."""
    if operation.use != BYTES and operation.use not in USES:
        raise PurposeInvalidError(
            "A shared secret has no such use",
            got=repr(operation.use),
            expected="one of " + ", ".join((*USES, BYTES)),
        )
    record = call.active(operation.key_id, KeyOperation.AGREE)
    if operation.use == BYTES and not (record.releases and call.policy.keys.release_shared_secrets):
        raise ReleaseRefusedError(
            "This key's shared secrets do not leave the enclave",
            got=record.id,
            expected="a key made with releases, under a policy that allows it",
        )
    record = call.use(operation.key_id, KeyOperation.AGREE, operation.version)
    version = operation.version or record.version
    public = record.public_key_of(version) or record.public_key
    with (
        call.secret(record, version) as private,
        wiped(
            shared_secret(
                private, public, operation.peer, operation.use.encode(), operation.label.encode()
            )
        ) as secret,
    ):
        if operation.use == BYTES:
            return wire.SecretBytes(secret=bytes(secret))
        return opened(call, operation.use, record, SymmetricKey(USES[operation.use], secret))


def close_handle(call: Call, operation: wire.CloseHandle) -> wire.Closed:
    """Forget a handle's secret."""
    call.key_id = operation.handle
    call.parts.handles.close(call.access.name, operation.handle)
    return wire.Closed()


def opened(call: Call, kind: str, key: KeyRecord | None, content: Content) -> wire.Handle:
    """Keep ``content``, which came from ``key``, for the caller, and return its handle."""
    key_id, owner = (None, None) if key is None else (key.id, key.owner)
    made = call.parts.handles.open(call.access.name, kind, key_id, owner, content, call.now)
    return wire.Handle(id=made.id, kind=made.kind, expires_at=made.expires_at)


def handle_of(call: Call, handle_id: str) -> Handle:
    """Return a handle of this caller, which may still touch the keys of its owner.

    :raises HandleNotFoundError: if there is none
    :raises CallerNotAllowedError: if the owner is not granted (any more)
    :raises XmtpTeeError: as :meth:`Call.active`, if the key that it came from is not in use any more
    """
    call.key_id = handle_id
    found = call.parts.handles.get(call.access.name, handle_id, call.now)
    call.require_owner(found.owner)
    if found.key_id is not None:
        try:
            call.active(found.key_id, _SOURCES.get(found.kind, KeyOperation.AGREE))
        except (KeyDeletedError, KeyDestroyedError):
            # Deleted by another enclave over the same store, which does not know this handle.
            call.parts.handles.close_of(found.key_id)
            raise
        call.key_id = handle_id
    return found
