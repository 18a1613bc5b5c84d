"""Freshness: how far the store has come, signed; and its hand-over to a successor enclave."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from xmtp_tee.wire.messages.base import (
    Address,
    Bytes16,
    Bytes32,
    ChainId,
    Count,
    Label,
    Message,
    Signature65,
)


class GetFreshness(Message, frozen=True, tag="get-freshness"):
    """Have the enclave say how far its store has come; -> ``Freshness``.

    ``since``: an earlier epoch that the client knows; the enclave proves from its own history which
    state that was. ``nonce``: random, so that the answer is of now.
    """

    nonce: Bytes32
    since: Count = 0


class Freshness(Message, frozen=True, tag="freshness"):
    """The present state, and the one at ``since``; see ``attestation.freshness``."""

    store_id: Bytes16
    epoch: Count
    chain: Bytes32
    since: Count
    since_chain: Bytes32
    nonce: Bytes32
    signature: Signature65


class SignAnchor(Message, frozen=True, tag="sign-anchor"):
    """Have the present state signed for a FreshnessAnchor contract; -> ``Anchor``."""

    chain_id: ChainId
    contract: Address


class Anchor(Message, frozen=True, tag="anchor"):
    """What ``FreshnessAnchor.anchor`` takes. ``chain``: 24 bytes."""

    authority: Address
    epoch: Count
    chain: Annotated[bytes, Meta(min_length=24, max_length=24)]
    signature: Signature65


class HandOverChallenge(Message, frozen=True, tag="hand-over-challenge"):
    """Ask for the nonce that a successor's evidence must bind; -> ``HandOverNonce``."""


class HandOverNonce(Message, frozen=True, tag="hand-over-nonce"):
    """Good for one hand-over within a minute."""

    nonce: Bytes32
    store_id: Bytes16


class HandOver(Message, frozen=True, tag="hand-over"):
    """Ask for the store key, with the evidence for the key that it shall be sealed to in the same
    message; -> ``HandedOver``.

    ``successor_key``: X25519, made inside the successor. ``quote``: its report data are
    ``enclave.handover.report_data(nonce, store_id, successor_key)``. ``collateral``: as
    ``Collateral.to_json`` writes it. ``root``: the root certificate (DER), which the policy pins.
    """

    nonce: Bytes32
    successor_key: Bytes32
    tee: Label
    quote: Annotated[bytes, Meta(max_length=48 << 10)]
    collateral: Annotated[bytes, Meta(max_length=64 << 10)]
    root: Annotated[bytes, Meta(max_length=4 << 10)]


class HandedOver(Message, frozen=True, tag="handed-over"):
    """The store key by HPKE to the attested key, with the evidence that an enclave has sealed it.

    ``quote``: its report data are ``enclave.handover.handed_data(successor_key, store_id, enc,
    ciphertext)``, so that no other answer, of an earlier hand-over or of nobody's, can take its place.
    """

    store_id: Bytes16
    enc: Bytes32
    ciphertext: Annotated[bytes, Meta(min_length=48, max_length=48)]
    tee: Label
    quote: Annotated[bytes, Meta(max_length=48 << 10)]


class ExportRecovery(Message, frozen=True, tag="export-recovery"):
    """Have the store key sealed to a recovery recipient that the policy names (X25519), and kept in the
    store; -> ``WrapAccepted``.
    """

    recipient: Bytes32


class AcceptWrap(Message, frozen=True, tag="accept-wrap"):
    """Keep the store key as the successor has wrapped it for itself; -> ``WrapAccepted``."""

    provider: Label
    check: Bytes16
    wrapped: Annotated[bytes, Meta(min_length=60, max_length=60)]


class WrapAccepted(Message, frozen=True, tag="wrap-accepted"):
    """The successor can open the store now."""
