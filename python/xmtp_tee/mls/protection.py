"""Signing, sealing and opening messages (RFC 9420, sections 6.1 to 6.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag

from xmtp_tee.mls.codec import Reader, decode_whole, opaque, u8, u32, u64
from xmtp_tee.mls.crypto import Entropy, SignatureKey, expand_with_label, mac, same, verify
from xmtp_tee.mls.errors import (
    DecryptionError,
    IntentInvalidError,
    MembershipTagError,
    OwnMessageError,
    PaddingError,
    WireFormatError,
)
from xmtp_tee.mls.framing import (
    TBS_LABEL,
    AuthenticatedContent,
    Authentication,
    Content,
    ContentType,
    FramedContent,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderType,
    WireFormat,
    decode_content,
    encode_content,
    to_be_signed,
)
from xmtp_tee.mls.secret_tree import Advance, RatchetType, SecretTree
from xmtp_tee.mls.suites import HASH_SIZE, NONCE_SIZE, CipherSuite
from xmtp_tee.mls.wiping import wipe

REUSE_GUARD_SIZE: Final = 4
MAX_PADDING: Final = 1 << 16


def sign(
    wire_format: WireFormat, content: FramedContent, context: bytes, key: SignatureKey
) -> AuthenticatedContent:
    """Return a content with its signature; a commit still needs its confirmation tag."""
    signature = key.sign(TBS_LABEL, to_be_signed(wire_format, content, context))
    return AuthenticatedContent(wire_format, content, Authentication(signature))


def verify_content(content: AuthenticatedContent, context: bytes, public: bytes) -> None:
    """Refuse a content that its sender has not signed for this epoch and form.

    :raises SignatureInvalidError: not authentic
    """
    signed = to_be_signed(content.wire_format, content.content, context)
    what = f"a {content.content.content_type.name.lower()} by {content.content.sender.type.name}"
    verify(public, TBS_LABEL, signed, content.authentication.signature, what)


def _membership_tag(message: AuthenticatedContent, context: bytes, key: bytes) -> bytes:
    signed = to_be_signed(message.wire_format, message.content, context)
    return mac(key, signed + message.authentication.encode())


def make_public(
    message: AuthenticatedContent, context: bytes, membership_key: bytes | None
) -> PublicMessage:
    """Return a content in clear, with a membership tag if a member sends it."""
    if message.content.content_type is ContentType.APPLICATION:
        raise WireFormatError("Application data travels encrypted only")
    tag = None
    if message.content.sender.type is SenderType.MEMBER and membership_key is not None:
        tag = _membership_tag(message, context, membership_key)
    return PublicMessage(message.content, message.authentication, tag)


def open_public(
    message: PublicMessage, context: bytes, membership_key: bytes
) -> AuthenticatedContent:
    """Return a public message's content; its signature is verified by the caller.

    :raises WireFormatError: application data
    :raises MembershipTagError: a member's message that no member has made
    """
    content = message.authenticated()
    if content.content.content_type is ContentType.APPLICATION:
        raise WireFormatError("Application data travels encrypted only")
    if content.content.sender.type is SenderType.MEMBER and (
        message.membership_tag is None
        or not same(message.membership_tag, _membership_tag(content, context, membership_key))
    ):
        raise MembershipTagError("A public message's membership tag is wrong")
    return content


@dataclass(frozen=True)
class Opened:
    """A private message that has been decrypted; its key is consumed after verification."""

    content: AuthenticatedContent
    advance: Advance
    generation: int


def seal_private(
    suite: CipherSuite,
    message: AuthenticatedContent,
    tree: SecretTree,
    sender_data_secret: bytes,
    padding: int,
    entropy: Entropy,
) -> PrivateMessage:
    """Return a content encrypted under the sender's next key, which is deleted.

    ``padding``: that many zeros are put behind the content, at most 65,536.

    :raises IntentInvalidError: too much padding
    """
    if not 0 <= padding <= MAX_PADDING:
        raise IntentInvalidError("Too much padding", got=padding, expected=f"<= {MAX_PADDING}")
    framed = message.content
    kind = framed.content_type
    generation, (key, nonce) = tree.next_key(framed.sender.index, _ratchet_of(kind))
    guard = entropy(REUSE_GUARD_SIZE)
    plaintext = b"".join(
        (encode_content(framed.content), message.authentication.encode(), bytes(padding))
    )
    scope = opaque(framed.group_id) + u64(framed.epoch) + u8(kind)
    ciphertext = suite.cipher(key).encrypt(
        _guarded(nonce, guard), plaintext, scope + opaque(framed.authenticated_data)
    )
    wipe(key, nonce)
    sender_data = u32(framed.sender.index) + u32(generation) + guard
    data_key, data_nonce = _sender_data_key(suite, sender_data_secret, ciphertext)
    sealed = suite.cipher(data_key).encrypt(data_nonce, sender_data, scope)
    wipe(data_key, data_nonce)
    return PrivateMessage(
        framed.group_id, framed.epoch, kind, framed.authenticated_data, sealed, ciphertext
    )


def open_private(
    suite: CipherSuite,
    message: PrivateMessage,
    tree: SecretTree,
    sender_data_secret: bytes,
    own: int | None,
) -> Opened:
    """Return a private message's content; its signature is verified by the caller, who then
    consumes or discards the key.

    :raises DecryptionError: not authentic
    :raises OwnMessageError: sent by ``own``
    :raises MlsDecodeError: the content is malformed
    :raises MessageReplayedError, GenerationTooFarError, LeafIndexError: as SecretTree.look_up
    """
    kind = message.content_type
    scope = opaque(message.group_id) + u64(message.epoch) + u8(kind)
    data_key, data_nonce = _sender_data_key(suite, sender_data_secret, message.ciphertext)
    try:
        data = suite.cipher(data_key).decrypt(data_nonce, message.encrypted_sender_data, scope)
    except InvalidTag:
        raise DecryptionError("A message's sender data is not authentic") from None
    leaf, generation, guard = decode_whole(
        lambda reader: (reader.u32(), reader.u32(), reader.take(REUSE_GUARD_SIZE)), data
    )
    if leaf == own:
        raise OwnMessageError("The message is our own", got=f"generation {generation}")
    advance = tree.look_up(leaf, _ratchet_of(kind), generation)
    key, nonce = advance.key
    try:
        plaintext = suite.cipher(key).decrypt(
            _guarded(nonce, guard), message.ciphertext, scope + opaque(message.authenticated_data)
        )
        content, authentication = decode_whole(_private_content(kind), plaintext)
    except InvalidTag:
        tree.discard(advance)
        raise DecryptionError("A message is not authentic") from None
    except Exception:
        tree.discard(advance)
        raise
    framed = FramedContent(
        message.group_id,
        message.epoch,
        Sender(SenderType.MEMBER, leaf),
        message.authenticated_data,
        content,
    )
    return Opened(
        AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, framed, authentication),
        advance,
        generation,
    )


def _private_content(
    kind: ContentType,
) -> Callable[[Reader], tuple[Content, Authentication]]:
    def decode(reader: Reader) -> tuple[Content, Authentication]:
        content = decode_content(reader, kind)
        authentication = Authentication.decode(reader, kind)
        if any(reader.take(reader.remaining)):
            raise PaddingError("A message's padding is not all zero")
        return content, authentication

    return decode


def _ratchet_of(kind: ContentType) -> RatchetType:
    return RatchetType.APPLICATION if kind is ContentType.APPLICATION else RatchetType.HANDSHAKE


def _guarded(nonce: bytes, guard: bytes) -> bytes:
    head = int.from_bytes(nonce[:REUSE_GUARD_SIZE], "big") ^ int.from_bytes(guard, "big")
    return head.to_bytes(REUSE_GUARD_SIZE, "big") + nonce[REUSE_GUARD_SIZE:]


def _sender_data_key(
    suite: CipherSuite, sender_data_secret: bytes, ciphertext: bytes
) -> tuple[bytes, bytes]:
    sample = ciphertext[:HASH_SIZE]
    return (
        expand_with_label(sender_data_secret, b"key", sample, suite.key_size),
        expand_with_label(sender_data_secret, b"nonce", sample, NONCE_SIZE),
    )
