"""A policy against itself: every name known, every number possible, nothing contradictory."""

from __future__ import annotations

import re
from collections.abc import Iterator

from xmtp_tee.attestation.address import parse_address
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.policy.document import (
    ANY,
    Caller,
    Condition,
    Policy,
    StoreRules,
    TypedDataRule,
    WalletRules,
)
from xmtp_tee.policy.operations import OPERATIONS
from xmtp_tee.policy.typed_rules import compile_rule
from xmtp_tee.wire.refusals import PolicyInvalidError, TypedDataInvalidError

IDENTITY_ACTIONS = frozenset(
    {
        *("create-inbox", "add-installation", "link-address", "link-passkey"),
        *("revoke-installation", "unlink-address", "unlink-passkey", "change-recovery"),
    }
)
_HEX32 = re.compile(r"[0-9a-f]{64}")
_REGISTRY = re.compile(r"([1-9][0-9]{0,18}):(0x[0-9a-fA-F]{40})")


def check_policy(policy: Policy) -> None:
    """Return if the policy makes sense.

    :raises PolicyInvalidError: naming the first thing that is wrong
    """
    for problem in problems(policy):
        raise PolicyInvalidError("The policy is not possible", got=problem)


def problems(policy: Policy) -> Iterator[str]:
    """Yield what is wrong with a policy, in words."""
    if not policy.callers:
        yield "no callers: nobody could reach the enclave any more"
    for what in ("name", "uid", "key"):
        values = [getattr(each, what) for each in policy.callers]
        values = [value for value in values if value is not None]
        for value in {value for value in values if values.count(value) > 1}:
            yield f"two callers with the {what} {value!r}"
    for caller in policy.callers:
        yield from (f"caller {caller.name!r}: {text}" for text in _of_caller(caller))
    owners = policy.change.owners
    yield from (f"change: {text}" for text in _addresses(owners))
    if len({owner.lower() for owner in owners}) != len(owners):
        yield "change: an owner stands there twice"
    if policy.change.quorum > len(owners) or (owners and policy.change.quorum == 0):
        yield f"change: a quorum of {policy.change.quorum} of {len(owners)} owners"
    if not owners and not any(
        "apply-policy" in grant.operations for each in policy.callers for grant in each.grants
    ):
        yield "change: no owners, and no caller with the grant apply-policy: it could never change"
    yield from (f"wallet: {text}" for text in _of_wallet(policy.wallet))
    yield from (f"store: {text}" for text in _of_store(policy.store))


def _of_caller(caller: Caller) -> Iterator[str]:
    if (caller.uid is None) == (caller.key is None):
        yield "needs either a uid or a key"
    if caller.key is not None and not _HEX32.fullmatch(caller.key):
        yield "the key is not 64 lower-case hex digits"
    for grant in caller.grants:
        if not grant.operations:
            yield "a grant without operations"
        for name in sorted(set(grant.operations) - OPERATIONS - {ANY}):
            yield f"unknown operation {name!r}"
        yield from _addresses(owner for owner in grant.owners if owner != ANY)


def _of_wallet(rules: WalletRules) -> Iterator[str]:
    for action in sorted(set(rules.identity_actions) - IDENTITY_ACTIONS):
        yield f"unknown identity action {action!r}"
    for intent in sorted(set(rules.intents) - {"register", "rotate", "revoke"}):
        yield f"unknown intent {intent!r}"
    for name, values in (("installation", rules.installations), ("inbox", rules.inboxes)):
        yield from (f"{name} {v!r} is not 64 hex digits" for v in values if not _HEX32.fullmatch(v))
    for registry in rules.registries or ():
        found = _REGISTRY.fullmatch(registry)
        if found is None:
            yield f"registry {registry!r} is not 'chain id:address'"
        else:
            yield from _addresses([found[2]])
    names = [rule.name for rule in rules.typed_data]
    if len(set(names)) != len(names):
        yield "two rules for typed data with one name"
    for rule in rules.typed_data:
        yield from (f"typed data {rule.name!r}: {text}" for text in _of_typed_data(rule))


def _of_store(rules: StoreRules) -> Iterator[str]:
    products = [floor.product for floor in rules.tcb_floors]
    for product in sorted({each for each in products if products.count(each) > 1}):
        yield f"two TCB floors of {product}"
    if any(floor.fmc and floor.product != "Turin" for floor in rules.tcb_floors):
        yield "a TCB floor with an FMC, which Turin alone has"


def _of_typed_data(rule: TypedDataRule) -> Iterator[str]:
    for name, condition in rule.fields.items():
        if _count(condition) != 1:
            yield f"field {name!r}: exactly one of equals, one_of, at_most and anything"
    try:
        compile_rule(rule)
    except TypedDataInvalidError as error:
        yield str(error)


def _count(condition: Condition) -> int:
    given = (condition.equals, condition.one_of, condition.at_most)
    return sum(value is not None for value in given) + condition.anything


def _addresses(values: object) -> Iterator[str]:
    for value in values:  # type: ignore[attr-defined]
        try:
            parse_address(value)
        except FieldError as error:
            yield str(error)
