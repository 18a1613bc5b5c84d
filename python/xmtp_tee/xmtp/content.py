"""What an application message says: text, and what else a client should know of.

A message's plaintext is a ``PlaintextEnvelope``; its content an ``EncodedContent`` in the encoding of its
type. Text is read and written; of other types the fallback text and the bytes are handed on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from xmtp_tee.xmtp.errors import ContentInvalidError, ProtobufMalformedError
from xmtp_tee.xmtp.proto.content import (
    ContentTypeId,
    EncodedContent,
    LeaveRequest,
    PlaintextEnvelope,
    PlaintextEnvelopeV1,
)
from xmtp_tee.xmtp.proto.groups import Attribute

TEXT: Final = ContentTypeId(
    authority_id="xmtp.org", type_id="text", version_major=1, version_minor=0
)
GROUP_UPDATED: Final = ContentTypeId(
    authority_id="xmtp.org", type_id="group_updated", version_major=1, version_minor=0
)
LEAVE_REQUEST: Final = ContentTypeId(
    authority_id="xmtp.org", type_id="leave_request", version_major=1, version_minor=0
)
_UTF8: Final = Attribute(key="encoding", value="UTF-8")


@dataclass(frozen=True, slots=True)
class Content:
    """A message's content. ``text`` is the text, or the fallback of another type, or nothing."""

    type: ContentTypeId
    data: bytes = field(repr=False)
    text: str | None = field(default=None, repr=False)

    @property
    def type_name(self) -> str:
        """The type as the network writes it, for example ``xmtp.org/text:1.0``."""
        kind = self.type
        return f"{kind.authority_id}/{kind.type_id}:{kind.version_major}.{kind.version_minor}"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message's plaintext: encoded content, and what makes the message itself."""

    content: bytes = field(repr=False)
    idempotency_key: str

    def message_id(self, group_id: bytes) -> bytes:
        """Return the 32 bytes under which every member knows the message."""
        parts = (group_id, self.idempotency_key.encode(), self.content)
        return hashlib.sha256(b"\t".join(parts)).digest()


def encode_text(value: str) -> bytes:
    """Return text as encoded content."""
    return EncodedContent(type=TEXT, parameters=(_UTF8,), content=value.encode()).encode()


def encode_leave_request() -> bytes:
    """Return the content by which a member asks to be removed."""
    return EncodedContent(type=LEAVE_REQUEST, content=LeaveRequest().encode()).encode()


def decode_content(encoded: bytes) -> Content:
    """Read encoded content.

    :raises ContentInvalidError: it cannot be read, or is text that is not UTF-8
    """
    try:
        content = EncodedContent.decode(encoded)
    except ProtobufMalformedError as error:
        raise ContentInvalidError("A message's content cannot be read") from error
    if content.type is None:
        raise ContentInvalidError("A message's content does not say what it is")
    if (content.type.authority_id, content.type.type_id) != (TEXT.authority_id, TEXT.type_id):
        return Content(content.type, content.content, content.fallback)
    if content.compression is not None:
        raise ContentInvalidError("Compressed text is not supported", got=content.compression)
    try:
        return Content(content.type, content.content, content.content.decode())
    except UnicodeDecodeError:
        raise ContentInvalidError("A message's text is not UTF-8") from None


def seal_envelope(content: bytes, idempotency_key: str) -> bytes:
    """Return the plaintext of an application message."""
    return PlaintextEnvelope(
        v1=PlaintextEnvelopeV1(content=content, idempotency_key=idempotency_key)
    ).encode()


def open_envelope(plaintext: bytes) -> Envelope | None:
    """Read the plaintext of an application message; None for what a user's own devices tell each other.

    :raises ContentInvalidError: it is no envelope of a known version
    """
    try:
        envelope = PlaintextEnvelope.decode(plaintext)
    except ProtobufMalformedError as error:
        raise ContentInvalidError("A message's envelope cannot be read") from error
    if envelope.v1 is not None:
        return Envelope(envelope.v1.content, envelope.v1.idempotency_key)
    if envelope.v2 is not None:
        return None
    raise ContentInvalidError("A message's envelope is of an unknown version")
