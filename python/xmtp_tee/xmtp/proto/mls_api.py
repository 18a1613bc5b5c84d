"""``xmtp.mls.api.v1``: the node's message service. Ids are the node's cursors; times are nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from xmtp_tee.xmtp.proto.identity import RecoverableEd25519Signature
from xmtp_tee.xmtp.protobuf import Message, boolean, message, octets, uint

SERVICE = "xmtp.mls.api.v1.MlsApi"


class SortDirection(IntEnum):
    """In which order a query answers; unspecified means descending."""

    UNSPECIFIED = 0
    ASCENDING = 1
    DESCENDING = 2


class WelcomeWrapperAlgorithm(IntEnum):
    """How a welcome is encrypted around the MLS Welcome."""

    UNSPECIFIED = 0
    CURVE25519 = 1
    XWING_MLKEM_768_DRAFT_6 = 2
    SYMMETRIC_KEY = 3


# --- messages -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class GroupMessageV1(Message):
    """A message of a group, with the node's id and time."""

    id: int = uint(1)
    created_ns: int = uint(2)
    group_id: bytes = octets(3)
    data: bytes = octets(4)
    sender_hmac: bytes = octets(5)
    should_push: bool = boolean(6)
    is_commit: bool = boolean(7)


@dataclass(frozen=True, kw_only=True)
class GroupMessage(Message):
    """Versioned envelope."""

    v1: GroupMessageV1 | None = message(1, GroupMessageV1, oneof="version")


@dataclass(frozen=True, kw_only=True)
class GroupMessageInputV1(Message):
    """An MLSMessage on its way to the node."""

    data: bytes = octets(1)
    sender_hmac: bytes = octets(2)
    should_push: bool = boolean(3)


@dataclass(frozen=True, kw_only=True)
class GroupMessageInput(Message):
    """Versioned envelope."""

    v1: GroupMessageInputV1 | None = message(1, GroupMessageInputV1, oneof="version")


@dataclass(frozen=True, kw_only=True)
class WelcomeMessageV1(Message):
    """An encrypted MLS Welcome, addressed to an installation."""

    id: int = uint(1)
    created_ns: int = uint(2)
    installation_key: bytes = octets(3)
    data: bytes = octets(4)
    hpke_public_key: bytes = octets(5)
    wrapper_algorithm: int = uint(6)
    welcome_metadata: bytes = octets(7)


@dataclass(frozen=True, kw_only=True)
class WelcomePointer(Message):
    """An encrypted pointer to one welcome for many installations (XIP-74)."""

    id: int = uint(1)
    created_ns: int = uint(2)
    installation_key: bytes = octets(3)
    welcome_pointer: bytes = octets(4)
    hpke_public_key: bytes = octets(5)
    wrapper_algorithm: int = uint(6)


@dataclass(frozen=True, kw_only=True)
class WelcomeMessage(Message):
    """Versioned envelope."""

    v1: WelcomeMessageV1 | None = message(1, WelcomeMessageV1, oneof="version")
    welcome_pointer: WelcomePointer | None = message(2, WelcomePointer, oneof="version")


@dataclass(frozen=True, kw_only=True)
class WelcomeMessageInputV1(Message):
    """A welcome on its way to the node."""

    installation_key: bytes = octets(1)
    data: bytes = octets(2)
    hpke_public_key: bytes = octets(3)
    wrapper_algorithm: int = uint(4)
    welcome_metadata: bytes = octets(7)


@dataclass(frozen=True, kw_only=True)
class WelcomePointerInput(Message):
    """A welcome pointer on its way to the node."""

    installation_key: bytes = octets(1)
    welcome_pointer: bytes = octets(2)
    hpke_public_key: bytes = octets(3)
    wrapper_algorithm: int = uint(4)


@dataclass(frozen=True, kw_only=True)
class WelcomeMessageInput(Message):
    """Versioned envelope."""

    v1: WelcomeMessageInputV1 | None = message(1, WelcomeMessageInputV1, oneof="version")
    welcome_pointer: WelcomePointerInput | None = message(2, WelcomePointerInput, oneof="version")


# --- requests -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Empty(Message):
    """``google.protobuf.Empty``."""


@dataclass(frozen=True, kw_only=True)
class SendGroupMessagesRequest(Message):
    """Several messages at once."""

    messages: tuple[GroupMessageInput, ...] = message(1, GroupMessageInput, repeated=True)


@dataclass(frozen=True, kw_only=True)
class SendWelcomeMessagesRequest(Message):
    """Several welcomes at once."""

    messages: tuple[WelcomeMessageInput, ...] = message(1, WelcomeMessageInput, repeated=True)


@dataclass(frozen=True, kw_only=True)
class KeyPackageUpload(Message):
    """An MLS KeyPackage, TLS presentation."""

    key_package_tls_serialized: bytes = octets(1)


@dataclass(frozen=True, kw_only=True)
class UploadKeyPackageRequest(Message):
    """Replaces the installation's key package."""

    key_package: KeyPackageUpload | None = message(1, KeyPackageUpload)
    is_inbox_id_credential: bool = boolean(2)


@dataclass(frozen=True, kw_only=True)
class RegisterInstallationRequest(Message):
    """The first upload of a key package."""

    key_package: KeyPackageUpload | None = message(1, KeyPackageUpload)
    is_inbox_id_credential: bool = boolean(2)


@dataclass(frozen=True, kw_only=True)
class RegisterInstallationResponse(Message):
    """The installation's id: its Ed25519 public key."""

    installation_key: bytes = octets(1)


@dataclass(frozen=True, kw_only=True)
class FetchKeyPackagesRequest(Message):
    """By installation id."""

    installation_keys: tuple[bytes, ...] = octets(1, repeated=True)


@dataclass(frozen=True, kw_only=True)
class FetchKeyPackagesResponse(Message):
    """In the order of the request, with an empty entry where there is none."""

    key_packages: tuple[KeyPackageUpload, ...] = message(1, KeyPackageUpload, repeated=True)


@dataclass(frozen=True, kw_only=True)
class PagingInfo(Message):
    """Which page: after (or, descending, before) the cursor; cursor 0 means from the end."""

    direction: int = uint(1)
    limit: int = uint(2)
    id_cursor: int = uint(3)


@dataclass(frozen=True, kw_only=True)
class QueryGroupMessagesRequest(Message):
    """A page of a group's messages."""

    group_id: bytes = octets(1)
    paging_info: PagingInfo | None = message(2, PagingInfo)


@dataclass(frozen=True, kw_only=True)
class QueryGroupMessagesResponse(Message):
    """The page, and the cursor of the next; 0 after the last."""

    messages: tuple[GroupMessage, ...] = message(1, GroupMessage, repeated=True)
    paging_info: PagingInfo | None = message(2, PagingInfo)


@dataclass(frozen=True, kw_only=True)
class QueryWelcomeMessagesRequest(Message):
    """A page of an installation's welcomes."""

    installation_key: bytes = octets(1)
    paging_info: PagingInfo | None = message(2, PagingInfo)


@dataclass(frozen=True, kw_only=True)
class QueryWelcomeMessagesResponse(Message):
    """The page, and the cursor of the next; 0 after the last."""

    messages: tuple[WelcomeMessage, ...] = message(1, WelcomeMessage, repeated=True)
    paging_info: PagingInfo | None = message(2, PagingInfo)


@dataclass(frozen=True, kw_only=True)
class GroupFilter(Message):
    """A group, and the id after which its messages are wanted."""

    group_id: bytes = octets(1)
    id_cursor: int = uint(2)


@dataclass(frozen=True, kw_only=True)
class SubscribeGroupMessagesRequest(Message):
    """Several groups at once."""

    filters: tuple[GroupFilter, ...] = message(1, GroupFilter, repeated=True)


@dataclass(frozen=True, kw_only=True)
class WelcomeFilter(Message):
    """An installation, and the id after which its welcomes are wanted."""

    installation_key: bytes = octets(1)
    id_cursor: int = uint(2)


@dataclass(frozen=True, kw_only=True)
class SubscribeWelcomeMessagesRequest(Message):
    """Several installations at once."""

    filters: tuple[WelcomeFilter, ...] = message(1, WelcomeFilter, repeated=True)


@dataclass(frozen=True, kw_only=True)
class GetNewestGroupMessageRequest(Message):
    """The newest message of each group."""

    group_ids: tuple[bytes, ...] = octets(1, repeated=True)
    include_content: bool = boolean(2)


@dataclass(frozen=True, kw_only=True)
class NewestGroupMessage(Message):
    """None when the group has no message."""

    group_message: GroupMessage | None = message(1, GroupMessage)


@dataclass(frozen=True, kw_only=True)
class GetNewestGroupMessageResponse(Message):
    """In the order of the request."""

    responses: tuple[NewestGroupMessage, ...] = message(1, NewestGroupMessage, repeated=True)


# --- commit log -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class PublishCommitLogRequest(Message):
    """What a member says of the commits that it has applied."""

    group_id: bytes = octets(1)
    serialized_commit_log_entry: bytes = octets(2)
    signature: RecoverableEd25519Signature | None = message(3, RecoverableEd25519Signature)


@dataclass(frozen=True, kw_only=True)
class BatchPublishCommitLogRequest(Message):
    """Several entries at once."""

    requests: tuple[PublishCommitLogRequest, ...] = message(
        1, PublishCommitLogRequest, repeated=True
    )


@dataclass(frozen=True, kw_only=True)
class CommitLogEntry(Message):
    """``xmtp.mls.message_contents.CommitLogEntry``: an entry as it was published, with the node's id."""

    sequence_id: int = uint(1)
    serialized_commit_log_entry: bytes = octets(2)
    signature: RecoverableEd25519Signature | None = message(3, RecoverableEd25519Signature)


@dataclass(frozen=True, kw_only=True)
class QueryCommitLogRequest(Message):
    """A page of a group's commit log."""

    group_id: bytes = octets(1)
    paging_info: PagingInfo | None = message(2, PagingInfo)


@dataclass(frozen=True, kw_only=True)
class QueryCommitLogResponse(Message):
    """The page, and the cursor of the next."""

    group_id: bytes = octets(1)
    commit_log_entries: tuple[CommitLogEntry, ...] = message(2, CommitLogEntry, repeated=True)
    paging_info: PagingInfo | None = message(3, PagingInfo)


@dataclass(frozen=True, kw_only=True)
class BatchQueryCommitLogRequest(Message):
    """Several pages at once."""

    requests: tuple[QueryCommitLogRequest, ...] = message(1, QueryCommitLogRequest, repeated=True)


@dataclass(frozen=True, kw_only=True)
class BatchQueryCommitLogResponse(Message):
    """In the order of the request."""

    responses: tuple[QueryCommitLogResponse, ...] = message(
        1, QueryCommitLogResponse, repeated=True
    )
