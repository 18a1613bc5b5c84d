"""What a wallet key signs: recovered by an independent implementation, refused in every other case."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data

from tests.enclave import reference
from tests.enclave.operating import Desk
from tests.enclave.support import CHAIN_ID, REGISTRY
from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.policy.document import Condition, TypedDataRule, WalletRules
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import PreKeyExpiredError, PreKeyMismatchError, RegistryInvalidError
from xmtp_tee.wire.refusals import SigningRefusedError, TypedDataInvalidError
from xmtp_tee.xmtp.members import Member, inbox_id

HALF = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2


@pytest.fixture
def wallet(desk: Desk) -> wire.Key:
    return desk.make("wallet")


@pytest.fixture
def identity(desk: Desk, wallet: wire.Key) -> wire.Key:
    assert wallet.owner is not None
    return desk.identity(wallet.owner)


def text_of(desk: Desk, owner: bytes, *actions: str, nonce: int = 1, shift: int = 0) -> str:
    """The text as XMTP's documents show it, written out by hand."""
    time = datetime.fromtimestamp(desk.now + shift, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    inbox = inbox_id(Member.wallet(owner), nonce)
    return (
        f"XMTP : Authenticate to inbox\n\nInbox ID: {inbox}\nCurrent time: {time}\n\n"
        + "\n".join(actions)
        + "\n\nFor more info: https://xmtp.org/signatures"
    )


def create(owner: bytes) -> str:
    return f"- Create inbox\n  (Owner: 0x{owner.hex()})"


def grant(installation: bytes) -> str:
    return f"- Grant messaging access to app\n  (ID: {installation.hex()})"


def sign(desk: Desk, key: wire.Key, text: str, nonce: int = 1) -> wire.WalletSignature:
    operation = wire.SignIdentityText(key_id=key.id, text=text, nonce=nonce)
    return desk.ask(operation, wire.WalletSignature)


def test_wallet_key_owns_itself(wallet: wire.Key) -> None:
    from xmtp_tee.attestation.address import address_of_public_key

    assert wallet.owner == address_of_public_key(wallet.public_key)


def test_first_text_of_an_inbox_is_signed_with_eip_191(
    desk: Desk, wallet: wire.Key, identity: wire.Key
) -> None:
    text = text_of(desk, wallet.owner, create(wallet.owner), grant(identity.public_key))
    signed = sign(desk, wallet, text)
    message = encode_defunct(text=text)
    assert Account.recover_message(message, signature=signed.signature) == checksum_address(
        wallet.owner
    )
    assert int.from_bytes(signed.signature[32:64], "big") <= HALF
    assert signed.signature[64] in (27, 28)


def test_signature_is_the_deterministic_one_of_rfc_6979(desk: Desk) -> None:
    secret = bytes(range(1, 33))
    wallet = desk.make("wallet", secret)
    account = Account.from_key(secret)
    assert checksum_address(wallet.owner) == account.address
    text = text_of(desk, wallet.owner, create(wallet.owner))
    expected = account.sign_message(encode_defunct(text=text)).signature
    assert sign(desk, wallet, text).signature == bytes(expected)


def test_installation_key_signs_its_own_admission_with_ed25519ph(
    desk: Desk, wallet: wire.Key, identity: wire.Key
) -> None:
    text = text_of(desk, wallet.owner, create(wallet.owner), grant(identity.public_key))
    operation = wire.SignIdentityText(key_id=identity.id, text=text)
    signed = desk.ask(operation, wire.Signature)
    context = b"IDENTITY UPDATE SIGNATURE"
    assert reference.verifies(identity.public_key, text.encode(), signed.signature, context)
    other = b"PUBLIC SIGNATURE CONTEXT"
    assert not reference.verifies(identity.public_key, text.encode(), signed.signature, other)


def test_installation_key_signs_for_nobody_else(
    desk: Desk, wallet: wire.Key, identity: wire.Key
) -> None:
    """Attack: an installation adds another installation."""
    derive = wire.DeriveInstallationKey(identity_key_id=identity.id, device_id="d")
    other = desk.ask(derive)
    text = text_of(desk, wallet.owner, grant(other.public_key))
    with pytest.raises(SigningRefusedError, match="own admission"):
        desk.ask(wire.SignIdentityText(key_id=identity.id, text=text), wire.Signature)


BAD_ACTIONS = {
    "another owner's inbox": f"- Create inbox\n  (Owner: 0x{'22' * 20})",
    "foreign installation": f"- Grant messaging access to app\n  (ID: {'22' * 32})",
    "link": f"- Link address to inbox\n  (Address: 0x{'22' * 20})",
    "revoke": f"- Revoke messaging access from app\n  (ID: {'22' * 32})",
    "unlink": f"- Unlink address from inbox\n  (Address: 0x{'22' * 20})",
    "recovery": f"- Change inbox recovery address\n  (Address: 0x{'22' * 20})",
}


@pytest.mark.parametrize("name", BAD_ACTIONS)
def test_action_that_the_policy_does_not_open_is_refused(
    desk: Desk, wallet: wire.Key, identity: wire.Key, name: str
) -> None:
    for actions in (
        (BAD_ACTIONS[name],),
        (create(wallet.owner), BAD_ACTIONS[name]),
        (BAD_ACTIONS[name], grant(identity.public_key)),
    ):
        with pytest.raises(SigningRefusedError):
            sign(desk, wallet, text_of(desk, wallet.owner, *actions))


def test_texts_that_only_look_like_identity_texts_are_refused(desk: Desk, wallet: wire.Key) -> None:
    good = text_of(desk, wallet.owner, create(wallet.owner))
    for bad in (
        "",
        "hello",
        good + "\n",
        " " + good,
        good.replace("\n", "\r\n"),
        good.replace("https", "http"),
        good.replace("Create inbox", "Create Inbox"),
        good.replace("0x", "0X"),
        good.replace("(Owner", "(Owner: 0x00)\n  (Owner"),
        good + "\n\n" + good,
        good.replace("Z\n", "+00:00\n"),
        "\x19\x01" + "a" * 64,
    ):
        with pytest.raises(SigningRefusedError):
            sign(desk, wallet, bad)
    sign(desk, wallet, good)


@pytest.mark.parametrize("shift", [-601, 601, -86_400, 10**9])
def test_text_of_another_time_is_refused(desk: Desk, wallet: wire.Key, shift: int) -> None:
    with pytest.raises(SigningRefusedError, match="time"):
        sign(desk, wallet, text_of(desk, wallet.owner, create(wallet.owner), shift=shift))


@pytest.mark.parametrize("shift", [-600, 0, 600])
def test_text_within_the_window_is_signed(desk: Desk, wallet: wire.Key, shift: int) -> None:
    sign(desk, wallet, text_of(desk, wallet.owner, create(wallet.owner), shift=shift))


def test_text_of_another_inbox_or_nonce_is_refused(desk: Desk, wallet: wire.Key) -> None:
    for owner, nonce, stated in ((b"\x22" * 20, 1, 1), (wallet.owner, 2, 1), (wallet.owner, 1, 2)):
        text = text_of(desk, owner, create(wallet.owner), nonce=nonce)
        with pytest.raises(SigningRefusedError, match="another inbox"):
            sign(desk, wallet, text, stated)
    sign(desk, wallet, text_of(desk, wallet.owner, create(wallet.owner), nonce=5), 5)


def test_policy_opens_an_action_an_installation_and_an_inbox(desk: Desk, wallet: wire.Key) -> None:
    foreign = b"\x22" * 20
    inbox = inbox_id(Member.wallet(foreign), 1)
    desk.change(
        wallet=WalletRules(
            identity_actions=("add-installation", "link-address"),
            installations=("33" * 32,),
            inboxes=(inbox,),
        )
    )
    sign(desk, wallet, text_of(desk, wallet.owner, grant(b"\x33" * 32)))
    link = f"- Link address to inbox\n  (Address: 0x{wallet.owner.hex()})"
    sign(desk, wallet, text_of(desk, foreign, link))
    with pytest.raises(SigningRefusedError):
        sign(desk, wallet, text_of(desk, wallet.owner, create(wallet.owner)))


def test_updates_are_counted_on_disk_and_bounded(desk: Desk, wallet: wire.Key) -> None:
    """A crash loop that signs again and again must not brick the inbox (256 updates in its life)."""
    desk.change(wallet=WalletRules(maximum_identity_updates=3))
    text = text_of(desk, wallet.owner, create(wallet.owner))
    for _ in range(3):
        sign(desk, wallet, text)
        desk.restart()
    with pytest.raises(SigningRefusedError, match="identity updates"):
        sign(desk, wallet, text)


def test_installations_are_counted_and_bounded(desk: Desk, wallet: wire.Key) -> None:
    ids = [bytes([n]) * 32 for n in range(1, 13)]
    desk.change(
        wallet=WalletRules(
            identity_actions=("add-installation", "revoke-installation"),
            installations=tuple(each.hex() for each in ids),
        )
    )
    for each in ids[:10]:
        sign(desk, wallet, text_of(desk, wallet.owner, grant(each)))
    sign(desk, wallet, text_of(desk, wallet.owner, grant(ids[0])))
    with pytest.raises(SigningRefusedError, match="installations"):
        sign(desk, wallet, text_of(desk, wallet.owner, grant(ids[10])))
    revoke = f"- Revoke messaging access from app\n  (ID: {ids[0].hex()})"
    sign(desk, wallet, text_of(desk, wallet.owner, revoke))
    sign(desk, wallet, text_of(desk, wallet.owner, grant(ids[10])))


# --- EIP-712 by rules -----------------------------------------------------------------------------

ORDER = "Order(address to,uint256 amount,Item[] items)Item(string name,uint8 kind)"
CONTRACT = "0x" + "11" * 20
RULE = TypedDataRule(
    name="orders",
    domain={"name": "Shop", "chainId": "1", "verifyingContract": CONTRACT},
    type=ORDER,
    fields={
        "to": Condition(one_of=("0x" + "33" * 20, "0x" + "44" * 20)),
        "amount": Condition(at_most="1000"),
        "items.name": Condition(anything=True),
        "items.kind": Condition(equals="7"),
    },
)


def order(**changes: object) -> dict[str, object]:
    document = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Order": [
                {"name": "to", "type": "address"},
                {"name": "amount", "type": "uint256"},
                {"name": "items", "type": "Item[]"},
            ],
            "Item": [{"name": "name", "type": "string"}, {"name": "kind", "type": "uint8"}],
        },
        "primaryType": "Order",
        "domain": {"name": "Shop", "chainId": 1, "verifyingContract": CONTRACT},
        "message": {
            "to": "0x" + "33" * 20,
            "amount": 1000,
            "items": [{"name": "a", "kind": 7}, {"name": "ü", "kind": 7}],
        },
    }
    return document | changes


@pytest.fixture
def shop(desk: Desk) -> Desk:
    desk.change(wallet=WalletRules(typed_data=(RULE,)))
    return desk


def sign_typed(desk: Desk, key: wire.Key, document: object) -> wire.WalletSignature:
    data = json.dumps(document).encode()
    return desk.ask(wire.SignTypedData(key_id=key.id, document=data), wire.WalletSignature)


def test_typed_data_that_a_rule_allows_is_signed(shop: Desk) -> None:
    wallet = shop.make("wallet")
    signed = sign_typed(shop, wallet, order())
    message = encode_typed_data(full_message=order())
    signer = Account.recover_message(message, signature=signed.signature)
    assert signer == checksum_address(wallet.owner)


@pytest.mark.parametrize(
    "changes",
    [
        {"message": order()["message"] | {"to": "0x" + "55" * 20}},  # type: ignore[operator]
        {"message": order()["message"] | {"amount": 1001}},  # type: ignore[operator]
        {"message": order()["message"] | {"items": [{"name": "a", "kind": 8}]}},  # type: ignore[operator]
        {"domain": {"name": "Shop", "chainId": 2, "verifyingContract": CONTRACT}},
        {"domain": {"name": "Chop", "chainId": 1, "verifyingContract": CONTRACT}},
        {"domain": {"name": "Shop", "chainId": 1, "verifyingContract": "0x" + "12" * 20}},
    ],
    ids=str,
)
def test_typed_data_outside_the_rule_is_refused(shop: Desk, changes: dict[str, object]) -> None:
    with pytest.raises(SigningRefusedError):
        sign_typed(shop, shop.make("wallet"), order(**changes))


def test_typed_data_of_another_shape_is_refused(shop: Desk) -> None:
    """Attack: the same name of a type, with another meaning."""
    document = order()
    document["types"]["Item"] = [  # type: ignore[index]
        {"name": "kind", "type": "uint8"},
        {"name": "name", "type": "string"},
    ]
    with pytest.raises(SigningRefusedError):
        sign_typed(shop, shop.make("wallet"), document)


def test_no_typed_data_is_signed_without_a_rule(desk: Desk, wallet: wire.Key) -> None:
    with pytest.raises(SigningRefusedError):
        sign_typed(desk, wallet, order())
    with pytest.raises(TypedDataInvalidError):
        desk.ask(wire.SignTypedData(key_id=wallet.id, document=b"{}"), wire.WalletSignature)


# --- an owner's intents ---------------------------------------------------------------------------


def intent(desk: Desk, wallet: wire.Key, identity: wire.Key, **changes: object) -> wire.OwnerIntent:
    fields: dict[str, object] = {
        "key_id": wallet.id,
        "action": "register",
        "identity_key_id": identity.id,
        "chain_id": CHAIN_ID,
        "key_registry": REGISTRY,
        "nonce": 3,
        "deadline": desk.now + 60,
    }
    return desk.ask(wire.SignOwnerIntent(**(fields | changes)), wire.OwnerIntent)  # type: ignore[arg-type]


def typed_intent(primary: str, members: list[tuple[str, str]], values: dict[str, object]) -> object:
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            primary: [{"name": name, "type": kind} for kind, name in members],
        },
        "primaryType": primary,
        "domain": {
            "name": "XMTP TEE KeyRegistry",
            "version": "1",
            "chainId": CHAIN_ID,
            "verifyingContract": checksum_address(REGISTRY),
        },
        "message": values,
    }


BUNDLE = [
    ("address", "owner"),
    ("bytes32", "identityKey"),
    ("bytes32", "preKey"),
    ("uint64", "epoch"),
    ("uint64", "expiresAt"),
    ("uint8", "provenance"),
    ("address", "authority"),
    ("uint256", "nonce"),
    ("uint256", "deadline"),
]


@pytest.mark.parametrize(
    ("action", "primary"), [("register", "RegisterKeyBundle"), ("rotate", "RotatePreKey")]
)
def test_intent_is_what_an_independent_eip_712_signs(
    desk: Desk, wallet: wire.Key, identity: wire.Key, action: str, primary: str
) -> None:
    pre_key = desk.ask(wire.GeneratePreKey(identity_key_id=identity.id), wire.PreKey)
    made = intent(desk, wallet, identity, action=action, pre_key_id=pre_key.id)
    document = typed_intent(
        primary,
        BUNDLE,
        {
            "owner": checksum_address(wallet.owner),
            "identityKey": identity.public_key,
            "preKey": pre_key.public_key,
            "epoch": pre_key.epoch,
            "expiresAt": pre_key.expires_at,
            "provenance": 1,
            "authority": checksum_address(desk.enclave.describe().authority),
            "nonce": 3,
            "deadline": desk.now + 60,
        },
    )
    message = encode_typed_data(full_message=document)
    assert Account.recover_message(message, signature=made.signature) == checksum_address(
        wallet.owner
    )


def test_revocation_is_refused_until_the_policy_opens_it(
    desk: Desk, wallet: wire.Key, identity: wire.Key
) -> None:
    with pytest.raises(SigningRefusedError, match="policy"):
        intent(desk, wallet, identity, action="revoke")
    desk.change(wallet=WalletRules(intents=("revoke",)))
    made = intent(desk, wallet, identity, action="revoke")
    members = [BUNDLE[0], BUNDLE[1], BUNDLE[7], BUNDLE[8]]
    values = {
        "owner": checksum_address(wallet.owner),
        "identityKey": identity.public_key,
        "nonce": 3,
        "deadline": desk.now + 60,
    }
    message = encode_typed_data(full_message=typed_intent("RevokeKeyBundle", members, values))
    assert Account.recover_message(message, signature=made.signature) == checksum_address(
        wallet.owner
    )


def test_intents_that_do_not_fit_are_refused(
    desk: Desk, wallet: wire.Key, identity: wire.Key
) -> None:
    pre_key = desk.ask(wire.GeneratePreKey(identity_key_id=identity.id), wire.PreKey)
    foreign = desk.identity(b"\x22" * 20)
    foreign_pre = desk.ask(wire.GeneratePreKey(identity_key_id=foreign.id), wire.PreKey)
    good = {"pre_key_id": pre_key.id}
    for changes, error in (
        ({}, SigningRefusedError),
        (good | {"identity_key_id": foreign.id}, SigningRefusedError),
        (good | {"pre_key_id": foreign_pre.id}, PreKeyMismatchError),
        (good | {"key_registry": bytes(20)}, RegistryInvalidError),
        (good | {"deadline": desk.now - 1}, SigningRefusedError),
        (good | {"deadline": desk.now + 604_801}, SigningRefusedError),
        (good | {"action": "transfer"}, SigningRefusedError),
    ):
        with pytest.raises(error):
            intent(desk, wallet, identity, **changes)
    desk.change(wallet=WalletRules(registries=(f"1:{checksum_address(REGISTRY)}",)))
    with pytest.raises(SigningRefusedError, match="registry"):
        intent(desk, wallet, identity, **good)
    desk.change(wallet=WalletRules(registries=(f"{CHAIN_ID}:{checksum_address(REGISTRY)}",)))
    intent(desk, wallet, identity, **good)
    desk.now = pre_key.expires_at
    with pytest.raises(PreKeyExpiredError):
        intent(desk, wallet, identity, **good)
