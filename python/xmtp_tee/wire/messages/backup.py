"""Backups: keys leave sealed, and come back marked as imported for ever."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from xmtp_tee.wire.limits import MAX_BACKUP
from xmtp_tee.wire.messages.base import Bytes32, KeyId, Message, OptionalLabel

SEALED_INPUT_INFO: Final = b"xmtp-tee/sealed-input/v1"
"""HPKE's info for what a client seals to the enclave's transport key."""

SEALED_OUTPUT_INFO: Final = b"xmtp-tee/sealed-output/v1"
"""HPKE's info for what the enclave seals to a client's reply key."""

_Blob = Annotated[bytes, Meta(max_length=MAX_BACKUP)]
_Way = Annotated[str, Meta(pattern="^(password|shares|data-key|enclave)$")]
_Format = Annotated[str, Meta(pattern="^(container|age|keystore)$")]


class SealedInput(Message, frozen=True, tag="sealed-input"):
    """A secret for the enclave alone: HPKE (X25519, ChaCha20-Poly1305) to its transport key.

    The associated data is :func:`sealed_input_data` of the operation: it serves this very request,
    however often that is sent, and no other.
    """

    enc: Bytes32
    ciphertext: Annotated[bytes, Meta(min_length=17, max_length=8 << 10)]


class SealedOutput(Message, frozen=True, tag="sealed-output"):
    """A secret for the client alone: HPKE (X25519, ChaCha20-Poly1305) to its reply key."""

    enc: Bytes32
    ciphertext: _Blob


class ShareCount(Message, frozen=True, tag="share-count"):
    """SLIP-39: any ``threshold`` of ``count``."""

    threshold: Annotated[int, Meta(ge=1, le=16)]
    count: Annotated[int, Meta(ge=1, le=16)]


class ExportKey(Message, frozen=True, tag="export-key"):
    """Seal a key for recipients; -> ``ExportedKey``.

    ``public_keys``: X25519 (32 bytes) or X-Wing (1,216). ``successors``: transport keys of other
    enclaves. ``shares`` are answered to ``reply_key`` (X25519). The format ``age`` takes
    ``age_recipients`` alone, ``keystore`` (secp256k1) a password alone.
    """

    key_id: KeyId
    format: _Format = "container"
    password: SealedInput | None = None
    public_keys: Annotated[
        tuple[Annotated[bytes, Meta(min_length=32, max_length=1216)], ...], Meta(max_length=8)
    ] = ()
    successors: Annotated[tuple[Bytes32, ...], Meta(max_length=8)] = ()
    shares: ShareCount | None = None
    reply_key: Bytes32 | None = None
    age_recipients: Annotated[
        tuple[Annotated[str, Meta(max_length=80)], ...], Meta(max_length=8)
    ] = ()


class ExportedKey(Message, frozen=True, tag="exported-key"):
    """The sealed key. ``shares``: the mnemonics, joined by newlines, sealed to the reply key."""

    data: _Blob
    shares: SealedOutput | None = None


class ImportKey(Message, frozen=True, tag="import-key"):
    """Take a key in from a container; -> ``Key``, whose provenance is ``imported`` for ever.

    ``way``: how it opens: ``password``, ``shares`` (joined by newlines) or ``data-key`` (32 bytes),
    then ``secret`` holds it, sealed; or ``enclave``: with the enclave's own transport key.
    """

    container: _Blob
    way: _Way
    secret: SealedInput | None = None
    exportable: bool = False
    label: OptionalLabel = ""


_encode: Final = msgspec.msgpack.Encoder().encode


def sealed_input_data(operation: ExportKey | ImportKey) -> bytes:
    """Return the 32 bytes to which what is sealed for ``operation`` is bound: SHA-256 of the whole
    operation, as MessagePack, without the sealed field.
    """
    if isinstance(operation, ExportKey):
        bare: Message = msgspec.structs.replace(operation, password=None)
    else:
        bare = msgspec.structs.replace(operation, secret=None)
    return sha256(_encode(bare)).digest()
