"""What an identity or installation key signs for an application."""

from __future__ import annotations

from typing import Final

from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.purposes import KeyOperation
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import SignedMessageTooLargeError
from xmtp_tee.wire.limits import MAX_SIGNED_MESSAGE

SIGN_CONTEXT: Final = b"PUBLIC SIGNATURE CONTEXT"
"""XMTP's context for what an installation signs in public (libxmtp, ``xmtp_cryptography``)."""


def sign(call: Call, operation: wire.Sign) -> wire.Signature:
    """Sign a message with Ed25519ph under XMTP's public context."""
    if len(operation.message) > MAX_SIGNED_MESSAGE:
        raise SignedMessageTooLargeError(
            "The message to sign is too long",
            got=f"{len(operation.message)} bytes",
            expected=f"at most {MAX_SIGNED_MESSAGE} bytes",
        )
    record = call.use(operation.key_id, KeyOperation.SIGN)
    signer = call.parts.store.signer(record)
    return wire.Signature(signature=signer.sign_ph(operation.message, SIGN_CONTEXT))
