"""``xmtp.mls.message_contents``: what an XMTP group keeps in its MLS group context, and welcomes' wrapping."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from xmtp_tee.xmtp.protobuf import Message, message, octets, text, uint

# --- metadata -------------------------------------------------------------------------------------


class ConversationType(IntEnum):
    """What a conversation is."""

    UNSPECIFIED = 0
    GROUP = 1
    DM = 2
    SYNC = 3
    ONESHOT = 4


@dataclass(frozen=True, kw_only=True)
class InboxRef(Message):
    """An inbox by its id."""

    inbox_id: str = text(1)


@dataclass(frozen=True, kw_only=True)
class DmMembers(Message):
    """The two inboxes of a direct message."""

    dm_member_one: InboxRef | None = message(1, InboxRef)
    dm_member_two: InboxRef | None = message(2, InboxRef)


@dataclass(frozen=True, kw_only=True)
class GroupMetadataV1(Message):
    """What never changes: the type, the creator, the two of a direct message."""

    conversation_type: int = uint(1)
    creator_inbox_id: str = text(3)
    dm_members: DmMembers | None = message(4, DmMembers)


@dataclass(frozen=True, kw_only=True)
class Attribute(Message):
    """An entry of ``map<string, string>``."""

    key: str = text(1)
    value: str = text(2)


@dataclass(frozen=True, kw_only=True)
class Inboxes(Message):
    """A list of inbox ids."""

    inbox_ids: tuple[str, ...] = text(1, repeated=True)


@dataclass(frozen=True, kw_only=True)
class GroupMutableMetadataV1(Message):
    """Name, description and the like, and who may change what."""

    attributes: tuple[Attribute, ...] = message(1, Attribute, repeated=True)
    admin_list: Inboxes | None = message(2, Inboxes)
    super_admin_list: Inboxes | None = message(3, Inboxes)


# --- permissions ----------------------------------------------------------------------------------
# The network has three policy messages of one shape; only the meaning of `base` differs.


@dataclass(frozen=True, kw_only=True)
class PolicyList(Message):
    """The operands of a condition, unread."""

    policies: tuple[bytes, ...] = octets(1, repeated=True)


@dataclass(frozen=True, kw_only=True)
class Policy(Message):
    """A base policy, or all or any of several."""

    base: int | None = uint(1, oneof="kind")
    and_condition: PolicyList | None = message(2, PolicyList, oneof="kind")
    any_condition: PolicyList | None = message(3, PolicyList, oneof="kind")


@dataclass(frozen=True, kw_only=True)
class MetadataPolicyEntry(Message):
    """An entry of ``map<string, MetadataPolicy>``."""

    key: str = text(1)
    value: Policy | None = message(2, Policy)


@dataclass(frozen=True, kw_only=True)
class PolicySet(Message):
    """Who may do what."""

    add_member_policy: Policy | None = message(1, Policy)
    remove_member_policy: Policy | None = message(2, Policy)
    update_metadata_policy: tuple[MetadataPolicyEntry, ...] = message(
        3, MetadataPolicyEntry, repeated=True
    )
    add_admin_policy: Policy | None = message(4, Policy)
    remove_admin_policy: Policy | None = message(5, Policy)
    update_permissions_policy: Policy | None = message(6, Policy)


@dataclass(frozen=True, kw_only=True)
class GroupMutablePermissionsV1(Message):
    """The group's permissions."""

    policies: PolicySet | None = message(1, PolicySet)


# --- membership -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class MembershipEntry(Message):
    """An entry of ``map<string, uint64>``: an inbox, and up to which update of its log it counts."""

    key: str = text(1)
    value: int = uint(2)


@dataclass(frozen=True, kw_only=True)
class GroupMembership(Message):
    """Which inboxes belong to the group, and which installations could not be added."""

    members: tuple[MembershipEntry, ...] = message(1, MembershipEntry, repeated=True)
    failed_installations: tuple[bytes, ...] = octets(2, repeated=True)


# --- welcomes -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class WelcomeWrapperEncryption(Message):
    """A key package's extension 0xff03: the key to wrap welcomes to."""

    pub_key: bytes = octets(1)
    algorithm: int = uint(2)


@dataclass(frozen=True, kw_only=True)
class WelcomeMetadata(Message):
    """What the one who adds says of the group's history: from which message on it can be read."""

    message_cursor: int = uint(1)


@dataclass(frozen=True, kw_only=True)
class WelcomeV1Pointer(Message):
    """Where the welcome lies, and the key and nonces that open it."""

    destination: bytes = octets(1)
    aead_type: int = uint(2)
    encryption_key: bytes = octets(3)
    data_nonce: bytes = octets(4)
    welcome_metadata_nonce: bytes = octets(5)


@dataclass(frozen=True, kw_only=True)
class WelcomePointer(Message):
    """Versioned envelope (XIP-74)."""

    welcome_v1_pointer: WelcomeV1Pointer | None = message(1, WelcomeV1Pointer, oneof="version")


@dataclass(frozen=True, kw_only=True)
class AeadTypes(Message):
    """A key package's extension 0xff04: which ciphers a welcome behind a pointer may use."""

    supported_aead_types: tuple[int, ...] = uint(1, repeated=True)
