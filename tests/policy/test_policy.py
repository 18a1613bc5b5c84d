"""The policy as a document: read strictly, checked, rendered back."""

from __future__ import annotations

import json

import msgspec
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.policy import (
    Caller,
    ChangeRule,
    Condition,
    Grant,
    Policy,
    TypedDataRule,
    WalletRules,
    approval_digest,
    check_policy,
    decode_policy,
    encode_policy,
    parse_policy,
    render_policy,
)
from xmtp_tee.policy.approval import approval_typed_data
from xmtp_tee.policy.check import problems
from xmtp_tee.policy.document import StoreRules, TcbFloor, built_in
from xmtp_tee.wire.refusals import PolicyInvalidError

TOML = """
version = 1

[[callers]]
name = "operator"
uid = 1000
grants = [{ operations = ["*", "apply-policy", "get-policy", "read-audit"], owners = ["*"] }]

[[callers]]
name = "app"
key = "aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11"
rate = { count = 1000, seconds = 60 }
expires_at = 2000000000

  [[callers.grants]]
  operations = ["sign", "generate-pre-key"]
  owners = ["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"]

[change]
owners = ["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]
quorum = 2

[keys]
minimum_waiting = 86400

[[wallet.typed_data]]
name = "orders"
domain = { name = "Shop", chainId = "1", verifyingContract = "0x1111111111111111111111111111111111111111" }
type = "Order(address to,uint256 amount)"
fields = { to = { equals = "0x2222222222222222222222222222222222222222" }, amount = { at_most = "5" } }
"""
GOOD = built_in((1000,))


def test_file_of_the_documentation_is_read_checked_and_rendered_back() -> None:
    policy = parse_policy(TOML)
    check_policy(policy)
    assert policy.callers[1].grants[0].operations == ("sign", "generate-pre-key")
    assert policy.wallet.typed_data[0].fields["amount"] == Condition(at_most="5")
    assert policy.keys.minimum_waiting == 86_400
    assert parse_policy(render_policy(policy)) == policy
    assert decode_policy(encode_policy(policy)) == policy


def test_defaults_are_the_strict_ones() -> None:
    policy = Policy(version=1, callers=())
    assert not policy.keys.release_shared_secrets
    assert not policy.keys.exportable
    assert policy.keys.minimum_waiting == 7 * 86_400
    assert policy.wallet.typed_data == ()
    assert policy.wallet.identity_actions == ("create-inbox", "add-installation")
    assert "revoke" not in policy.wallet.intents


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version = 1",
        "{",
        "[]",
        '{"version": 1}',
        '{"version": 1, "callers": [], "backdoor": true}',
        '{"version": 1, "callers": [{"name": "a", "uid": 1, "admin": true}]}',
        '{"version": "1", "callers": []}',
        '{"version": -1, "callers": []}',
        '{"version": 1, "callers": [{"name": ""}]}',
        '{"version": 1, "callers": [{"name": "a\\nb"}]}',
        '{"version": 1, "callers": [], "keys": {"minimum_waiting": -1}}',
        '{"version": 1, "callers": [], "keys": {"maximum_installations": 11}}',
        '{"version": 1, "callers": [], "wallet": {"maximum_identity_updates": 257}}',
        '{"version": 1, "callers": [], "wallet": {"clock_window": 0}}',
        '{"version": 1, "callers": [], "store": {"tcb_floors": [{"product": "Rome"}]}}',
        '{"version": 1, "callers": [], "store": {"tcb_floors": [{"product": "Milan", "snp": 256}]}}',
        "[" * 10_000,
        "x" * 70_000,
    ],
    ids=lambda text: text[:60],
)
def test_text_that_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(PolicyInvalidError):
        parse_policy(text)


def with_callers(*callers: Caller) -> Policy:
    return msgspec.structs.replace(GOOD, callers=(*GOOD.callers, *callers))


def with_rule(**changes: object) -> Policy:
    rule = {
        "name": "r",
        "domain": {"chainId": "1", "verifyingContract": "0x" + "11" * 20},
        "type": "A(uint8 b)",
        "fields": {"b": Condition(equals="1")},
    }
    made = TypedDataRule(**(rule | changes))  # type: ignore[arg-type]
    return msgspec.structs.replace(GOOD, wallet=WalletRules(typed_data=(made,)))


def with_floors(*floors: TcbFloor) -> Policy:
    return msgspec.structs.replace(GOOD, store=StoreRules(tcb_floors=floors))


GRANT = Grant(operations=("sign",), owners=("*",))
IMPOSSIBLE = {
    "no callers": msgspec.structs.replace(GOOD, callers=()),
    "a product line's floor twice": with_floors(
        TcbFloor(product="Milan"), TcbFloor(product="Milan")
    ),
    "an FMC but on Turin": with_floors(TcbFloor(product="Genoa", fmc=1)),
    "neither uid nor key": with_callers(Caller(name="a")),
    "uid and key": with_callers(Caller(name="a", uid=1, key="aa" * 32)),
    "key of another length": with_callers(Caller(name="a", key="aa" * 31)),
    "key in capitals": with_callers(Caller(name="a", key="AA" * 32)),
    "one name twice": with_callers(Caller(name="uid-1000", uid=1)),
    "one uid twice": with_callers(Caller(name="b", uid=1000)),
    "one key twice": with_callers(Caller(name="b", key="aa" * 32), Caller(name="c", key="aa" * 32)),
    "unknown operation": with_callers(
        Caller(name="a", uid=1, grants=(Grant(operations=("export-private-key",)),))
    ),
    "grant of nothing": with_callers(Caller(name="a", uid=1, grants=(Grant(operations=()),))),
    "owner that is none": with_callers(
        Caller(name="a", uid=1, grants=(Grant(operations=("sign",), owners=("0x12",)),))
    ),
    "owner with a wrong checksum": with_callers(
        Caller(
            name="a",
            uid=1,
            grants=(
                Grant(operations=("sign",), owners=("0xF39fd6e51aad88F6F4ce6aB8827279cffFb92266",)),
            ),
        )
    ),
    "quorum above the owners": msgspec.structs.replace(GOOD, change=ChangeRule(quorum=1)),
    "owners without a quorum": msgspec.structs.replace(
        GOOD, change=ChangeRule(owners=("0x" + "11" * 20,))
    ),
    "owner twice": msgspec.structs.replace(
        GOOD, change=ChangeRule(owners=("0x" + "aa" * 20, "0x" + "AA" * 20), quorum=2)
    ),
    "nobody could change it": Policy(
        version=1, callers=(Caller(name="a", uid=1, grants=(GRANT,)),)
    ),
    "unknown action": msgspec.structs.replace(GOOD, wallet=WalletRules(identity_actions=("any",))),
    "unknown intent": msgspec.structs.replace(GOOD, wallet=WalletRules(intents=("transfer",))),
    "installation that is none": msgspec.structs.replace(
        GOOD, wallet=WalletRules(installations=("aa",))
    ),
    "registry that is none": msgspec.structs.replace(
        GOOD, wallet=WalletRules(registries=("0:0x12",))
    ),
    "rule without a chain": with_rule(domain={"verifyingContract": "0x" + "11" * 20}),
    "rule without a contract": with_rule(domain={"chainId": "1"}),
    "rule with an unknown domain field": with_rule(
        domain={"chainId": "1", "verifyingContract": "0x" + "11" * 20, "chain": "1"}
    ),
    "rule without a type": with_rule(type="A"),
    "leaf without a condition": with_rule(fields={}),
    "condition without a leaf": with_rule(
        fields={"b": Condition(equals="1"), "c": Condition(anything=True)}
    ),
    "condition that says nothing": with_rule(fields={"b": Condition()}),
    "condition that says two things": with_rule(fields={"b": Condition(equals="1", anything=True)}),
    "value that does not fit": with_rule(fields={"b": Condition(equals="256")}),
    "at_most of a text": with_rule(type="A(string b)", fields={"b": Condition(at_most="5")}),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_impossible_policy_is_refused(name: str) -> None:
    with pytest.raises(PolicyInvalidError):
        check_policy(IMPOSSIBLE[name])


def test_possible_policies_have_no_problems() -> None:
    for policy in (GOOD, with_rule(), parse_policy(TOML)):
        assert list(problems(policy)) == []


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_fuzzed_policy_raises_only_its_error(data: str | bytes) -> None:
    try:
        if isinstance(data, str):
            parse_policy(data)
        else:
            decode_policy(data)
    except PolicyInvalidError:
        return


def test_one_policy_has_one_encoding_whatever_the_order_of_its_rules() -> None:
    one = with_rule(domain={"chainId": "1", "verifyingContract": "0x" + "11" * 20})
    two = with_rule(domain={"verifyingContract": "0x" + "11" * 20, "chainId": "1"})
    assert encode_policy(one) == encode_policy(two)


def test_approval_is_what_a_wallet_signs() -> None:
    account = Account.from_key(b"\x07" * 32)
    document = approval_typed_data(bytes(16), GOOD)
    signed = account.sign_message(encode_typed_data(full_message=json.loads(json.dumps(document))))
    assert bytes(signed.message_hash) == approval_digest(bytes(16), GOOD)


def test_approval_differs_by_store_version_and_content() -> None:
    later = msgspec.structs.replace(GOOD, version=1)
    other = msgspec.structs.replace(GOOD, wallet=WalletRules(clock_window=1))
    digests = {
        approval_digest(bytes(16), GOOD),
        approval_digest(b"\x01" * 16, GOOD),
        approval_digest(bytes(16), later),
        approval_digest(bytes(16), other),
    }
    assert len(digests) == 4
