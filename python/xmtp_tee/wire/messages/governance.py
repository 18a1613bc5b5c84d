"""Policy and audit."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from xmtp_tee.wire.limits import MAX_POLICY
from xmtp_tee.wire.messages.base import (
    Bytes16,
    Bytes32,
    Count,
    Message,
    PageSize,
    Signature65,
)


class GetPolicy(Message, frozen=True, tag="get-policy"):
    """-> ``PolicyInForce``."""


class ApplyPolicy(Message, frozen=True, tag="apply-policy"):
    """Replace the policy by the next version; -> ``PolicyInForce``.

    ``document``: MessagePack (see ``xmtp_tee.policy``). ``signatures``: the owners' over its
    approval digest, as many as the policy in force demands.
    """

    document: Annotated[bytes, Meta(max_length=MAX_POLICY)]
    signatures: Annotated[tuple[Signature65, ...], Meta(max_length=32)] = ()


class ReadAudit(Message, frozen=True, tag="read-audit"):
    """-> ``AuditPage``: entries of this enclave's audit log after the counter ``after``."""

    after: Count = 0
    limit: PageSize = 200


class GetCheckpoint(Message, frozen=True, tag="get-checkpoint"):
    """-> ``Checkpoint``: the authority's signature over where the audit log stands now."""


class PolicyInForce(Message, frozen=True, tag="policy-in-force"):
    """A policy, and the 32-byte SHA-256 digest of its encoding."""

    document: bytes
    digest: Bytes32
    version: Count


class AuditPage(Message, frozen=True, tag="audit-page"):
    """Entries in order, each as it stands in the log. ``chain``: before the first of them.
    ``last``: the counter of the log's newest entry.
    """

    log_id: Bytes16
    chain: Bytes32
    entries: tuple[bytes, ...]
    last: Count
    first_kept: Count = 1


class Checkpoint(Message, frozen=True, tag="checkpoint"):
    """See ``attestation.statements.AuditCheckpoint``."""

    store_id: Bytes16
    log_id: Bytes16
    counter: Count
    chain: Bytes32
    time: Count
    signature: Signature65
