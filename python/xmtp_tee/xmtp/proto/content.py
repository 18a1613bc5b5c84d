"""``xmtp.mls.message_contents``: what stands inside an application message, and what a commit told."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.xmtp.proto.groups import Attribute, InboxRef
from xmtp_tee.xmtp.protobuf import Message, message, octets, text, uint


@dataclass(frozen=True, kw_only=True)
class ContentTypeId(Message):
    """What the content is, for example ``xmtp.org/text:1.0``."""

    authority_id: str = text(1)
    type_id: str = text(2)
    version_major: int = uint(3)
    version_minor: int = uint(4)


@dataclass(frozen=True, kw_only=True)
class EncodedContent(Message):
    """Content in the encoding of its type."""

    type: ContentTypeId | None = message(1, ContentTypeId)
    parameters: tuple[Attribute, ...] = message(2, Attribute, repeated=True)
    fallback: str | None = text(3, optional=True)
    content: bytes = octets(4)
    compression: int | None = uint(5, optional=True)


@dataclass(frozen=True, kw_only=True)
class PlaintextEnvelopeV1(Message):
    """An ``EncodedContent``, and what tells two equal messages apart."""

    content: bytes = octets(1)
    idempotency_key: str = text(2)


@dataclass(frozen=True, kw_only=True)
class PlaintextEnvelopeV2(Message):
    """Messages between one user's devices; only their idempotency key is read."""

    idempotency_key: str = text(1)


@dataclass(frozen=True, kw_only=True)
class PlaintextEnvelope(Message):
    """The plaintext of an MLS application message."""

    v1: PlaintextEnvelopeV1 | None = message(1, PlaintextEnvelopeV1, oneof="content")
    v2: PlaintextEnvelopeV2 | None = message(2, PlaintextEnvelopeV2, oneof="content")


@dataclass(frozen=True, kw_only=True)
class MetadataFieldChange(Message):
    """A field of the group's metadata before and after."""

    field_name: str = text(1)
    old_value: str | None = text(2, optional=True)
    new_value: str | None = text(3, optional=True)


@dataclass(frozen=True, kw_only=True)
class GroupUpdated(Message):
    """What a commit changed, as members see it in the conversation."""

    initiated_by_inbox_id: str = text(1)
    added_inboxes: tuple[InboxRef, ...] = message(2, InboxRef, repeated=True)
    removed_inboxes: tuple[InboxRef, ...] = message(3, InboxRef, repeated=True)
    metadata_field_changes: tuple[MetadataFieldChange, ...] = message(
        4, MetadataFieldChange, repeated=True
    )
    left_inboxes: tuple[InboxRef, ...] = message(5, InboxRef, repeated=True)
    added_admin_inboxes: tuple[InboxRef, ...] = message(6, InboxRef, repeated=True)
    removed_admin_inboxes: tuple[InboxRef, ...] = message(7, InboxRef, repeated=True)
    added_super_admin_inboxes: tuple[InboxRef, ...] = message(8, InboxRef, repeated=True)
    removed_super_admin_inboxes: tuple[InboxRef, ...] = message(9, InboxRef, repeated=True)


@dataclass(frozen=True, kw_only=True)
class LeaveRequest(Message):
    """A member asks to be removed."""

    authenticated_note: bytes | None = octets(1, optional=True)
