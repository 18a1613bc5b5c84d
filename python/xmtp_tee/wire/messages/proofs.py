"""What the enclave vouches for."""

from __future__ import annotations

from xmtp_tee.wire.messages.base import (
    Address,
    Bytes16,
    Bytes32,
    ChainId,
    Count,
    KeyId,
    Label,
    Message,
    OptionalLabel,
    PublicKey,
    Signature64,
    Signature65,
)


class GetAttestation(Message, frozen=True, tag="get-attestation"):
    """Have a TEE vouch for authority and transport key, bound to a chain, a registry and a recent
    block; ``tee``: which of the enclave's kinds, by label, the first if empty;
    -> ``Quote``."""

    chain_id: ChainId
    enclave_registry: Address
    block_number: Count
    block_hash: Bytes32
    tee: OptionalLabel = ""


class CertifyKeyBundle(Message, frozen=True, tag="certify-key-bundle"):
    """Have the authority certify a bundle out of the enclave's own records; -> ``Certificate``."""

    identity_key_id: KeyId
    pre_key_id: KeyId
    chain_id: ChainId
    key_registry: Address


class Quote(Message, frozen=True, tag="quote"):
    """The TEE's quote and the binding that its report data commits to."""

    tee: Label
    quote: bytes
    authority: Address
    transport_key: Bytes32
    chain_id: ChainId
    enclave_registry: Address
    block_number: Count
    block_hash: Bytes32


class Certificate(Message, frozen=True, tag="certificate"):
    """A key bundle certificate: the fields of the EIP-712 type ``KeyBundle`` and the authority's
    signature.
    """

    chain_id: ChainId
    key_registry: Address
    owner: Address
    identity_key: Bytes32
    pre_key: Bytes32
    pre_key_signature: Signature64
    epoch: Count
    expires_at: Count
    provenance: Label
    authority: Address
    signature: Signature65


class AttestKey(Message, frozen=True, tag="attest-key"):
    """Have the authority vouch for a key's public record; ``challenge``: the asker's, 32 bytes;
    -> ``AttestedKey``.
    """

    key_id: KeyId
    challenge: Bytes32


class AttestedKey(Message, frozen=True, tag="attested-key"):
    """See ``attestation.statements.KeyAttestation``; a zero owner is the enclave itself."""

    store_id: Bytes16
    key_id: KeyId
    key_type: Label
    purpose: Label
    owner: Address
    public_key: PublicKey
    version: Count
    provenance: Label
    state: Label
    created_at: Count
    time: Count
    challenge: Bytes32
    signature: Signature65
