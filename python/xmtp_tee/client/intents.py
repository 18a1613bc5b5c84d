"""What an owner signs so that somebody else may publish for it: EIP-712 intents.

Domain as for the certificate (``attestation.certificate``): name ``XMTP TEE KeyRegistry``, version ``1``, chain id,
KeyRegistry. An intent acts once (sequential nonce), until its deadline, for exactly these values, and says nothing of
the proof: the enclave's certificate is checked besides. What is signed is ``attestation.owner_intent``'s; the object
for wallets is written out here, and a test compares both by eth-account. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.certificate import (
    DOMAIN_NAME,
    DOMAIN_VERSION,
    KeyBundleCertificate,
)
from xmtp_tee.attestation.fields import require_length, require_uint
from xmtp_tee.attestation.owner_intent import BundleIntent, RevocationIntent
from xmtp_tee.client.proof import CERTIFICATE_SIZE, DecodedProof, decode_proof
from xmtp_tee.errors import UsageError


class IntentInvalid(UsageError):
    """An intent is malformed, contradicts its own proof, or is not signed."""

    code = "intent.invalid"


class IntentKind(StrEnum):
    """What an owner allows; the values are those of the file."""

    REGISTER = "register"
    ROTATE = "rotate"
    REVOKE = "revoke"


_PUBLISHING = (
    ("owner", "address"),
    ("identityKey", "bytes32"),
    ("preKey", "bytes32"),
    ("epoch", "uint64"),
    ("expiresAt", "uint64"),
    ("provenance", "uint8"),
    ("authority", "address"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
)
_REVOKING = (
    ("owner", "address"),
    ("identityKey", "bytes32"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
)
_TYPES = {
    IntentKind.REGISTER: ("RegisterKeyBundle", _PUBLISHING),
    IntentKind.ROTATE: ("RotatePreKey", _PUBLISHING),
    IntentKind.REVOKE: ("RevokeKeyBundle", _REVOKING),
}
_DOMAIN = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
_FUNCTIONS = {
    IntentKind.REGISTER: "registerKeyBundleWithAttestationFor",
    IntentKind.ROTATE: "rotatePreKeyFor",
    IntentKind.REVOKE: "revokeKeyBundleFor",
}


@dataclass(frozen=True, slots=True)
class OwnerIntent:
    """One intent, with what a relayer needs to bring it.

    Addresses are 20 bytes, keys 32, ``pre_key_signature`` 64; ``deadline`` is the last unix second at which it
    counts. ``proof`` is the attestationProof; it, the pre-key and its signature are empty for a revocation.
    ``signature`` is the owner's: 65 bytes of an account, whatever a contract wallet (ERC-1271, ERC-6492) takes,
    empty while unsigned.

    :raises FieldError: a field has the wrong type, length or range
    :raises ProofError: the proof is malformed
    """

    kind: IntentKind
    chain_id: int
    key_registry: bytes
    owner: bytes
    identity_key: bytes
    nonce: int
    deadline: int
    pre_key: bytes = b""
    pre_key_signature: bytes = b""
    proof: bytes = b""
    signature: bytes = b""

    def __post_init__(self) -> None:
        require_uint("chain id", self.chain_id, 256)
        require_length("key registry", self.key_registry, 20)
        require_length("owner", self.owner, 20)
        require_length("identity key", self.identity_key, 32)
        require_uint("nonce", self.nonce, 256)
        require_uint("deadline", self.deadline, 256)
        publishes = self.kind is not IntentKind.REVOKE
        require_length("pre-key", self.pre_key, 32 if publishes else 0)
        require_length("pre-key signature", self.pre_key_signature, 64 if publishes else 0)
        if publishes:
            decode_proof(self.proof)
        else:
            require_length("proof", self.proof, 0)

    @classmethod
    def publishing(
        cls,
        kind: IntentKind,
        certificate: KeyBundleCertificate,
        proof: bytes,
        *,
        nonce: int,
        deadline: int,
    ) -> OwnerIntent:
        """Return the intent to register or to rotate what a certificate says; ``proof`` encodes it.

        :raises IntentInvalid: the proof is of another certificate
        """
        stated = decode_proof(proof)
        if (stated.epoch, stated.expires_at, stated.provenance, stated.signature) != (
            certificate.epoch,
            certificate.expires_at,
            certificate.provenance,
            certificate.signature,
        ):
            raise IntentInvalid("the proof is of another certificate")
        return cls(
            kind=kind,
            chain_id=certificate.chain_id,
            key_registry=certificate.key_registry,
            owner=certificate.owner,
            identity_key=certificate.identity_key,
            nonce=nonce,
            deadline=deadline,
            pre_key=certificate.pre_key,
            pre_key_signature=certificate.pre_key_signature,
            proof=proof,
        )

    @property
    def function(self) -> str:
        """The registry's function that takes it."""
        return _FUNCTIONS[self.kind]

    @property
    def arguments(self) -> tuple[object, ...]:
        """The function's arguments, in order. The intent must be signed."""
        if not self.signature:
            raise IntentInvalid("the intent is not signed", next_command="xmtp-tee intent sign")
        owner = checksum_address(self.owner)
        if self.kind is IntentKind.REVOKE:
            return (owner, self.identity_key, self.deadline, self.signature)
        return (
            owner,
            self.identity_key,
            self.pre_key,
            self.pre_key_signature,
            self.proof,
            self.deadline,
            self.signature,
        )

    def require_certified(self) -> None:
        """Refuse a publication whose enclave did not certify these keys for this owner.

        :raises IntentInvalid: the certificate in the proof is another enclave's or covers other values
        """
        if self.kind is IntentKind.REVOKE:
            return
        stated = decode_proof(self.proof)
        certificate = KeyBundleCertificate(
            chain_id=self.chain_id,
            key_registry=self.key_registry,
            owner=self.owner,
            identity_key=self.identity_key,
            pre_key=self.pre_key,
            pre_key_signature=self.pre_key_signature,
            epoch=stated.epoch,
            expires_at=stated.expires_at,
            provenance=stated.provenance,
            signature=stated.signature,
        )
        recovered = certificate.recover_authority()
        if recovered != stated.authority:
            raise IntentInvalid(
                "the certificate does not cover the intent's values",
                got=checksum_address(recovered),
                expected=checksum_address(stated.authority),
            )

    def without_evidence(self) -> OwnerIntent:
        """Return the same intent with the certificate alone, for an enclave that is attested by now."""
        return replace(self, proof=self.proof[:CERTIFICATE_SIZE])

    def signed(self, signature: bytes) -> OwnerIntent:
        """Return the same intent with the owner's signature."""
        if not signature:
            raise IntentInvalid("the signature is empty")
        return replace(self, signature=signature)

    def digest(self) -> bytes:
        """Return the 32-byte EIP-712 digest that the owner signs."""
        shared: dict[str, Any] = {
            "chain_id": self.chain_id,
            "key_registry": self.key_registry,
            "owner": self.owner,
            "identity_key": self.identity_key,
            "nonce": self.nonce,
            "deadline": self.deadline,
        }
        if self.kind is IntentKind.REVOKE:
            return RevocationIntent(**shared).digest()
        stated = decode_proof(self.proof)
        return BundleIntent(
            action=self.kind.value,
            pre_key=self.pre_key,
            epoch=stated.epoch,
            expires_at=stated.expires_at,
            provenance=stated.provenance,
            authority=stated.authority,
            **shared,
        ).digest()

    def typed_data(self) -> dict[str, Any]:
        """Return the object of ``eth_signTypedData_v4``, for any wallet to sign."""
        name, members = _TYPES[self.kind]
        return {
            "types": {
                "EIP712Domain": [{"name": member, "type": kind} for member, kind in _DOMAIN],
                name: [{"name": member, "type": kind} for member, kind in members],
            },
            "primaryType": name,
            "domain": {
                "name": DOMAIN_NAME,
                "version": DOMAIN_VERSION,
                "chainId": self.chain_id,
                "verifyingContract": checksum_address(self.key_registry),
            },
            "message": {member: _shown(self._values()[member], kind) for member, kind in members},
        }

    def _values(self) -> dict[str, bytes | int]:
        values: dict[str, bytes | int] = {
            "owner": self.owner,
            "identityKey": self.identity_key,
            "nonce": self.nonce,
            "deadline": self.deadline,
        }
        if self.kind is not IntentKind.REVOKE:
            stated: DecodedProof = decode_proof(self.proof)
            values |= {
                "preKey": self.pre_key,
                "epoch": stated.epoch,
                "expiresAt": stated.expires_at,
                "provenance": int(stated.provenance),
                "authority": stated.authority,
            }
        return values


def _shown(value: bytes | int, kind: str) -> str | int:
    if isinstance(value, bytes):
        return checksum_address(value) if kind == "address" else "0x" + value.hex()
    # Wallets read large numbers from text; JSON's own lose digits beyond 2**53.
    return str(value) if kind == "uint256" else value
