"""What an enclave's authority signs beside certificates: receipts, audit checkpoints, attestations of
single keys.

All are EIP-712 under a domain of their own, so that none can stand for another or for a certificate: name
``XMTP TEE Enclave``, version ``1``. Whoever has verified the enclave's attestation knows its authority, and
with it these statements.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.certificate import recover_authority
from xmtp_tee.attestation.errors import (
    CertificateInvalidError,
    CertificateSignerMismatchError,
    SignatureMalformedError,
)
from xmtp_tee.attestation.fields import address_word, require_length, require_uint, uint_word
from xmtp_tee.hashing import keccak256

DOMAIN_NAME = "XMTP TEE Enclave"
DOMAIN_VERSION = "1"
RECEIPT_TYPE = "Receipt(bytes16 storeId,bytes16 logId,uint64 counter,bytes32 chain,bytes32 entry)"
CHECKPOINT_TYPE = (
    "AuditCheckpoint(bytes16 storeId,bytes16 logId,uint64 counter,bytes32 chain,uint64 time)"
)
KEY_TYPE = (
    "KeyAttestation(bytes16 storeId,string keyId,string keyType,string purpose,address owner,"
    "bytes publicKey,uint64 version,string provenance,string state,uint64 createdAt,uint64 time,"
    "bytes32 challenge)"
)
_SEPARATOR = keccak256(
    keccak256(b"EIP712Domain(string name,string version)")
    + keccak256(DOMAIN_NAME.encode())
    + keccak256(DOMAIN_VERSION.encode())
)


def enclave_digest(struct_hash: bytes) -> bytes:
    """Return the 32-byte EIP-712 digest of a struct under the enclave's domain."""
    require_length("struct hash", struct_hash, 32)
    return keccak256(b"\x19\x01" + _SEPARATOR + struct_hash)


def require_signed_by(digest: bytes, signature: bytes, authority: bytes) -> None:
    """Return if ``authority`` (20 bytes) signed ``digest``.

    :raises CertificateInvalidError: the signature is malformed, or no key can have made it
    :raises CertificateSignerMismatchError: another key signed
    """
    require_length("authority", authority, 20)
    try:
        signer = recover_authority(digest, signature)
    except SignatureMalformedError as error:
        raise CertificateInvalidError(
            "The statement's signature is malformed", got=error.got, expected=error.expected
        ) from None
    if signer != authority:
        raise CertificateSignerMismatchError(
            "The statement was not signed by the enclave's authority",
            got=checksum_address(signer),
            expected=checksum_address(authority),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """That an entry stands in an audit log, at the place ``counter``, with ``chain`` after it.

    ``entry``: the entry itself (see ``xmtp_tee.audit``), signed by its SHA-256.
    """

    store_id: bytes
    log_id: bytes
    counter: int
    chain: bytes
    entry: bytes

    def digest(self) -> bytes:
        """Return what the authority signs."""
        return enclave_digest(
            keccak256(
                keccak256(RECEIPT_TYPE.encode())
                + _place(self.store_id, self.log_id, self.counter, self.chain)
                + hashlib.sha256(self.entry).digest()
            )
        )


@dataclass(frozen=True, slots=True)
class AuditCheckpoint:
    """That an audit log had ``counter`` entries at ``time``, and ``chain`` after the last."""

    store_id: bytes
    log_id: bytes
    counter: int
    chain: bytes
    time: int

    def digest(self) -> bytes:
        """Return what the authority signs."""
        require_uint("time", self.time, 64)
        return enclave_digest(
            keccak256(
                keccak256(CHECKPOINT_TYPE.encode())
                + _place(self.store_id, self.log_id, self.counter, self.chain)
                + uint_word(self.time)
            )
        )


@dataclass(frozen=True, slots=True)
class KeyAttestation:
    """That a key lives in the enclave's store: its public record at ``time``, and the asker's
    challenge.

    ``owner``: 20 bytes, zero for the enclave's own keys.
    """

    store_id: bytes
    key_id: str
    key_type: str
    purpose: str
    owner: bytes
    public_key: bytes
    version: int
    provenance: str
    state: str
    created_at: int
    time: int
    challenge: bytes

    def digest(self) -> bytes:
        """Return what the authority signs."""
        require_length("store id", self.store_id, 16)
        require_length("challenge", self.challenge, 32)
        for name in ("version", "created_at", "time"):
            require_uint(name, getattr(self, name), 64)
        return enclave_digest(
            keccak256(
                keccak256(KEY_TYPE.encode())
                + self.store_id.ljust(32, b"\x00")
                + keccak256(self.key_id.encode())
                + keccak256(self.key_type.encode())
                + keccak256(self.purpose.encode())
                + address_word(self.owner)
                + keccak256(self.public_key)
                + uint_word(self.version)
                + keccak256(self.provenance.encode())
                + keccak256(self.state.encode())
                + uint_word(self.created_at)
                + uint_word(self.time)
                + self.challenge
            )
        )


def _place(store_id: bytes, log_id: bytes, counter: int, chain: bytes) -> bytes:
    require_length("store id", store_id, 16)
    require_length("log id", log_id, 16)
    require_uint("counter", counter, 64)
    require_length("chain", chain, 32)
    return store_id.ljust(32, b"\x00") + log_id.ljust(32, b"\x00") + uint_word(counter) + chain
