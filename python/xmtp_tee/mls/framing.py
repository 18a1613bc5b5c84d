"""Content, its authentication, and the two forms in which it travels (RFC 9420, section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Final

from xmtp_tee.mls.codec import Reader, opaque, u8, u16, u32, u64
from xmtp_tee.mls.commits import Commit
from xmtp_tee.mls.errors import (
    ConfirmationTagError,
    MembershipTagError,
    UnknownVariantError,
)
from xmtp_tee.mls.proposals import Proposal, decode_proposal, encode_proposal
from xmtp_tee.mls.suites import MLS10

TBS_LABEL: Final = b"FramedContentTBS"


class WireFormat(IntEnum):
    """What an MLSMessage carries."""

    PUBLIC_MESSAGE = 1
    PRIVATE_MESSAGE = 2
    WELCOME = 3
    GROUP_INFO = 4
    KEY_PACKAGE = 5


class ContentType(IntEnum):
    """What a framed content is."""

    APPLICATION = 1
    PROPOSAL = 2
    COMMIT = 3


class SenderType(IntEnum):
    """Who sent a framed content."""

    MEMBER = 1
    EXTERNAL = 2
    NEW_MEMBER_PROPOSAL = 3
    NEW_MEMBER_COMMIT = 4


@dataclass(frozen=True)
class Sender:
    """The sender; ``index`` is a leaf (MEMBER), a place among the external senders, or 0."""

    type: SenderType
    index: int = 0

    @classmethod
    def decode(cls, reader: Reader) -> Sender:
        """Read one."""
        match reader.u8():
            case SenderType.MEMBER:
                return cls(SenderType.MEMBER, reader.u32())
            case SenderType.EXTERNAL:
                return cls(SenderType.EXTERNAL, reader.u32())
            case SenderType.NEW_MEMBER_PROPOSAL:
                return cls(SenderType.NEW_MEMBER_PROPOSAL)
            case SenderType.NEW_MEMBER_COMMIT:
                return cls(SenderType.NEW_MEMBER_COMMIT)
            case other:
                raise UnknownVariantError("A sender's type is 1, 2, 3 or 4", got=other)

    def encode(self) -> bytes:
        """Return the bytes."""
        if self.type in (SenderType.MEMBER, SenderType.EXTERNAL):
            return u8(self.type) + u32(self.index)
        return u8(self.type)


Content = bytes | Proposal | Commit
"""Application data, a proposal or a commit."""


def content_type_of(content: Content) -> ContentType:
    """Return the type of a content."""
    if isinstance(content, bytes):
        return ContentType.APPLICATION
    return ContentType.COMMIT if isinstance(content, Commit) else ContentType.PROPOSAL


def encode_content(content: Content) -> bytes:
    """Return a content's bytes, without its type."""
    if isinstance(content, bytes):
        return opaque(content)
    return content.encode() if isinstance(content, Commit) else encode_proposal(content)


def decode_content(reader: Reader, kind: ContentType) -> Content:
    """Read a content of a type."""
    match kind:
        case ContentType.APPLICATION:
            return reader.opaque()
        case ContentType.PROPOSAL:
            return decode_proposal(reader)
        case ContentType.COMMIT:
            return Commit.decode(reader)


def decode_content_type(reader: Reader) -> ContentType:
    """Read a content type.

    :raises UnknownVariantError: not 1, 2 or 3
    """
    number = reader.u8()
    if number not in (1, 2, 3):
        raise UnknownVariantError("A content's type is 1, 2 or 3", got=number)
    return ContentType(number)


@dataclass(frozen=True)
class FramedContent:
    """A content with its group, epoch, sender and the data authenticated beside it."""

    group_id: bytes
    epoch: int
    sender: Sender
    authenticated_data: bytes
    content: Content

    @classmethod
    def decode(cls, reader: Reader) -> FramedContent:
        """Read one."""
        start = reader.position
        group_id, epoch, sender = reader.opaque(), reader.u64(), Sender.decode(reader)
        authenticated_data = reader.opaque()
        content = decode_content(reader, decode_content_type(reader))
        framed = cls(group_id, epoch, sender, authenticated_data, content)
        framed.__dict__["encoded"] = reader.since(start)
        return framed

    @property
    def content_type(self) -> ContentType:
        """The content's type."""
        return content_type_of(self.content)

    @cached_property
    def encoded(self) -> bytes:
        """The bytes."""
        return b"".join(
            (
                opaque(self.group_id),
                u64(self.epoch),
                self.sender.encode(),
                opaque(self.authenticated_data),
                u8(self.content_type),
                encode_content(self.content),
            )
        )


@dataclass(frozen=True)
class Authentication:
    """A content's signature, and a commit's confirmation tag."""

    signature: bytes
    confirmation_tag: bytes | None = None

    @classmethod
    def decode(cls, reader: Reader, kind: ContentType) -> Authentication:
        """Read the authentication of a content of type ``kind``."""
        signature = reader.opaque()
        return cls(signature, reader.opaque() if kind is ContentType.COMMIT else None)

    def encode(self) -> bytes:
        """Return the bytes."""
        tag = b"" if self.confirmation_tag is None else opaque(self.confirmation_tag)
        return opaque(self.signature) + tag


@dataclass(frozen=True)
class AuthenticatedContent:
    """A framed content, the form in which it travels, and its authentication."""

    wire_format: WireFormat
    content: FramedContent
    authentication: Authentication

    def encode(self) -> bytes:
        """Return the bytes."""
        return u16(self.wire_format) + self.content.encoded + self.authentication.encode()

    def confirmation_tag(self) -> bytes:
        """Return a commit's confirmation tag.

        :raises ConfirmationTagError: there is none
        """
        tag = self.authentication.confirmation_tag
        if tag is None:
            raise ConfirmationTagError("A commit has no confirmation tag")
        return tag


def to_be_signed(wire_format: WireFormat, content: FramedContent, context: bytes) -> bytes:
    """Return FramedContentTBS; ``context`` is the encoded group context (section 6.1)."""
    with_context = content.sender.type in (SenderType.MEMBER, SenderType.NEW_MEMBER_COMMIT)
    return b"".join(
        (u16(MLS10), u16(wire_format), content.encoded, context if with_context else b"")
    )


@dataclass(frozen=True)
class PublicMessage:
    """A signed content in clear; a member's carries a membership tag."""

    content: FramedContent
    authentication: Authentication
    membership_tag: bytes | None

    @classmethod
    def decode(cls, reader: Reader) -> PublicMessage:
        """Read one."""
        content = FramedContent.decode(reader)
        authentication = Authentication.decode(reader, content.content_type)
        member = content.sender.type is SenderType.MEMBER
        return cls(content, authentication, reader.opaque() if member else None)

    def encode(self) -> bytes:
        """Return the bytes.

        :raises MembershipTagError: a member's message without its tag, or a tag elsewhere
        """
        if (self.content.sender.type is SenderType.MEMBER) != (self.membership_tag is not None):
            raise MembershipTagError("A membership tag goes with a member's message")
        tag = b"" if self.membership_tag is None else opaque(self.membership_tag)
        return self.content.encoded + self.authentication.encode() + tag

    def authenticated(self) -> AuthenticatedContent:
        """Return the content without the tag."""
        return AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, self.content, self.authentication)


@dataclass(frozen=True)
class PrivateMessage:
    """An encrypted content: who sent it and what it is are visible to members alone."""

    group_id: bytes
    epoch: int
    content_type: ContentType
    authenticated_data: bytes
    encrypted_sender_data: bytes
    ciphertext: bytes

    @classmethod
    def decode(cls, reader: Reader) -> PrivateMessage:
        """Read one."""
        return cls(
            reader.opaque(),
            reader.u64(),
            decode_content_type(reader),
            reader.opaque(),
            reader.opaque(),
            reader.opaque(),
        )

    def encode(self) -> bytes:
        """Return the bytes."""
        return b"".join(
            (
                opaque(self.group_id),
                u64(self.epoch),
                u8(self.content_type),
                opaque(self.authenticated_data),
                opaque(self.encrypted_sender_data),
                opaque(self.ciphertext),
            )
        )
