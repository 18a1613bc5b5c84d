"""The wrapping around an MLS Welcome, which hides from the node who is welcomed to what.

Two ways (libxmtp 1.10):

- **To a key**: HPKE (RFC 9180), base mode, to the key package's own init key (DHKEM X25519) or to its
  wrapper key (X-Wing, post-quantum, under the KEM id 0x004D that libxmtp uses). One context seals two
  messages: the Welcome, then its metadata. ``data`` is the pair (encapsulated key, ciphertext) as RFC 9420's
  HPKECiphertext.
- **Behind a pointer** (XIP-74): the Welcome lies once, under a fresh ChaCha20-Poly1305 key, at a topic of its
  own; each installation gets a pointer with that key, sealed as above.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from xmtp_tee import hpke
from xmtp_tee.mls.codec import decode_whole, opaque
from xmtp_tee.mls.errors import MlsDecodeError
from xmtp_tee.xmtp.errors import ProtobufMalformedError, WelcomeInvalidError
from xmtp_tee.xmtp.group_state import MAX_NUMBER
from xmtp_tee.xmtp.proto.groups import WelcomeMetadata, WelcomePointer, WelcomeV1Pointer
from xmtp_tee.xmtp.proto.mls_api import WelcomeWrapperAlgorithm

AEAD_CHACHA20_POLY1305: Final = 3
"""``WelcomePointeeEncryptionAeadType``, an MLS AEAD number."""

# EncryptContext of RFC 9420, section 5.1.3: label "MLS 1.0 MLS_WELCOME" and an empty context.
_INFO: Final = bytes([19]) + b"MLS 1.0 MLS_WELCOME" + b"\x00"
_SUITES: Final = {
    WelcomeWrapperAlgorithm.CURVE25519: hpke.X25519_CHACHA20_POLY1305,
    WelcomeWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6: hpke.XWING_OBSOLETE_CHACHA20_POLY1305,
}


@dataclass(frozen=True, slots=True)
class WrappedWelcome:
    """A Welcome as it travels: ``data`` and ``welcome_metadata`` of the node's message."""

    data: bytes
    metadata: bytes


@dataclass(frozen=True, slots=True)
class OpenedWelcome:
    """What was inside. ``message_cursor`` is the node's id of the newest message before the addition."""

    welcome: bytes = field(repr=False)
    message_cursor: int | None = None


def wrap(
    welcome: bytes,
    message_cursor: int,
    public_key: bytes,
    algorithm: WelcomeWrapperAlgorithm,
    *,
    entropy: hpke.Entropy,
) -> WrappedWelcome:
    """Seal an MLSMessage with a Welcome to an installation.

    :raises WelcomeInvalidError: the algorithm is none of the two to a key
    :raises HpkeError: the key does not fit it
    """
    metadata = WelcomeMetadata(message_cursor=message_cursor).encode()
    encapsulated, context = hpke.setup_sender(_suite(algorithm), public_key, _INFO, entropy=entropy)
    data = opaque(encapsulated) + opaque(context.seal(b"", welcome))
    return WrappedWelcome(data, context.seal(b"", metadata))


def unwrap(
    wrapped: WrappedWelcome, private_key: bytes | bytearray, algorithm: WelcomeWrapperAlgorithm
) -> OpenedWelcome:
    """Open what :func:`wrap`, or a peer, sealed. Old peers send no metadata.

    :raises WelcomeInvalidError: it was not sealed to this key, or is damaged
    """
    welcome, metadata = _open(wrapped, private_key, algorithm)
    return OpenedWelcome(welcome, _cursor(metadata))


@dataclass(frozen=True, slots=True)
class PointedWelcome:
    """A Welcome that lies at a topic of its own, and the pointer to seal to each installation."""

    pointer: bytes = field(repr=False)
    destination: bytes
    wrapped: WrappedWelcome


def wrap_behind_pointer(
    welcome: bytes, message_cursor: int, *, entropy: hpke.Entropy
) -> PointedWelcome:
    """Seal a Welcome once for many installations, under a fresh key at a fresh topic of 32 bytes."""
    destination, key = entropy(32), entropy(32)
    data_nonce, metadata_nonce = entropy(12), entropy(12)
    cipher = ChaCha20Poly1305(key)
    metadata = WelcomeMetadata(message_cursor=message_cursor).encode()
    pointer = WelcomePointer(
        welcome_v1_pointer=WelcomeV1Pointer(
            destination=destination,
            aead_type=AEAD_CHACHA20_POLY1305,
            encryption_key=key,
            data_nonce=data_nonce,
            welcome_metadata_nonce=metadata_nonce,
        )
    )
    wrapped = WrappedWelcome(
        cipher.encrypt(data_nonce, welcome, None), cipher.encrypt(metadata_nonce, metadata, None)
    )
    return PointedWelcome(pointer.encode(), destination, wrapped)


def wrap_pointer(
    pointer: bytes,
    public_key: bytes,
    algorithm: WelcomeWrapperAlgorithm,
    *,
    entropy: hpke.Entropy,
) -> bytes:
    """Seal a pointer to one installation."""
    encapsulated, context = hpke.setup_sender(_suite(algorithm), public_key, _INFO, entropy=entropy)
    return opaque(encapsulated) + opaque(context.seal(b"", pointer))


def unwrap_pointer(
    sealed: bytes, private_key: bytes | bytearray, algorithm: WelcomeWrapperAlgorithm
) -> WelcomeV1Pointer:
    """Open a pointer. The welcome itself is fetched from ``destination`` and given to :func:`follow`.

    :raises WelcomeInvalidError: it was not sealed to this key, or names another cipher or wrong sizes
    """
    opened, _ = _open(WrappedWelcome(sealed, b""), private_key, algorithm)
    try:
        pointer = WelcomePointer.decode(opened).welcome_v1_pointer
    except ProtobufMalformedError as error:
        raise WelcomeInvalidError("A welcome pointer cannot be read") from error
    if pointer is None:
        raise WelcomeInvalidError("A welcome pointer of an unknown version")
    if pointer.aead_type != AEAD_CHACHA20_POLY1305:
        raise WelcomeInvalidError(
            "A welcome pointer names an unknown cipher",
            got=pointer.aead_type,
            expected=AEAD_CHACHA20_POLY1305,
        )
    for name, value, size in (
        ("key", pointer.encryption_key, 32),
        ("nonce", pointer.data_nonce, 12),
        ("metadata nonce", pointer.welcome_metadata_nonce, 12),
    ):
        if len(value) != size:
            raise WelcomeInvalidError(
                f"A welcome pointer's {name} has the wrong size", got=len(value), expected=size
            )
    if pointer.data_nonce == pointer.welcome_metadata_nonce:
        raise WelcomeInvalidError("A welcome pointer uses one nonce twice")
    return pointer


def follow(pointer: WelcomeV1Pointer, wrapped: WrappedWelcome) -> OpenedWelcome:
    """Open the welcome that a pointer leads to.

    :raises WelcomeInvalidError: the pointer's key does not open it
    """
    cipher = ChaCha20Poly1305(pointer.encryption_key)
    try:
        welcome = cipher.decrypt(pointer.data_nonce, wrapped.data, None)
        metadata = (
            cipher.decrypt(pointer.welcome_metadata_nonce, wrapped.metadata, None)
            if wrapped.metadata
            else b""
        )
    except (InvalidTag, ValueError) as error:
        raise WelcomeInvalidError("A welcome does not open with its pointer's key") from error
    return OpenedWelcome(welcome, _cursor(metadata))


def _suite(algorithm: WelcomeWrapperAlgorithm) -> hpke.Suite:
    suite = _SUITES.get(algorithm)
    if suite is None:
        raise WelcomeInvalidError("A welcome cannot be wrapped so", got=int(algorithm))
    return suite


def _open(
    wrapped: WrappedWelcome, private_key: bytes | bytearray, algorithm: WelcomeWrapperAlgorithm
) -> tuple[bytes, bytes]:
    suite = _suite(algorithm)
    try:
        encapsulated, ciphertext = decode_whole(
            lambda reader: (reader.opaque(), reader.opaque()), wrapped.data
        )
    except MlsDecodeError as error:
        raise WelcomeInvalidError("A wrapped welcome cannot be read", cause=str(error)) from error
    try:
        context = hpke.setup_recipient(suite, encapsulated, private_key, _INFO)
        welcome = context.open(b"", ciphertext)
        metadata = context.open(b"", wrapped.metadata) if wrapped.metadata else b""
    except hpke.HpkeError as error:
        raise WelcomeInvalidError("A welcome does not open with this key") from error
    return welcome, metadata


def _cursor(metadata: bytes) -> int | None:
    if not metadata:
        return None
    try:
        cursor = WelcomeMetadata.decode(metadata).message_cursor
    except ProtobufMalformedError as error:
        raise WelcomeInvalidError("A welcome's metadata cannot be read") from error
    if cursor > MAX_NUMBER:
        raise WelcomeInvalidError(
            "A welcome's cursor is too great", got=cursor, expected=f"<= {MAX_NUMBER}"
        )
    return cursor
