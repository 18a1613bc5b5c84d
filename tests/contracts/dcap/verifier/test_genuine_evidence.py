"""Genuine hardware evidence under Intel's pinned root, at its time; every tampered byte is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from web3.contract import Contract

from tests.support.chain import Anvil, Chain, Reverted
from tests.support.dcap import (
    collateral_from_pieces,
    intel_root,
    phala_collateral,
    submit_all,
)
from tests.support.fixtures import attestation_fixture
from xmtp_tee.attestation.dcap.compact import compact_quote
from xmtp_tee.attestation.dcap.evidence import (
    known_platform_evidence,
    new_platform_evidence,
    quote_pck_leaf,
)
from xmtp_tee.attestation.dcap.pck import parse_pck_certificate
from xmtp_tee.attestation.dcap.submissions import plan_submissions
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.attestation.quote import parse_quote
from xmtp_tee.attestation.workload import workload_id

PHALA_TIME = 1_750_500_000
AUTOMATA_TIME = 1_749_095_100
FLASHTESTATIONS = (
    "0x12c14e56d585Dcf3B36f37476c00E78bA9363742",
    "0x46f6b3ACF1dD8Ac0085e30192741336c4aF6EdAF",
)
FLIPPED = {
    "mrseam": "QuoteSignatureInvalid",
    "reportdata": "QuoteSignatureInvalid",
    "qe_report": "QeReportSignatureInvalid",
}


@dataclass
class Deployment:
    chain: Chain
    verifier: Contract
    gas: dict[str, int]

    def verify(self, evidence: bytes) -> tuple[int, int, bytes, bytes, bytes, bytes]:
        """Verify without storing: (tee, status, workload, platform, head, tail)."""
        report: tuple[int, int, bytes, bytes, bytes, bytes] = self.chain.call(
            self.verifier.functions.verify(evidence)
        )
        return report

    def send(self, evidence: bytes) -> int:
        """Verify in a transaction; return its gas."""
        return self.chain.send(self.verifier.functions.verify(evidence))["gasUsed"]

    def refusal(self, evidence: bytes) -> str:
        with pytest.raises(Reverted) as refused:
            self.verify(evidence)
        return refused.value.name

    def status(self, platform: bytes) -> int:
        found: int = self.chain.call(self.verifier.functions.platformStatus(platform))
        return found


def read(name: str) -> bytes:
    return attestation_fixture(f"tdx/{name}").read_bytes()


def new(quote: bytes) -> bytes:
    """Evidence for DcapVerifier itself: without the router's first byte."""
    return new_platform_evidence(quote)[1:]


def known(quote: bytes) -> bytes:
    return known_platform_evidence(quote)[1:]


def deploy(chain: Chain) -> Contract:
    chain.know("IDcapVerifier", "CollateralReader", "CertificateReader")
    return chain.deploy("DcapVerifier", intel_root(), 0)


@pytest.fixture(scope="module")
def phala() -> Iterator[Deployment]:
    with Anvil(timestamp=PHALA_TIME) as anvil:
        chain = Chain(anvil)
        verifier = deploy(chain)
        gas = submit_all(chain, verifier, phala_collateral())
        yield Deployment(chain, verifier, gas)


@pytest.fixture(scope="module")
def automata() -> Iterator[Deployment]:
    with Anvil(timestamp=AUTOMATA_TIME) as anvil:
        chain = Chain(anvil)
        verifier = deploy(chain)
        collateral = collateral_from_pieces(
            "2025-06/tcbinfov3_00806f050000.json", "2025-06/qe_td.json", "2025-06/platform_crl.der"
        )
        gas = submit_all(chain, verifier, collateral)
        yield Deployment(chain, verifier, gas)


@pytest.fixture(autouse=True)
def _undone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Undo what a test did to the chain it uses."""
    names = [name for name in ("phala", "automata") if name in request.fixturenames]
    chains = [request.getfixturevalue(name).chain for name in names]
    snapshots = [chain.snapshot() for chain in chains]
    yield
    for chain, snapshot in zip(chains, snapshots, strict=True):
        chain.revert_to(snapshot)


# --- accepted --------------------------------------------------------------------------------------


def test_the_deployment_pins_intels_root(phala: Deployment) -> None:
    assert phala.verifier.functions.developmentRoot().call() is False


def test_a_genuine_quote_is_up_to_date_at_its_time(phala: Deployment) -> None:
    quote = read("phala_tdx_quote.bin")
    tee, status, workload, platform, head, tail = phala.verify(new(quote))
    assert (tee, status) == (TeeKind.TDX, TcbStatus.UP_TO_DATE)
    assert workload == workload_id(parse_quote(quote))
    assert head + tail == quote[568:632]
    assert platform != bytes(32)


@pytest.mark.parametrize("address", FLASHTESTATIONS)
def test_other_tds_on_the_same_kind_of_platform_are_up_to_date(
    phala: Deployment, address: str
) -> None:
    report = phala.verify(new(read(f"flashtestations_{address}.bin")))
    assert report[1] == TcbStatus.UP_TO_DATE
    assert report[4][:20].hex() == address[2:].lower()


def test_an_outdated_platform_is_reported_as_such(automata: Deployment) -> None:
    report = automata.verify(new(read("automata_tdx_quote_v4.bin")))
    assert report[1] == TcbStatus.OUT_OF_DATE


def test_a_padded_quote_gives_the_same_evidence() -> None:
    padded = read("automata_tdx_quote_v4_padded8000.bin")
    assert compact_quote(padded) == compact_quote(read("automata_tdx_quote_v4.bin"))


def test_both_forms_of_evidence_give_the_same_report(phala: Deployment) -> None:
    quote = read("phala_tdx_quote.bin")
    first = phala.verify(new(quote))
    phala.send(new(quote))
    assert phala.verify(known(quote)) == first == phala.verify(new(quote))


def test_the_platform_is_recorded_once_and_judged_without_evidence(phala: Deployment) -> None:
    quote = read("phala_tdx_quote.bin")
    platform = phala.verify(new(quote))[3]
    with pytest.raises(Reverted) as refused:
        phala.status(platform)
    assert refused.value.name == "PlatformUnknown"

    phala.send(new(quote))
    assert phala.status(platform) == TcbStatus.UP_TO_DATE
    recorded = phala.verifier.functions.platform(platform).call()
    pck = parse_pck_certificate(quote_pck_leaf(quote))
    assert recorded[0] == pck.pck_id
    assert recorded[1] == quote[48:64]
    phala.send(known(quote))
    events = phala.verifier.events.PlatformRecorded().get_logs(from_block=0)
    assert [event["args"]["platform"] for event in events] == [platform]


def test_the_python_side_computes_the_pck_id_of_the_chain(phala: Deployment) -> None:
    leaf = quote_pck_leaf(read("phala_tdx_quote.bin"))
    submit = phala.verifier.functions.submitPckCertificate(leaf)
    assert phala.chain.call(submit) == parse_pck_certificate(leaf).pck_id


# --- refused: tampered -----------------------------------------------------------------------------


@pytest.mark.parametrize(("part", "error"), FLIPPED.items())
def test_a_quote_with_one_flipped_bit_is_refused(
    automata: Deployment, part: str, error: str
) -> None:
    name = f"negative/tdx_v4_flipped_{part}_bit.bin"
    quote = attestation_fixture(name).read_bytes()
    assert automata.refusal(new(quote)) == error


def test_every_byte_of_the_evidence_is_covered(phala: Deployment) -> None:
    """Compact evidence holds no byte that may change: nothing in it is unsigned or unused."""
    quote = read("phala_tdx_quote.bin")
    phala.send(new(quote))
    evidence = known(quote)
    assert len(evidence) == 97 + 1240
    changed = (
        evidence[:position] + bytes([evidence[position] ^ 1]) + evidence[position + 1 :]
        for position in range(len(evidence))
    )
    refusals: dict[str, list[int]] = {}
    accepted = []
    calls = (phala.verifier.functions.verify(tampered) for tampered in changed)
    for position, outcome in enumerate(phala.chain.outcomes(calls)):
        if isinstance(outcome, Reverted):
            refusals.setdefault(outcome.name, []).append(position)
        else:
            accepted.append(position)
    assert accepted == []
    start = 97
    assert refusals["PckUnknown"] == list(range(1, 33))
    assert refusals["PckKeyMismatch"] == list(range(33, 97))
    assert refusals["QuoteVersionUnsupported"] == [start, start + 1]
    assert refusals["AttestationKeyTypeUnsupported"] == [start + 2, start + 3]
    assert refusals["TeeTypeUnsupported"] == [start + i for i in range(4, 8)]
    assert refusals["QuoteHeaderReservedSet"] == [start + i for i in range(8, 12)]
    assert refusals["QeVendorUnknown"] == [start + i for i in range(12, 28)]
    assert refusals["SeamAttributesNotZero"] == [start + i for i in range(160, 168)]
    assert refusals["DebugEnclave"] == [start + 168]
    # One flipped bit of the attributes is a forbidden one everywhere but in their third byte (bit 16).
    forbidden = [169, *range(171, 176)]
    assert refusals["TdAttributesRefused"] == [start + i for i in forbidden]
    signed = [*range(28, 160), 170, *range(176, 696)]
    assert refusals["QuoteSignatureInvalid"] == [start + i for i in signed]
    assert refusals["QeReportSignatureInvalid"] == [
        start + i for i in (*range(760, 1080), *range(1144, 1208))
    ]
    bound = [*range(696, 760), *range(1080, 1112), *range(1208, 1240)]
    assert refusals["QeReportDataMismatch"] == [start + i for i in bound]
    assert refusals["QeReportDataTailNotZero"] == [start + i for i in range(1112, 1144)]
    # The form byte: 0 becomes 1, and the pckId is then no certificate's length and content.
    assert sum(map(len, refusals.values())) == len(evidence)


def test_a_changed_certificate_is_refused(phala: Deployment) -> None:
    evidence = new(read("phala_tdx_quote.bin"))
    leaf_end = 3 + int.from_bytes(evidence[1:3], "big")
    for position in [*range(3, leaf_end, 23), leaf_end - 1]:
        changed = bytearray(evidence)
        changed[position] ^= 1
        with pytest.raises(Reverted):
            phala.verify(bytes(changed))


@pytest.mark.parametrize("cut", [0, 1, 96, 97, 97 + 1207])
def test_truncated_evidence_is_refused(phala: Deployment, cut: int) -> None:
    evidence = known(read("phala_tdx_quote.bin"))
    assert phala.refusal(evidence[:cut]) == "EvidenceTooShort"


def test_trailing_bytes_are_refused(phala: Deployment) -> None:
    quote = read("phala_tdx_quote.bin")
    phala.send(new(quote))
    assert phala.refusal(known(quote) + b"\0") == "QeAuthDataSize"


def test_an_unknown_form_is_refused(phala: Deployment) -> None:
    evidence = known(read("phala_tdx_quote.bin"))
    assert phala.refusal(b"\x02" + evidence[1:]) == "EvidenceFormUnsupported"


def test_the_key_of_another_platform_is_refused(phala: Deployment) -> None:
    quote = read("phala_tdx_quote.bin")
    other = read(f"flashtestations_{FLASHTESTATIONS[0]}.bin")
    phala.send(new(quote))
    phala.send(new(other))
    mixed = known_platform_evidence(quote, parse_pck_certificate(quote_pck_leaf(other)))[1:]
    assert phala.refusal(mixed) == "QeReportSignatureInvalid"


@pytest.mark.parametrize("name", ["automata_tdx_quote_v5.bin", "phala_tdx_quote_outdated.bin"])
def test_a_quote_of_version_5_is_refused(phala: Deployment, name: str) -> None:
    evidence = known(read("phala_tdx_quote.bin"))
    phala.send(new(read("phala_tdx_quote.bin")))
    assert phala.refusal(evidence[:97] + read(name)[:1240]) == "QuoteVersionUnsupported"


# --- refused: what the platform lacks --------------------------------------------------------------


def test_a_platform_without_its_certificate_is_refused(phala: Deployment) -> None:
    assert phala.refusal(known(read("phala_tdx_quote.bin"))) == "PckUnknown"


def test_a_platform_of_another_family_is_refused(phala: Deployment) -> None:
    """Its certificate counts, but only TCB info of another FMSPC has been submitted."""
    assert phala.refusal(new(read("automata_tdx_quote_v4.bin"))) == "TcbInfoUnknown"


def test_nothing_counts_after_the_collateral_has_lapsed(phala: Deployment) -> None:
    """The first to lapse of this set is the PCK CA's revocation list."""
    quote = read("phala_tdx_quote.bin")
    phala.send(new(quote))
    platform = phala.verify(known(quote))[3]
    pck = parse_pck_certificate(quote_pck_leaf(quote))
    due = phala.verifier.functions.authority(pck.ca).call()[4]
    info = phala.verifier.functions.tcbInfo(TeeKind.TDX, pck.fmspc, pck.pceid).call()
    assert due < info[1]

    phala.chain.warp(to=due - 1)
    assert phala.status(platform) == TcbStatus.UP_TO_DATE
    phala.chain.warp(to=due)
    assert phala.refusal(known(quote)) == "CrlExpired"
    with pytest.raises(Reverted) as refused:
        phala.status(platform)
    assert refused.value.name == "CrlExpired"


def test_lapsed_collateral_is_refused_at_submission(phala: Deployment) -> None:
    phala.chain.warp(to=PHALA_TIME + 31 * 86_400)
    tcb_info = next(
        step for step in plan_submissions(phala_collateral()) if step.function == "submitTcbInfo"
    )
    with pytest.raises(Reverted) as refused:
        phala.chain.call(phala.verifier.functions.submitTcbInfo(*tcb_info.arguments))
    assert refused.value.name == "CollateralLapsed"


# --- gas -------------------------------------------------------------------------------------------


def test_gas_of_whole_transactions(phala: Deployment, automata: Deployment) -> None:
    """What the design is for; ceilings a little above what was measured."""
    quote = read("phala_tdx_quote.bin")
    phala.send(new(quote))
    assert phala.send(known(quote)) < 84_000
    assert phala.gas["TCB info"] < 250_000
    assert phala.gas["QE identity"] < 200_000
    assert automata.gas["TCB info"] < 300_000
