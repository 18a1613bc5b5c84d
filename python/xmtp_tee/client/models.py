"""What an application gets to see of keys and of the enclave: public values only."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.wire import messages as wire


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key's public record.

    ``type``: ``ed25519``, ``x25519`` or ``secp256k1``. ``purpose``: ``xmtp-identity``, ``pre-key``,
    ``authority`` or ``transport``. ``owner``: EIP-55 address, None for the enclave's own keys.
    ``public_key``: 32 bytes, 65 (SEC 1, uncompressed) for secp256k1. ``epoch``: a pre-key's, else
    0. ``provenance``: ``generated``. Times are unix seconds.
    """

    id: str
    type: str
    purpose: str
    owner: str | None
    public_key: bytes
    version: int
    epoch: int
    provenance: str
    operations: tuple[str, ...]
    created_at: int
    destroyed_at: int | None

    @classmethod
    def from_wire(cls, key: wire.Key) -> KeyInfo:
        """Return what a ``Key`` message says."""
        return cls(
            id=key.id,
            type=key.key_type,
            purpose=key.purpose,
            owner=None if key.owner is None else checksum_address(key.owner),
            public_key=key.public_key,
            version=key.version,
            epoch=key.epoch,
            provenance=key.provenance,
            operations=key.operations,
            created_at=key.created_at,
            destroyed_at=key.destroyed_at,
        )


@dataclass(frozen=True, slots=True)
class PreKeyInfo:
    """A pre-key with its identity key's signature (64 bytes, see ``attestation.pre_key``)."""

    id: str
    identity_key_id: str
    owner: str
    identity_key: bytes
    public_key: bytes
    signature: bytes
    epoch: int
    expires_at: int
    created_at: int

    @classmethod
    def from_wire(cls, key: wire.PreKey) -> PreKeyInfo:
        """Return what a ``PreKey`` message says."""
        return cls(
            id=key.id,
            identity_key_id=key.identity_key_id,
            owner=checksum_address(key.owner),
            identity_key=key.identity_key,
            public_key=key.public_key,
            signature=key.signature,
            epoch=key.epoch,
            expires_at=key.expires_at,
            created_at=key.created_at,
        )


@dataclass(frozen=True, slots=True)
class EnclaveInfo:
    """Who the enclave says it is; only an attestation proves it.

    ``authority``: EIP-55 address that certifies bundles. ``transport_key``: 32 bytes (X25519).
    ``assurance``: the label of the level that its driver allows to claim.
    """

    authority: str
    authority_key_id: str
    transport_key: bytes
    transport_key_id: str
    tee: str
    assurance: str
    store_id: str
    software_version: str
    protocol_version: int

    @classmethod
    def from_wire(cls, about: wire.EnclaveDescription, protocol_version: int) -> EnclaveInfo:
        """Return what an ``EnclaveDescription`` message says."""
        return cls(
            authority=checksum_address(about.authority),
            authority_key_id=about.authority_key_id,
            transport_key=about.transport_key,
            transport_key_id=about.transport_key_id,
            tee=about.tee,
            assurance=about.assurance,
            store_id=about.store_id,
            software_version=about.software_version,
            protocol_version=protocol_version,
        )
