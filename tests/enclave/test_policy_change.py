"""How a policy is replaced: the next version, under the rule of the one before, and for good."""

from __future__ import annotations

import msgspec
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from tests.enclave.operating import Desk, own_policy
from xmtp_tee.policy import ChangeRule, Policy, encode_policy
from xmtp_tee.policy.approval import approval_typed_data
from xmtp_tee.policy.document import KeyRules, TypedDataRule, WalletRules
from xmtp_tee.policy.text import policy_digest
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.refusals import (
    PolicyApprovalError,
    PolicyInvalidError,
    PolicyVersionError,
)

OWNERS = [Account.from_key(bytes([n]) * 32) for n in (1, 2, 3)]
STRANGER = Account.from_key(b"\x09" * 32)
RULE = ChangeRule(owners=tuple(owner.address for owner in OWNERS), quorum=2)


def in_force(desk: Desk) -> wire.PolicyInForce:
    return desk.ask(wire.GetPolicy(), wire.PolicyInForce)


def approvals(desk: Desk, policy: Policy, *accounts: Account) -> tuple[bytes, ...]:
    store_id = bytes.fromhex(desk.enclave.describe().store_id)
    document = encode_typed_data(full_message=approval_typed_data(store_id, policy))
    return tuple(bytes(account.sign_message(document).signature) for account in accounts)


def test_new_enclave_has_the_built_in_policy(desk: Desk) -> None:
    assert in_force(desk).version == 0
    assert desk.policy == own_policy(0)


def test_applied_policy_stays_over_restarts(desk: Desk) -> None:
    policy = own_policy(keys=KeyRules(minimum_waiting=5))
    desk.apply(policy)
    desk.restart()
    assert desk.policy == policy
    assert in_force(desk).digest == policy_digest(policy)


@pytest.mark.parametrize("version", [0, 2, 3, 2**40])
def test_only_the_next_version_is_taken(desk: Desk, version: int) -> None:
    with pytest.raises(PolicyVersionError):
        desk.apply(own_policy(version, keys=KeyRules(minimum_waiting=5)))


def test_older_policy_cannot_be_put_back(desk: Desk) -> None:
    """Attack: replay an old policy that allowed more."""
    loose = own_policy(1, keys=KeyRules(minimum_waiting=0))
    desk.apply(loose)
    desk.apply(own_policy(2))
    with pytest.raises(PolicyVersionError):
        desk.apply(loose)


def test_same_policy_again_is_answered_as_before(desk: Desk) -> None:
    policy = own_policy()
    desk.apply(policy)
    epoch = desk.enclave._parts.store.epoch
    desk.apply(policy)
    assert desk.enclave._parts.store.epoch == epoch


def test_impossible_or_sloppily_encoded_policy_changes_nothing(desk: Desk) -> None:
    for document in (
        b"",
        b"\x80",
        encode_policy(msgspec.structs.replace(own_policy(), callers=())),
        encode_policy(own_policy()) + b"\x00",
        msgspec.msgpack.encode(msgspec.to_builtins(own_policy()) | {"extra": 1}),
    ):
        with pytest.raises(PolicyInvalidError):
            desk.ask(wire.ApplyPolicy(document=document), wire.PolicyInForce)
    assert in_force(desk).version == 0


def test_change_needs_as_many_owners_as_the_quorum(desk: Desk) -> None:
    desk.apply(own_policy(1, change=RULE))
    policy = own_policy(2)
    for accounts in ((), OWNERS[:1], [OWNERS[0], OWNERS[0]]):
        with pytest.raises(PolicyApprovalError):
            desk.apply(policy, approvals(desk, policy, *accounts))
    with pytest.raises(PolicyApprovalError, match="no owner"):
        desk.apply(policy, approvals(desk, policy, OWNERS[0], STRANGER))
    desk.apply(policy, approvals(desk, policy, OWNERS[2], OWNERS[0]))
    assert in_force(desk).version == 2
    desk.apply(own_policy(3))  # version 2 has no owners any more


def test_approval_of_another_policy_or_enclave_is_none(desk: Desk) -> None:
    desk.apply(own_policy(1, change=RULE))
    wanted, signed = own_policy(2), own_policy(2, keys=KeyRules(minimum_waiting=0))
    with pytest.raises(PolicyApprovalError):
        desk.apply(wanted, approvals(desk, signed, *OWNERS))
    elsewhere = encode_typed_data(full_message=approval_typed_data(b"\x01" * 16, wanted))
    foreign = tuple(bytes(owner.sign_message(elsewhere).signature) for owner in OWNERS)
    with pytest.raises(PolicyApprovalError):
        desk.apply(wanted, foreign)


def unfolding(leaf: str) -> Policy:
    """A policy with a rule of some hundred bytes whose type has 10**8 leaves."""
    names = "ABCDEFGH"
    structs = [
        f"{name}({','.join(f'{names[place + 1]} f{n}' for n in range(10))})"
        for place, name in enumerate(names[:-1])
    ]
    text = "".join((*structs, f"H({leaf})"))
    domain = {"chainId": "1", "verifyingContract": "0x" + "11" * 20}
    rule = TypedDataRule(name="bomb", domain=domain, type=text, fields={})
    return own_policy(2, wallet=WalletRules(typed_data=(rule,)))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("leaf", ["uint256 x", ""], ids=["leaves", "empty structs"])
def test_policy_that_unfolds_without_end_is_refused_at_once(desk: Desk, leaf: str) -> None:
    """Attack: a small policy that keeps the enclave busy for hours."""
    desk.apply(own_policy(1))
    with pytest.raises(PolicyInvalidError, match="too many leaves"):
        desk.apply(unfolding(leaf))


def test_policy_is_not_even_checked_before_its_owners_approve_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.apply(own_policy(1, change=RULE))

    def checked(policy: Policy) -> None:
        raise AssertionError("work for nobody")

    monkeypatch.setattr("xmtp_tee.enclave.operations.governance.check_policy", checked)
    with pytest.raises(PolicyApprovalError):
        desk.apply(own_policy(2))


@pytest.mark.parametrize("bend", [lambda s: s[:64] + b"\x00", lambda s: bytes(65)])
def test_malformed_approval_is_refused(desk: Desk, bend: object) -> None:
    desk.apply(own_policy(1, change=RULE))
    policy = own_policy(2)
    signatures = approvals(desk, policy, *OWNERS[:2])
    with pytest.raises(PolicyApprovalError):
        desk.apply(policy, (bend(signatures[0]), signatures[1]))  # type: ignore[operator]


def test_caller_with_the_grant_cannot_pass_the_owners_by(desk: Desk) -> None:
    """Attack: the operator, who may apply policies, takes the owners out of the policy."""
    desk.apply(own_policy(1, change=RULE))
    with pytest.raises(PolicyApprovalError):
        desk.apply(own_policy(2, change=ChangeRule()))
