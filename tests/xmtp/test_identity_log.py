"""An inbox's log: every rule, kept and broken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.xmtp.identity_support import (
    NOW_NS,
    InstallationActor,
    WalletActor,
    add,
    change_recovery,
    create,
    revoke,
    update,
)
from xmtp_tee.xmtp.errors import IdentityUpdateInvalidError, IdentityUpdateRefusedError
from xmtp_tee.xmtp.identity_log import Inbox, apply
from xmtp_tee.xmtp.members import Member, inbox_id
from xmtp_tee.xmtp.proto.identity import (
    IdentityAction,
    IdentityUpdate,
    RecoverableEcdsaSignature,
    Signature,
    SmartContractWalletSignature,
)

OWNER = WalletActor("owner")
SECOND_WALLET = WalletActor("second wallet")
STRANGER = WalletActor("stranger")
PHONE = InstallationActor("phone")
LAPTOP = InstallationActor("laptop")
INBOX = inbox_id(OWNER.member, 1)


@pytest.fixture
def inbox() -> Inbox:
    return apply(None, update(INBOX, create(by=OWNER), add(PHONE, by=OWNER)))


def test_the_first_update_creates_the_inbox_and_may_bring_in_the_first_installation(
    inbox: Inbox,
) -> None:
    assert inbox.id == INBOX
    assert inbox.recovery == OWNER.member
    assert inbox.installations == (PHONE.public_key,)
    assert inbox.members[PHONE.member].added_by == OWNER.member
    assert inbox.members[PHONE.member].added_at_ns == NOW_NS
    assert inbox.has_installation(PHONE.public_key)
    assert not inbox.has_installation(LAPTOP.public_key)


def after(*updates: IdentityUpdate) -> Inbox:
    """The state after a whole log, oldest update first."""
    state: Inbox | None = None
    for each in updates:
        state = apply(state, each)
    assert state is not None
    return state


def test_a_log_gives_the_state_after_its_last_update() -> None:
    log = [
        update(INBOX, create(by=OWNER), add(PHONE, by=OWNER)),
        update(INBOX, add(SECOND_WALLET, by=OWNER), time_ns=NOW_NS + 1),
        update(INBOX, add(LAPTOP, by=SECOND_WALLET), time_ns=NOW_NS + 2 * 10**9),
        update(INBOX, revoke(SECOND_WALLET, by=OWNER), time_ns=NOW_NS + 3 * 10**9),
    ]
    final = after(*log)
    assert final.installations == (PHONE.public_key,), "the revoked wallet's installation goes too"
    assert final.identifiers == (OWNER.member,)


def test_a_log_survives_the_wire() -> None:
    log = [update(INBOX, create(by=OWNER), add(PHONE, by=OWNER))]
    assert after(*(IdentityUpdate.decode(entry.encode()) for entry in log)) == after(*log)


def test_a_first_update_without_actions_is_refused() -> None:
    with pytest.raises(IdentityUpdateRefusedError, match="no action"):
        apply(None, update(INBOX))


def test_a_second_creation_is_refused(inbox: Inbox) -> None:
    with pytest.raises(IdentityUpdateRefusedError, match="exists already"):
        apply(inbox, update(INBOX, create(by=OWNER)))


def test_an_action_before_the_creation_is_refused() -> None:
    with pytest.raises(IdentityUpdateRefusedError, match="does not exist"):
        apply(None, update(INBOX, add(PHONE, by=OWNER)))


def test_creation_signed_by_another_wallet_is_refused() -> None:
    with pytest.raises(IdentityUpdateRefusedError, match="create the inbox"):
        apply(None, update(INBOX, create(by=OWNER, signed=STRANGER)))


def test_an_update_for_another_inbox_is_refused(inbox: Inbox) -> None:
    foreign = inbox_id(STRANGER.member, 1)
    with pytest.raises(IdentityUpdateRefusedError, match="another inbox"):
        apply(inbox, update(foreign, add(LAPTOP, by=OWNER)))
    with pytest.raises(IdentityUpdateRefusedError, match="another inbox"):
        apply(None, update(foreign, create(by=OWNER)))


def test_the_nonce_is_part_of_the_inbox_id() -> None:
    with pytest.raises(IdentityUpdateRefusedError, match="another inbox"):
        apply(None, update(INBOX, create(nonce=2, by=OWNER)))


def test_a_stranger_brings_in_nobody(inbox: Inbox) -> None:
    with pytest.raises(IdentityUpdateRefusedError, match="must belong to the inbox"):
        apply(inbox, update(INBOX, add(LAPTOP, by=STRANGER)))


def test_a_member_that_did_not_sign_is_not_brought_in(inbox: Inbox) -> None:
    with pytest.raises(IdentityUpdateRefusedError, match="signed to join"):
        apply(inbox, update(INBOX, add(LAPTOP, by=OWNER, joined=PHONE)))


def test_nobody_brings_in_itself(inbox: Inbox) -> None:
    with pytest.raises(IdentityUpdateRefusedError, match="itself"):
        apply(inbox, update(INBOX, add(OWNER, by=OWNER)))


def test_an_installation_brings_in_a_wallet_and_no_installation(inbox: Inbox) -> None:
    assert SECOND_WALLET.member in apply(inbox, update(INBOX, add(SECOND_WALLET, by=PHONE))).members
    with pytest.raises(IdentityUpdateRefusedError, match="cannot bring in an installation"):
        apply(inbox, update(INBOX, add(LAPTOP, by=PHONE)))


def test_only_the_recovery_identifier_revokes(inbox: Inbox) -> None:
    with_second = apply(inbox, update(INBOX, add(SECOND_WALLET, by=OWNER)))
    for actor in (SECOND_WALLET, STRANGER, PHONE):
        with pytest.raises(IdentityUpdateRefusedError, match="Only the recovery identifier"):
            apply(with_second, update(INBOX, revoke(PHONE, by=actor)))
    assert apply(with_second, update(INBOX, revoke(PHONE, by=OWNER))).installations == ()


def test_the_recovery_identifier_is_handed_on_and_then_rules_alone(inbox: Inbox) -> None:
    handed = apply(inbox, update(INBOX, change_recovery(STRANGER, by=OWNER)))
    assert handed.recovery == STRANGER.member
    with pytest.raises(IdentityUpdateRefusedError, match="Only the recovery identifier"):
        apply(handed, update(INBOX, revoke(PHONE, by=OWNER), time_ns=NOW_NS + 10**9))
    # Not a member itself, it may bring in members and revoke.
    later = apply(handed, update(INBOX, add(LAPTOP, by=STRANGER), time_ns=NOW_NS + 10**9))
    assert later.has_installation(LAPTOP.public_key)


def test_only_the_recovery_identifier_names_its_successor(inbox: Inbox) -> None:
    with pytest.raises(IdentityUpdateRefusedError, match="Only the recovery identifier"):
        apply(inbox, update(INBOX, change_recovery(STRANGER, by=STRANGER)))


def test_attack_an_old_signature_is_played_again(inbox: Inbox) -> None:
    adding = update(INBOX, add(LAPTOP, by=OWNER))
    added = apply(inbox, adding)
    revoked = apply(added, update(INBOX, revoke(LAPTOP, by=OWNER), time_ns=NOW_NS + 10**9))
    with pytest.raises(IdentityUpdateRefusedError, match="acts once"):
        apply(revoked, adding)


def test_attack_the_high_s_twin_of_an_old_signature_is_played(inbox: Inbox) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    revoking = update(INBOX, revoke(PHONE, by=OWNER))
    after = apply(inbox, revoking)
    [action] = revoking.actions
    assert action.revoke is not None
    assert action.revoke.recovery_identifier_signature is not None
    assert action.revoke.recovery_identifier_signature.erc_191 is not None
    raw = action.revoke.recovery_identifier_signature.erc_191.signature
    twin = raw[:32] + (order - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big") + raw[64:]
    played = replace(
        revoking,
        actions=(
            IdentityAction(
                revoke=replace(
                    action.revoke,
                    recovery_identifier_signature=Signature(
                        erc_191=RecoverableEcdsaSignature(signature=twin)
                    ),
                )
            ),
        ),
    )
    with pytest.raises(IdentityUpdateRefusedError, match="acts once"):
        apply(after, played)


@pytest.mark.parametrize("field", ["client_timestamp_ns", "inbox_id", "member"])
def test_attack_a_signed_update_is_altered(inbox: Inbox, field: str) -> None:
    signed = update(INBOX, add(LAPTOP, by=OWNER))
    if field == "client_timestamp_ns":
        altered = replace(signed, client_timestamp_ns=NOW_NS + 10**9)
    elif field == "inbox_id":
        altered = replace(signed, inbox_id="00" * 32)
    else:
        [action] = signed.actions
        assert action.add is not None
        other = InstallationActor("another").member.to_message()
        altered = replace(
            signed,
            actions=(IdentityAction(add=replace(action.add, new_member_identifier=other)),),
        )
    with pytest.raises((IdentityUpdateInvalidError, IdentityUpdateRefusedError)):
        apply(inbox, altered)


@pytest.mark.parametrize("context", [b"PUBLIC SIGNATURE CONTEXT", b"another context"])
def test_an_installation_that_signs_under_another_context_is_refused(
    inbox: Inbox, context: bytes
) -> None:
    with pytest.raises(IdentityUpdateInvalidError, match="does not hold"):
        apply(inbox, update(INBOX, add(InstallationActor("laptop", context), by=OWNER)))


def test_an_installation_key_of_small_order_is_refused(inbox: Inbox) -> None:
    signed = update(INBOX, add(LAPTOP, by=OWNER))
    [action] = signed.actions
    assert action.add is not None
    identity = bytes([1]) + bytes(31)
    forged = replace(
        action.add,
        new_member_identifier=Member.installation(identity).to_message(),
        new_member_signature=Signature(
            installation_key=replace(
                action.add.new_member_signature.installation_key,  # type: ignore[union-attr, type-var]
                public_key=identity,
                signature=identity + bytes(32),
            )
        ),
    )
    with pytest.raises(IdentityUpdateInvalidError):
        apply(inbox, replace(signed, actions=(IdentityAction(add=forged),)))


def test_missing_parts_are_named(inbox: Inbox) -> None:
    signed = update(INBOX, add(LAPTOP, by=OWNER))
    [action] = signed.actions
    assert action.add is not None
    for broken, message in (
        (IdentityAction(), "none that is known"),
        (IdentityAction(add=replace(action.add, new_member_identifier=None)), "names no member"),
        (IdentityAction(add=replace(action.add, new_member_signature=None)), "is missing"),
        (IdentityAction(add=replace(action.add, new_member_signature=Signature())), "is missing"),
    ):
        with pytest.raises(IdentityUpdateInvalidError, match=message):
            apply(inbox, replace(signed, actions=(broken,)))


def contract_signed(signature: bytes = b"anything", account: str | None = None) -> IdentityUpdate:
    signed = update(INBOX, create(by=OWNER))
    [action] = signed.actions
    assert action.create_inbox is not None
    wallet = SmartContractWalletSignature(
        account_id=account or f"eip155:8453:{OWNER.member.value}", signature=signature
    )
    return replace(
        signed,
        actions=(
            IdentityAction(
                create_inbox=replace(
                    action.create_inbox, initial_identifier_signature=Signature(erc_6492=wallet)
                )
            ),
        ),
    )


def test_a_contract_wallet_is_judged_by_its_chain() -> None:
    asked = []

    def judge(chain_id: int, address: bytes, digest: bytes, signature: bytes) -> bool:
        asked.append((chain_id, address, signature))
        return signature == b"good"

    inbox = apply(None, contract_signed(b"good"), judge)
    assert inbox.members[OWNER.member].chain_id == 8453
    assert asked == [(8453, bytes.fromhex(OWNER.member.value[2:]), b"good")]
    with pytest.raises(IdentityUpdateInvalidError, match="did not sign"):
        apply(None, contract_signed(b"bad"), judge)


def test_a_contract_wallet_is_refused_where_no_chain_is_read() -> None:
    with pytest.raises(IdentityUpdateInvalidError, match="without its chain"):
        apply(None, contract_signed())
    with pytest.raises(IdentityUpdateInvalidError, match="Not an account id"):
        apply(None, contract_signed(account="solana:1:abc"))


def test_a_contract_wallet_that_changes_its_chain_is_refused() -> None:
    inbox = apply(None, contract_signed(b"good"), lambda *_: True)
    with pytest.raises(IdentityUpdateRefusedError, match="another chain"):
        apply(inbox, update(INBOX, add(PHONE, by=OWNER)), lambda *_: True)
