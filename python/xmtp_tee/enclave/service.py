"""The enclave itself: operations in, results out. No socket, no clock: ``now`` is passed in.

Every operation looks its key up, asks the table of purposes, and only then touches a private key.
What the authority signs is built here from the store's own records; no digest ever comes from
outside.
"""

from __future__ import annotations

from typing import Final, assert_never

from xmtp_tee import __version__
from xmtp_tee.attestation.address import address_of_public_key, checksum_address
from xmtp_tee.attestation.binding import EnclaveBinding
from xmtp_tee.attestation.certificate import KeyBundleCertificate
from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.attestation.pre_key import PRE_KEY_CONTEXT, pre_key_message
from xmtp_tee.enclave.private_keys import (
    Entropy,
    generate_secret,
    kernel_entropy,
    public_key,
    sign_ed25519ph,
    sign_secp256k1,
    wiped,
)
from xmtp_tee.enclave.purposes import (
    RULES,
    KeyOperation,
    Purpose,
    require_allowed,
)
from xmtp_tee.enclave.records import KeyRecord, new_key_id
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.enclave.views import key_view, owner_of, pre_key_view
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import (
    ExpiryInvalidError,
    IdentityKeyExistsError,
    IdentityKeyNotFoundError,
    KeyNotFoundError,
    OwnerInvalidError,
    PreKeyExpiredError,
    PreKeyMismatchError,
    RegistryInvalidError,
    SignedMessageTooLargeError,
)
from xmtp_tee.wire.limits import MAX_EXPIRY, MAX_SIGNED_MESSAGE

SIGN_CONTEXT: Final = b"PUBLIC SIGNATURE CONTEXT"
"""XMTP's context for what an installation signs in public (libxmtp, ``xmtp_cryptography``)."""

PRE_KEY_LIFETIME: Final = 90 * 24 * 3600
"""Seconds until a pre-key expires, unless the request says otherwise."""

_ZERO_ADDRESS: Final = bytes(20)


class Enclave:
    """The service over one opened store. Not thread-safe."""

    def __init__(
        self, store: SealedStore, driver: Driver, entropy: Entropy = kernel_entropy
    ) -> None:
        """Take over an opened and verified store."""
        self._store = store
        self._driver = driver
        self._entropy = entropy
        self._authority = store.authority()
        self._transport = store.transport()
        self._authority_address = address_of_public_key(self._authority.public_key)

    def handle(self, operation: wire.Operation, now: int) -> wire.Result:
        """Carry out one operation at ``now`` (unix seconds). What it changed is on disk when it
        returns.

        :raises XmtpTeeError: one of ``xmtp_tee.wire.faults``; then nothing has changed
        """
        match operation:
            case wire.Ping():
                return wire.Pong()
            case wire.Describe():
                return self.describe()
            case wire.GenerateIdentityKey(owner=owner):
                return self._generate_identity_key(owner, now)
            case wire.GeneratePreKey(identity_key_id=key_id, expires_at=expires_at):
                return self._generate_pre_key(key_id, expires_at, now)
            case wire.Sign(key_id=key_id, message=message):
                return self._sign(key_id, message)
            case wire.GetIdentityKey(owner=owner):
                return self._get_identity_key(owner)
            case wire.GetKey(key_id=key_id):
                return key_view(self._find(key_id))
            case wire.GetPreKeys(identity_key_id=key_id, after=after, limit=limit):
                return self._get_pre_keys(key_id, after, limit)
            case wire.ListKeys(owner=listed, after=after, limit=limit):
                records, cursor = self._store.page(listed, after, limit)
                return wire.KeyPage(keys=tuple(map(key_view, records)), next=cursor)
            case wire.GetAttestation():
                return self._get_attestation(operation)
            case wire.CertifyKeyBundle():
                return self._certify_key_bundle(operation, now)
            case _:
                assert_never(operation)

    def describe(self) -> wire.EnclaveDescription:
        """Return who this enclave is."""
        return wire.EnclaveDescription(
            authority=self._authority_address,
            authority_key_id=self._authority.id,
            transport_key=self._transport.public_key,
            transport_key_id=self._transport.id,
            tee=self._driver.tee.label,
            assurance=self._driver.assurance.label,
            store_id=self._store.store_id.hex(),
            software_version=__version__,
        )

    def close(self) -> None:
        """Forget every key and let go of the store."""
        self._store.close()

    def _find(self, key_id: str) -> KeyRecord:
        record = self._store.get(key_id)
        if record is None:
            raise KeyNotFoundError(
                "No key has this id", got=repr(key_id), next_command="xmtp-tee keys list"
            )
        return record

    def _find_for(self, key_id: str, operation: KeyOperation) -> KeyRecord:
        record = self._find(key_id)
        require_allowed(record.purpose, operation, record.id)
        return record

    def _generate_identity_key(self, owner: bytes, now: int) -> wire.Key:
        if owner == _ZERO_ADDRESS:
            raise OwnerInvalidError("The zero address owns no keys", got=checksum_address(owner))
        key_type = RULES[Purpose.IDENTITY].key_type
        with self._store.mutation() as draft:
            if (present := self._store.identity_of(owner)) is not None:
                raise IdentityKeyExistsError(
                    "The owner has an identity key already",
                    got=f"{checksum_address(owner)} with the key {present.id}",
                    next_command=f"xmtp-tee keys show {present.id}",
                )
            with wiped(generate_secret(key_type, self._entropy)) as secret:
                record = KeyRecord(
                    id=new_key_id(),
                    key_type=key_type,
                    purpose=Purpose.IDENTITY,
                    owner=owner,
                    public_key=public_key(key_type, secret),
                    provenance=Provenance.GENERATED,
                    created_at=now,
                )
                draft.add(record, secret)
        return key_view(record)

    def _generate_pre_key(self, key_id: str, expires_at: int | None, now: int) -> wire.PreKey:
        identity = self._find_for(key_id, KeyOperation.SIGN_PRE_KEY)
        expiry = now + PRE_KEY_LIFETIME if expires_at is None else expires_at
        if not now < expiry <= MAX_EXPIRY:
            raise ExpiryInvalidError(
                "The pre-key's expiry is not possible",
                got=f"{expiry} (unix seconds)",
                expected=f"after now ({now}) and at most {MAX_EXPIRY}",
            )
        key_type, owner = RULES[Purpose.PRE_KEY].key_type, owner_of(identity)
        with self._store.mutation() as draft:
            last = self._store.last_pre_key(identity.id)
            epoch = 1 if last is None else last.epoch + 1
            with wiped(generate_secret(key_type, self._entropy)) as secret:
                public = public_key(key_type, secret)
                message = pre_key_message(owner, identity.public_key, public, epoch, expiry)
                with self._store.secret(identity) as signing_secret:
                    signature = sign_ed25519ph(signing_secret, message, PRE_KEY_CONTEXT)
                record = KeyRecord(
                    id=new_key_id(),
                    key_type=key_type,
                    purpose=Purpose.PRE_KEY,
                    owner=owner,
                    public_key=public,
                    provenance=Provenance.GENERATED,
                    created_at=now,
                    epoch=epoch,
                    identity_key_id=identity.id,
                    expires_at=expiry,
                    signature=signature,
                )
                draft.add(record, secret)
        return pre_key_view(record, identity)

    def _sign(self, key_id: str, message: bytes) -> wire.Signature:
        record = self._find_for(key_id, KeyOperation.SIGN)
        if len(message) > MAX_SIGNED_MESSAGE:
            raise SignedMessageTooLargeError(
                "The message to sign is too long",
                got=f"{len(message)} bytes",
                expected=f"at most {MAX_SIGNED_MESSAGE} bytes",
            )
        with self._store.secret(record) as secret:
            return wire.Signature(signature=sign_ed25519ph(secret, message, SIGN_CONTEXT))

    def _get_identity_key(self, owner: bytes) -> wire.Key:
        record = self._store.identity_of(owner)
        if record is None:
            raise IdentityKeyNotFoundError(
                "The owner has no identity key",
                got=checksum_address(owner),
                next_command=f"xmtp-tee keys new {checksum_address(owner)}",
            )
        return key_view(record)

    def _get_pre_keys(self, key_id: str, after: int, limit: int) -> wire.PreKeyPage:
        identity = self._find_for(key_id, KeyOperation.SIGN_PRE_KEY)
        records, cursor = self._store.pre_keys(identity.id, after, limit)
        return wire.PreKeyPage(
            pre_keys=tuple(pre_key_view(r, identity) for r in records), next=cursor
        )

    def _get_attestation(self, operation: wire.GetAttestation) -> wire.Quote:
        for record in (self._authority, self._transport):
            require_allowed(record.purpose, KeyOperation.ATTEST, record.id)
        _require_registry(operation.enclave_registry)
        binding = EnclaveBinding(
            chain_id=operation.chain_id,
            enclave_registry=operation.enclave_registry,
            authority=self._authority_address,
            transport_key=self._transport.public_key,
            block_number=operation.block_number,
            block_hash=operation.block_hash,
        )
        return wire.Quote(
            tee=self._driver.tee.label,
            quote=self._driver.quote(binding.report_data()),
            authority=binding.authority,
            transport_key=binding.transport_key,
            chain_id=binding.chain_id,
            enclave_registry=binding.enclave_registry,
            block_number=binding.block_number,
            block_hash=binding.block_hash,
        )

    def _certify_key_bundle(self, operation: wire.CertifyKeyBundle, now: int) -> wire.Certificate:
        identity = self._find_for(operation.identity_key_id, KeyOperation.CERTIFY_AS_IDENTITY)
        pre_key = self._find_for(operation.pre_key_id, KeyOperation.CERTIFY_AS_PRE_KEY)
        require_allowed(self._authority.purpose, KeyOperation.SIGN_CERTIFICATE, self._authority.id)
        _require_registry(operation.key_registry)
        if pre_key.identity_key_id != identity.id:
            raise PreKeyMismatchError(
                "The pre-key was signed by another identity key",
                got=pre_key.identity_key_id,
                expected=identity.id,
            )
        signed = pre_key_view(pre_key, identity)
        if signed.expires_at <= now:
            raise PreKeyExpiredError(
                "The pre-key has expired",
                got=f"{signed.expires_at} (unix seconds)",
                expected=f"after now ({now})",
                next_command=f"xmtp-tee keys new --pre-key {checksum_address(signed.owner)}",
            )
        certificate = KeyBundleCertificate(
            chain_id=operation.chain_id,
            key_registry=operation.key_registry,
            owner=signed.owner,
            identity_key=signed.identity_key,
            pre_key=signed.public_key,
            pre_key_signature=signed.signature,
            epoch=signed.epoch,
            expires_at=signed.expires_at,
            provenance=identity.provenance,
        )
        with self._store.secret(self._authority) as secret:
            signature = sign_secp256k1(secret, certificate.digest())
        return wire.Certificate(
            chain_id=certificate.chain_id,
            key_registry=certificate.key_registry,
            owner=certificate.owner,
            identity_key=certificate.identity_key,
            pre_key=certificate.pre_key,
            pre_key_signature=certificate.pre_key_signature,
            epoch=certificate.epoch,
            expires_at=certificate.expires_at,
            provenance=certificate.provenance.label,
            authority=self._authority_address,
            signature=signature,
        )


def _require_registry(registry: bytes) -> None:
    if registry == _ZERO_ADDRESS:
        raise RegistryInvalidError(
            "The zero address is no registry", got=checksum_address(registry)
        )
