"""KeyManager: an application's hold on keys that it cannot see."""

from __future__ import annotations

import os
from collections.abc import Collection
from types import TracebackType
from typing import TypeVar

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.certificate import KeyBundleCertificate
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.client.answers import (
    address,
    attestation_of,
    built,
    certificate_of,
    key_of_owner,
    next_cursor,
    owner_address,
    verified_pre_key,
)
from xmtp_tee.client.connection import EnclaveConnection
from xmtp_tee.client.errors import EnclaveMismatchError
from xmtp_tee.client.models import EnclaveInfo, KeyInfo, PreKeyInfo
from xmtp_tee.verdict import Verdict
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.errors import MessageUnexpectedError
from xmtp_tee.wire.faults import ExpiryInvalidError, SignedMessageTooLargeError
from xmtp_tee.wire.limits import MAX_EXPIRY, MAX_SIGNED_MESSAGE, PROTOCOL_VERSION

__all__ = ["EnclaveInfo", "KeyInfo", "KeyManager", "PreKeyInfo"]

R = TypeVar("R", bound=wire.Message)


class KeyManager:
    """A blocking client of one enclave, connected from construction to :meth:`close`.

    Threads may share one; their requests take turns. Nothing is retried: when the connection is
    lost, make a new one. Keys are named by opaque ids. Addresses are texts (``0x...``; EIP-55 is
    checked in mixed case) or 20 bytes.

    Every method raises, besides what it names: EnclaveUnavailableError and EnclaveTimeoutError,
    WireError if the two ends do not understand each other, EnclaveMismatchError if the answer is
    not to the question.

    WARNING: the socket's other end is whoever owns the socket. Only a verified attestation whose
    authority and transport key are this enclave's shows that it is an enclave.
    """

    def __init__(self, socket_path: str | os.PathLike[str], timeout: float = 10.0) -> None:
        """Connect to the enclave's Unix socket. ``timeout``: seconds for each answer.

        :raises EnclaveUnavailableError: if no enclave answers there
        :raises ProtocolVersionError: if it is of another release
        """
        self._connection = EnclaveConnection(socket_path, timeout)

    def __enter__(self) -> KeyManager:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up. The keys stay."""
        self._connection.close()

    # --- the enclave ------------------------------------------------------------------------------

    def ping(self) -> None:
        """Return if the enclave answers."""
        self._call(wire.Ping(), wire.Pong)

    def info(self) -> EnclaveInfo:
        """Return who the enclave says it is, asked anew.

        :raises EnclaveMismatchError: if that is another than the one that greeted
        """
        about = self._call(wire.Describe(), wire.EnclaveDescription)
        greeted = self._connection.enclave
        if (about.authority, about.transport_key, about.store_id) != (
            greeted.authority,
            greeted.transport_key,
            greeted.store_id,
        ):
            raise EnclaveMismatchError(
                "Another enclave answers than the one that greeted",
                got=checksum_address(about.authority),
                expected=checksum_address(greeted.authority),
            )
        return EnclaveInfo.from_wire(about, PROTOCOL_VERSION)

    # --- keys -------------------------------------------------------------------------------------

    def generate_identity_key(self, owner: str | bytes) -> KeyInfo:
        """Have the owner's Ed25519 identity key made: its first installation.

        :raises IdentityKeyExistsError: if the owner has one
        :raises OwnerInvalidError: if ``owner`` is no address, or the zero address
        """
        raw = owner_address(owner)
        return key_of_owner(self._call(wire.GenerateIdentityKey(owner=raw), wire.Key), raw)

    def generate_pre_key(self, identity_key_id: str, expires_at: int | None = None) -> PreKeyInfo:
        """Have the next X25519 pre-key made and signed; the signature is verified here.

        ``expires_at``: unix seconds, by default 90 days from the enclave's now.

        :raises KeyNotFoundError: if there is no such key
        :raises OperationNotAllowedError: if it is no identity key
        :raises ExpiryInvalidError: if the expiry is past or above 2**40 - 1
        :raises PreKeySignatureInvalidError: if the signature that came back does not verify
        """
        if expires_at is not None and not 0 <= expires_at <= MAX_EXPIRY:
            raise ExpiryInvalidError(
                "The pre-key's expiry is not possible",
                got=expires_at,
                expected=f"unix seconds, at most {MAX_EXPIRY}",
            )
        operation = wire.GeneratePreKey(identity_key_id=identity_key_id, expires_at=expires_at)
        made = self._call(operation, wire.PreKey)
        return verified_pre_key(made, identity_key_id, expires_at)

    def sign(self, key_id: str, message: bytes) -> bytes:
        """Return the 64-byte Ed25519ph signature (RFC 8032) of up to 64 KiB by an identity key.

        The context is XMTP's ``PUBLIC SIGNATURE CONTEXT``.

        :raises KeyNotFoundError: if there is no such key
        :raises OperationNotAllowedError: if its purpose does not include signing
        :raises SignedMessageTooLargeError: if the message is longer
        """
        if len(message) > MAX_SIGNED_MESSAGE:
            raise SignedMessageTooLargeError(
                "The message to sign is too long",
                got=f"{len(message)} bytes",
                expected=f"at most {MAX_SIGNED_MESSAGE} bytes",
            )
        return self._call(wire.Sign(key_id=key_id, message=message), wire.Signature).signature

    def get_identity_key(self, owner: str | bytes) -> KeyInfo:
        """Return the owner's identity key.

        :raises IdentityKeyNotFoundError: if the owner has none
        :raises OwnerInvalidError: if ``owner`` is no address
        """
        raw = owner_address(owner)
        return key_of_owner(self._call(wire.GetIdentityKey(owner=raw), wire.Key), raw)

    def get_key(self, key_id: str) -> KeyInfo:
        """Return a key's public record.

        :raises KeyNotFoundError: if there is no such key
        """
        key = KeyInfo.from_wire(self._call(wire.GetKey(key_id=key_id), wire.Key))
        if key.id != key_id:
            raise EnclaveMismatchError("Another key came back", got=key.id, expected=key_id)
        return key

    def get_pre_keys(self, identity_key_id: str) -> list[PreKeyInfo]:
        """Return all pre-keys of an identity key, oldest first; every signature is verified here.

        :raises KeyNotFoundError: if there is no such key
        :raises OperationNotAllowedError: if it is no identity key
        :raises PreKeySignatureInvalidError: if a signature does not verify
        """
        found: list[PreKeyInfo] = []
        after: int | None = 0
        while after is not None:
            operation = wire.GetPreKeys(identity_key_id=identity_key_id, after=after)
            page = self._call(operation, wire.PreKeyPage)
            found += [verified_pre_key(key, identity_key_id) for key in page.pre_keys]
            after = next_cursor(after, page.next)
        return found

    def list_keys(self, owner: str | bytes | None = None) -> list[KeyInfo]:
        """Return all keys, oldest first, the enclave's own among them; or an owner's, without
        pre-keys.

        :raises OwnerInvalidError: if ``owner`` is no address
        """
        raw = None if owner is None else owner_address(owner)
        found: list[KeyInfo] = []
        after: int | None = 0
        while after is not None:
            page = self._call(wire.ListKeys(owner=raw, after=after), wire.KeyPage)
            found += map(KeyInfo.from_wire, page.keys)
            after = next_cursor(after, page.next)
        return found

    # --- proofs -----------------------------------------------------------------------------------

    def get_attestation(
        self,
        *,
        chain_id: int,
        enclave_registry: str | bytes,
        block_number: int,
        block_hash: bytes,
    ) -> Attestation:
        """Have the TEE vouch for this enclave, bound to a chain, a registry and a recent block.

        WARNING: nothing of the quote is verified here; :meth:`verify_attestation` does.

        :raises FieldError: if an argument has the wrong length or range
        :raises EnclaveMismatchError: if the quote was made for something else than asked
        """
        operation = built(
            wire.GetAttestation,
            chain_id=chain_id,
            enclave_registry=address(enclave_registry),
            block_number=block_number,
            block_hash=block_hash,
        )
        attestation = attestation_of(self._call(operation, wire.Quote), operation)
        self._require_own(attestation)
        return attestation

    def verify_attestation(
        self,
        attestation: Attestation,
        collateral: Collateral,
        root_ca_der: bytes,
        now: int,
        expected_workloads: Collection[bytes] | None = None,
    ) -> Verdict:
        """Verify an attestation of THIS enclave completely, under a pinned root at ``now``; or
        raise.

        To verify another enclave's, use :func:`xmtp_tee.attestation.judge.verify_attestation`.
        ``expected_workloads``: 32-byte workload ids; without them that line says ``not checked``.

        :raises EnclaveMismatchError: if it attests another enclave than the one on this connection
        :raises InvalidEvidenceError: if it proves nothing
        :raises UnavailableError: if collateral is not in force
        :raises RefusedByPolicyError: if it is genuine, and refused
        """
        from xmtp_tee.attestation.judge import verify_attestation

        self._require_own(attestation)
        return verify_attestation(attestation, collateral, root_ca_der, now, expected_workloads)

    def certify_key_bundle(
        self,
        identity_key_id: str,
        pre_key_id: str,
        *,
        chain_id: int,
        key_registry: str | bytes,
    ) -> KeyBundleCertificate:
        """Have the authority certify a bundle for a KeyRegistry; both signatures are verified here.

        :raises KeyNotFoundError: if there is no such key
        :raises OperationNotAllowedError: if one of the keys has another purpose
        :raises PreKeyMismatchError: if the pre-key belongs to another identity key
        :raises PreKeyExpiredError: if the pre-key has expired
        :raises FieldError: if an argument has the wrong length or range
        :raises CertificateInvalidError: if what came back does not verify under this enclave's
        authority
        """
        operation = built(
            wire.CertifyKeyBundle,
            identity_key_id=identity_key_id,
            pre_key_id=pre_key_id,
            chain_id=chain_id,
            key_registry=address(key_registry),
        )
        made = self._call(operation, wire.Certificate)
        return certificate_of(made, operation, self._connection.enclave.authority)

    def _call(self, operation: wire.Operation, expected: type[R]) -> R:
        result = self._connection.call(operation)
        if not isinstance(result, expected):
            raise MessageUnexpectedError(
                "The enclave answered another question",
                got=type(result).__name__,
                expected=expected.__name__,
            )
        return result

    def _require_own(self, attestation: Attestation) -> None:
        enclave = self._connection.enclave
        if (attestation.authority, attestation.transport_key) != (
            enclave.authority,
            enclave.transport_key,
        ):
            raise EnclaveMismatchError(
                "The attestation is of another enclave than the one on this connection",
                got=checksum_address(attestation.authority),
                expected=checksum_address(enclave.authority),
            )
