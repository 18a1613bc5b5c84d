"""What an operation gets: the enclave's parts, the caller, the time, and the one way to reach a key.

Rule 1: a key is reached through :meth:`Call.find` (its public record) or :meth:`Call.use` (to do
something with it), which ask the caller's grants, the table of purposes, the key's state and its
limits, in this order.
Rule 2: the store is changed in :meth:`Call.mutation` alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import msgspec

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.audit.entry import BEGUN
from xmtp_tee.enclave.audit.log import AuditLog
from xmtp_tee.enclave.callers import Access, Owners, PolicyInForce, require_owner
from xmtp_tee.enclave.draft import Draft
from xmtp_tee.enclave.handles import Handles
from xmtp_tee.enclave.handover import Nonces
from xmtp_tee.enclave.member.rooms import Rooms
from xmtp_tee.enclave.private_keys import SECRET_SIZE, Entropy, sign_secp256k1, wiped
from xmtp_tee.enclave.purposes import KeyOperation, require_allowed
from xmtp_tee.enclave.records import ID_SIZE, NO_LIMITS, KeyRecord, new_key_id
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.enclave.usage import Usage
from xmtp_tee.policy.document import Policy
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import KeyNotFoundError, OwnerInvalidError, RegistryInvalidError
from xmtp_tee.wire.refusals import (
    IdempotencyConflictError,
    KeyDeletedError,
    KeyDestroyedError,
    KeyExpiredError,
    KeyVersionError,
)

ZERO_ADDRESS: Final = bytes(20)
KEPT_TOKENS: Final = 8
"""Idempotency tokens that a key remembers: the first, which may be its birth's, and the last."""


class StoreMoved(Exception):
    """Another enclave over the same store was faster."""


@dataclass(slots=True)
class Parts:
    """What lives as long as the enclave does. Only ``policy`` is ever replaced.

    ``driver`` seals the store and attests the enclave first; ``further`` attest it by other kinds of TEE.
    """

    store: SealedStore
    driver: Driver
    entropy: Entropy
    authority: KeyRecord
    authority_address: bytes
    transport: KeyRecord
    policy: PolicyInForce
    audit: AuditLog
    further: tuple[Driver, ...] = ()
    handles: Handles = field(default_factory=Handles)
    usage: Usage = field(default_factory=Usage)
    nonces: Nonces = field(default_factory=Nonces)
    rooms: Rooms = field(default_factory=Rooms)

    def driver_for(self, tee: str) -> Driver:
        """Return the driver of a kind of TEE by its label; the first for an empty one.

        :raises FieldError: no driver here is of that kind
        """
        drivers = (self.driver, *self.further)
        for driver in drivers:
            if tee in {"", driver.tee.label}:
                return driver
        raise FieldError(
            "This enclave has no evidence of that kind of TEE.",
            got=tee,
            expected=", ".join(driver.tee.label for driver in drivers),
        )

    def sign_statement(self, digest: bytes) -> bytes:
        """Sign, with the authority's key, a digest of ``attestation.statements``.

        WARNING: only for digests that were built here; nothing from outside is ever signed.
        """
        require_allowed(self.authority.purpose, KeyOperation.SIGN_STATEMENT, self.authority.id)
        with self.store.secret(self.authority) as secret:
            return sign_secp256k1(secret, digest)


class Call:
    """One request under way. ``now``: unix seconds. ``owners``: whose keys it may touch.

    ``key_id``: what the audit log says was used.
    """

    __slots__ = (
        *("access", "epoch", "idempotency_key", "key_id", "now", "owners", "parts"),
        "request_digest",
    )

    def __init__(
        self,
        parts: Parts,
        access: Access,
        owners: Owners,
        now: int,
        request_digest: bytes,
        idempotency_key: str | None = None,
    ) -> None:
        self.parts = parts
        self.access = access
        self.owners = owners
        self.now = now
        self.request_digest = request_digest
        self.idempotency_key = idempotency_key
        self.key_id = ""
        self.epoch = parts.store.epoch

    @property
    def store(self) -> SealedStore:
        """The sealed store."""
        return self.parts.store

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.parts.policy.policy

    def require_owner(self, owner: bytes | None) -> None:
        """Refuse unless the caller may touch this owner's keys.

        :raises CallerNotAllowedError: otherwise
        """
        require_owner(self.owners, owner, self.access.name)

    def find(self, key_id: str) -> KeyRecord:
        """Return the record of a key that the caller may see, in whatever state.

        :raises KeyNotFoundError: if there is none
        :raises CallerNotAllowedError: if it is another owner's
        """
        self.key_id = key_id
        record = self.parts.store.get(key_id)
        if record is None:
            raise KeyNotFoundError(
                "No key has this id", got=repr(key_id), next_command="xmtp-tee keys list"
            )
        if self.owners is not None:
            self.require_owner(record.owner)
        return record

    def present(self, key_id: str, operation: KeyOperation) -> KeyRecord:
        """Return the record of a key that allows ``operation`` and is not destroyed.

        :raises OperationNotAllowedError: if its purpose does not include the operation
        :raises KeyDestroyedError: if it is destroyed
        :raises XmtpTeeError: as :meth:`find`
        """
        record = self.find(key_id)
        require_allowed(record.purpose, operation, record.id)
        if record.destroyed_at is not None:
            raise KeyDestroyedError(
                "The key is destroyed", got=f"{record.id}, at {record.destroyed_at}"
            )
        return record

    def active(self, key_id: str, operation: KeyOperation) -> KeyRecord:
        """Return the record of a key that allows ``operation`` and is in use.

        An expired key may only get other limits.

        :raises KeyDeletedError: if it is deleted
        :raises KeyExpiredError: if its time is over
        :raises XmtpTeeError: as :meth:`present`
        """
        record = self.present(key_id, operation)
        if record.deleted_at is not None:
            raise KeyDeletedError(
                "The key is deleted",
                got=f"{record.id}, at {record.deleted_at}",
                next_command=f"xmtp-tee keys restore {record.id}",
            )
        expires_at = record.limits.expires_at
        if (
            expires_at is not None
            and self.now >= expires_at
            and operation is not KeyOperation.LIMIT
        ):
            raise KeyExpiredError(
                "The key has expired",
                got=f"{record.id}, at {expires_at}",
                expected=f"before that, now {self.now} (unix seconds)",
            )
        return record

    def use(self, key_id: str, operation: KeyOperation, version: int = 0) -> KeyRecord:
        """Return the record of a key for one use, which is counted.

        ``version``: the version to be used, 0 for the current one.

        :raises KeyVersionError: if the key keeps no such version, or refuses it
        :raises KeyLimitError: if its limits say so; RateLimitedError likewise
        :raises XmtpTeeError: as :meth:`active`
        """
        record = self.active(key_id, operation)
        if version:
            require_version(record, version)
        if record.limits != NO_LIMITS:
            self.parts.usage.take(record, self.now, self._reserve)
            # Reserving uses has changed the record.
            record = self.parts.store.get(key_id) or record
        return record

    @contextmanager
    def secret(self, record: KeyRecord, version: int = 0) -> Iterator[bytearray]:
        """Lend the private half of one version of a key; it is overwritten afterwards."""
        with self.store.secret(record) as kept:
            if not record.older:
                yield kept
                return
            numbers = [each.number for each in record.older] + [record.version]
            at = numbers.index(version or record.version) * SECRET_SIZE
            with wiped(kept[at : at + SECRET_SIZE]) as secret:
                yield secret

    @contextmanager
    def mutation(self) -> Iterator[Draft]:
        """Open a change of the store; it takes the audit log's mark along.

        :raises StoreMoved: if another enclave has changed the store since this request began, so
            that what was read may not be so any more; nothing has changed
        """
        with self.store.mutation() as draft:
            if self.store.epoch != self.epoch:
                raise StoreMoved
            yield draft
            self.parts.audit.mark(draft, self.parts.sign_statement, self.now)
        self.epoch = self.store.epoch

    def begin(self, operation: wire.Operation, key_id: str = "") -> None:
        """Record that something is about to leave which cannot be called back, so that nobody can
        drop the record: the store itself marks it.

        Everything that may refuse comes before, every private key after.
        """
        name = str(operation.__struct_config__.tag)
        self.parts.audit.append(
            self.now, self.access.name, name, key_id, self.request_digest, BEGUN, b""
        )
        with self.mutation():
            pass

    # --- idempotency ------------------------------------------------------------------------------

    def new_id(self) -> str:
        """Return the id for a new key: random, or the one that follows from the idempotency key."""
        if self.idempotency_key is None:
            return new_key_id()
        return self._token()[:ID_SIZE].hex()

    def tokens(self, before: tuple[bytes, ...] = ()) -> tuple[bytes, ...]:
        """Return the tokens that a key keeps after this request."""
        if self.idempotency_key is None:
            return before
        token = self._token() + self.request_digest[:16]
        # The id of a key can follow from its first token: without it, its birth asked for again
        # would look like another key's.
        return (*before[:1], *before[1:][2 - KEPT_TOKENS :], token)

    def repeats(self, record: KeyRecord) -> bool:
        """Whether this request was granted on this key before, under its idempotency key.

        :raises IdempotencyConflictError: if the idempotency key was used for another request
        """
        if self.idempotency_key is None:
            return False
        token = self._token()
        for known in record.requests:
            if known.startswith(token):
                if known[len(token) :] == self.request_digest[:16]:
                    return True
                raise IdempotencyConflictError(
                    "The idempotency key was used for another request",
                    got=repr(self.idempotency_key),
                )
        return False

    def made_before(self) -> KeyRecord | None:
        """Return the key that this very request has made before, or None.

        :raises IdempotencyConflictError: as :meth:`repeats`
        """
        if self.idempotency_key is None:
            return None
        record = self.store.get(self.new_id())
        return record if record is not None and self.repeats(record) else None

    def _token(self) -> bytes:
        text = msgspec.json.encode([self.access.name, self.idempotency_key])
        return hashlib.sha256(self.store.store_id + text).digest()[:16]

    def _reserve(self, record: KeyRecord, uses: int) -> None:
        with self.mutation() as draft:
            draft.replace(msgspec.structs.replace(record, uses=uses))


def require_version(record: KeyRecord, version: int) -> None:
    """Refuse a version that the key does not keep, or refuses.

    :raises KeyVersionError: if so
    """
    if version < record.minimum_version or record.public_key_of(version) is None:
        raise KeyVersionError(
            "The key cannot be used in this version",
            got=f"version {version} of {record.id}",
            expected=f"{record.minimum_version} to {record.version}",
        )


def require_address(owner: bytes) -> None:
    """Refuse the zero address as an owner of keys.

    :raises OwnerInvalidError: if it is
    """
    if owner == ZERO_ADDRESS:
        raise OwnerInvalidError("The zero address owns no keys", got=checksum_address(owner))


def require_registry(registry: bytes) -> None:
    """Refuse the zero address as a contract to be bound.

    :raises RegistryInvalidError: if it is
    """
    if registry == ZERO_ADDRESS:
        raise RegistryInvalidError(
            "The zero address is no registry", got=checksum_address(registry)
        )
