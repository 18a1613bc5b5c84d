"""Signatures: by identity and installation keys, and by wallet keys over what was parsed first."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from xmtp_tee.wire.limits import MAX_TEXT, MAX_TYPED_DATA
from xmtp_tee.wire.messages.base import (
    Address,
    Bytes32,
    ChainId,
    Count,
    KeyId,
    Label,
    Message,
    Signature64,
    Signature65,
)

Uint256 = Bytes32
"""Big-endian."""


class Sign(Message, frozen=True, tag="sign"):
    """Sign with an identity or installation key: Ed25519ph under XMTP's public context;
    -> ``Signature``.
    """

    key_id: KeyId
    message: bytes


class SignIdentityText(Message, frozen=True, tag="sign-identity-text"):
    """Sign an XMTP identity text that the enclave parses and checks: a wallet key with EIP-191
    (-> ``WalletSignature``), an identity or installation key with Ed25519ph under XMTP's identity
    context (-> ``Signature``).

    ``nonce``: of the inbox, whose id must follow from it and the owner's address.
    """

    key_id: KeyId
    text: Annotated[str, Meta(max_length=MAX_TEXT)]
    nonce: Count = 1


class SignOwnerIntent(Message, frozen=True, tag="sign-owner-intent"):
    """Sign, with a wallet key, its owner's intent at a KeyRegistry (EIP-712), built from the
    enclave's own records; -> ``OwnerIntent``.

    ``action``: ``register``, ``rotate`` or ``revoke``. ``pre_key_id``: not for ``revoke``.
    ``nonce``: the owner's next at the registry. ``deadline``: unix seconds.
    """

    key_id: KeyId
    action: Label
    identity_key_id: KeyId
    chain_id: ChainId
    key_registry: Address
    nonce: Count
    deadline: Count
    pre_key_id: KeyId | None = None


class SignTypedData(Message, frozen=True, tag="sign-typed-data"):
    """Sign, with a wallet key, an EIP-712 document that a rule of the policy allows;
    -> ``WalletSignature``. ``document``: JSON as for ``eth_signTypedData_v4``.
    """

    key_id: KeyId
    document: Annotated[bytes, Meta(max_length=MAX_TYPED_DATA)]


class Signature(Message, frozen=True, tag="signature"):
    """A 64-byte Ed25519ph signature."""

    signature: Signature64


class WalletSignature(Message, frozen=True, tag="wallet-signature"):
    """A secp256k1 signature: r || s || v (v 27 or 28, s in the lower half), and the digest that it
    is over.
    """

    address: Address
    digest: Bytes32
    signature: Signature65


class OwnerIntent(Message, frozen=True, tag="owner-intent"):
    """An owner's intent with the owner's signature; for ``revoke`` the fields from ``pre_key`` on
    are empty.
    """

    action: Label
    chain_id: ChainId
    key_registry: Address
    owner: Address
    identity_key: Bytes32
    nonce: Count
    deadline: Count
    signature: Signature65
    pre_key: Annotated[bytes, Meta(max_length=32)] = b""
    epoch: Count = 0
    expires_at: Count = 0
    provenance: Annotated[str, Meta(max_length=64)] = ""
    authority: Annotated[bytes, Meta(max_length=20)] = b""
