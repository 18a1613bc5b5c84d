"""Freshness: the enclave says how far its store has come, and proves that a known state lies behind."""

from __future__ import annotations

from xmtp_tee.attestation.freshness import ANCHOR_CHAIN_SIZE, FreshnessStatement, anchor_digest
from xmtp_tee.enclave.operations.call import Call, require_registry
from xmtp_tee.wire import messages as wire


def get_freshness(call: Call, operation: wire.GetFreshness) -> wire.Freshness:
    """Sign the present state and the one at an epoch that the client knows."""
    now, since = call.store.point, call.store.point_at(operation.since)
    statement = FreshnessStatement(
        store_id=call.store.store_id,
        epoch=now.epoch,
        chain=now.chain,
        since=since.epoch,
        since_chain=since.chain,
        nonce=operation.nonce,
    )
    return wire.Freshness(
        store_id=statement.store_id,
        epoch=statement.epoch,
        chain=statement.chain,
        since=statement.since,
        since_chain=statement.since_chain,
        nonce=statement.nonce,
        signature=call.parts.sign_statement(statement.digest()),
    )


def sign_anchor(call: Call, operation: wire.SignAnchor) -> wire.Anchor:
    """Sign the present state for a contract."""
    require_registry(operation.contract)
    now, authority = call.store.point, call.parts.authority_address
    chain = now.chain[:ANCHOR_CHAIN_SIZE]
    digest = anchor_digest(operation.chain_id, operation.contract, authority, now.epoch, chain)
    return wire.Anchor(authority, now.epoch, chain, call.parts.sign_statement(digest))
