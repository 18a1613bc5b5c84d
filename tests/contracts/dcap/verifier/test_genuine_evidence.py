"""Genuine hardware evidence under Intel's pinned root, at its time; every tampered byte is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from web3.contract import Contract

from tests.support.chain import Anvil, Chain, Reverted
from tests.support.dcap import (
    PLATFORM_CA,
    Judgement,
    Report,
    collateral_from_pieces,
    forget_platform,
    intel_root,
    phala_collateral,
    submit_all,
)
from tests.support.fixtures import attestation_fixture
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.dcap.compact import compact_quote
from xmtp_tee.attestation.dcap.evidence import (
    known_platform_evidence,
    new_platform_evidence,
    platform_handle,
    quote_pck_leaf,
)
from xmtp_tee.attestation.dcap.pck import parse_pck_certificate
from xmtp_tee.attestation.dcap.submissions import plan_submissions
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.attestation.quote import parse_quote
from xmtp_tee.attestation.workload import workload_id
from xmtp_tee.hashing import keccak256

PHALA_TIME = 1_750_500_000
AUTOMATA_TIME = 1_749_095_100
ALIBABA_TIME = 1_750_000_000
SGX_TIME = 1_755_300_000
LISTS_TIME = 1_784_300_000
SGX_PLATFORM = "sgx/automata_sgx_quote_v3.bin"
SGX_PROCESSOR = "sgx/phala_sgx_quote.bin"
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

    def verify(self, evidence: bytes) -> Report:
        """Verify without storing."""
        return Report.of(self.chain.call(self.verifier.functions.verify(evidence)))

    def send(self, evidence: bytes) -> int:
        """Verify in a transaction; return its gas."""
        return self.chain.send(self.verifier.functions.verify(evidence))["gasUsed"]

    def refusal(self, evidence: bytes) -> str:
        with pytest.raises(Reverted) as refused:
            self.verify(evidence)
        return refused.value.name

    def judge(self, platform: bytes) -> Judgement:
        return Judgement.of(self.chain.call(self.verifier.functions.judgePlatform(platform)))


def read(name: str) -> bytes:
    return attestation_fixture(f"tdx/{name}").read_bytes()


def new(quote: bytes) -> bytes:
    """Evidence for DcapVerifier itself: without the router's first byte."""
    return new_platform_evidence(quote)[1:]


def sgx_collateral() -> Collateral:
    return collateral_from_pieces(
        "2025-08/sgx_tcbinfov3_00606a000000.json",
        "2025-08/sgx_qeidentity_v4.json",
        "2025-08/platform_crl.der",
    )


def listed(*advisories: int) -> bytes:
    """What a level's list contributes to the advisories of a judgement."""
    return keccak256(b"".join(number.to_bytes(2, "big") for number in advisories))[:8]


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


def _deployed(time: int, collateral: Collateral) -> Iterator[Deployment]:
    with Anvil(timestamp=time) as anvil:
        chain = Chain(anvil)
        verifier = deploy(chain)
        gas = submit_all(chain, verifier, collateral)
        yield Deployment(chain, verifier, gas)


@pytest.fixture(scope="module")
def alibaba() -> Iterator[Deployment]:
    """TDX 1.5."""
    yield from _deployed(
        ALIBABA_TIME,
        collateral_from_pieces(
            "2025-06/tcbinfov3_90C06F000000.json", "2025-06/qe_td.json", "2025-06/platform_crl.der"
        ),
    )


@pytest.fixture(scope="module")
def sgx() -> Iterator[Deployment]:
    """SGX, TCB info of version 3."""
    yield from _deployed(SGX_TIME, sgx_collateral())


@pytest.fixture(autouse=True)
def _undone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Undo what a test did to the chain it uses."""
    known_names = ("phala", "automata", "alibaba", "sgx")
    names = [name for name in known_names if name in request.fixturenames]
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
    report = phala.verify(new(quote))
    assert (report.tee, report.status) == (TeeKind.TDX, TcbStatus.UP_TO_DATE)
    assert report.workload == workload_id(parse_quote(quote))
    assert report.report_data == quote[568:632]
    assert report.platform == platform_handle(quote)
    pck = parse_pck_certificate(quote_pck_leaf(quote))
    assert report.judgement.advisories == bytes(32)
    assert report.judgement.instance == pck.ppid
    assert report.judgement.family == pck.fmspc + bytes(10)


@pytest.mark.parametrize("address", FLASHTESTATIONS)
def test_other_tds_on_the_same_kind_of_platform_are_up_to_date(
    phala: Deployment, address: str
) -> None:
    report = phala.verify(new(read(f"flashtestations_{address}.bin")))
    assert report.status == TcbStatus.UP_TO_DATE
    assert report.report_data[:20].hex() == address[2:].lower()


def test_an_outdated_platform_is_reported_as_such(automata: Deployment) -> None:
    report = automata.verify(new(read("automata_tdx_quote_v4.bin")))
    assert report.status == TcbStatus.OUT_OF_DATE


def test_tdx_v5_with_a_report_of_tdx_15_is_up_to_date(alibaba: Deployment) -> None:
    quote = read("automata_alibaba_quote_v5.bin")
    report = alibaba.verify(new(quote))
    assert (report.tee, report.status) == (TeeKind.TDX, TcbStatus.UP_TO_DATE)
    assert report.workload == workload_id(parse_quote(quote))
    body = quote[54:702]
    tag = keccak256(b"xmtp-tee/workload/tdx-1.5/v1")
    assert report.workload == keccak256(tag + body[120:520] + body[600:648])
    assert report.report_data == body[520:584]
    assert report.platform == platform_handle(quote)


def test_sgx_v3_of_a_platform_ca_needs_sw_hardening(sgx: Deployment) -> None:
    quote = attestation_fixture(SGX_PLATFORM).read_bytes()
    report = sgx.verify(new(quote))
    assert (report.tee, report.status) == (TeeKind.SGX, TcbStatus.SW_HARDENING_NEEDED)
    assert report.judgement.advisories == listed(615) + bytes(24)
    assert report.workload == workload_id(parse_quote(quote))
    assert report.workload == keccak256(keccak256(b"xmtp-tee/workload/sgx/v1") + quote[64:368])
    assert report.report_data == quote[368:432]
    assert report.platform == platform_handle(quote)
    sgx.send(new(quote))
    assert sgx.verify(known(quote)) == report
    assert sgx.judge(report.platform) == report.judgement


def test_sgx_v3_under_tcb_info_of_version_2() -> None:
    """Version 2 has no advisories: the judgement says that they are not known."""
    collateral = collateral_from_pieces(
        "2025-06/tcbinfo.json", "2025-06/identity.json", "2025-06/platform_crl.der"
    )
    quote = attestation_fixture(SGX_PLATFORM).read_bytes()
    for deployment in _deployed(AUTOMATA_TIME, collateral):
        report = deployment.verify(new(quote))
        assert report.status == TcbStatus.SW_HARDENING_NEEDED
        assert report.judgement.advisories == b"\xff" * 8 + bytes(24)


def test_sgx_v3_of_a_processor_ca_needs_configuration_and_sw_hardening() -> None:
    quote = attestation_fixture(SGX_PROCESSOR).read_bytes()
    for deployment in _deployed(PHALA_TIME, phala_collateral("sgx_quote_collateral.json")):
        report = deployment.verify(new(quote))
        assert (report.tee, report.status) == (
            TeeKind.SGX,
            TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED,
        )
        assert report.judgement.instance == parse_pck_certificate(quote_pck_leaf(quote)).ppid


@pytest.mark.parametrize(
    ("name", "time", "collateral"),
    [
        ("phala_tdx_quote_outdated.bin", 1_771_500_000, "tdx_quote_outdated_collateral.json"),
        ("automata_tdx_quote_v5.bin", AUTOMATA_TIME, None),
    ],
)
def test_a_platform_below_every_level_is_refused(
    name: str, time: int, collateral: str | None
) -> None:
    pieces = (
        collateral_from_pieces(
            "2025-06/tcbinfov3_90C06F000000.json", "2025-06/qe_td.json", "2025-06/platform_crl.der"
        )
        if collateral is None
        else phala_collateral(collateral)
    )
    for deployment in _deployed(time, pieces):
        assert deployment.refusal(new(read(name))) == "TcbLevelNotFound"


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
    platform = phala.verify(new(quote)).platform
    with pytest.raises(Reverted) as refused:
        phala.judge(platform)
    assert refused.value.name == "PlatformUnknown"

    phala.send(new(quote))
    assert phala.judge(platform).status == TcbStatus.UP_TO_DATE
    recorded = phala.verifier.functions.platform(platform).call()
    pck = parse_pck_certificate(quote_pck_leaf(quote))
    assert recorded[0] == pck.revocation_key
    identity = (pck.fmspc, pck.pceid, pck.not_after, pck.ca, pck.pcesvn)
    assert tuple(recorded[1:6]) == identity
    assert recorded[6] == pck.ppid
    assert tuple(recorded[8:10]) == (TeeKind.TDX, TcbStatus.UP_TO_DATE)
    surroundings = phala.verifier.functions.environment(recorded[7]).call()
    assert tuple(surroundings[6:]) == (pck.component_svns, quote[48:64])
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


HEAD = 129
"""Bytes of the evidence before the compact quote: form, key, PCK words."""


def refusals_of_every_byte(deployment: Deployment, quote: bytes) -> dict[str, list[int]]:
    """Flip one bit of each byte; return the positions that each error refuses. Nothing may be accepted.

    The certificate is known by itself, so that a changed quote is not refused for its platform alone.
    Positions are of the quote; those of what stands before it are negative.
    """
    leaf = quote_pck_leaf(quote)
    deployment.chain.send(deployment.verifier.functions.submitPckCertificate(leaf))
    deployment.send(new(quote))
    evidence = known(quote)
    changed = (
        evidence[:position] + bytes([evidence[position] ^ 1]) + evidence[position + 1 :]
        for position in range(len(evidence))
    )
    refusals: dict[str, list[int]] = {}
    accepted = []
    calls = (deployment.verifier.functions.verify(tampered) for tampered in changed)
    for position, outcome in enumerate(deployment.chain.outcomes(calls)):
        if isinstance(outcome, Reverted):
            refusals.setdefault(outcome.name, []).append(position - HEAD)
        else:
            accepted.append(position - HEAD)
    assert accepted == []
    assert sum(map(len, refusals.values())) == len(evidence)
    assert refusals["PckUnknown"] == list(range(1 - HEAD, 0))
    return refusals


def assert_tail(refusals: dict[str, list[int]], auth: int) -> None:
    """What follows the body, which ends at ``auth``, is covered by the QE report."""
    qe = auth + 128
    assert refusals["QeReportSignatureInvalid"] == [
        *range(qe, qe + 320),
        *range(qe + 384, qe + 448),
    ]
    bound = [*range(auth + 64, qe), *range(qe + 320, qe + 352), *range(qe + 448, qe + 480)]
    assert refusals["QeReportDataMismatch"] == bound
    assert refusals["QeReportDataTailNotZero"] == list(range(qe + 352, qe + 384))


def assert_header(refusals: dict[str, list[int]], *, reserved: bool) -> None:
    # The lowest bit of 3, 4 and 5 leads to another known version, with another form or another TEE.
    versions = refusals.get("QuoteVersionUnsupported", [])
    assert 1 in versions
    assert refusals["AttestationKeyTypeUnsupported"] == [2, 3]
    assert refusals["QeVendorUnknown"] == list(range(12, 28))
    assert refusals.get("QuoteHeaderReservedSet", []) == (list(range(8, 12)) if reserved else [])


def test_every_byte_of_a_tdx_v4_quote_is_covered(phala: Deployment) -> None:
    """Compact evidence holds no byte that may change: nothing in it is unsigned or unused."""
    quote = read("phala_tdx_quote.bin")
    assert len(known(quote)) == HEAD + 1240
    refusals = refusals_of_every_byte(phala, quote)
    assert_header(refusals, reserved=True)
    assert_tail(refusals, 632)
    assert refusals["TeeTypeUnsupported"] == list(range(4, 8))
    assert refusals["SeamAttributesNotZero"] == list(range(160, 168))
    assert refusals["DebugEnclave"] == [168]
    # One flipped bit of the attributes is a forbidden one everywhere but in their third byte (bit 16).
    assert refusals["TdAttributesRefused"] == [169, *range(171, 176)]
    assert refusals["QuoteSignatureInvalid"] == [*range(28, 160), 170, *range(176, 696)]


def test_every_byte_of_a_tdx_v5_quote_is_covered(alibaba: Deployment) -> None:
    """The body's type and size are signed too; in TDX 1.5, so are TEE_TCB_SVN2 and MRSERVICETD."""
    quote = read("automata_alibaba_quote_v5.bin")
    assert len(known(quote)) == HEAD + 1310
    refusals = refusals_of_every_byte(alibaba, quote)
    assert_header(refusals, reserved=True)
    assert_tail(refusals, 702)
    assert refusals["QuoteBodyUnsupported"] == list(range(48, 54))
    assert refusals["SeamAttributesNotZero"] == list(range(166, 174))
    assert refusals["DebugEnclave"] == [174]
    assert refusals["TdAttributesRefused"] == [175, *range(177, 182)]
    assert refusals["QuoteSignatureInvalid"] == [
        *range(28, 48),
        *range(54, 166),
        176,
        *range(182, 766),
    ]


def test_every_byte_of_an_sgx_v3_quote_is_covered(sgx: Deployment) -> None:
    """The SVNs of QE and PCE in the header are not used, but signed."""
    quote = attestation_fixture(SGX_PLATFORM).read_bytes()
    assert len(known(quote)) == HEAD + 1040
    refusals = refusals_of_every_byte(sgx, quote)
    assert_header(refusals, reserved=False)
    assert_tail(refusals, 432)
    # Bit 0 is INIT in the first byte of the flags, and reserved or unknown in the others.
    assert refusals["SgxAttributesRefused"] == list(range(96, 104))
    signed = [*range(8, 12), *range(28, 96), *range(104, 496)]
    assert refusals["QuoteSignatureInvalid"] == signed


def test_a_changed_certificate_is_refused(phala: Deployment) -> None:
    evidence = new(read("phala_tdx_quote.bin"))
    leaf_end = 3 + int.from_bytes(evidence[1:3], "big")
    for position in [*range(3, leaf_end, 23), leaf_end - 1]:
        changed = bytearray(evidence)
        changed[position] ^= 1
        with pytest.raises(Reverted):
            phala.verify(bytes(changed))


@pytest.mark.parametrize("cut", [0, 1, 128, 129, 129 + 53, 129 + 54, 129 + 1207])
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
    for leaf in (quote_pck_leaf(quote), quote_pck_leaf(other)):
        phala.chain.send(phala.verifier.functions.submitPckCertificate(leaf))
    mixed = known_platform_evidence(quote, parse_pck_certificate(quote_pck_leaf(other)))[1:]
    assert phala.refusal(mixed) == "QeReportSignatureInvalid"


@pytest.mark.parametrize("cut", [129 + 1039 - 32, 129 + 1040 - 32])
def test_a_truncated_sgx_quote_is_refused(sgx: Deployment, cut: int) -> None:
    evidence = known(attestation_fixture(SGX_PLATFORM).read_bytes())
    expected = "EvidenceTooShort" if cut == 129 + 1039 - 32 else "QeAuthDataSize"
    assert sgx.refusal(evidence[:cut]) == expected


def test_a_body_of_another_version_s_size_is_refused(alibaba: Deployment) -> None:
    """Version 5 cut to a body of TDX 1.0, and one of TDX 1.0 that claims to be of TDX 1.5."""
    evidence = known(read("automata_alibaba_quote_v5.bin"))
    start = HEAD + 48
    cut = evidence[:start] + bytes.fromhex("020048020000") + evidence[start + 6 :]
    assert alibaba.refusal(cut) == "QeAuthDataSize"
    short = evidence[: start + 6 + 584] + evidence[start + 6 + 648 :]
    assert alibaba.refusal(short) == "EvidenceTooShort"
    mixed = evidence[:start] + bytes.fromhex("030048020000") + evidence[start + 6 :]
    assert alibaba.refusal(mixed) == "QuoteBodyUnsupported"


@pytest.mark.parametrize("version", [0, 1, 2, 6, 255, 256 + 4])
def test_a_quote_of_another_version_is_refused(phala: Deployment, version: int) -> None:
    evidence = known(read("phala_tdx_quote.bin"))
    changed = evidence[:HEAD] + version.to_bytes(2, "little") + evidence[HEAD + 2 :]
    assert phala.refusal(changed) == "QuoteVersionUnsupported"


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
    platform = phala.verify(known(quote)).platform
    pck = parse_pck_certificate(quote_pck_leaf(quote))
    due = phala.verifier.functions.authority(pck.ca).call()[4]
    info = phala.verifier.functions.tcbInfo(TeeKind.TDX, pck.fmspc, pck.pceid).call()
    assert due < info[1]

    phala.chain.warp(to=due - 1)
    assert phala.judge(platform).status == TcbStatus.UP_TO_DATE
    phala.chain.warp(to=due)
    assert phala.refusal(known(quote)) == "CrlExpired"
    with pytest.raises(Reverted) as refused:
        phala.judge(platform)
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


def test_gas_of_whole_transactions(
    phala: Deployment, automata: Deployment, alibaba: Deployment, sgx: Deployment
) -> None:
    """What the design is for."""
    quote = read("phala_tdx_quote.bin")
    phala.send(new(quote))
    assert phala.send(known(quote)) <= 80_000
    # A machine that was never seen, of a kind and level that was.
    forget_platform(phala.chain, phala.verifier, platform_handle(quote))
    assert phala.send(new(quote)) <= 220_000
    for deployment, other in (
        (alibaba, read("automata_alibaba_quote_v5.bin")),
        (sgx, attestation_fixture(SGX_PLATFORM).read_bytes()),
    ):
        deployment.send(new(other))
        assert deployment.send(known(other)) <= 85_000
    for deployment in (phala, automata, alibaba):
        assert deployment.gas["TCB info"] <= 250_000
    assert sgx.gas["TCB info"] <= 300_000
    for deployment in (phala, automata, alibaba, sgx):
        assert deployment.gas["QE identity"] <= 200_000


def test_gas_of_the_largest_revocation_lists() -> None:
    """Intel's Platform CA lists in one transaction each; a check costs the same whichever is in force."""
    checks = set()
    for entries, time, name in (
        (44, AUTOMATA_TIME, "2025-06/platform_crl.der"),
        (57, LISTS_TIME, "2026-07/platform-57-20260716.der"),
        (129, LISTS_TIME, "2026-07/platform-129-20260716.der"),
    ):
        with Anvil(timestamp=time) as anvil:
            chain = Chain(anvil)
            verifier = deploy(chain)
            ca = attestation_fixture(PLATFORM_CA).read_bytes()
            chain.send(verifier.functions.submitIntermediateCa(ca))
            crl = attestation_fixture(f"intel-collateral/{name}").read_bytes()
            assert chain.send(verifier.functions.submitCrl(crl))["gasUsed"] <= 5_000_000
            revoked = [e["args"] for e in verifier.events.SerialRevoked().get_logs(from_block=0)]
            assert len(revoked) == entries
            issuer = revoked[0]["issuerKeyId"]
            for event in revoked:
                assert verifier.functions.isRevoked(issuer, event["serial"]).call() is True
            check = verifier.functions.isRevoked(issuer, 1)
            assert check.call() is False
            checks.add(chain.send(check)["gasUsed"])
    assert len(checks) == 1
