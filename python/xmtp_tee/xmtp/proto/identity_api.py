"""``xmtp.identity.api.v1``: the node's identity service. An update stays unread bytes here."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.xmtp.protobuf import Message, boolean, message, octets, text, uint

SERVICE = "xmtp.identity.api.v1.IdentityApi"


@dataclass(frozen=True, kw_only=True)
class PublishIdentityUpdateRequest(Message):
    """Append one update to its inbox's log."""

    identity_update: bytes | None = octets(1, optional=True)


@dataclass(frozen=True, kw_only=True)
class PublishIdentityUpdateResponse(Message):
    """Empty."""


@dataclass(frozen=True, kw_only=True)
class IdentityLogRequest(Message):
    """Which log, and after which of its entries."""

    inbox_id: str = text(1)
    sequence_id: int = uint(2)


@dataclass(frozen=True, kw_only=True)
class GetIdentityUpdatesRequest(Message):
    """Several logs at once."""

    requests: tuple[IdentityLogRequest, ...] = message(1, IdentityLogRequest, repeated=True)


@dataclass(frozen=True, kw_only=True)
class IdentityUpdateLog(Message):
    """An entry of a log."""

    sequence_id: int = uint(1)
    server_timestamp_ns: int = uint(2)
    update: bytes | None = octets(3, optional=True)


@dataclass(frozen=True, kw_only=True)
class IdentityLogResponse(Message):
    """The entries of one log, oldest first."""

    inbox_id: str = text(1)
    updates: tuple[IdentityUpdateLog, ...] = message(2, IdentityUpdateLog, repeated=True)


@dataclass(frozen=True, kw_only=True)
class GetIdentityUpdatesResponse(Message):
    """In the order of the request."""

    responses: tuple[IdentityLogResponse, ...] = message(1, IdentityLogResponse, repeated=True)


@dataclass(frozen=True, kw_only=True)
class InboxIdRequest(Message):
    """An identifier and its kind."""

    identifier: str = text(1)
    identifier_kind: int = uint(2)


@dataclass(frozen=True, kw_only=True)
class GetInboxIdsRequest(Message):
    """Several identifiers at once."""

    requests: tuple[InboxIdRequest, ...] = message(1, InboxIdRequest, repeated=True)


@dataclass(frozen=True, kw_only=True)
class InboxIdResponse(Message):
    """The inbox that the identifier belongs to, if any."""

    identifier: str = text(1)
    inbox_id: str | None = text(2, optional=True)
    identifier_kind: int = uint(3)


@dataclass(frozen=True, kw_only=True)
class GetInboxIdsResponse(Message):
    """In the order of the request."""

    responses: tuple[InboxIdResponse, ...] = message(1, InboxIdResponse, repeated=True)


@dataclass(frozen=True, kw_only=True)
class WalletSignatureRequest(Message):
    """A smart contract wallet's signature to be judged on its chain."""

    account_id: str = text(1)
    block_number: int | None = uint(2, optional=True)
    signature: bytes = octets(3)
    hash: bytes = octets(4)


@dataclass(frozen=True, kw_only=True)
class VerifySmartContractWalletSignaturesRequest(Message):
    """Several signatures at once."""

    signatures: tuple[WalletSignatureRequest, ...] = message(
        1, WalletSignatureRequest, repeated=True
    )


@dataclass(frozen=True, kw_only=True)
class WalletSignatureResponse(Message):
    """The judgement."""

    is_valid: bool = boolean(1)
    block_number: int | None = uint(2, optional=True)
    error: str | None = text(3, optional=True)


@dataclass(frozen=True, kw_only=True)
class VerifySmartContractWalletSignaturesResponse(Message):
    """In the order of the request."""

    responses: tuple[WalletSignatureResponse, ...] = message(
        1, WalletSignatureResponse, repeated=True
    )
