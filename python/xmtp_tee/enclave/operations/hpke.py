"""HPKE (RFC 9180): messages to keys that live here, and to others; single ones and contexts of many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from xmtp_tee import hpke
from xmtp_tee.enclave.handles import require_kind
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.operations.sharing import RECIPIENT, handle_of, opened
from xmtp_tee.enclave.purposes import KeyOperation, KeyType
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.refusals import (
    CiphertextInvalidError,
    PublicKeyInvalidError,
    PurposeInvalidError,
)

SENDER: Final = "hpke-sender"

_SUITES: Final = {
    (suite.kem, suite.aead): suite
    for suite in (
        hpke.X25519_AES_128_GCM,
        hpke.X25519_AES_256_GCM,
        hpke.X25519_CHACHA20_POLY1305,
        *(
            hpke.Suite(kem, aead)
            for kem in (hpke.Kem.XWING, hpke.Kem.XWING_OBSOLETE)
            for aead in hpke.Aead
        ),
    )
}
_KEY_TYPES: Final = {
    hpke.Kem.X25519_SHA256: KeyType.X25519,
    hpke.Kem.XWING: KeyType.XWING,
    hpke.Kem.XWING_OBSOLETE: KeyType.XWING,
}


def seal(call: Call, operation: wire.HpkeSeal) -> wire.HpkeSealed:
    """Seal one message to a public key."""
    suite = _suite(operation.kem, operation.aead)
    with _typed():
        encapsulated, ciphertext = hpke.seal(
            suite,
            operation.recipient,
            operation.info,
            operation.aad,
            operation.plaintext,
            entropy=lambda size: _random(call, size),
        )
    return wire.HpkeSealed(encapsulated=encapsulated, ciphertext=ciphertext)


def open_(call: Call, operation: wire.HpkeOpen) -> wire.Plaintext:
    """Open one message to a key that lives here."""
    context = _recipient(call, operation)
    with _typed():
        return wire.Plaintext(plaintext=context.open(operation.aad, operation.ciphertext))


def setup_sender(call: Call, operation: wire.HpkeSetupSender) -> wire.HpkeSender:
    """Begin a context for messages to a public key."""
    suite = _suite(operation.kem, operation.aead)
    with _typed():
        encapsulated, context = hpke.setup_sender(
            suite, operation.recipient, operation.info, entropy=lambda size: _random(call, size)
        )
    handle = opened(call, SENDER, None, context)
    return wire.HpkeSender(handle=handle, encapsulated=encapsulated)


def setup_recipient(call: Call, operation: wire.HpkeSetupRecipient) -> wire.Handle:
    """Begin the context of messages to a key that lives here."""
    context = _recipient(call, operation)
    return opened(call, RECIPIENT, call.find(operation.key_id), context)


def seal_next(call: Call, operation: wire.HpkeSealNext) -> wire.Ciphertext:
    """Seal the next message of a context."""
    handle = handle_of(call, operation.handle)
    require_kind(handle, SENDER)
    if not isinstance(handle.content, hpke.SenderContext):
        raise TypeError("a sender's handle holds no sender's context")
    with _typed():
        return wire.Ciphertext(ciphertext=handle.content.seal(operation.aad, operation.plaintext))


def open_next(call: Call, operation: wire.HpkeOpenNext) -> wire.Plaintext:
    """Open the next message of a context; a failure does not move it."""
    handle = handle_of(call, operation.handle)
    require_kind(handle, RECIPIENT)
    if not isinstance(handle.content, hpke.RecipientContext):
        raise TypeError("a recipient's handle holds no recipient's context")
    with _typed():
        return wire.Plaintext(plaintext=handle.content.open(operation.aad, operation.ciphertext))


def _recipient(
    call: Call, operation: wire.HpkeOpen | wire.HpkeSetupRecipient
) -> hpke.RecipientContext:
    suite = _suite(operation.kem, operation.aead)
    record = call.use(operation.key_id, KeyOperation.HPKE_OPEN, operation.version)
    if record.key_type is not _KEY_TYPES[suite.kem]:
        raise PurposeInvalidError(
            "The key is of another KEM",
            got=f"{record.key_type} key",
            expected=f"a {_KEY_TYPES[suite.kem]} key for the KEM {suite.kem:#06x}",
        )
    version = operation.version or record.version
    with call.secret(record, version) as private, _typed():
        return hpke.setup_recipient(
            suite,
            operation.encapsulated,
            private,
            operation.info,
            public=record.public_key_of(version),
        )


def _suite(kem: int, aead: int) -> hpke.Suite:
    for (known_kem, known_aead), suite in _SUITES.items():
        if (known_kem, known_aead) == (kem, aead):
            return suite
    raise PurposeInvalidError(
        "No such HPKE suite",
        got=f"KEM {kem:#06x}, AEAD {aead:#06x}",
        expected="KEM 0x0020, 0x647a or 0x004d; AEAD 0x0001, 0x0002 or 0x0003",
    )


def _random(call: Call, size: int) -> bytes:
    buffer = bytearray(size)
    call.parts.entropy(buffer)
    return bytes(buffer)


@contextmanager
def _typed() -> Iterator[None]:
    """Turn HPKE's errors into those that cross the wire."""
    try:
        yield
    except hpke.HpkePublicKeyInvalidError as error:
        raise PublicKeyInvalidError(
            "The recipient's public key is not possible", got=error.got, expected=error.expected
        ) from None
    except hpke.HpkeError as error:
        raise CiphertextInvalidError(
            "The message does not open", got=error.got, cause=error.message
        ) from None
