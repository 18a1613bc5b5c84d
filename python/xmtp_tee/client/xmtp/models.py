"""What an application sees of conversations."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from xmtp_tee.wire import messages as wire
from xmtp_tee.xmtp.content import decode_content
from xmtp_tee.xmtp.errors import XmtpDataError


@dataclass(frozen=True, slots=True)
class Member:
    """An installation in a conversation, under the inbox that it names. ``belongs``: whether that inbox's log
    has it; if not, somebody brought it in under another's name, and its messages are refused.
    """

    inbox_id: str
    installation_id: bytes
    belongs: bool = True

    @classmethod
    def from_wire(cls, member: wire.XmtpMember) -> Member:
        """As the enclave says it."""
        return cls(member.inbox_id, member.installation, member.belongs)


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a conversation. ``text``: of text messages the text, of others their fallback or None;
    ``content_type`` as the network writes it. ``sent_ns``: the node's time in nanoseconds.
    """

    id: bytes
    conversation_id: bytes
    sender: Member
    sent_ns: int
    content_type: str
    content: bytes = field(repr=False)
    text: str | None = field(repr=False)
    is_own: bool = False

    @classmethod
    def opened(
        cls,
        conversation_id: bytes,
        message_id: bytes,
        sender: wire.XmtpMember,
        sent_ns: int,
        content: bytes,
        is_own: bool = False,
    ) -> Message:
        """A message as the enclave has opened it. ``content``: encoded; a member may send anything, and what cannot
        be read is of the type ``unknown``.
        """
        try:
            decoded = decode_content(content)
            kind, data, text = decoded.type_name, decoded.data, decoded.text
        except XmtpDataError:
            kind, data, text = "unknown", content, None
        return cls(
            id=message_id,
            conversation_id=conversation_id,
            sender=Member.from_wire(sender),
            sent_ns=sent_ns,
            content_type=kind,
            content=data,
            text=text,
            is_own=is_own,
        )


@dataclass(frozen=True, slots=True)
class ConversationInfo:
    """A conversation as its members agree on it. ``failed_installations``: those of members that could not be
    added, until their inbox is removed and added again.
    """

    id: bytes
    epoch: int
    is_active: bool
    dm_with: str | None
    name: str
    description: str
    creator: str
    members: tuple[Member, ...]
    admins: tuple[str, ...]
    super_admins: tuple[str, ...]
    failed_installations: frozenset[bytes] = frozenset()

    @property
    def inboxes(self) -> tuple[str, ...]:
        """The members' inbox ids, each once; those that members only claim are left out."""
        return tuple(dict.fromkeys(each.inbox_id for each in self.members if each.belongs))

    @classmethod
    def from_wire(cls, conversation: wire.XmtpConversation) -> ConversationInfo:
        """As the enclave says it."""
        return cls(
            id=conversation.group_id,
            epoch=conversation.epoch,
            is_active=conversation.is_active,
            dm_with=conversation.dm_with,
            name=conversation.name,
            description=conversation.description,
            creator=conversation.creator,
            members=tuple(map(Member.from_wire, conversation.members)),
            admins=conversation.admins,
            super_admins=conversation.super_admins,
            failed_installations=frozenset(conversation.failed_installations),
        )


class Consent(StrEnum):
    """Whether the user wants a conversation."""

    UNKNOWN = "unknown"
    ALLOWED = "allowed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class PeerStanding:
    """Whether the registry vouches that an installation lives in an enclave, and if not, why not."""

    member: Member
    attested: bool
    reason: str
