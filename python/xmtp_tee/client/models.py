"""What an application gets to see of keys and of the enclave: public values only."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.wire import messages as wire


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """How a key may be used; None: without limit.

    ``expires_at``: unix seconds. ``max_uses``: of each version. ``rate_count`` uses in any
    ``rate_seconds``.
    """

    expires_at: int | None = None
    max_uses: int | None = None
    rate_count: int | None = None
    rate_seconds: int | None = None

    @classmethod
    def from_wire(cls, limits: wire.Limits | None) -> KeyLimits | None:
        """Return what a ``Limits`` message says."""
        if limits is None:
            return None
        return cls(limits.expires_at, limits.max_uses, limits.rate_count, limits.rate_seconds)

    def to_wire(self) -> wire.Limits:
        """Return the ``Limits`` message.

        :raises FieldError: a number is out of range
        """
        from xmtp_tee.client.answers import built

        return built(
            wire.Limits,
            expires_at=self.expires_at,
            max_uses=self.max_uses,
            rate_count=self.rate_count,
            rate_seconds=self.rate_seconds,
        )


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key's public record.

    ``type``: ``ed25519``, ``x25519``, ``xwing``, ``secp256k1``, ``aes-256-gcm``,
    ``chacha20-poly1305``, ``hmac-sha256`` or ``hkdf-sha256``. ``purpose``: ``xmtp-identity``,
    ``xmtp-installation``, ``pre-key``, ``wallet``, ``key-agreement``, ``hpke``, ``aead``, ``mac``,
    ``derivation``, ``authority`` or ``transport``. ``owner``: EIP-55 address, None for the
    enclave's own keys. ``public_key``: 32 bytes, 65 (SEC 1, uncompressed) for secp256k1, 1,216 for
    X-Wing, none for a symmetric key. ``epoch``: a pre-key's, else 0. ``provenance``: ``generated``,
    ``derived`` or ``imported``. ``state``: ``active``, ``deleted`` (it can be restored, and
    destroyed from ``destroy_after`` on) or ``destroyed``. Versions from ``minimum_version`` to
    ``version`` can be used. Times are unix seconds.
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
    state: str = "active"
    label: str = ""
    minimum_version: int = 1
    rotated_at: int | None = None
    limits: KeyLimits | None = None
    derived_from: str | None = None
    releases: bool = False
    exportable: bool = False
    deleted_at: int | None = None
    destroy_after: int | None = None

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
            state=key.state,
            label=key.label,
            minimum_version=key.minimum_version,
            rotated_at=key.rotated_at,
            limits=KeyLimits.from_wire(key.limits),
            derived_from=key.derived_from,
            releases=key.releases,
            exportable=key.exportable,
            deleted_at=key.deleted_at,
            destroy_after=key.destroy_after,
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
    ``assurance``: the label of the level that its driver allows to claim. ``tee``: the kind of TEE that attests it
    first and seals its store; ``further_tees``: the labels of those that attest it besides.
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
    further_tees: tuple[str, ...] = ()

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
            further_tees=about.further_tees,
        )
