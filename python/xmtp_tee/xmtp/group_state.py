"""What XMTP keeps in a group's MLS context, read and written as one value.

Four extensions of the GroupContext: 0xf000 metadata that never changes, 0xff00 metadata that does, 0xff01
which inboxes belong and up to which update of their logs, 0xff02 who may do what. Every XMTP group has all
four; one that lacks one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType
from typing import Final, TypeVar

from xmtp_tee.mls.codec import Reader, decode_whole, opaque
from xmtp_tee.mls.errors import MlsError
from xmtp_tee.xmtp.errors import GroupStateInvalidError, ProtobufMalformedError
from xmtp_tee.xmtp.permissions import Actor, Permissions
from xmtp_tee.xmtp.proto import groups
from xmtp_tee.xmtp.proto.groups import ConversationType
from xmtp_tee.xmtp.protobuf import Message

M = TypeVar("M", bound=Message)


class ExtensionType(IntEnum):
    """The MLS extensions of XMTP, in group contexts, leaves and key packages."""

    APPLICATION_ID = 0x0001
    RATCHET_TREE = 0x0002
    REQUIRED_CAPABILITIES = 0x0003
    LAST_RESORT = 0x000A
    IMMUTABLE_METADATA = 0xF000
    MUTABLE_METADATA = 0xFF00
    GROUP_MEMBERSHIP = 0xFF01
    GROUP_PERMISSIONS = 0xFF02
    WELCOME_WRAPPER_ENCRYPTION = 0xFF03
    WELCOME_POINTEE_AEAD_TYPES = 0xFF04
    PROPOSAL_SUPPORT = 0xFF05


MAX_MEMBERS: Final = 250
"""Inboxes a group."""

MAX_NUMBER: Final = (1 << 63) - 1
"""The greatest sequence id, message id and epoch: the network keeps them as signed 64-bit integers."""

_INBOX_ID: Final = re.compile("[0-9a-f]{64}")

LIMITS: Final = MappingProxyType(
    {
        "group_name": 100,
        "description": 1_000,
        "group_image_url_square": 2_048,
        "app_data": 8_192,
    }
)
"""Bytes of UTF-8 that a metadata field may have."""

COMMIT_LOG_SIGNER: Final = "_commit_log_signer"
MINIMUM_VERSION: Final = "minimum_supported_protocol_version"


@dataclass(frozen=True, slots=True)
class Membership:
    """Which inboxes belong, each with the sequence id of the newest update of its log that counts."""

    inboxes: Mapping[str, int]
    failed_installations: frozenset[bytes] = frozenset()

    def encode(self) -> bytes:
        """Return the group context's extension."""
        return groups.GroupMembership(
            members=tuple(
                groups.MembershipEntry(key=inbox, value=sequence)
                for inbox, sequence in sorted(self.inboxes.items())
            ),
            failed_installations=tuple(sorted(self.failed_installations)),
        ).encode()


@dataclass(frozen=True, slots=True)
class GroupState:
    """An XMTP group, as its members agree on it."""

    conversation_type: ConversationType
    creator: str
    dm_members: tuple[str, str] | None
    membership: Membership
    permissions: Permissions
    attributes: Mapping[str, str] = field(default_factory=dict)
    admins: tuple[str, ...] = ()
    super_admins: tuple[str, ...] = ()

    def actor(self, inbox_id: str) -> Actor:
        """Return what an inbox is in this group."""
        return Actor(inbox_id in self.admins, inbox_id in self.super_admins)

    @property
    def name(self) -> str:
        """The group's name; empty for a direct message."""
        return self.attributes.get("group_name", "")

    def with_attribute(self, name: str, value: str) -> GroupState:
        """Return the state with one metadata field changed.

        :raises GroupStateInvalidError: the value is too long
        """
        limit = LIMITS.get(name)
        if limit is not None and len(value.encode()) > limit:
            raise GroupStateInvalidError(
                f"The group's {name} is too long",
                got=f"{len(value.encode())} bytes",
                expected=f"at most {limit}",
            )
        return replace(self, attributes=MappingProxyType({**self.attributes, name: value}))

    @classmethod
    def decode(cls, extensions: Mapping[int, bytes]) -> GroupState:
        """Read a group context's extensions, given by their types.

        :raises GroupStateInvalidError: one of the four is missing or cannot be read, or the membership holds
            what is no inbox id, or a sequence id over MAX_NUMBER
        """
        fixed = _read(groups.GroupMetadataV1, extensions, ExtensionType.IMMUTABLE_METADATA)
        changing = _read(groups.GroupMutableMetadataV1, extensions, ExtensionType.MUTABLE_METADATA)
        members = _read(groups.GroupMembership, extensions, ExtensionType.GROUP_MEMBERSHIP)
        if changing.admin_list is None or changing.super_admin_list is None:
            raise GroupStateInvalidError("The group's metadata lacks its lists of admins")
        return cls(
            conversation_type=_conversation_type(fixed.conversation_type),
            creator=fixed.creator_inbox_id,
            dm_members=_dm_members(fixed),
            membership=_membership(members),
            permissions=Permissions.decode(_extension(extensions, ExtensionType.GROUP_PERMISSIONS)),
            attributes=MappingProxyType({entry.key: entry.value for entry in changing.attributes}),
            admins=changing.admin_list.inbox_ids,
            super_admins=changing.super_admin_list.inbox_ids,
        )

    def encode(self) -> dict[int, bytes]:
        """Return the four extensions by their types."""
        dm = None
        if self.dm_members is not None:
            one, two = (groups.InboxRef(inbox_id=inbox) for inbox in self.dm_members)
            dm = groups.DmMembers(dm_member_one=one, dm_member_two=two)
        return {
            ExtensionType.IMMUTABLE_METADATA: opaque(
                groups.GroupMetadataV1(
                    conversation_type=self.conversation_type,
                    creator_inbox_id=self.creator,
                    dm_members=dm,
                ).encode()
            ),
            ExtensionType.MUTABLE_METADATA: groups.GroupMutableMetadataV1(
                attributes=tuple(
                    groups.Attribute(key=name, value=value)
                    for name, value in sorted(self.attributes.items())
                ),
                admin_list=groups.Inboxes(inbox_ids=self.admins),
                super_admin_list=groups.Inboxes(inbox_ids=self.super_admins),
            ).encode(),
            ExtensionType.GROUP_MEMBERSHIP: self.membership.encode(),
            ExtensionType.GROUP_PERMISSIONS: self.permissions.encode(),
        }


def _extension(extensions: Mapping[int, bytes], kind: ExtensionType) -> bytes:
    encoded = extensions.get(kind)
    if encoded is None:
        raise GroupStateInvalidError(
            "The group's context lacks an extension", expected=f"{kind.name} ({kind:#06x})"
        )
    return encoded


def _read(kind: type[M], extensions: Mapping[int, bytes], where: ExtensionType) -> M:
    encoded = _extension(extensions, where)
    try:
        if where is ExtensionType.IMMUTABLE_METADATA:
            # OpenMLS gives this one a form of its own: a vector around the bytes.
            encoded = decode_whole(Reader.opaque, encoded)
        return kind.decode(encoded)
    except (ProtobufMalformedError, MlsError) as error:
        raise GroupStateInvalidError(f"The group's {where.name} cannot be read") from error


def _membership(members: groups.GroupMembership) -> Membership:
    for entry in members.members:
        if _INBOX_ID.fullmatch(entry.key) is None:
            raise GroupStateInvalidError(
                "A member is no inbox id",
                got=repr(entry.key[:80]),
                expected="64 hexadecimal digits",
            )
        if entry.value > MAX_NUMBER:
            raise GroupStateInvalidError(
                "A member's sequence id is too great", got=entry.value, expected=f"<= {MAX_NUMBER}"
            )
    return Membership(
        MappingProxyType({entry.key: entry.value for entry in members.members}),
        frozenset(members.failed_installations),
    )


def _conversation_type(number: int) -> ConversationType:
    try:
        known = ConversationType(number)
    except ValueError:
        known = ConversationType.UNSPECIFIED
    if known is ConversationType.UNSPECIFIED:
        raise GroupStateInvalidError("An unknown type of conversation", got=number)
    return known


def _dm_members(metadata: groups.GroupMetadataV1) -> tuple[str, str] | None:
    is_dm = metadata.conversation_type == ConversationType.DM
    members = metadata.dm_members
    if members is None or members.dm_member_one is None or members.dm_member_two is None:
        if is_dm:
            raise GroupStateInvalidError("A direct message does not name its two members")
        return None
    return members.dm_member_one.inbox_id, members.dm_member_two.inbox_id
