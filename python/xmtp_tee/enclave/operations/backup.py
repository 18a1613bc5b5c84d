"""Backups: a key that may leave is sealed for its recipients; one that comes back says so for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from xmtp_tee import hpke
from xmtp_tee.attestation.address import address_of_public_key, checksum_address
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.backup import age, sealing
from xmtp_tee.backup.container import Container, KeyFacts, LimitFacts, VersionFacts, parse
from xmtp_tee.backup.keystore import keystore
from xmtp_tee.backup.passwords import require_password
from xmtp_tee.backup.ways import ForPassword, ForPublicKey, ForShares, Recipient
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.operations.limits import require_limits
from xmtp_tee.enclave.operations.making import require_exportable
from xmtp_tee.enclave.private_keys import SECRET_SIZE, public_key, wiped
from xmtp_tee.enclave.purposes import RULES, KeyOperation, KeyType, Purpose, require_allowed
from xmtp_tee.enclave.records import KeyRecord, KeyVersion
from xmtp_tee.enclave.views import key_view
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.backup_faults import (
    BackupDoesNotOpenError,
    BackupMalformedError,
    BackupRecipientError,
    BackupWayMissingError,
    KeyNotExportableError,
)
from xmtp_tee.wire.faults import IdentityKeyExistsError
from xmtp_tee.wire.messages.backup import (
    SEALED_INPUT_INFO,
    SEALED_OUTPUT_INFO,
    sealed_input_data,
)

_SUITE = hpke.X25519_CHACHA20_POLY1305


def export_key(call: Call, operation: wire.ExportKey) -> wire.ExportedKey:
    """Seal a key that was made exportable."""
    record = call.active(operation.key_id, KeyOperation.EXPORT)
    if not record.exportable:
        raise KeyNotExportableError(
            "The key may not leave the enclave, not even sealed",
            got=record.id,
            expected="a key that was made exportable",
        )
    # The policy may have become stricter since the key's birth.
    require_exportable(call)
    call.begin(operation, record.id)
    with (
        _unsealed(call, operation.password, operation) as password,
        call.store.secret(record) as secret,
    ):
        match operation.format:
            case "age":
                return wire.ExportedKey(_age(call, operation, record, secret))
            case "keystore":
                return wire.ExportedKey(_keystore(call, operation, record, secret, password))
            case _:
                return _container(call, operation, record, secret, password)


def import_key(call: Call, operation: wire.ImportKey) -> wire.Key:
    """Take a key in. Every public key is computed anew from the private ones and compared."""
    if (present := call.made_before()) is not None:
        return key_view(present)
    container = parse(operation.container)
    facts = container.header.key
    key_type, purpose = _kind(facts)
    call.require_owner(facts.owner)
    limits = require_limits(_asked(facts.limits), key_type, call.now)
    if operation.exportable:
        require_exportable(call)
    with _unsealed(call, operation.secret, operation) as given:
        opened = _opened(call, operation, container, given)
    with wiped(opened) as secret:
        _require_public_keys(facts, key_type, secret)
        record = KeyRecord(
            id=call.new_id(),
            key_type=key_type,
            purpose=purpose,
            owner=facts.owner,
            public_key=facts.public_key,
            provenance=Provenance.IMPORTED,
            created_at=call.now,
            version=facts.version,
            # An identity key remembers how far its pre-keys had come: no epoch is used twice.
            epoch=facts.pre_key_epoch if purpose is Purpose.IDENTITY else 0,
            label=operation.label or facts.label,
            older=tuple(KeyVersion(v.number, v.public_key, v.created_at) for v in facts.older),
            minimum_version=facts.minimum_version,
            limits=limits,
            uses=facts.limits.uses,
            identity_updates=facts.identity_updates,
            installations=facts.installations,
            releases=facts.releases and call.policy.keys.release_shared_secrets,
            exportable=operation.exportable,
            requests=call.tokens(),
        )
        with call.mutation() as draft:
            if purpose is Purpose.IDENTITY:
                _require_first(call, facts.owner)
            draft.add(record, secret)
    call.key_id = record.id
    return key_view(record)


def _asked(limits: LimitFacts) -> wire.Limits:
    return wire.Limits(
        expires_at=limits.expires_at,
        max_uses=limits.max_uses,
        rate_count=limits.rate_count,
        rate_seconds=limits.rate_seconds,
    )


def _require_first(call: Call, owner: bytes | None) -> None:
    if owner is not None and (present := call.store.identity_of(owner)) is not None:
        raise IdentityKeyExistsError(
            "The owner has an identity key already",
            got=f"{checksum_address(owner)} with the key {present.id}",
            next_command=f"xmtp-tee keys show {present.id}",
        )


def _container(
    call: Call,
    operation: wire.ExportKey,
    record: KeyRecord,
    secret: bytearray,
    password: bytearray | None,
) -> wire.ExportedKey:
    if operation.age_recipients:
        raise BackupRecipientError("age recipients belong to the format age")
    recipients: list[Recipient] = []
    if password is not None:
        require_password(password)
        recipients.append(ForPassword(password))
    recipients += [ForPublicKey(key) for key in operation.public_keys]
    recipients += [ForPublicKey(key, successor=True) for key in operation.successors]
    if operation.shares is not None:
        if operation.reply_key is None:
            raise BackupRecipientError("Shares need a reply key: they leave sealed to it")
        recipients.append(ForShares(operation.shares.threshold, operation.shares.count))
    data, shares = sealing.seal(
        _facts(call, record),
        secret,
        recipients,
        store_id=call.store.store_id,
        now=call.now,
        entropy=_entropy(call),
    )
    if not shares or operation.reply_key is None:
        return wire.ExportedKey(data)
    text = "\n".join(shares[0]).encode()
    aad = b"export-key" + record.id.encode()
    try:
        enc, ciphertext = hpke.seal(
            _SUITE, operation.reply_key, SEALED_OUTPUT_INFO, aad, text, entropy=_entropy(call)
        )
    except hpke.HpkeError:
        raise BackupRecipientError("The reply key is no possible public key") from None
    return wire.ExportedKey(data, wire.SealedOutput(enc, ciphertext))


def _age(call: Call, operation: wire.ExportKey, record: KeyRecord, secret: bytearray) -> bytes:
    if operation.password or operation.public_keys or operation.successors or operation.shares:
        raise BackupRecipientError("The format age takes age recipients alone")
    document = {
        "format": "xmtp-tee/key/1",
        "key_type": record.key_type.value,
        "purpose": record.purpose.value,
        "owner": None if record.owner is None else checksum_address(record.owner),
        "public_key": record.public_key.hex(),
        "version": record.version,
        "provenance": record.provenance.label,
    }
    head = json.dumps(document)[:-1].encode() + b', "private_keys": "'
    with wiped(bytearray(head + bytes(2 * len(secret)) + b'"}\n')) as text:
        for at, byte in enumerate(secret):
            place = len(head) + 2 * at
            text[place], text[place + 1] = (
                b"0123456789abcdef"[byte >> 4],
                b"0123456789abcdef"[byte & 15],
            )
        return age.encrypt(text, operation.age_recipients, _entropy(call))


def _keystore(
    call: Call,
    operation: wire.ExportKey,
    record: KeyRecord,
    secret: bytearray,
    password: bytearray | None,
) -> bytes:
    others = operation.public_keys or operation.successors or operation.shares
    if record.key_type is not KeyType.SECP256K1 or password is None or others:
        raise BackupRecipientError(
            "An Ethereum keystore holds a secp256k1 key under a password, and nothing else",
            got=record.key_type.value,
        )
    require_password(password)
    with wiped(secret[-SECRET_SIZE:]) as current:
        address = address_of_public_key(record.public_key)
        return keystore(current, address, password, _entropy(call))


def _facts(call: Call, record: KeyRecord) -> KeyFacts:
    epoch = 0
    if record.purpose is Purpose.IDENTITY:
        last = call.store.last_pre_key(record.id)
        epoch = record.epoch if last is None else last.epoch
    return KeyFacts(
        id=record.id,
        key_type=record.key_type.value,
        purpose=record.purpose.value,
        owner=record.owner,
        public_key=record.public_key,
        provenance=record.provenance.label,
        created_at=record.created_at,
        version=record.version,
        minimum_version=record.minimum_version,
        older=tuple(VersionFacts(v.number, v.public_key, v.created_at) for v in record.older),
        pre_key_epoch=epoch,
        label=record.label,
        releases=record.releases,
        limits=LimitFacts(
            expires_at=record.limits.expires_at,
            max_uses=record.limits.max_uses,
            rate_count=record.limits.rate_count,
            rate_seconds=record.limits.rate_seconds,
            uses=record.uses,
        ),
        identity_updates=record.identity_updates,
        installations=record.installations,
    )


def _kind(facts: KeyFacts) -> tuple[KeyType, Purpose]:
    """Return type and purpose if keys of that kind can be imported.

    :raises BackupMalformedError: if there is no such kind of key
    :raises OperationNotAllowedError: if the purpose does not allow it
    """
    try:
        key_type, purpose = KeyType(facts.key_type), Purpose(facts.purpose)
    except ValueError:
        raise BackupMalformedError(
            "The backup holds a kind of key that this release does not know",
            got=f"{facts.key_type} for {facts.purpose}",
        ) from None
    require_allowed(purpose, KeyOperation.EXPORT, facts.id)
    numbers = [each.number for each in facts.older] + [facts.version]
    if (
        key_type not in RULES[purpose].key_types
        or facts.owner is None
        or numbers != sorted(set(numbers))
        or numbers[0] < 1
        or facts.minimum_version > facts.version
        or (facts.older and KeyOperation.ROTATE not in RULES[purpose].operations)
    ):
        raise BackupMalformedError(
            "The backup's facts contradict each other", got=f"{key_type} for {purpose}"
        )
    return key_type, purpose


def _require_public_keys(facts: KeyFacts, key_type: KeyType, secret: bytearray) -> None:
    claimed = [each.public_key for each in facts.older] + [facts.public_key]
    if len(secret) != SECRET_SIZE * len(claimed):
        raise BackupMalformedError("The backup holds another number of versions than it says")
    for number, expected in enumerate(claimed):
        with wiped(secret[number * SECRET_SIZE : (number + 1) * SECRET_SIZE]) as one:
            try:
                found = public_key(key_type, one)
            except ValueError:
                found = None
        if found != expected:
            raise BackupMalformedError("A private key does not belong to its public key")
    if facts.purpose == Purpose.WALLET and facts.owner != address_of_public_key(facts.public_key):
        raise BackupMalformedError("A wallet key owns itself, and the backup says otherwise")


def _opened(
    call: Call, operation: wire.ImportKey, container: Container, given: bytearray | None
) -> bytearray:
    if (operation.way == "enclave") != (given is None):
        raise BackupWayMissingError("The way and the secret do not go together", got=operation.way)
    if given is None:
        transport = call.parts.transport
        require_allowed(transport.purpose, KeyOperation.OPEN_CHANNEL, transport.id)
        with call.store.secret(transport) as private:
            return sealing.open_with_private_key(container, private, transport.public_key)
    match operation.way:
        case "password":
            return sealing.open_with_password(container, given)
        case "shares":
            try:
                text = given.decode("ascii")
            except UnicodeDecodeError:
                text = ""
            return sealing.open_with_shares(container, text.split("\n"))
        case _:
            if len(given) != 32:
                raise BackupDoesNotOpenError("A data key has 32 bytes", got=f"{len(given)} bytes")
            return sealing.open_with_data_key(container, given)


@contextmanager
def _unsealed(
    call: Call, sealed: wire.SealedInput | None, operation: wire.ExportKey | wire.ImportKey
) -> Iterator[bytearray | None]:
    """Lend what a client has sealed to the transport key for this very request."""
    if sealed is None:
        yield None
        return
    transport = call.parts.transport
    require_allowed(transport.purpose, KeyOperation.OPEN_CHANNEL, transport.id)
    data = sealed_input_data(operation)
    with call.store.secret(transport) as private:
        try:
            opened = hpke.open_(
                _SUITE, sealed.enc, private, SEALED_INPUT_INFO, data, sealed.ciphertext
            )
        except hpke.HpkeError:
            raise BackupDoesNotOpenError(
                "What was sealed to the enclave does not open",
                cause="it was sealed to another enclave, for another request, or changed",
            ) from None
    with wiped(bytearray(opened)) as buffer:
        yield buffer


def _entropy(call: Call) -> hpke.Entropy:
    def draw(size: int) -> bytes:
        buffer = bytearray(size)
        call.parts.entropy(buffer)
        return bytes(buffer)

    return draw
