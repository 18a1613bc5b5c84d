"""What an owner signs so that anyone may bring it to the KeyRegistry (EIP-712, the registry's domain)."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.certificate import domain_separator
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.fields import address_word, require_length, require_uint, uint_word
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.hashing import keccak256

_MEMBERS = (
    "(address owner,bytes32 identityKey,bytes32 preKey,uint64 epoch,uint64 expiresAt,"
    "uint8 provenance,address authority,uint256 nonce,uint256 deadline)"
)
REGISTER_TYPE = "RegisterKeyBundle" + _MEMBERS
ROTATE_TYPE = "RotatePreKey" + _MEMBERS
REVOKE_TYPE = "RevokeKeyBundle(address owner,bytes32 identityKey,uint256 nonce,uint256 deadline)"
_TYPES = {"register": REGISTER_TYPE, "rotate": ROTATE_TYPE}


@dataclass(frozen=True, slots=True)
class BundleIntent:
    """That the owner wants this bundle registered, or this pre-key put in its place.

    ``action``: ``register`` or ``rotate``. ``nonce``: the owner's next at the registry. ``deadline``: unix
    seconds, the last one at which it holds.

    :raises FieldError: a field has the wrong type, length or range
    """

    action: str
    chain_id: int
    key_registry: bytes
    owner: bytes
    identity_key: bytes
    pre_key: bytes
    epoch: int
    expires_at: int
    provenance: Provenance
    authority: bytes
    nonce: int
    deadline: int

    def __post_init__(self) -> None:
        if self.action not in _TYPES:
            raise FieldError("No such intent.", got=self.action, expected="register or rotate")
        for name, length in (
            ("owner", 20),
            ("authority", 20),
            ("identity_key", 32),
            ("pre_key", 32),
        ):
            require_length(name, getattr(self, name), length)
        for name, bits in (("epoch", 64), ("expires_at", 64), ("nonce", 256), ("deadline", 256)):
            require_uint(name, getattr(self, name), bits)

    def digest(self) -> bytes:
        """Return the 32 bytes that the owner signs."""
        hashed = keccak256(
            keccak256(_TYPES[self.action].encode())
            + address_word(self.owner)
            + self.identity_key
            + self.pre_key
            + uint_word(self.epoch)
            + uint_word(self.expires_at)
            + uint_word(self.provenance)
            + address_word(self.authority)
            + uint_word(self.nonce)
            + uint_word(self.deadline)
        )
        return keccak256(b"\x19\x01" + domain_separator(self.chain_id, self.key_registry) + hashed)


@dataclass(frozen=True, slots=True)
class RevocationIntent:
    """That the owner wants a bundle revoked, for ever. Fields as in :class:`BundleIntent`."""

    chain_id: int
    key_registry: bytes
    owner: bytes
    identity_key: bytes
    nonce: int
    deadline: int

    def __post_init__(self) -> None:
        require_length("owner", self.owner, 20)
        require_length("identity_key", self.identity_key, 32)
        require_uint("nonce", self.nonce, 256)
        require_uint("deadline", self.deadline, 256)

    def digest(self) -> bytes:
        """Return the 32 bytes that the owner signs."""
        hashed = keccak256(
            keccak256(REVOKE_TYPE.encode())
            + address_word(self.owner)
            + self.identity_key
            + uint_word(self.nonce)
            + uint_word(self.deadline)
        )
        return keccak256(b"\x19\x01" + domain_separator(self.chain_id, self.key_registry) + hashed)
