"""What wallet keys sign, and what installation keys sign of the same kind: parsed and judged first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.owner_intent import BundleIntent, RevocationIntent
from xmtp_tee.enclave.operations.call import Call, require_registry
from xmtp_tee.enclave.operations.identity import usable_pre_key
from xmtp_tee.enclave.private_keys import sign_secp256k1
from xmtp_tee.enclave.purposes import KeyOperation, KeyType
from xmtp_tee.enclave.records import KeyRecord
from xmtp_tee.enclave.views import owner_of
from xmtp_tee.enclave.wallet.identity_rules import Signer, judge
from xmtp_tee.typed_data import parse_typed_data
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.refusals import SigningRefusedError
from xmtp_tee.xmtp.signatures import INSTALLATION_CONTEXT, personal_digest

MAX_DEADLINE: Final = 7 * 86_400
"""Seconds from now that an intent may hold."""

_PAGE: Final = 100


def sign_identity_text(
    call: Call, operation: wire.SignIdentityText
) -> wire.WalletSignature | wire.Signature:
    """Sign an XMTP identity text that the rules allow; that it was signed is on disk before."""
    record = call.use(operation.key_id, KeyOperation.SIGN_IDENTITY_TEXT)
    granted = judge_identity_text(call, record, operation.text, operation.nonce)
    counted = msgspec.structs.replace(
        record, identity_updates=record.identity_updates + 1, installations=granted
    )
    with call.mutation() as draft:
        draft.replace(counted)
    if record.key_type is KeyType.SECP256K1:
        return _wallet_signature(call, counted, personal_digest(operation.text))
    record = call.store.get(record.id) or counted
    message = operation.text.encode()
    return wire.Signature(
        signature=call.store.signer(record).sign_ph(message, INSTALLATION_CONTEXT)
    )


def judge_identity_text(call: Call, record: KeyRecord, text: str, nonce: int) -> tuple[bytes, ...]:
    """Return the installations that a key has granted once it has signed a text; nothing is signed here.

    :raises SigningRefusedError: the rules do not allow the text
    """
    owner = owner_of(record)
    signer = Signer(
        owner=owner,
        installation=None if record.key_type is KeyType.SECP256K1 else record.public_key,
        granted=record.installations,
        updates=record.identity_updates,
        held=_installations_of(call, owner),
    )
    return judge(text, nonce, call.now, signer, call.policy.wallet)


def sign_typed_data(call: Call, operation: wire.SignTypedData) -> wire.WalletSignature:
    """Sign an EIP-712 document that a rule of the policy allows."""
    record = call.use(operation.key_id, KeyOperation.SIGN_TYPED_DATA)
    document = parse_typed_data(operation.document)
    objections = []
    for rule in call.parts.policy.typed_data:
        if (objection := rule.objection(document)) is None:
            return _wallet_signature(call, record, document.digest)
        objections.append(f"{rule.name}: {objection}")
    raise SigningRefusedError(
        "No rule of the policy allows this typed data",
        got=document.type[:200],
        expected="; ".join(objections)[:300] or "a rule under wallet.typed_data",
        next_command="xmtp-tee policy show",
    )


def sign_owner_intent(call: Call, operation: wire.SignOwnerIntent) -> wire.OwnerIntent:
    """Sign what the wallet's owner wants of a KeyRegistry, out of the store's own records."""
    record = call.use(operation.key_id, KeyOperation.SIGN_OWNER_INTENT)
    owner = owner_of(record)
    _require_intent(call, operation)
    identity = call.active(operation.identity_key_id, KeyOperation.CERTIFY_AS_IDENTITY)
    if identity.owner != owner:
        raise SigningRefusedError(
            "The identity key is another owner's",
            got=checksum_address(owner_of(identity)),
            expected=checksum_address(owner),
        )
    if operation.action == "revoke":
        made = _revocation(call, operation, record, identity)
    else:
        made = _bundle(call, operation, record, identity)
    call.key_id = record.id
    return made


def _revocation(
    call: Call, operation: wire.SignOwnerIntent, record: KeyRecord, identity: KeyRecord
) -> wire.OwnerIntent:
    if operation.pre_key_id is not None:
        raise SigningRefusedError("A revocation names no pre-key", got=operation.pre_key_id)
    intent = RevocationIntent(
        chain_id=operation.chain_id,
        key_registry=operation.key_registry,
        owner=owner_of(record),
        identity_key=identity.public_key,
        nonce=operation.nonce,
        deadline=operation.deadline,
    )
    return wire.OwnerIntent(
        action=operation.action,
        chain_id=intent.chain_id,
        key_registry=intent.key_registry,
        owner=intent.owner,
        identity_key=intent.identity_key,
        nonce=intent.nonce,
        deadline=intent.deadline,
        signature=_wallet_signature(call, record, intent.digest()).signature,
    )


def _bundle(
    call: Call, operation: wire.SignOwnerIntent, record: KeyRecord, identity: KeyRecord
) -> wire.OwnerIntent:
    if operation.pre_key_id is None:
        raise SigningRefusedError("The intent names no pre-key", got=operation.action)
    signed = usable_pre_key(call, operation.pre_key_id, identity)
    intent = BundleIntent(
        action=operation.action,
        chain_id=operation.chain_id,
        key_registry=operation.key_registry,
        owner=owner_of(record),
        identity_key=signed.identity_key,
        pre_key=signed.public_key,
        epoch=signed.epoch,
        expires_at=signed.expires_at,
        provenance=identity.provenance,
        authority=call.parts.authority_address,
        nonce=operation.nonce,
        deadline=operation.deadline,
    )
    return wire.OwnerIntent(
        action=intent.action,
        chain_id=intent.chain_id,
        key_registry=intent.key_registry,
        owner=intent.owner,
        identity_key=intent.identity_key,
        nonce=intent.nonce,
        deadline=intent.deadline,
        signature=_wallet_signature(call, record, intent.digest()).signature,
        pre_key=intent.pre_key,
        epoch=intent.epoch,
        expires_at=intent.expires_at,
        provenance=intent.provenance.label,
        authority=intent.authority,
    )


def _require_intent(call: Call, operation: wire.SignOwnerIntent) -> None:
    rules = call.policy.wallet
    require_registry(operation.key_registry)
    if operation.action not in rules.intents:
        raise SigningRefusedError(
            "The policy does not allow the intent",
            got=operation.action,
            expected="one of " + ", ".join(rules.intents),
            next_command="xmtp-tee policy show",
        )
    place = f"{operation.chain_id}:0x{operation.key_registry.hex()}"
    if rules.registries is not None and place not in {r.lower() for r in rules.registries}:
        raise SigningRefusedError(
            "The policy does not list the registry", got=place, expected=", ".join(rules.registries)
        )
    if not call.now <= operation.deadline <= call.now + MAX_DEADLINE:
        raise SigningRefusedError(
            "The intent's deadline is not possible",
            got=operation.deadline,
            expected=f"{call.now} to {call.now + MAX_DEADLINE} (unix seconds)",
        )


def _wallet_signature(call: Call, record: KeyRecord, digest: bytes) -> wire.WalletSignature:
    with call.store.secret(record) as secret:
        signature = sign_secp256k1(secret, digest)
    return wire.WalletSignature(address=owner_of(record), digest=digest, signature=signature)


def _installations_of(call: Call, owner: bytes) -> frozenset[bytes]:
    """Return the public keys of the owner's installations that are in use here."""
    identity = call.store.identity_of(owner)
    if identity is None:
        return frozenset()
    found = [identity]
    # One that was destroyed and imported again has another id than the parent of its installations.
    for parent in _all(call, b"identity", owner):
        if parent.public_key == identity.public_key:
            found += _all(call, b"derived", bytes.fromhex(parent.id))
    return frozenset(
        each.public_key for each in found if each.deleted_at is None and each.destroyed_at is None
    )


def _all(call: Call, kind: bytes, value: bytes) -> Iterator[KeyRecord]:
    after: int | None = 0
    while after is not None:
        page, after = call.store.tagged(kind, value, after, _PAGE)
        yield from page
