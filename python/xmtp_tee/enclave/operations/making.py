"""Keys made by purpose, and keys derived from keys."""

from __future__ import annotations

from typing import Final

import msgspec

from xmtp_tee.attestation.address import address_of_public_key, checksum_address
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.enclave.derivation import Derivation, derive
from xmtp_tee.enclave.operations.call import Call, require_address
from xmtp_tee.enclave.operations.limits import require_limits
from xmtp_tee.enclave.private_keys import generate_secret, public_key, wiped
from xmtp_tee.enclave.purposes import DERIVABLE, RULES, KeyOperation, KeyType, Purpose
from xmtp_tee.enclave.records import NO_LIMITS, KeyLimits, KeyRecord
from xmtp_tee.enclave.views import key_view, owner_of
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import OwnerInvalidError
from xmtp_tee.wire.refusals import (
    DerivationRefusedError,
    IdempotencyConflictError,
    PurposeInvalidError,
    ReleaseRefusedError,
)

MAX_CHILDREN: Final = 1000
"""Keys derived from one derivation key that are not destroyed."""


def generate_key(call: Call, operation: wire.GenerateKey) -> wire.Key:
    """Make a key for a purpose."""
    purpose = _purpose(operation.purpose, {p for p, rule in RULES.items() if rule.makeable})
    key_type = _key_type(purpose, operation.key_type)
    limits = require_limits(operation.limits, key_type, call.now)
    _require_properties(call, purpose, operation.releases, operation.exportable)
    owner = operation.owner
    if (owner is None) != (purpose is Purpose.WALLET):
        raise OwnerInvalidError(
            "A wallet key owns itself, and every other key has an owner",
            got=f"{purpose} key, owner {'none' if owner is None else checksum_address(owner)}",
        )
    if owner is not None:
        require_address(owner)
        call.require_owner(owner)
    if (present := call.made_before()) is not None:
        return key_view(present)
    with (
        call.mutation() as draft,
        wiped(generate_secret(key_type, call.parts.entropy)) as secret,
    ):
        public = public_key(key_type, secret)
        if owner is None:
            owner = address_of_public_key(public)
            call.require_owner(owner)
        record = KeyRecord(
            id=call.new_id(),
            key_type=key_type,
            purpose=purpose,
            owner=owner,
            public_key=public,
            provenance=Provenance.GENERATED,
            created_at=call.now,
            label=operation.label,
            limits=limits,
            releases=operation.releases,
            exportable=operation.exportable,
            requests=call.tokens(),
        )
        draft.add(record, secret)
    call.key_id = record.id
    return key_view(record)


def derive_installation_key(call: Call, operation: wire.DeriveInstallationKey) -> wire.Key:
    """Derive an installation key from an identity key by the device's id."""
    identity = call.use(operation.identity_key_id, KeyOperation.DERIVE)
    _require_derivable(identity, Purpose.INSTALLATION)
    rule = RULES[Purpose.INSTALLATION]
    derivation = Derivation(
        Purpose.INSTALLATION, rule.key_type, 1, owner_of(identity), operation.device_id
    )
    most = call.policy.keys.maximum_installations
    return _derived(call, identity, derivation, operation.label, most)


def derive_key(call: Call, operation: wire.DeriveKey) -> wire.Key:
    """Derive a key from a derivation key by a path."""
    parent = call.use(operation.parent_key_id, KeyOperation.DERIVE)
    purpose = _purpose(operation.purpose, DERIVABLE.get(parent.purpose, frozenset()))
    key_type = _key_type(purpose, operation.key_type)
    _require_derivable(parent, purpose)
    if purpose is Purpose.INSTALLATION:
        raise PurposeInvalidError(
            "An installation key is derived by its device", expected="derive-installation-key"
        )
    limits = require_limits(operation.limits, key_type, call.now)
    _require_properties(call, purpose, operation.releases, False)
    owner = None if purpose is Purpose.WALLET else owner_of(parent)
    derivation = Derivation(purpose, key_type, 1, owner, operation.path)
    return _derived(
        call, parent, derivation, operation.label, MAX_CHILDREN, limits, operation.releases
    )


def _derived(
    call: Call,
    parent: KeyRecord,
    derivation: Derivation,
    label: str,
    most: int,
    limits: KeyLimits = NO_LIMITS,
    releases: bool = False,
) -> wire.Key:
    with call.secret(parent) as parent_secret:
        key_id, secret = derive(parent_secret, parent.public_key, derivation)
    with wiped(secret):
        present = call.store.get(key_id)
        if present is not None:
            call.key_id = key_id
            _require_same(call, present, derivation, parent)
            present = call.active(key_id, KeyOperation.DELETE)
            if present.provenance is not _provenance(parent) is Provenance.IMPORTED:
                # The parent has come back from outside, and whoever had it can derive this one.
                present = msgspec.structs.replace(present, provenance=Provenance.IMPORTED)
                with call.mutation() as draft:
                    draft.replace(present)
            return key_view(present)
        if parent.children >= most:
            raise DerivationRefusedError(
                "As many keys are derived from this one as there may be",
                got=parent.children,
                expected=f"fewer than {most}",
                next_command="xmtp-tee keys delete, for one that is not needed any more",
            )
        public = public_key(derivation.key_type, secret)
        owner = derivation.owner
        if owner is None:
            owner = address_of_public_key(public)
            call.require_owner(owner)
        record = KeyRecord(
            id=key_id,
            key_type=derivation.key_type,
            purpose=derivation.purpose,
            owner=owner,
            public_key=public,
            provenance=_provenance(parent),
            created_at=call.now,
            label=label,
            derived_from=parent.id,
            path=derivation.path,
            limits=limits,
            releases=releases,
            requests=call.tokens(),
        )
        with call.mutation() as draft:
            draft.add(record, secret)
            draft.replace(msgspec.structs.replace(parent, children=parent.children + 1))
    call.key_id = record.id
    return key_view(record)


def _provenance(parent: KeyRecord) -> Provenance:
    """What comes out of an imported key was outside as well, for ever."""
    if parent.provenance is Provenance.IMPORTED:
        return Provenance.IMPORTED
    return Provenance.DERIVED


def _require_same(
    call: Call, present: KeyRecord, derivation: Derivation, parent: KeyRecord
) -> None:
    # The parent may have been destroyed and imported again: then it has another id.
    before = call.store.get(present.derived_from) if present.derived_from is not None else None
    if (present.purpose, present.path, None if before is None else before.public_key) != (
        derivation.purpose,
        derivation.path,
        parent.public_key,
    ):
        raise IdempotencyConflictError(
            "Another key has the derived key's id", got=f"{present.purpose} {present.id}"
        )


def _require_derivable(parent: KeyRecord, purpose: Purpose) -> None:
    if purpose not in DERIVABLE.get(parent.purpose, frozenset()):
        raise PurposeInvalidError(
            "No such key is derived from this one",
            got=f"{purpose} from {parent.purpose}",
            expected=", ".join(sorted(DERIVABLE.get(parent.purpose, ()))) or "nothing",
        )


def _purpose(name: str, allowed: set[Purpose] | frozenset[Purpose]) -> Purpose:
    for purpose in allowed:
        if purpose.value == name:
            return purpose
    raise PurposeInvalidError(
        "No key can be made so for this purpose",
        got=repr(name),
        expected="one of " + ", ".join(sorted(allowed)),
    )


def _key_type(purpose: Purpose, name: str | None) -> KeyType:
    types = RULES[purpose].key_types
    if name is None:
        return types[0]
    for key_type in types:
        if key_type.value == name:
            return key_type
    raise PurposeInvalidError(
        f"A {purpose} key has another type", got=repr(name), expected=" or ".join(types)
    )


def _require_properties(call: Call, purpose: Purpose, releases: bool, exportable: bool) -> None:
    if releases:
        if purpose is not Purpose.KEY_AGREEMENT:
            raise PurposeInvalidError(
                "Only key-agreement keys have secrets to release", got=purpose
            )
        if not call.policy.keys.release_shared_secrets:
            raise ReleaseRefusedError(
                "The policy lets no shared secrets out",
                expected="keys.release_shared_secrets = true",
                next_command="xmtp-tee policy show",
            )
    if exportable:
        require_exportable(call)


def require_exportable(call: Call) -> None:
    """Refuse to make a key that can go into a backup unless the policy allows it.

    :raises ReleaseRefusedError: if it does not
    """
    if not call.policy.keys.exportable:
        raise ReleaseRefusedError(
            "The policy lets no keys into backups",
            expected="keys.exportable = true",
            next_command="xmtp-tee policy show",
        )
