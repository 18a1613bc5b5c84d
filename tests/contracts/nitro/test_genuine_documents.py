"""NitroVerifier on AWS's own root and on documents that real enclaves got."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contracts.crypto.p384_forgery import write
from tests.contracts.crypto.p384_support import outcomes
from tests.contracts.crypto.test_p384 import longest_program
from tests.contracts.nitro import nitro_support as nitro
from tests.contracts.nitro.nitro_support import DEBUG_2022, FEBRUARY_2024, JANUARY_2026, Fixture
from tests.support.chain import Anvil, Chain, Reverted
from xmtp_tee.attestation.p384.witness import _nonce_point

UP_TO_DATE = 1
GRACE = 7 * nitro.DAY


@dataclass
class World:
    chain: Chain
    verifier: Any
    document: bytes
    certificates: list[bytes]
    witness: bytes
    witnesses: list[bytes]

    def verify(
        self,
        document: bytes | None = None,
        *,
        witnesses: int = 0,
        witness: bytes | None = None,
    ) -> Any:
        """The call with the witnesses of the last certificates."""
        chosen = self.witnesses[len(self.witnesses) - witnesses :]
        return self.verifier.functions.verify(
            nitro.evidence(document or self.document, witness or self.witness, chosen)
        )

    @property
    def leaf(self) -> bytes:
        return nitro.certificate_id(self.certificates[-1])


def world_of(fixture: Fixture, chain: Chain) -> World:
    document = fixture.document
    certificates = nitro.chain_of(document)
    return World(
        chain,
        nitro.deploy(chain, nitro.root_certificate(), GRACE),
        document,
        certificates,
        nitro.document_witness(document),
        nitro.chain_witnesses(certificates),
    )


@pytest.fixture(scope="module")
def fresh() -> Iterator[World]:
    with Anvil(timestamp=JANUARY_2026.time) as anvil:
        yield world_of(JANUARY_2026, Chain(anvil))


@pytest.fixture
def world(fresh: World) -> Iterator[World]:
    before = fresh.chain.snapshot()
    yield fresh
    fresh.chain.revert_to(before)


@pytest.fixture
def known(world: World) -> World:
    world.chain.send(world.verify(witnesses=4))
    return world


def expect_refusal(world: World, call: Any, name: str) -> Reverted:
    with pytest.raises(Reverted) as refusal:
        world.chain.call(call)
    assert refusal.value.name == name, refusal.value
    return refusal.value


# --- acceptance -----------------------------------------------------------------------------------


def test_awss_root_is_no_development_root(world: World) -> None:
    functions = world.verifier.functions
    assert world.chain.call(functions.developmentRoot()) is False
    assert world.chain.call(functions.rootId()) == nitro.certificate_id(world.certificates[0])


def test_document_is_accepted_cold_and_then_warm(world: World) -> None:
    for call in (world.verify(witnesses=4), world.verify()):
        tee, workload, platform, head, tail, judgement = world.chain.call(call)
        assert tee == 3
        assert workload == nitro.workload(world.document)
        assert platform == world.leaf
        assert head + tail == nitro.fields_of(world.document)["user_data"].ljust(64, b"\0")
        assert judgement == (UP_TO_DATE, bytes(32), nitro.instance(world.document), bytes(16))
        receipt = world.chain.send(call)
        print(receipt["gasUsed"])
    assert world.chain.call(world.verifier.functions.judgePlatform(platform)) == judgement


def test_every_certificate_is_remembered_with_its_parent(known: World) -> None:
    parent = bytes(20)
    for number, certificate in enumerate(known.certificates):
        identifier = nitro.certificate_id(certificate)
        record = known.chain.call(known.verifier.functions.certificate(identifier))
        assert record[0] == parent
        assert record[2:] == (number < 4, (4, 2, 1, 0, 0)[number], False)
        parent = identifier


def test_more_witnesses_than_needed_do_no_harm(known: World) -> None:
    for count in range(5):
        known.chain.call(known.verify(witnesses=count))


def test_document_of_2024_with_a_public_key_is_accepted() -> None:
    with Anvil(timestamp=FEBRUARY_2024.time) as anvil:
        world = world_of(FEBRUARY_2024, Chain(anvil))
        answer = world.chain.call(world.verify(witnesses=4))
        assert answer[1] == nitro.workload(world.document)
        assert answer[3] + answer[4] == nitro.fields_of(world.document)["user_data"].ljust(
            64, b"\0"
        )


def test_genuine_document_of_an_enclave_in_debug_mode_is_refused() -> None:
    with Anvil(timestamp=DEBUG_2022.time) as anvil:
        world = world_of(DEBUG_2022, Chain(anvil))
        refusal = expect_refusal(world, world.verify(witnesses=4), "DebugEnclave")
    assert refusal.arguments == (bytes(8),)


# --- the chain ------------------------------------------------------------------------------------


def test_new_certificate_without_a_witness_is_refused(world: World) -> None:
    for count in range(4):
        refusal = expect_refusal(world, world.verify(witnesses=count), "CertificateUnknown")
        first = nitro.certificate_id(world.certificates[1])
        assert refusal.arguments == (first,)


def test_witness_for_the_root_is_refused(world: World) -> None:
    evidence = nitro.evidence(world.document, world.witness, [b"", *world.witnesses])
    expect_refusal(world, world.verifier.functions.verify(evidence), "TooManyWitnesses")


def test_chain_under_another_root_is_refused(world: World) -> None:
    other = FEBRUARY_2024.document
    fields = nitro.fields_of(other)
    fields["cabundle"] = fields["cabundle"][1:]
    document = nitro.with_payload(other, nitro.encode(fields))
    refusal = expect_refusal(world, world.verify(document), "CertificateUnknown")
    assert refusal.arguments == (nitro.certificate_id(fields["cabundle"][0]),)


def test_expired_ancestor_is_refused(world: World) -> None:
    # The instance's certificate ends when the leaf would still have to be verified.
    world.chain.warp(JANUARY_2026.time + 5 * nitro.DAY)
    refusal = expect_refusal(world, world.verify(witnesses=4), "CertificateExpired")
    assert refusal.args_by_name["notAfter"] < JANUARY_2026.time + 5 * nitro.DAY


def test_remembered_certificate_does_not_count_after_its_end(known: World) -> None:
    functions = known.verifier.functions
    last = known.chain.call(functions.certificate(known.leaf))[1]
    known.chain.warp(last)
    known.chain.call(known.verify())
    known.chain.warp(last + 1)
    for count in (0, 4):
        refusal = expect_refusal(known, known.verify(witnesses=count), "CertificateExpired")
        assert refusal.arguments == (last, last + 1)
    known.chain.call(functions.judgePlatform(known.leaf))
    known.chain.warp(last + GRACE)
    known.chain.call(functions.judgePlatform(known.leaf))
    known.chain.warp(last + GRACE + 1)
    expect_refusal(known, functions.judgePlatform(known.leaf), "CertificateExpired")


def test_chain_that_is_not_valid_yet_is_refused() -> None:
    # Between the beginnings of the zonal and the instance's certificates.
    with Anvil(timestamp=JANUARY_2026.time - 12 * 3600) as anvil:
        world = world_of(JANUARY_2026, Chain(anvil))
        expect_refusal(world, world.verify(witnesses=4), "CertificateNotYetValid")


def test_leaf_as_ca_and_ca_as_leaf_are_refused(known: World) -> None:
    fields = nitro.fields_of(known.document)
    ca_as_leaf = fields | {"certificate": fields["cabundle"][-1]}
    document = nitro.with_payload(known.document, nitro.encode(ca_as_leaf))
    expect_refusal(known, known.verify(document), "CertificateRoleMismatch")
    # A stranger's certificate under a genuine leaf: its issuer's name is right when forged so.
    leaf_as_ca = fields | {"cabundle": [*fields["cabundle"], fields["certificate"]]}
    leaf_as_ca["certificate"] = nitro.chain_of(FEBRUARY_2024.document)[-1]
    document = nitro.with_payload(known.document, nitro.encode(leaf_as_ca))
    expect_refusal(known, known.verify(document, witnesses=1), "IssuerMismatch")


def test_platform_that_was_never_verified_is_unknown(known: World) -> None:
    functions = known.verifier.functions
    ca = nitro.certificate_id(known.certificates[-2])
    for handle in (bytes(20), b"\x01" * 20, ca):
        expect_refusal(known, functions.judgePlatform(handle), "PlatformUnknown")


# --- the document ---------------------------------------------------------------------------------


def test_document_with_another_cose_head_or_signature_length_is_refused(known: World) -> None:
    whole = known.document
    for document in (
        b"\xd2" + whole,  # the tag of COSE_Sign1
        b"\x83" + whole[1:],
        whole[:4] + b"\x26" + whole[5:],  # ES256
        whole[:6] + b"\xa1" + whole[7:],
        whole[:-98] + b"\x58\x5f" + whole[-95:],
        whole[:50],
        whole + b"\x00",
        whole[:-1],
    ):
        expect_refusal(known, known.verify(document), "CoseUnsupported")


BAD_FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("unknown field", {"extra": 1}, "DocumentFieldUnknown"),
    ("missing digest", {"digest": ...}, "DocumentFieldsMissing"),
    ("missing chain", {"cabundle": ...}, "DocumentFieldsMissing"),
    ("missing leaf", {"certificate": ...}, "DocumentFieldsMissing"),
    ("missing user data", {"user_data": ...}, "UserDataMissing"),
    ("null user data", {"user_data": None}, "UserDataMissing"),
    ("user data of 65 bytes", {"user_data": bytes(65)}, "UserDataTooLong"),
    ("empty chain", {"cabundle": []}, "DocumentFieldLength"),
    ("chain of six CAs", {"cabundle": [b"\0"] * 6}, "DocumentFieldLength"),
    ("empty certificate", {"certificate": b""}, "DocumentFieldLength"),
    ("long certificate", {"certificate": bytes(1025)}, "DocumentFieldLength"),
    ("null certificate", {"certificate": None}, "CborTypeMismatch"),
    ("other digest", {"digest": "SHA512"}, "DigestUnsupported"),
    ("short digest", {"digest": "SHA38"}, "DigestUnsupported"),
    ("long nonce", {"nonce": bytes(513)}, "DocumentFieldLength"),
    ("empty public key", {"public_key": b""}, "DocumentFieldLength"),
    ("text as nonce", {"nonce": "text"}, "CborTypeMismatch"),
    ("number as module", {"module_id": 7}, "CborTypeMismatch"),
    ("undefined instead of null", {"nonce": nitro.Raw(b"\xf7")}, "CborTypeMismatch"),
    (
        "indefinite user data",
        {"user_data": nitro.Raw(b"\x5f\x41a\xff")},
        "CborHeadInvalid",
    ),
    ("indefinite chain", {"cabundle": nitro.Raw(b"\x9f\x41a\xff")}, "CborHeadInvalid"),
    ("indefinite PCRs", {"pcrs": nitro.Raw(b"\xbf\x00\x41a\xff")}, "CborHeadInvalid"),
    ("long form of a length", {"nonce": nitro.Raw(b"\x58\x01a")}, "CborNotMinimal"),
    (
        "long form of a time",
        {"timestamp": nitro.Raw(b"\x1b" + bytes(7) + b"\x01")},
        "CborNotMinimal",
    ),
    ("length beyond the end", {"nonce": nitro.Raw(b"\x5b" + b"\xff" * 8)}, "CborTruncated"),
    ("reserved head", {"nonce": nitro.Raw(b"\x5c")}, "CborHeadInvalid"),
]


@pytest.mark.parametrize(
    ("change", "reason"), [(c, r) for _, c, r in BAD_FIELDS], ids=[n for n, _, _ in BAD_FIELDS]
)
def test_document_with_a_bad_field_is_refused(
    known: World, change: dict[str, Any], reason: str
) -> None:
    fields = nitro.fields_of(known.document) | change
    fields = {name: value for name, value in fields.items() if value is not ...}
    document = nitro.with_payload(known.document, nitro.encode(fields))
    expect_refusal(known, known.verify(document), reason)


def test_duplicate_field_is_refused_wherever_it_stands(known: World) -> None:
    fields = nitro.fields_of(known.document)
    pairs = [nitro.encode(name) + nitro.encode(value) for name, value in fields.items()]
    for name, value in fields.items():
        again = nitro.encode(name) + nitro.encode(value)
        for parts in ([again, *pairs], [*pairs, again]):
            for payload in (
                nitro.head(5, len(parts)) + b"".join(parts),
                b"\xbf" + b"".join(parts) + b"\xff",
            ):
                document = nitro.with_payload(known.document, payload)
                expect_refusal(known, known.verify(document), "DocumentFieldDuplicate")


def test_bytes_behind_the_map_are_refused(known: World) -> None:
    payload = nitro.payload_of(known.document)
    for changed in (payload + b"\x00", payload + b"\xff"):
        document = nitro.with_payload(known.document, changed)
        expect_refusal(known, known.verify(document), "CborTrailingBytes")
    expect_refusal(
        known, known.verify(nitro.with_payload(known.document, payload[:-1])), "CborTruncated"
    )


def pcr_bank(changes: dict[int, Any], order: list[int] | None = None) -> nitro.Raw:
    bank: dict[int, Any] = {index: bytes([index + 1]) * 48 for index in range(16)} | changes
    kept = [index for index in (order or list(bank)) if bank[index] is not ...]
    items = b"".join(nitro.encode(index) + nitro.encode(bank[index]) for index in kept)
    return nitro.Raw(nitro.head(5, len(kept)) + items)


@pytest.mark.parametrize(
    ("bank", "reason"),
    [
        (pcr_bank({5: ...}), "PcrUnexpected"),
        (pcr_bank({5: ..., 16: bytes(48)}), "PcrUnexpected"),
        (pcr_bank({}, [1, 0, *range(2, 16)]), "PcrUnexpected"),
        (pcr_bank({}, [*range(16), 15]), "PcrUnexpected"),
        (pcr_bank({17: bytes(48), 16: bytes(48)}), "PcrUnexpected"),
        (pcr_bank({32: bytes(48)}), "PcrUnexpected"),
        (pcr_bank({3: bytes(47)}), "PcrLength"),
        (pcr_bank({3: bytes(32)}), "PcrLength"),
        (pcr_bank({15: bytes(64)}), "PcrLength"),
        (pcr_bank({0: bytes(48)}), "DebugEnclave"),
        (pcr_bank({1: bytes(48)}), "DebugEnclave"),
        (pcr_bank({2: bytes(48)}), "DebugEnclave"),
    ],
)
def test_sparse_unordered_short_and_zero_pcrs_are_refused(
    known: World, bank: nitro.Raw, reason: str
) -> None:
    fields = nitro.fields_of(known.document) | {"pcrs": bank}
    document = nitro.with_payload(known.document, nitro.encode(fields))
    expect_refusal(known, known.verify(document), reason)


def test_well_formed_document_of_other_content_fails_at_its_signature(known: World) -> None:
    fields = nitro.fields_of(known.document)
    changes: list[dict[str, Any]] = [
        {"user_data": bytes(64)},
        {"pcrs": pcr_bank({16: bytes(48), 31: bytes(48)})},
        {"nonce": bytes(512), "public_key": bytes(1024)},
        {"timestamp": fields["timestamp"] + 1},
    ]
    for change in changes:
        document = nitro.with_payload(known.document, nitro.encode(fields | change))
        with pytest.raises(Reverted) as refusal:
            known.chain.call(known.verify(document))
        assert refusal.value.name in {"ScalarsWrong", "SumNotZero"}


def test_time_outside_of_the_leafs_validity_is_refused(known: World) -> None:
    fields = nitro.fields_of(known.document)
    for timestamp in (
        fields["timestamp"] // 1000,  # seconds
        fields["timestamp"] - 4 * 3600 * 1000,
        fields["timestamp"] + 3600 * 1000,
        2**64 - 1,
        0,
    ):
        changed = nitro.encode(fields | {"timestamp": timestamp})
        document = nitro.with_payload(known.document, changed)
        expect_refusal(known, known.verify(document), "TimestampOutOfRange")


def test_module_that_is_not_the_leafs_is_refused(known: World) -> None:
    fields = nitro.fields_of(known.document)
    module = fields["module_id"]
    for other in ("i-1", module[:-1], module + "0", module + ".us-east-1.aws", "x" + module[1:]):
        document = nitro.with_payload(known.document, nitro.encode(fields | {"module_id": other}))
        expect_refusal(known, known.verify(document), "ModuleMismatch")


# --- tampering ------------------------------------------------------------------------------------


def refused(outcome: bytes | Reverted) -> bool:
    return isinstance(outcome, Reverted) and outcome.name != ""


def flipped(data: bytes, position: int, rng: random.Random) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1 << rng.randrange(8)
    return bytes(changed)


def test_no_tampered_document_is_accepted(known: World) -> None:
    rng = random.Random(384)
    positions = sorted(rng.sample(range(len(known.document)), 60))
    documents = (flipped(known.document, position, rng) for position in positions)
    results = list(outcomes(known.chain, (known.verify(d) for d in documents)))
    assert len(results) == 60
    assert all(refused(outcome) for outcome in results)


def test_no_tampered_witness_is_accepted(known: World) -> None:
    rng = random.Random(385)
    positions = sorted(rng.sample(range(len(known.witness)), 30))
    calls = (known.verify(witness=flipped(known.witness, p, rng)) for p in positions)
    results = list(outcomes(known.chain, calls))
    assert len(results) == 30
    assert all(refused(outcome) for outcome in results)


def test_tampered_certificate_is_refused_for_its_own_sake(world: World) -> None:
    # The document's signature would fail too: so the certificate alone is brought.
    rng = random.Random(386)
    fields = nitro.fields_of(world.document)
    calls = []
    for _ in range(40):
        certificates = nitro.chain_of(world.document)
        number = rng.randrange(1, 5)
        certificates[number] = flipped(
            certificates[number], rng.randrange(len(certificates[number])), rng
        )
        changed = fields | {"cabundle": certificates[:-1], "certificate": certificates[-1]}
        document = nitro.with_payload(world.document, nitro.encode(changed))
        calls.append(world.verify(document, witnesses=4))
    results = list(outcomes(world.chain, calls))
    assert len(results) == 40
    assert all(refused(outcome) for outcome in results)


@pytest.mark.proof
def test_no_byte_of_the_document_can_be_changed(known: World) -> None:
    rng = random.Random(387)
    documents = (flipped(known.document, p, rng) for p in range(len(known.document)))
    results = list(outcomes(known.chain, (known.verify(d) for d in documents)))
    assert len(results) == len(known.document)
    assert all(refused(outcome) for outcome in results)


def test_evidence_that_ends_early_or_late_is_refused(known: World) -> None:
    whole = nitro.evidence(known.document, known.witness, known.witnesses[-1:])
    for length in (0, 2, 3, 4484, 4485, 4486, 20_000, len(whole) - 1):
        refusal = expect_refusal(
            known, known.verifier.functions.verify(whole[:length]), "EvidenceTooShort"
        )
        assert refusal.args_by_name["needed"] > length or length > 4484
    expect_refusal(known, known.verifier.functions.verify(whole + b"\0"), "EvidenceTooLong")
    expect_refusal(
        known, known.verifier.functions.verify(b"\x01" + whole[1:]), "EvidenceFormUnsupported"
    )


# --- cost -----------------------------------------------------------------------------------------


def test_most_expensive_witness_is_bounded(known: World) -> None:
    # The longest program that P384 takes, of a witness that is right up to its last check.
    signed = nitro.digest(nitro.SIGNED_HEAD + known.document[7:-98])
    r, s = (int.from_bytes(part, "big") for part in (known.document[-96:-48], known.document[-48:]))
    key = nitro.point(known.certificates[-1])
    forged = write(0, _nonce_point(signed, r, s, key), key, (0, 0), longest_program())
    call = known.verify(witness=forged)
    expect_refusal(known, call, "SumNotZero")
    sent = call.transact({"from": known.chain.accounts[0], "gas": 4_000_000})
    receipt = known.chain.web3.eth.wait_for_transaction_receipt(sent)
    print(receipt["gasUsed"])
    assert receipt["status"] == 0
    assert receipt["gasUsed"] < 2_100_000


def test_whole_transactions_keep_their_bars(world: World) -> None:
    assert world.chain.send(world.verify(witnesses=4))["gasUsed"] <= 6_500_000
    assert world.chain.send(world.verify())["gasUsed"] <= 2_100_000
