"""The key bundle certificate: the enclave's authority says, by EIP-712, whose keys these are.

Domain: name ``XMTP TEE KeyRegistry``, version ``1``, the chain id, and the KeyRegistry as verifying contract.
The encoding is written out here (EIP-712, "Definition of encodeData"); a test compares it with an
independent implementation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import coincurve

from xmtp_tee.attestation.address import address_of_public_key, checksum_address, parse_address
from xmtp_tee.attestation.errors import (
    CertificateInvalidError,
    CertificateSignerMismatchError,
    FieldError,
    SignatureMalformedError,
)
from xmtp_tee.attestation.fields import (
    address_word,
    parse_hex,
    require_length,
    require_uint,
    uint_word,
)
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.hashing import keccak256

DOMAIN_NAME = "XMTP TEE KeyRegistry"
DOMAIN_VERSION = "1"
DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
KEY_BUNDLE_TYPE = (
    "KeyBundle(address owner,bytes32 identityKey,bytes32 preKey,bytes preKeySignature,"
    "uint64 epoch,uint64 expiresAt,uint8 provenance)"
)
SIGNATURE_SIZE = 65

_DOMAIN_TYPE_HASH = keccak256(DOMAIN_TYPE.encode())
_KEY_BUNDLE_TYPE_HASH = keccak256(KEY_BUNDLE_TYPE.encode())
_SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def domain_separator(chain_id: int, key_registry: bytes) -> bytes:
    """Return the 32-byte EIP-712 domain separator of a KeyRegistry.

    :raises FieldError: the chain id or the address (20 bytes) is out of range
    """
    require_uint("chain id", chain_id, 256)
    require_length("key registry", key_registry, 20)
    return keccak256(
        _DOMAIN_TYPE_HASH
        + keccak256(DOMAIN_NAME.encode())
        + keccak256(DOMAIN_VERSION.encode())
        + uint_word(chain_id)
        + address_word(key_registry)
    )


@dataclass(frozen=True, slots=True)
class KeyBundleCertificate:
    """A key bundle and, once signed, the authority's signature over it.

    Addresses are 20 bytes, keys 32, ``pre_key_signature`` 64; ``epoch`` starts at 1; ``expires_at`` is unix
    seconds; ``signature`` is r || s || v (65 bytes, v 27 or 28, low s), or empty while unsigned.

    :raises FieldError: a field has the wrong type, length or range
    """

    chain_id: int
    key_registry: bytes
    owner: bytes
    identity_key: bytes
    pre_key: bytes
    pre_key_signature: bytes
    epoch: int
    expires_at: int
    provenance: Provenance
    signature: bytes = b""

    def __post_init__(self) -> None:
        require_uint("chain id", self.chain_id, 256)
        require_length("key registry", self.key_registry, 20)
        require_length("owner", self.owner, 20)
        require_length("identity key", self.identity_key, 32)
        require_length("pre-key", self.pre_key, 32)
        require_length("pre-key signature", self.pre_key_signature, 64)
        require_uint("epoch", self.epoch, 64)
        require_uint("expiry", self.expires_at, 64)
        if self.epoch == 0:
            raise FieldError("Epochs start at 1.", got=0, expected=">= 1")
        if self.provenance not in (Provenance.GENERATED, Provenance.DERIVED, Provenance.IMPORTED):
            raise FieldError(
                "A certificate states where the key came from.",
                got=self.provenance,
                expected="generated, derived or imported",
            )
        if self.signature:
            require_length("certificate signature", self.signature, SIGNATURE_SIZE)

    def struct_hash(self) -> bytes:
        """Return the 32-byte EIP-712 hash of the KeyBundle struct, without the domain."""
        return keccak256(
            _KEY_BUNDLE_TYPE_HASH
            + address_word(self.owner)
            + self.identity_key
            + self.pre_key
            + keccak256(self.pre_key_signature)
            + uint_word(self.epoch)
            + uint_word(self.expires_at)
            + uint_word(self.provenance)
        )

    def digest(self) -> bytes:
        """Return the 32-byte EIP-712 digest that the authority signs."""
        domain = domain_separator(self.chain_id, self.key_registry)
        return keccak256(b"\x19\x01" + domain + self.struct_hash())

    def signed(self, signature: bytes) -> KeyBundleCertificate:
        """Return the same certificate with the authority's signature.

        :raises FieldError: the signature is not 65 bytes
        """
        require_length("certificate signature", signature, SIGNATURE_SIZE)
        return replace(self, signature=signature)

    def recover_authority(self) -> bytes:
        """Return the 20-byte address of the key that signed.

        WARNING: any signature recovers to some address. Compare it with an attested authority.

        :raises CertificateInvalidError: unsigned, malformed, or not recoverable
        """
        if not self.signature:
            raise CertificateInvalidError("The certificate is not signed.", expected="65 bytes")
        return recover_authority(self.digest(), self.signature)

    def require_signed_by(self, authority: bytes) -> None:
        """Refuse the certificate unless ``authority`` (20 bytes) signed it.

        :raises CertificateSignerMismatchError: another key signed
        :raises CertificateInvalidError: unsigned, malformed, or not recoverable
        """
        require_length("authority", authority, 20)
        recovered = self.recover_authority()
        if recovered != authority:
            raise CertificateSignerMismatchError(
                "The certificate was not signed by the enclave's authority.",
                got=checksum_address(recovered),
                expected=checksum_address(authority),
            )

    def as_dict(self) -> dict[str, str | int]:
        """Return the certificate as a JSON object; :meth:`from_dict` reads it back."""
        return {
            "chainId": self.chain_id,
            "keyRegistry": checksum_address(self.key_registry),
            "owner": checksum_address(self.owner),
            "identityKey": "0x" + self.identity_key.hex(),
            "preKey": "0x" + self.pre_key.hex(),
            "preKeySignature": "0x" + self.pre_key_signature.hex(),
            "epoch": self.epoch,
            "expiresAt": self.expires_at,
            "provenance": self.provenance.label,
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def from_dict(cls, document: object) -> KeyBundleCertificate:
        """Read what :meth:`as_dict` wrote.

        :raises CertificateInvalidError: a field is missing, unknown or malformed
        """
        expected = {
            "chainId",
            "keyRegistry",
            "owner",
            "identityKey",
            "preKey",
            "preKeySignature",
            "epoch",
            "expiresAt",
            "provenance",
            "signature",
        }
        if not isinstance(document, dict) or set(document) != expected:
            raise CertificateInvalidError(
                "The certificate does not have the expected fields.",
                expected=", ".join(sorted(expected)),
            )
        provenances = {p.label: p for p in Provenance if p is not Provenance.NONE}
        try:
            return cls(
                chain_id=_integer(document["chainId"]),
                key_registry=parse_address(document["keyRegistry"]),
                owner=parse_address(document["owner"]),
                identity_key=parse_hex("identityKey", document["identityKey"]),
                pre_key=parse_hex("preKey", document["preKey"]),
                pre_key_signature=parse_hex("preKeySignature", document["preKeySignature"]),
                epoch=_integer(document["epoch"]),
                expires_at=_integer(document["expiresAt"]),
                provenance=provenances[str(document["provenance"])],
                signature=parse_hex("signature", document["signature"]),
            )
        except (FieldError, KeyError) as error:
            raise CertificateInvalidError(
                "A field of the certificate cannot be read.", cause=str(error)
            ) from error


def recover_authority(digest: bytes, signature: bytes) -> bytes:
    """Return the 20-byte address whose key made ``signature`` (r || s || v) over a 32-byte ``digest``.

    The rules are those of OpenZeppelin's ECDSA: v is 27 or 28, s in the lower half of the order (EIP-2).

    :raises SignatureMalformedError: wrong length, v or s, or r and s that no key can have made
    """
    require_length("digest", digest, 32)
    if len(signature) != SIGNATURE_SIZE:
        raise SignatureMalformedError(
            "The signature has the wrong length.", got=len(signature), expected=SIGNATURE_SIZE
        )
    s = int.from_bytes(signature[32:64], "big")
    v = signature[64]
    if v not in (27, 28):
        raise SignatureMalformedError("The signature's v is not valid.", got=v, expected="27 or 28")
    if s > _SECP256K1_ORDER // 2:
        raise SignatureMalformedError(
            "The signature's s is in the upper half of the order.",
            got=hex(s),
            expected="a low s (EIP-2)",
        )
    try:
        public_key = coincurve.PublicKey.from_signature_and_message(
            signature[:64] + bytes([v - 27]), digest, hasher=None
        )
    except Exception as error:  # coincurve raises bare Exception when recovery fails
        raise SignatureMalformedError("No key can have made this signature.") from error
    return address_of_public_key(public_key.format(compressed=False))


def ethereum_signature(recoverable: bytes) -> bytes:
    """Turn libsecp256k1's recoverable signature (r || s || recovery id) into r || s || v.

    :raises SignatureMalformedError: not 65 bytes, or a recovery id that Ethereum does not have
    """
    if len(recoverable) != SIGNATURE_SIZE:
        raise SignatureMalformedError(
            "The signature has the wrong length.", got=len(recoverable), expected=SIGNATURE_SIZE
        )
    if recoverable[64] not in (0, 1):
        raise SignatureMalformedError(
            "The recovery id is not valid.", got=recoverable[64], expected="0 or 1"
        )
    return recoverable[:64] + bytes([recoverable[64] + 27])


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError("Not an integer.", got=type(value).__name__)
    return value
