"""Owner intents: EIP-712 as eth-account computes it; files that are complete or refused; batches that fit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from tests.support.maker import Maker
from xmtp_tee.attestation.address import parse_address
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.client.accounts import LocalSender
from xmtp_tee.client.batch_plan import (
    TRANSACTION_GAS_LIMIT,
    TRANSACTION_SIZE_LIMIT,
    plan,
)
from xmtp_tee.client.chain_errors import SenderError
from xmtp_tee.client.intent_file import intent_from_json, intent_to_json
from xmtp_tee.client.intents import IntentInvalid, IntentKind, OwnerIntent
from xmtp_tee.client.proof import encode_proof
from xmtp_tee.client.signing import sign_intent_offline
from xmtp_tee.hashing import keccak256

MAKER = Maker()
ACCOUNT = Account.from_key(b"\x07" * 32)
OWNER = parse_address(ACCOUNT.address)
REGISTRY = b"\x01" * 20


def publishing(kind: IntentKind = IntentKind.REGISTER, **changes: Any) -> OwnerIntent:
    certificate = MAKER.certificate(
        chain_id=31337, key_registry=REGISTRY, owner=OWNER, expires_at=1_900_000_000
    )
    proof = encode_proof(certificate, MAKER.authority)
    made = OwnerIntent.publishing(kind, certificate, proof, nonce=3, deadline=1_800_000_000)
    return replace(made, **changes)


def revoking(**changes: Any) -> OwnerIntent:
    made = OwnerIntent(
        kind=IntentKind.REVOKE,
        chain_id=31337,
        key_registry=REGISTRY,
        owner=OWNER,
        identity_key=b"\x05" * 32,
        nonce=2**64,
        deadline=1_800_000_000,
    )
    return replace(made, **changes)


INTENTS = [publishing(), publishing(IntentKind.ROTATE), revoking()]


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.kind.value)
def test_digest_is_that_of_an_independent_eip_712(intent: OwnerIntent) -> None:
    signable = encode_typed_data(full_message=intent.typed_data())
    assert intent.digest() == keccak256(
        b"\x19" + signable.version + signable.header + signable.body
    )


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1), st.binary(min_size=32, max_size=32))
def test_digest_of_any_revocation_is_that_of_an_independent_eip_712(
    nonce: int, deadline: int, key: bytes
) -> None:
    intent = revoking(nonce=nonce, deadline=deadline, identity_key=key)
    signable = encode_typed_data(full_message=intent.typed_data())
    assert intent.digest() == keccak256(
        b"\x19" + signable.version + signable.header + signable.body
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"chain_id": 1},
        {"key_registry": b"\x02" * 20},
        {"owner": b"\x03" * 20},
        {"identity_key": b"\x04" * 32},
        {"pre_key": b"\x06" * 32},
        {"nonce": 4},
        {"deadline": 1_800_000_001},
        {"kind": IntentKind.ROTATE},
        {
            "proof": encode_proof(
                Maker("x").sign(
                    MAKER.certificate(
                        chain_id=31337, key_registry=REGISTRY, owner=OWNER, expires_at=1_900_000_000
                    )
                ),
                Maker("x").authority,
            )
        },
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_digest_covers_every_member(changes: dict[str, Any]) -> None:
    assert publishing(**changes).digest() != publishing().digest()


def test_signature_is_the_owners() -> None:
    signed = sign_intent_offline(publishing(), LocalSender(ACCOUNT))
    signable = encode_typed_data(full_message=signed.typed_data())
    assert Account.recover_message(signable, signature=signed.signature) == ACCOUNT.address
    stranger = LocalSender(Account.from_key(b"\x08" * 32))
    with pytest.raises(SenderError, match="another owner"):
        sign_intent_offline(publishing(), stranger)


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.kind.value)
def test_file_reads_back(intent: OwnerIntent) -> None:
    for made in (intent, intent.signed(b"\x01" * 65), intent.signed(b"\x01" * 700)):
        assert intent_from_json(intent_to_json(made)) == made


DOCUMENT = json.loads(intent_to_json(publishing()))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"intent": "transfer"},
        {"intent": "revoke"},
        {"chainId": "31337"},
        {"chainId": True},
        {"keyRegistry": "0x01"},
        {"owner": "0x" + "zz" * 20},
        {"identityKey": "0x05"},
        {"preKey": "0x"},
        {"preKeySignature": "0x00"},
        {"attestationProof": "0x"},
        {"attestationProof": "0x02" + DOCUMENT["attestationProof"][4:]},
        {"nonce": 3},
        {"nonce": "-3"},
        {"nonce": "9" * 79},
        {"nonce": "\u0663"},
        {"deadline": -1},
        {"deadline": 1.5},
        {"signature": "nothing"},
        {"stranger": 1},
    ],
    ids=str,
)
def test_malformed_file_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(IntentInvalid):
        intent_from_json(json.dumps(DOCUMENT | changes))


@pytest.mark.parametrize("name", sorted(DOCUMENT))
def test_file_without_a_field_is_refused(name: str) -> None:
    with pytest.raises(IntentInvalid):
        intent_from_json(json.dumps({k: v for k, v in DOCUMENT.items() if k != name}))


@given(st.text(max_size=60))
def test_any_text_is_refused_by_type(text: str) -> None:
    with pytest.raises(IntentInvalid):
        intent_from_json(text)


def test_intent_that_its_enclave_did_not_certify_is_refused() -> None:
    publishing().require_certified()
    revoking().require_certified()
    for changes in ({"pre_key": b"\x06" * 32}, {"owner": b"\x03" * 20}, {"chain_id": 1}):
        with pytest.raises(IntentInvalid, match="cover"):
            publishing(**changes).require_certified()


def test_intent_of_another_certificates_proof_is_refused() -> None:
    first, second = (
        MAKER.certificate(
            chain_id=1, key_registry=REGISTRY, owner=OWNER, expires_at=1_900_000_000, epoch=epoch
        )
        for epoch in (1, 2)
    )
    with pytest.raises(IntentInvalid, match="another certificate"):
        OwnerIntent.publishing(
            IntentKind.REGISTER, first, encode_proof(second, MAKER.authority), nonce=0, deadline=1
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"proof": b"\x01"},
        {"pre_key": b"\x01" * 32},
        {"pre_key_signature": bytes(64)},
        {"nonce": -1},
    ],
    ids=str,
)
def test_revocation_carries_no_bundle(changes: dict[str, Any]) -> None:
    with pytest.raises(FieldError):
        revoking(**changes)


def test_unsigned_intent_has_no_arguments() -> None:
    with pytest.raises(IntentInvalid, match="not signed"):
        _ = publishing().arguments
    with pytest.raises(IntentInvalid, match="empty"):
        publishing().signed(b"")


def test_evidence_can_be_left_off() -> None:
    made = publishing()
    longer = replace(made, proof=made.proof + bytes(38))
    assert longer.without_evidence() == made
    assert longer.digest() == made.digest()


# --- batches --------------------------------------------------------------------------------------

SIGNED = publishing(signature=b"\x01" * 65)
WALLET = publishing(signature=b"\x01" * 400)
QUOTED = publishing(signature=b"\x01" * 65, proof=SIGNED.proof + bytes(5_000))


LARGE = publishing(signature=b"\x01" * 100_000)


@given(
    st.lists(st.sampled_from([SIGNED, WALLET, QUOTED, LARGE]), max_size=130),
    st.sampled_from([1, 2, 4, 64]),
)
def test_every_entry_is_in_one_batch_in_order_and_every_batch_fits(
    intents: list[OwnerIntent], generosity: int
) -> None:
    batches = plan(intents, generosity=generosity)
    assert [place for batch in batches for place in batch.places] == list(range(len(intents)))
    for batch in batches:
        assert batch.places
        assert batch.gas < TRANSACTION_GAS_LIMIT
        # What the registry asks for before it begins, per entry.
        assert batch.gas > 150_000 * len(batch.places)
        signatures = sum(len(intents[place].signature) for place in batch.places)
        assert signatures < TRANSACTION_SIZE_LIMIT
        # EIP-7623: less gas than this makes a transaction invalid.
        assert batch.gas > 21_000 + 40 * signatures


def test_generosity_ends_at_what_a_transaction_has_for_an_entry() -> None:
    gas = [plan([QUOTED], generosity=generosity)[0].gas for generosity in (1, 2, 4)]
    assert gas[0] < gas[1] == gas[2] == TRANSACTION_GAS_LIMIT - 1
    plain = [plan([SIGNED], generosity=generosity)[0].gas for generosity in (1, 2, 4)]
    assert plain[0] < plain[1] < plain[2] < TRANSACTION_GAS_LIMIT - 1


def test_hundred_plain_owners_fit_one_transaction() -> None:
    assert len(plan([SIGNED] * 100)) == 1


def test_entry_larger_than_a_transaction_is_refused() -> None:
    for monster in (
        replace(SIGNED, proof=SIGNED.proof + b"\x01" * 700_000),
        replace(SIGNED, signature=b"\x01" * TRANSACTION_SIZE_LIMIT),
    ):
        with pytest.raises(IntentInvalid, match="does not fit"):
            plan([SIGNED, monster])
