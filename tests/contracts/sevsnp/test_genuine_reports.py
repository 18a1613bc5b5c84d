"""SevSnpVerifier on AMD's own certificates and on reports that real processors made."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contracts.crypto.p384_forgery import write
from tests.contracts.crypto.p384_support import outcomes
from tests.contracts.crypto.test_p384 import longest_program
from tests.contracts.sevsnp import snp_support as snp
from tests.support.chain import Anvil, Chain, Reverted
from tests.support.fixtures import attestation_fixture
from xmtp_tee.attestation.p384.witness import _nonce_point

UP_TO_DATE, OUT_OF_DATE = 1, 5


@dataclass
class World:
    chain: Chain
    verifier: Any
    keeper: str
    report: bytes
    certificate: bytes
    proof: bytes

    def cold(self, report: bytes | None = None, certificate: bytes | None = None) -> Any:
        return self.verifier.functions.verify(
            snp.cold_evidence(
                report or self.report, certificate or self.certificate, self.proof, vlek=True
            )
        )

    def warm(self, report: bytes | None = None) -> Any:
        return self.verifier.functions.verify(
            snp.warm_evidence(report or self.report, self.certificate, self.proof)
        )


@pytest.fixture(scope="module")
def fresh() -> Iterator[World]:
    report = attestation_fixture("snp/coco_test-vlek-report.bin").read_bytes()
    certificate = attestation_fixture("snp/coco_test-vlek.der").read_bytes()
    chains = {product: snp.amd_chain(product) for product in snp.PRODUCTS}
    with Anvil(timestamp=snp.VLEK_TIME) as anvil:
        chain = Chain(anvil)
        keeper = chain.accounts[3]
        roots = [snp.root(p, snp.MILAN_FLOOR, chains[p]) for p in chains]
        verifier = snp.deploy(chain, roots, keeper)
        for product, certificates in chains.items():
            snp.submit(chain, verifier, product, certificates)
        yield World(chain, verifier, keeper, report, certificate, snp.witness(report, certificate))


@pytest.fixture
def world(fresh: World) -> Iterator[World]:
    before = fresh.chain.snapshot()
    yield fresh
    fresh.chain.revert_to(before)


@pytest.fixture
def known(world: World) -> World:
    world.chain.send(world.cold())
    return world


def test_amds_roots_are_no_development_roots(world: World) -> None:
    assert world.chain.call(world.verifier.functions.developmentRoot()) is False


def test_every_ask_and_asvk_of_amd_is_accepted(world: World) -> None:
    for product in snp.PRODUCTS:
        for vlek in (False, True):
            modulus, not_after, revoked, subject, serial = world.chain.call(
                world.verifier.functions.signerOf(product, vlek)
            )
            assert int(modulus, 16) != 0
            assert not_after > 2_000_000_000
            assert any(subject)
            assert (revoked, serial > 0) == (False, True)


def test_vlek_report_is_accepted_with_its_certificate_and_then_without(world: World) -> None:
    for call in (world.cold(), world.warm()):
        tee, workload, platform, head, tail, judgement = world.chain.call(call)
        assert tee == 4
        assert workload == snp.workload(world.report)
        assert platform == snp.handle(world.report, world.certificate)
        assert head + tail == world.report[0x50:0x90]
        assert judgement == (UP_TO_DATE, bytes(32), bytes(16), b"Milan".ljust(16, b"\0"))
        receipt = world.chain.send(call)
        print(receipt["gasUsed"])
    recorded = world.chain.call(world.verifier.functions.platform(platform))
    assert recorded == (snp.MILAN, True, snp.MILAN_FLOOR, bytes(16), 1_765_404_861)
    assert world.chain.call(world.verifier.functions.judgePlatform(platform)) == judgement


def test_unknown_platform_needs_its_certificate(world: World) -> None:
    with pytest.raises(Reverted) as refusal:
        world.chain.send(world.warm())
    assert refusal.value.name == "PlatformUnknown"
    assert refusal.value.arguments == (snp.handle(world.report, world.certificate),)


def test_report_of_a_guest_that_may_be_debugged_is_refused(world: World) -> None:
    report = attestation_fixture("snp/google_attestation.bin").read_bytes()
    vcek = attestation_fixture("snp/google_vcek.testcer").read_bytes()
    proof = snp.witness(report, vcek)  # the signature is genuine
    with pytest.raises(Reverted) as refusal:
        world.chain.send(
            world.verifier.functions.verify(snp.cold_evidence(report, vcek, proof, vlek=False))
        )
    assert refusal.value.name == "DebugEnclave"
    assert refusal.value.arguments == (report[8:16],)


def test_expired_certificate_is_refused_cold_warm_and_at_a_judgement(known: World) -> None:
    chain, verifier = known.chain, known.verifier
    platform = snp.handle(known.report, known.certificate)
    last = chain.call(verifier.functions.platform(platform))[4]
    chain.warp(last)
    chain.call(verifier.functions.judgePlatform(platform))
    chain.call(known.warm())
    chain.warp(last + 1)
    for call in (verifier.functions.judgePlatform(platform), known.warm(), known.cold()):
        with pytest.raises(Reverted) as refusal:
            chain.call(call)
        assert refusal.value.name == "CertificateExpired"
        assert refusal.value.arguments == (last, last + 1)


def test_certificate_from_the_future_is_refused() -> None:
    certificates = snp.amd_chain(snp.MILAN)
    report = attestation_fixture("snp/coco_test-vlek-report.bin").read_bytes()
    certificate = attestation_fixture("snp/coco_test-vlek.der").read_bytes()
    with Anvil(timestamp=1_733_000_000) as anvil:
        chain = Chain(anvil)
        roots = [snp.root(snp.MILAN, 1, certificates)]
        verifier = snp.deploy(chain, roots)
        chain.send(verifier.functions.submitSigner(snp.MILAN, certificates.ark, certificates.asvk))
        with pytest.raises(Reverted) as refusal:
            chain.send(
                verifier.functions.verify(snp.cold_evidence(report, certificate, b"", vlek=True))
            )
    assert refusal.value.name == "CertificateNotYetValid"


def test_certificate_under_another_signer_is_refused(world: World) -> None:
    for product, vlek, reason in (
        (snp.MILAN, False, {"EndorsementExtensionsWrong"}),
        (snp.GENOA, True, {"ProductNameMismatch"}),
        (snp.TURIN, True, {"ProductNameMismatch"}),
    ):
        evidence = snp.cold_evidence(
            world.report, world.certificate, world.proof, product=product, vlek=vlek
        )
        with pytest.raises(Reverted) as refusal:
            world.chain.call(world.verifier.functions.verify(evidence))
        assert refusal.value.name in reason


# --- floors ---------------------------------------------------------------------------------------


def test_raised_floor_puts_the_platform_out_of_date_with_its_tcb_named(known: World) -> None:
    chain, functions = known.chain, known.verifier.functions
    raised = snp.MILAN_FLOOR + (1 << 56)
    receipt = chain.send(functions.raiseFloor(snp.MILAN, raised), sender=known.keeper)
    assert len(receipt["logs"]) == 1
    expected = (OUT_OF_DATE, bytes(23) + bytes([snp.MILAN]) + snp.MILAN_FLOOR.to_bytes(8, "big"))
    platform = snp.handle(known.report, known.certificate)
    assert chain.call(functions.judgePlatform(platform))[:2] == expected
    assert chain.call(known.warm())[5][:2] == expected
    assert chain.call(functions.floorOf(snp.MILAN)) == raised
    assert chain.call(functions.floorOf(snp.GENOA)) == snp.MILAN_FLOOR


def test_every_component_of_the_floor_counts(known: World) -> None:
    chain, functions = known.chain, known.verifier.functions
    platform = snp.handle(known.report, known.certificate)
    for component in range(8):
        before = chain.snapshot()
        raised = snp.MILAN_FLOOR + (1 << 8 * component)
        chain.send(functions.raiseFloor(snp.MILAN, raised), sender=known.keeper)
        assert chain.call(functions.judgePlatform(platform))[0] == OUT_OF_DATE
        chain.revert_to(before)


def test_floor_never_falls_nor_stays(world: World) -> None:
    lower_and_higher = snp.MILAN_FLOOR - 1 + (1 << 56)
    for floor in (snp.MILAN_FLOOR, snp.MILAN_FLOOR - 1, lower_and_higher, 0):
        with pytest.raises(Reverted) as refusal:
            world.chain.send(
                world.verifier.functions.raiseFloor(snp.MILAN, floor), sender=world.keeper
            )
        assert refusal.value.name == "FloorNotRaised"


def test_only_the_keeper_raises_a_floor(world: World) -> None:
    stranger = world.chain.accounts[5]
    with pytest.raises(Reverted) as refusal:
        world.chain.send(world.verifier.functions.raiseFloor(snp.MILAN, 2**64 - 1), sender=stranger)
    assert refusal.value.name == "NotFloorKeeper"
    assert refusal.value.arguments == (stranger.lower(), world.keeper.lower())


# --- tampering ------------------------------------------------------------------------------------


def refused(outcome: bytes | Reverted) -> bool:
    return isinstance(outcome, Reverted) and outcome.name != ""


def tampered(data: bytes, positions: list[int], rng: random.Random) -> list[bytes]:
    return [
        data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :] for at in positions
    ]


def sample(length: int, count: int, rng: random.Random) -> list[int]:
    return sorted(rng.sample(range(length), count))


def test_no_tampered_report_is_accepted(known: World) -> None:
    rng = random.Random(0x2A0)
    reports = tampered(known.report, sample(snp.REPORT, 60, rng), rng)
    results = list(outcomes(known.chain, (known.warm(report) for report in reports)))
    assert len(results) == 60
    assert all(refused(outcome) for outcome in results)


def test_no_tampered_certificate_is_accepted(world: World) -> None:
    rng = random.Random(57230)
    length = len(world.certificate)
    certificates = tampered(world.certificate, sample(length, 40, rng), rng)
    results = list(outcomes(world.chain, (world.cold(certificate=c) for c in certificates)))
    assert len(results) == 40
    assert all(refused(outcome) for outcome in results)


@pytest.mark.proof
def test_no_byte_of_the_report_can_be_changed(known: World) -> None:
    rng = random.Random(1)
    reports = tampered(known.report, list(range(snp.REPORT)), rng)
    results = list(outcomes(known.chain, (known.warm(report) for report in reports)))
    assert all(refused(outcome) for outcome in results)


@pytest.mark.proof
def test_no_byte_of_the_certificate_can_be_changed(world: World) -> None:
    rng = random.Random(2)
    certificates = tampered(world.certificate, list(range(len(world.certificate))), rng)
    results = list(outcomes(world.chain, (world.cold(certificate=c) for c in certificates)))
    assert all(refused(outcome) for outcome in results)


def test_zero_padding_behind_the_signature_is_checked_to_the_last_byte(known: World) -> None:
    positions = [0x2A0 + 48, 0x2A0 + 71, 0x2E8 + 48, 0x2E8 + 71, 0x330, 0x47F, 0x480, 0x49F]
    for at in positions:
        report = known.report[:at] + b"\x01" + known.report[at + 1 :]
        with pytest.raises(Reverted) as refusal:
            known.chain.call(known.warm(report))
        assert refusal.value.name == "SignatureNotPadded", hex(at)


def test_evidence_that_ends_early_is_refused(known: World) -> None:
    cold = snp.cold_evidence(known.report, known.certificate, b"", vlek=True)
    warm = snp.warm_evidence(known.report, known.certificate, b"")
    for whole in (cold, warm):
        for length in (0, 1, 3, 4, 97, 98, len(whole) - 1):
            with pytest.raises(Reverted) as refusal:
                known.chain.call(known.verifier.functions.verify(whole[:length]))
            assert refusal.value.name in {"EvidenceTooShort", "DerTruncated", "PlatformUnknown"}
    for at, reason in ((0, "EvidenceFormUnsupported"), (1, "SignerUnknown")):
        for whole in (cold, warm):
            broken = whole[:at] + b"\x09" + whole[at + 1 :]
            with pytest.raises(Reverted) as refusal:
                known.chain.call(known.verifier.functions.verify(broken))
            assert refusal.value.name == reason


# --- cost -----------------------------------------------------------------------------------------


def test_whole_transactions_keep_their_bars(world: World) -> None:
    assert world.chain.send(world.cold())["gasUsed"] <= 1_900_000
    assert world.chain.send(world.warm())["gasUsed"] <= 1_150_000


def test_most_expensive_witness_is_bounded(known: World) -> None:
    # The longest program that P384 takes, of a witness that is right up to its last check.
    key = snp.point(known.certificate)
    nonce = _nonce_point(*snp.report_signature(known.report), key)
    forged = write(0, nonce, key, (0, 0), longest_program())
    evidence = snp.warm_evidence(known.report, known.certificate, forged)
    call = known.verifier.functions.verify(evidence)
    with pytest.raises(Reverted) as refusal:
        known.chain.call(call)
    assert refusal.value.name == "SumNotZero"
    sent = call.transact({"from": known.chain.accounts[0], "gas": 4_000_000})
    receipt = known.chain.web3.eth.wait_for_transaction_receipt(sent)
    print(receipt["gasUsed"])
    assert receipt["status"] == 0
    assert receipt["gasUsed"] < 1_150_000
