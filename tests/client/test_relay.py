"""Relayers bring what owners signed, and can change, repeat or delay none of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest
from web3.types import TxReceipt

from tests.client.registry_support import HOUR, account, certificate_for, publication
from tests.support.maker import Maker
from tests.support.world import OWNER, SECOND_OWNER, STRANGER, World
from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.certificate import ethereum_signature
from xmtp_tee.attestation.errors import CertificateSignerMismatchError
from xmtp_tee.attestation.retirement import retirement_digest
from xmtp_tee.client import relay
from xmtp_tee.client.batch_plan import TRANSACTION_GAS_LIMIT, Batch
from xmtp_tee.client.chain import Receipt
from xmtp_tee.client.chain_errors import ContractRefused, TransactionNotMined
from xmtp_tee.client.intent_file import intent_from_json, intent_to_json
from xmtp_tee.client.intents import IntentInvalid, IntentKind, OwnerIntent
from xmtp_tee.client.proof import encode_proof
from xmtp_tee.client.published import Standing
from xmtp_tee.client.registry_reader import RegistryReader
from xmtp_tee.client.relay import Outcome, Relayer, retire_enclave
from xmtp_tee.client.revert import decode_revert
from xmtp_tee.client.signing import sign_intent
from xmtp_tee.errors import ExitCode

# Answers every call with ERC-1271's magic value: a wallet that agrees to everything.
AGREEABLE_WALLET = "0x631626ba7e60e01b60005260206000f3"


@pytest.fixture
def relayer(world: World) -> Relayer:
    return Relayer(world.chain, world.deployment, world.senders[STRANGER])


def standing(world: World, intent: OwnerIntent) -> Standing:
    owner = checksum_address(intent.owner)
    return world.reader.find(owner, intent.identity_key).standing


def contract_error(outcome: Outcome) -> str | None:
    return outcome.refusal.error_name if isinstance(outcome.refusal, ContractRefused) else None


def refused_as(relayer: Relayer, intent: OwnerIntent, name: str) -> None:
    with pytest.raises(ContractRefused) as refused:
        relayer.submit(intent)
    assert refused.value.error_name == name


def test_owner_without_money_registers_rotates_and_revokes(
    world: World, maker: Maker, relayer: Relayer
) -> None:
    owner = account(1)
    registration = publication(world, maker, owner)
    # It travels as a file.
    relayer.submit(intent_from_json(intent_to_json(registration)))
    assert standing(world, registration) is Standing.TRUSTED
    relayer.submit(publication(world, maker, owner, kind=IntentKind.ROTATE, epoch=2))
    assert world.reader.find(owner.address, registration.identity_key).epoch == 2
    revocation = world.reader.revocation_intent(owner.address, registration.identity_key)
    relayer.submit(sign_intent(revocation, owner, world.chain))
    assert standing(world, registration) is Standing.REVOKED
    assert world.reader.nonce(owner.address) == 3


def test_node_signs_for_its_own_account(world: World, maker: Maker, relayer: Relayer) -> None:
    registration = publication(world, maker, world.senders[OWNER])
    assert len(registration.signature) == 65
    relayer.submit(registration)
    assert standing(world, registration) is Standing.TRUSTED


def test_attack_relayer_replays_an_intent(world: World, maker: Maker, relayer: Relayer) -> None:
    owner = account(1)
    registration = publication(world, maker, owner)
    relayer.submit(registration)
    refused_as(relayer, registration, "OwnerSignatureInvalid")


def test_attack_relayer_changes_what_was_signed(
    world: World, maker: Maker, relayer: Relayer
) -> None:
    owner = account(1)
    signed = publication(world, maker, owner)
    other = publication(world, maker, owner, label="another")
    for bent in (
        replace(signed, deadline=signed.deadline + 1),
        replace(signed, owner=parse_address(world.senders[STRANGER].address)),
        replace(other, signature=signed.signature),
        replace(signed, kind=IntentKind.ROTATE),
    ):
        with pytest.raises((ContractRefused, IntentInvalid)):
            relayer.submit(bent)
    with pytest.raises(IntentInvalid, match="cover"):
        relayer.submit(replace(signed, pre_key=b"\x09" * 32))


def test_attack_relayer_waits_beyond_the_deadline(
    world: World, maker: Maker, relayer: Relayer
) -> None:
    signed = publication(world, maker, account(1))
    world.warp(HOUR + 60)
    refused_as(relayer, signed, "SignatureExpired")


def test_cancellation_voids_this_and_later_nonces(
    world: World, maker: Maker, relayer: Relayer
) -> None:
    owner = world.senders[OWNER]
    now = publication(world, maker, owner)
    later = publication(world, maker, owner, nonce=5, label="later")
    Relayer(world.chain, world.deployment, owner).cancel_signatures()
    assert world.reader.nonce(owner.address) == 2**64
    for signed in (now, later):
        refused_as(relayer, signed, "OwnerSignatureInvalid")
    relayer.submit(publication(world, maker, owner))


def test_intent_of_another_deployment_is_refused_here(
    world: World, maker: Maker, relayer: Relayer
) -> None:
    signed = publication(world, maker, account(1))
    for bent in (replace(signed, chain_id=1), replace(signed, key_registry=b"\x01" * 20)):
        with pytest.raises(IntentInvalid, match="another deployment"):
            relayer.submit(bent)
    with pytest.raises(IntentInvalid, match="not signed"):
        relayer.submit(replace(signed, signature=b""))


def test_evidence_that_somebody_brought_first_is_left_off(world: World, relayer: Relayer) -> None:
    newcomer, owner = Maker("newcomer"), account(1)
    evidence = world.evidence(world.attestation(newcomer))
    certificate = certificate_for(world, newcomer, owner.address)
    intent = OwnerIntent.publishing(
        IntentKind.REGISTER,
        certificate,
        encode_proof(certificate, newcomer.authority, evidence),
        nonce=0,
        deadline=world.now + HOUR,
    )
    signed = sign_intent(intent, owner, world.chain)
    world.attest(evidence.attestation)
    relayer.submit(signed)
    assert standing(world, signed) is Standing.TRUSTED


# --- batches --------------------------------------------------------------------------------------


def test_hundred_owners_register_in_one_transaction(
    world: World, maker: Maker, relayer: Relayer
) -> None:
    intents = [publication(world, maker, account(n), label=f"{n}") for n in range(1, 101)]
    report = relayer.register_all(intents)
    assert report.refused == ()
    assert len(report.receipts) == 1
    found = world.reader.lookup_keys([checksum_address(intent.owner) for intent in intents])
    assert all(len(keys) == 1 for keys in found.values())
    assert len(found) == 100


def test_bad_entries_sink_no_other_and_say_why(
    world: World, maker: Maker, relayer: Relayer
) -> None:
    good = [publication(world, maker, account(n), label=f"{n}") for n in range(1, 5)]
    expired = publication(world, maker, account(5), deadline=world.now - 1)
    stolen = replace(publication(world, maker, account(6)), signature=good[0].signature)
    unknown = publication(world, Maker("nobody"), account(7))
    report = relayer.register_all([good[0], expired, good[1], stolen, unknown, good[2], good[3]])
    assert [contract_error(outcome) for outcome in report.outcomes] == [
        None,
        "SignatureExpired",
        None,
        "OwnerSignatureInvalid",
        "EnclaveNotTrusted",
        None,
        None,
    ]
    assert all(outcome.receipt for outcome in report.outcomes if outcome.done)
    assert report.gas_used == report.receipts[0].gas_used
    assert [standing(world, intent) for intent in good] == [Standing.TRUSTED] * 4


def test_batch_in_which_everything_is_refused_is_not_sent(
    world: World, maker: Maker, relayer: Relayer
) -> None:
    block = world.chain.block().number
    expired = [publication(world, maker, account(n), deadline=1) for n in (1, 2)]
    report = relayer.register_all(expired)
    assert len(report.refused) == 2
    assert report.receipts == ()
    assert world.chain.block().number == block


def test_two_registrations_of_one_owner_follow_each_other_in_a_batch(
    world: World, maker: Maker, relayer: Relayer
) -> None:
    owner = account(1)
    pair = [publication(world, maker, owner, nonce=n, label=f"{n}") for n in (0, 1)]
    assert relayer.register_all(pair).refused == ()
    assert len(world.reader.lookup_keys([owner.address])[owner.address]) == 2


def test_entry_that_only_fails_behind_another_is_reported_from_the_chain(
    world: World, maker: Maker, relayer: Relayer
) -> None:
    owner = account(1)
    twice = [publication(world, maker, owner, nonce=0, label=label) for label in ("a", "b")]
    report = relayer.register_all(twice)
    assert report.outcomes[0].done
    refusal = report.outcomes[1].refusal
    assert isinstance(refusal, ContractRefused)
    assert refusal.error_name == "OwnerSignatureInvalid"
    assert refusal.transaction == report.receipts[0].transaction
    assert refusal.as_dict()["contract_error"] == "OwnerSignatureInvalid"


def wallet_registration(world: World, maker: Maker, wallet: str) -> OwnerIntent:
    certificate = certificate_for(world, maker, wallet)
    return OwnerIntent.publishing(
        IntentKind.REGISTER,
        certificate,
        encode_proof(certificate, maker.authority),
        nonce=0,
        deadline=world.now + HOUR,
    )


def test_contract_wallets_signature_is_brought_as_it_is(
    world: World, maker: Maker, relayer: Relayer
) -> None:
    wallet = "0x" + "57" * 20
    world.chain.request("anvil_setCode", wallet, AGREEABLE_WALLET)
    intent = wallet_registration(world, maker, wallet)
    plain = publication(world, maker, account(2), label="plain")
    report = relayer.register_all([intent.signed(b"\x01" * 300), plain])
    assert report.refused == ()


def test_attack_entry_that_fits_no_transaction_sinks_no_other(
    world: World, maker: Maker, relayer: Relayer
) -> None:
    monster = replace(publication(world, maker, account(1)), signature=b"\x01" * 1_100_000)
    good = [publication(world, maker, account(n), label=f"{n}") for n in (2, 3)]
    report = relayer.register_all([good[0], monster, good[1]])
    assert [outcome.done for outcome in report.outcomes] == [True, False, True]
    assert isinstance(report.outcomes[1].refusal, IntentInvalid)
    assert "does not fit" in str(report.outcomes[1].reason)
    assert len(report.receipts) == 1


def test_attack_entry_with_evidence_that_starves_in_every_round_loses_no_report(
    world: World, maker: Maker, relayer: Relayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = publication(world, maker, account(1))
    quoted = replace(plain, proof=plain.proof + bytes(4_000))
    monkeypatch.setattr(Relayer, "_require_mine", lambda self, intent: None)
    sent: list[tuple[tuple[int, ...], int]] = []

    def starve(
        intents: Sequence[OwnerIntent],
        places: Sequence[int],
        gas: int,
        outcomes: dict[int, Outcome],
    ) -> list[Receipt]:
        sent.append((tuple(places), gas))
        receipt = Receipt(f"0x{len(sent):064x}", len(sent), gas, cast("TxReceipt", {}))
        starved = decode_revert(b"", transaction=receipt.transaction)
        outcomes.update({place: Outcome(intents[place], receipt, starved) for place in places})
        return [receipt]

    monkeypatch.setattr(relayer, "_register_batch", starve)
    report = relayer.register_all([quoted, plain])
    # The entry with evidence: its usual gas, then all that a transaction has, and not the same again.
    assert [places for places, _ in sent] == [(0, 1), (0,), (1,), (1,)]
    assert all(gas < TRANSACTION_GAS_LIMIT for _, gas in sent)
    assert [receipt.block_number for receipt in report.receipts] == [1, 2, 3, 4]
    assert [o.receipt and o.receipt.block_number for o in report.outcomes] == [2, 4]
    assert not any(outcome.done for outcome in report.outcomes)


def test_chain_that_is_lost_after_the_first_transaction_loses_no_report(
    world: World, maker: Maker, relayer: Relayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    intents = [publication(world, maker, account(n), label=f"{n}") for n in range(1, 4)]
    cut = [Batch((0, 1), 2**23), Batch((2,), 2**23)]
    monkeypatch.setattr(relay, "plan", lambda them, generosity: cut if len(them) == 3 else cut[:0])
    sent = relayer._send

    def send_once(entries: Sequence[OwnerIntent], gas: int) -> Receipt:
        monkeypatch.setattr(relayer, "_send", lost)
        return sent(entries, gas)

    def lost(entries: Sequence[OwnerIntent], gas: int) -> Receipt:
        raise TransactionNotMined("the transaction was sent and is not mined yet", got="0x12")

    monkeypatch.setattr(relayer, "_send", send_once)
    report = relayer.register_all(intents)
    assert [outcome.done for outcome in report.outcomes] == [True, True, False]
    assert isinstance(report.outcomes[2].refusal, TransactionNotMined)
    assert len(report.receipts) == 1
    monkeypatch.setattr(relayer, "_send", lost)
    cut[:] = [Batch((0,), 2**23)] * 3
    others = [publication(world, maker, account(n), label=f"{n}") for n in (4, 5, 6)]
    with pytest.raises(TransactionNotMined):
        relayer.register_all(others)


def test_batch_takes_registrations_only(world: World, maker: Maker, relayer: Relayer) -> None:
    rotation = publication(world, maker, account(1), kind=IntentKind.ROTATE)
    with pytest.raises(IntentInvalid, match="registrations only"):
        relayer.register_all([rotation])
    assert relayer.register_all([]).outcomes == ()


# --- retirement -----------------------------------------------------------------------------------


def retirement(world: World, maker: Maker) -> bytes:
    registry = parse_address(world.deployment.address("EnclaveRegistry"))
    digest = retirement_digest(world.deployment.chain_id, registry, maker.authority)
    return ethereum_signature(maker.key.sign_recoverable(digest, hasher=None))


def test_enclave_ends_its_own_standing_for_ever(world: World, maker: Maker) -> None:
    owner = world.senders[OWNER].address
    world.register(certificate_for(world, maker, owner), maker.authority, OWNER)
    reader: RegistryReader = world.reader
    authority = checksum_address(maker.authority)
    functions = world.contract("EnclaveRegistry").functions
    registry = parse_address(world.deployment.address("EnclaveRegistry"))
    assert functions.retirementDigest(authority).call() == retirement_digest(
        world.deployment.chain_id, registry, maker.authority
    )
    retire_enclave(reader, authority, retirement(world, maker), world.senders[SECOND_OWNER])
    [key] = reader.lookup_keys([owner])[owner]
    assert key.standing is Standing.ENCLAVE_NOT_TRUSTED
    assert key.enclave_reason == "EnclaveRetired"
    with pytest.raises(ContractRefused) as refused:
        world.attest(world.attestation(maker))
    assert refused.value.error_name == "EnclaveRetired"
    assert refused.value.exit_code is ExitCode.REFUSED_BY_POLICY


def test_attack_retirement_by_another_enclave_is_refused_before_it_is_sent(
    world: World, maker: Maker
) -> None:
    signature = retirement(world, Maker("attacker"))
    with pytest.raises(CertificateSignerMismatchError):
        retire_enclave(
            world.reader, checksum_address(maker.authority), signature, world.senders[STRANGER]
        )
