"""Every judgement that genuine fixtures do not show, on evidence of the development PKI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from web3.contract import Contract

from tests.support.chain import Anvil, Chain, Reverted
from tests.support.dcap import Judgement, Report, submit_all
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
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    DevelopmentPki,
    Platform,
    QeIdentityRecipe,
    QeLevel,
    QuoteRecipe,
    QuotingEnclave,
    SgxRecipe,
    TcbInfoRecipe,
    TdRecipe,
    TdxModuleIdentity,
    TdxModuleLevel,
    development_pki,
)
from xmtp_tee.attestation.workload import workload_id
from xmtp_tee.hashing import keccak256

NOW = 1_760_000_000
ISSUED = NOW - 1000
DAY = 86_400
GRACE = DAY
BASE = TcbInfoRecipe()
SVNS = BASE.levels[0]


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with Anvil(timestamp=NOW) as anvil:
        yield Chain(anvil)


@pytest.fixture(scope="module")
def deployed(chain: Chain) -> Contract:
    chain.know("IDcapVerifier", "CollateralReader", "CertificateReader")
    return chain.deploy("DcapVerifier", development_pki().root.der, GRACE)


@pytest.fixture
def verifier(chain: Chain, deployed: Contract) -> Iterator[Contract]:
    snapshot = chain.snapshot()
    yield deployed
    chain.revert_to(snapshot)


def verify(
    chain: Chain,
    verifier: Contract,
    quote: bytes | None = None,
    collateral: CollateralRecipe | None = None,
) -> Report:
    """Submit the collateral, then verify the quote by a call."""
    submit_all(chain, verifier, (collateral or CollateralRecipe()).build(ISSUED))
    evidence = new_platform_evidence(quote or QuoteRecipe().build())[1:]
    return Report.of(chain.call(verifier.functions.verify(evidence)))


def judged(chain: Chain, verifier: Contract, platform: bytes) -> Judgement:
    return Judgement.of(chain.call(verifier.functions.judgePlatform(platform)))


def refusal(
    chain: Chain,
    verifier: Contract,
    quote: bytes | None = None,
    collateral: CollateralRecipe | None = None,
) -> Reverted:
    with pytest.raises(Reverted) as refused:
        verify(chain, verifier, quote, collateral)
    return refused.value


def with_tcb_info(**changes: object) -> CollateralRecipe:
    return CollateralRecipe(tcb_info=replace(BASE, **changes))  # type: ignore[arg-type]


def with_qe_identity(**changes: object) -> CollateralRecipe:
    return CollateralRecipe(qe_identity=replace(QeIdentityRecipe(), **changes))  # type: ignore[arg-type]


def quote_with_td(**changes: object) -> bytes:
    return QuoteRecipe(td=replace(TdRecipe(), **changes)).build()  # type: ignore[arg-type]


def quote_with_qe(**changes: object) -> bytes:
    enclave = replace(QuotingEnclave(), **changes)  # type: ignore[arg-type]
    return QuoteRecipe(quoting_enclave=enclave).build()


def test_the_development_root_says_so(verifier: Contract) -> None:
    assert verifier.functions.developmentRoot().call() is True
    (event,) = verifier.events.RootPinned().get_logs(from_block=0)
    assert event["args"]["development"] is True


def test_simulated_evidence_is_up_to_date(chain: Chain, verifier: Contract) -> None:
    assert verify(chain, verifier).status == TcbStatus.UP_TO_DATE


# --- who signed ------------------------------------------------------------------------------------


def test_another_root_is_refused(chain: Chain, verifier: Contract) -> None:
    """The same recipe under another seed: every certificate has other keys."""
    attacker = DevelopmentPki(b"attacker")
    assert refusal(chain, verifier, QuoteRecipe().build(attacker)).name == "IssuerUnknown"


def test_a_qe_report_of_another_key_is_refused(chain: Chain, verifier: Contract) -> None:
    quote = QuoteRecipe(qe_report_signer=DevelopmentPki(b"attacker").key("pck")).build()
    assert refusal(chain, verifier, quote).name == "QeReportSignatureInvalid"


def test_a_quote_of_another_attestation_key_is_refused(chain: Chain, verifier: Contract) -> None:
    quote = QuoteRecipe(quote_signer=DevelopmentPki(b"attacker").key("x")).build()
    assert refusal(chain, verifier, quote).name == "QuoteSignatureInvalid"


def test_an_attestation_key_that_the_qe_does_not_bind_is_refused(
    chain: Chain, verifier: Contract
) -> None:
    quote = quote_with_qe(report_data=bytes(64))
    assert refusal(chain, verifier, quote).name == "QeReportDataMismatch"


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64, 500])
def test_authentication_data_of_another_size_is_refused(
    chain: Chain, verifier: Contract, size: int
) -> None:
    submit_all(chain, verifier, CollateralRecipe().build(ISSUED))
    evidence = new_platform_evidence(QuoteRecipe().build())[1:-32] + b"a" * size
    with pytest.raises(Reverted) as caught:
        chain.call(verifier.functions.verify(evidence))
    refused = caught.value
    assert refused.name == "QeAuthDataSize"
    assert refused.args_by_name == {"got": size, "expected": 32}


def test_a_revoked_platform_is_refused(chain: Chain, verifier: Contract) -> None:
    pck = development_pki().issue_pck()
    collateral = CollateralRecipe(revoked_by_ca=(pck.certificate.serial_number,))
    assert refusal(chain, verifier, None, collateral).name == "CertificateRevoked"


def test_a_platform_revoked_after_its_registration_loses_its_status(
    chain: Chain, verifier: Contract
) -> None:
    report = verify(chain, verifier)
    quote = QuoteRecipe().build()
    chain.send(verifier.functions.verify(new_platform_evidence(quote)[1:]))
    status = verifier.functions.judgePlatform(report.platform)
    assert chain.call(status)[0] == TcbStatus.UP_TO_DATE
    pki = development_pki()
    serial = pki.issue_pck().certificate.serial_number
    crl = pki.crl(
        pki.platform_ca,
        this_update=ISSUED + 1,
        next_update=ISSUED + DAY,
        revoked=[serial],
        number=2,
    )
    chain.send(verifier.functions.submitCrl(crl))
    for function in (status, verifier.functions.verify(known_platform_evidence(quote)[1:])):
        with pytest.raises(Reverted) as refused:
            chain.call(function)
        assert refused.value.name == "CertificateRevoked"


def test_a_revoked_tcb_signer_ends_its_collateral(chain: Chain, verifier: Contract) -> None:
    platform = verify(chain, verifier).platform
    chain.send(verifier.functions.verify(new_platform_evidence(QuoteRecipe().build())[1:]))
    pki = development_pki()
    crl = pki.crl(
        pki.root,
        this_update=ISSUED + 1,
        next_update=ISSUED + DAY,
        revoked=[pki.tcb_signer.certificate.serial_number],
        number=2,
    )
    chain.send(verifier.functions.submitCrl(crl))
    with pytest.raises(Reverted) as refused:
        chain.call(verifier.functions.judgePlatform(platform))
    assert refused.value.name == "AuthorityRevoked"


# --- what runs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bit", range(8))
def test_a_td_under_debug_is_refused(chain: Chain, verifier: Contract, bit: int) -> None:
    attributes = TdRecipe().td_attributes | 1 << bit
    refused = refusal(chain, verifier, quote_with_td(td_attributes=attributes))
    assert refused.name == "DebugEnclave"
    assert refused.args_by_name == {"attributes": attributes.to_bytes(8, "little")}


@pytest.mark.parametrize(
    "attributes",
    [0, 1 << 28 | 1 << 29, *(1 << 28 | 1 << bit for bit in (8, 17, 23, 24, 32, 61))],
    ids=["without SEPT_VE_DISABLE", "MIGRATABLE", *(f"bit {b}" for b in (8, 17, 23, 24, 32, 61))],
)
def test_a_td_with_weakening_attributes_is_refused(
    chain: Chain, verifier: Contract, attributes: int
) -> None:
    refused = refusal(chain, verifier, quote_with_td(td_attributes=attributes))
    assert refused.name == "TdAttributesRefused"
    assert refused.args_by_name["attributes"] == attributes.to_bytes(8, "little")


@pytest.mark.parametrize("bit", [16, 18, 22, 27, 30, 31, 62, 63])
def test_a_td_with_a_harmless_attribute_is_accepted(
    chain: Chain, verifier: Contract, bit: int
) -> None:
    quote = quote_with_td(td_attributes=1 << 28 | 1 << bit)
    assert verify(chain, verifier, quote).status == TcbStatus.UP_TO_DATE


def test_seam_attributes_are_refused(chain: Chain, verifier: Contract) -> None:
    refused = refusal(chain, verifier, quote_with_td(seam_attributes=b"\0" * 7 + b"\1"))
    assert refused.name == "SeamAttributesNotZero"


def test_a_tdx_module_of_another_signer_is_refused(chain: Chain, verifier: Contract) -> None:
    refused = refusal(chain, verifier, quote_with_td(mr_signer_seam=b"\1" + bytes(47)))
    assert refused.name == "TdxModuleMismatch"
    assert refused.args_by_name["version"] == 1


def test_a_tdx_module_that_must_have_attributes_is_refused(
    chain: Chain, verifier: Contract
) -> None:
    identity = replace(TdxModuleIdentity(), attributes=b"\1" + bytes(7))
    refused = refusal(chain, verifier, None, with_tcb_info(module_identities=(identity,)))
    assert refused.name == "TdxModuleMismatch"


def test_an_unknown_tdx_module_is_refused(chain: Chain, verifier: Contract) -> None:
    refused = refusal(chain, verifier, quote_with_td(tee_tcb_svn=bytes([6, 9, 3]) + bytes(13)))
    assert (refused.name, refused.arguments) == ("TdxModuleUnknown", (9,))


def test_a_module_of_the_first_generation_is_judged_by_all_components(
    chain: Chain, verifier: Contract
) -> None:
    """TEE_TCB_SVN[1] == 0: no identity; components 0 and 1 count like the others."""
    reached = SVNS.tdx[0]
    quote = quote_with_td(tee_tcb_svn=bytes([reached, 0, *SVNS.tdx[2:]]))
    level = replace(SVNS, tdx=(reached, 0, *SVNS.tdx[2:]))
    collateral = with_tcb_info(levels=(level,))
    assert verify(chain, verifier, quote, collateral).status == TcbStatus.UP_TO_DATE
    below = quote_with_td(tee_tcb_svn=bytes([reached - 1, 0, *SVNS.tdx[2:]]))
    with pytest.raises(Reverted) as refused:
        chain.call(verifier.functions.verify(new_platform_evidence(below)[1:]))
    assert refused.value.name == "TcbLevelNotFound"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"mr_signer": bytes(32)}, "QeSignerMismatch"),
        ({"isv_prod_id": 1}, "QeProductMismatch"),
        ({"misc_select": b"\1\0\0\0"}, "QeMiscselectMismatch"),
        ({"attributes": bytes.fromhex("1700000000000000e700000000000000")}, "QeAttributesMismatch"),
        ({"attributes": bytes.fromhex("1500000000000001e700000000000000")}, "QeAttributesMismatch"),
        ({"isv_svn": 3}, "QeLevelNotFound"),
        ({"report_data": bytes(63) + b"\1"}, "QeReportDataMismatch"),
    ],
)
def test_another_quoting_enclave_is_refused(
    chain: Chain, verifier: Contract, change: dict[str, object], error: str
) -> None:
    assert refusal(chain, verifier, quote_with_qe(**change)).name == error


def test_attributes_outside_the_mask_are_free(chain: Chain, verifier: Contract) -> None:
    """Bit 2 is MODE64BIT, bytes 8 to 15 are XFRM: the identity's mask leaves both out."""
    quote = quote_with_qe(attributes=bytes.fromhex("11000000000000000700000000000000"))
    assert verify(chain, verifier, quote).status == TcbStatus.UP_TO_DATE


# --- security level --------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(16))
def test_one_sgx_component_below_every_level_is_refused(
    chain: Chain, verifier: Contract, index: int
) -> None:
    level = replace(SVNS, sgx=tuple(7 for _ in range(16)))
    components = [7] * 16
    good = QuoteRecipe(platform=replace(Platform(), tcb_components=tuple(components))).build()
    assert (
        verify(chain, verifier, good, with_tcb_info(levels=(level,))).status == TcbStatus.UP_TO_DATE
    )
    components[index] = 6
    bad = QuoteRecipe(platform=replace(Platform(), tcb_components=tuple(components))).build()
    with pytest.raises(Reverted) as refused:
        chain.call(verifier.functions.verify(new_platform_evidence(bad)[1:]))
    assert refused.value.name == "TcbLevelNotFound"
    assert refused.value.args_by_name["sgxSvns"] == bytes(components)


def test_pcesvn_below_every_level_is_refused(chain: Chain, verifier: Contract) -> None:
    level = replace(SVNS, pce_svn=12)
    assert refusal(chain, verifier, None, with_tcb_info(levels=(level,))).name == "TcbLevelNotFound"


@pytest.mark.parametrize("index", range(2, 16))
def test_one_tdx_component_below_every_level_is_refused(
    chain: Chain, verifier: Contract, index: int
) -> None:
    svns = [3] * 16
    level = replace(SVNS, tdx=tuple(svns))
    reached = [6, 1, *svns[2:]]
    good = quote_with_td(tee_tcb_svn=bytes(reached))
    assert (
        verify(chain, verifier, good, with_tcb_info(levels=(level,))).status == TcbStatus.UP_TO_DATE
    )
    reached[index] -= 1
    bad = quote_with_td(tee_tcb_svn=bytes(reached))
    with pytest.raises(Reverted) as refused:
        chain.call(verifier.functions.verify(new_platform_evidence(bad)[1:]))
    assert refused.value.name == "TcbLevelNotFound"


def test_the_first_matching_level_counts(chain: Chain, verifier: Contract) -> None:
    levels = (replace(SVNS, pce_svn=99), replace(SVNS, status="ConfigurationNeeded"), SVNS)
    report = verify(chain, verifier, None, with_tcb_info(levels=levels))
    assert report.status == TcbStatus.CONFIGURATION_NEEDED


@pytest.mark.parametrize("status", [s for s in TcbStatus if s != TcbStatus.NONE])
def test_the_level_s_status_is_reported_and_revoked_refused(
    chain: Chain, verifier: Contract, status: TcbStatus
) -> None:
    collateral = with_tcb_info(levels=(replace(SVNS, status=status.intel_name),))
    if status is TcbStatus.REVOKED:
        refused = refusal(chain, verifier, None, collateral)
        assert (refused.name, refused.arguments) == ("TcbRevoked", (0,))
    else:
        assert verify(chain, verifier, None, collateral).status == status


def test_a_revoked_module_is_refused(chain: Chain, verifier: Contract) -> None:
    identity = replace(TdxModuleIdentity(), levels=(TdxModuleLevel(status="Revoked"),))
    refused = refusal(chain, verifier, None, with_tcb_info(module_identities=(identity,)))
    assert (refused.name, refused.arguments) == ("TcbRevoked", (1,))


def test_a_module_below_every_level_is_refused(chain: Chain, verifier: Contract) -> None:
    refused = refusal(chain, verifier, quote_with_td(tee_tcb_svn=bytes([1, 1, 3]) + bytes(13)))
    assert (refused.name, refused.arguments) == ("TdxModuleLevelNotFound", (1, 1))


def test_an_outdated_module_makes_the_platform_outdated(chain: Chain, verifier: Contract) -> None:
    levels = (TdxModuleLevel(isv_svn=7), TdxModuleLevel(isv_svn=6, status="OutOfDate"))
    identity = replace(TdxModuleIdentity(), levels=levels)
    report = verify(chain, verifier, None, with_tcb_info(module_identities=(identity,)))
    assert report.status == TcbStatus.OUT_OF_DATE


def test_a_revoked_quoting_enclave_is_refused(chain: Chain, verifier: Contract) -> None:
    collateral = with_qe_identity(levels=(QeLevel(isv_svn=6, status="Revoked"),))
    refused = refusal(chain, verifier, None, collateral)
    assert (refused.name, refused.arguments) == ("TcbRevoked", (2,))


def test_an_outdated_quoting_enclave_converges(chain: Chain, verifier: Contract) -> None:
    collateral = replace(
        with_tcb_info(levels=(replace(SVNS, status="ConfigurationAndSWHardeningNeeded"),)),
        qe_identity=replace(
            QeIdentityRecipe(), levels=(QeLevel(isv_svn=7), QeLevel(isv_svn=5, status="OutOfDate"))
        ),
    )
    report = verify(chain, verifier, None, collateral)
    assert report.status == TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED


def test_a_platform_of_another_pce_finds_no_tcb_info(chain: Chain, verifier: Contract) -> None:
    """FMSPC alone is not enough: PCEID selects the TCB info too."""
    platform = replace(Platform(), pce_id=b"\0\1")
    refused = refusal(chain, verifier, QuoteRecipe(platform=platform).build())
    assert refused.name == "TcbInfoUnknown"
    assert refused.args_by_name["pceid"] == b"\0\1"


# --- re-judged -------------------------------------------------------------------------------------


def test_newer_collateral_rejudges_a_recorded_platform(chain: Chain, verifier: Contract) -> None:
    platform = verify(chain, verifier).platform
    quote = QuoteRecipe().build()
    chain.send(verifier.functions.verify(new_platform_evidence(quote)[1:]))
    status = verifier.functions.judgePlatform(platform)

    def refresh(later: int, **changes: object) -> None:
        newer = replace(BASE, evaluation_number=17 + later, **changes)  # type: ignore[arg-type]
        submit_all(chain, verifier, CollateralRecipe(tcb_info=newer).build(ISSUED + later))

    refresh(1)
    assert chain.call(status)[0] == TcbStatus.UP_TO_DATE
    refresh(2, levels=(replace(SVNS, pce_svn=12), replace(SVNS, status="OutOfDate")))
    assert chain.call(status)[0] == TcbStatus.OUT_OF_DATE
    evidence = known_platform_evidence(quote)[1:]
    assert (
        Report.of(chain.call(verifier.functions.verify(evidence))).status == TcbStatus.OUT_OF_DATE
    )
    # The new judgement is remembered with the platform.
    chain.send(verifier.functions.verify(evidence))
    assert verifier.functions.platform(platform).call()[9] == TcbStatus.OUT_OF_DATE
    refresh(3, levels=(replace(SVNS, status="Revoked"),))
    with pytest.raises(Reverted) as refused:
        chain.call(status)
    assert refused.value.name == "TcbRevoked"
    refresh(4, levels=(replace(SVNS, pce_svn=12),))
    with pytest.raises(Reverted) as refused:
        chain.call(status)
    assert refused.value.name == "TcbLevelNotFound"
    # Back to the first content: a remembered judgement of another content is not used.
    refresh(5)
    assert chain.call(status)[0] == TcbStatus.UP_TO_DATE


def test_collateral_counts_until_the_grace_ends(chain: Chain, verifier: Contract) -> None:
    collateral = CollateralRecipe(lifetime=DAY, crl_lifetime=30 * DAY)
    platform = verify(chain, verifier, None, collateral).platform
    chain.send(verifier.functions.verify(new_platform_evidence(QuoteRecipe().build())[1:]))
    status = verifier.functions.judgePlatform(platform)
    chain.warp(to=ISSUED + DAY + GRACE - 1)
    assert chain.call(status)[0] == TcbStatus.UP_TO_DATE
    chain.warp(to=ISSUED + DAY + GRACE)
    with pytest.raises(Reverted) as refused:
        chain.call(status)
    assert refused.value.name == "TcbInfoLapsed"


def test_every_byte_of_simulated_evidence_is_covered(chain: Chain, verifier: Contract) -> None:
    quote = QuoteRecipe().build()
    verify(chain, verifier, quote)
    chain.send(verifier.functions.verify(new_platform_evidence(quote)[1:]))
    pck = parse_pck_certificate(quote_pck_leaf(quote))
    evidence = b"\0" + pck.x + pck.y + pck.packed + compact_quote(quote)
    assert evidence == known_platform_evidence(quote)[1:]
    assert Report.of(chain.call(verifier.functions.verify(evidence))).status == TcbStatus.UP_TO_DATE
    for position in range(1, len(evidence), 5):
        changed = bytearray(evidence)
        changed[position] ^= 0x80
        with pytest.raises(Reverted):
            chain.call(verifier.functions.verify(bytes(changed)))


# --- the other kinds of quotes ---------------------------------------------------------------------


def sgx_refusal(
    chain: Chain, verifier: Contract, recipe: QuoteRecipe, **changes: object
) -> Reverted:
    tcb_info = TcbInfoRecipe.sgx_v3(**changes)
    return refusal(chain, verifier, recipe.build(), CollateralRecipe.sgx(tcb_info=tcb_info))


def sgx_report(
    chain: Chain, verifier: Contract, recipe: QuoteRecipe | None = None, **changes: object
) -> Report:
    tcb_info = TcbInfoRecipe.sgx_v3(**changes)
    quote = (recipe or QuoteRecipe.sgx_v3()).build()
    return verify(chain, verifier, quote, CollateralRecipe.sgx(tcb_info=tcb_info))


def test_a_simulated_sgx_quote_is_up_to_date(chain: Chain, verifier: Contract) -> None:
    quote = QuoteRecipe.sgx_v3().build()
    report = verify(chain, verifier, quote, CollateralRecipe.sgx())
    assert (report.tee, report.status) == (TeeKind.SGX, TcbStatus.UP_TO_DATE)
    assert report.workload == workload_id(parse_quote(quote))
    assert report.platform == platform_handle(quote)
    assert report.judgement.family == Platform().fmspc + bytes(10)
    assert report.judgement.instance == Platform().ppid


def test_an_sgx_enclave_under_debug_is_refused(chain: Chain, verifier: Contract) -> None:
    recipe = QuoteRecipe.sgx_v3(SgxRecipe(flags=SgxRecipe().flags | 1 << 1))
    refused = sgx_refusal(chain, verifier, recipe)
    assert refused.name == "DebugEnclave"
    assert refused.args_by_name == {"attributes": bytes([0x07]) + bytes(7)}


@pytest.mark.parametrize("bit", [3, 4, 5, 8, 9, 11, 63])
def test_sgx_attributes_that_an_application_must_not_have_are_refused(
    chain: Chain, verifier: Contract, bit: int
) -> None:
    """PROVISION_KEY is 4, EINITTOKEN_KEY 5; the others are reserved."""
    recipe = QuoteRecipe.sgx_v3(SgxRecipe(flags=SgxRecipe().flags | 1 << bit))
    assert sgx_refusal(chain, verifier, recipe).name == "SgxAttributesRefused"


def test_an_sgx_enclave_without_init_is_refused(chain: Chain, verifier: Contract) -> None:
    recipe = QuoteRecipe.sgx_v3(SgxRecipe(flags=SgxRecipe().flags & ~1))
    assert sgx_refusal(chain, verifier, recipe).name == "SgxAttributesRefused"


@pytest.mark.parametrize("bit", [6, 7, 10])
def test_an_sgx_enclave_with_cet_kss_or_aex_notify_is_accepted(
    chain: Chain, verifier: Contract, bit: int
) -> None:
    recipe = QuoteRecipe.sgx_v3(SgxRecipe(flags=SgxRecipe().flags | 1 << bit))
    assert sgx_report(chain, verifier, recipe).status == TcbStatus.UP_TO_DATE


@pytest.mark.parametrize(
    "change",
    [
        {"mr_enclave": b"\1" * 32},
        {"mr_signer": b"\1" * 32},
        {"isv_prod_id": 9},
        {"isv_svn": 9},
        {"config_id": b"\1" * 64},
        {"config_svn": 9},
        {"isv_family_id": b"\1" * 16},
        {"isv_ext_prod_id": b"\1" * 16},
        {"misc_select": b"\1\0\0\0"},
        {"xfrm": bytes.fromhex("e602000000000000")},
        {"flags": SgxRecipe().flags | 1 << 7},
    ],
)
def test_each_part_of_an_sgx_enclave_s_identity_is_in_the_workload_id(
    chain: Chain, verifier: Contract, change: dict[str, object]
) -> None:
    base = sgx_report(chain, verifier)
    other = sgx_report(chain, verifier, QuoteRecipe.sgx_v3(replace(SgxRecipe(), **change)))  # type: ignore[arg-type]
    assert other.workload != base.workload


def test_report_data_and_cpu_svn_are_not_in_an_sgx_workload_id(
    chain: Chain, verifier: Contract
) -> None:
    changed = SgxRecipe(report_data=b"\7" * 64, cpu_svn=b"\7" * 16)
    base = sgx_report(chain, verifier)
    other = sgx_report(chain, verifier, QuoteRecipe.sgx_v3(changed))
    assert other.workload == base.workload
    assert other.report_data == b"\7" * 64


@pytest.mark.parametrize("index", range(16))
def test_one_component_of_an_sgx_platform_below_every_level_is_refused(
    chain: Chain, verifier: Contract, index: int
) -> None:
    components = [7] * 16
    components[index] = 6
    platform = replace(Platform(), tcb_components=tuple(components))
    level = replace(SVNS, sgx=(7,) * 16)
    refused = sgx_refusal(chain, verifier, QuoteRecipe.sgx_v3(platform=platform), levels=(level,))
    assert refused.name == "TcbLevelNotFound"


def test_pcesvn_of_an_sgx_platform_below_every_level_is_refused(
    chain: Chain, verifier: Contract
) -> None:
    recipe = QuoteRecipe.sgx_v3()
    levels = (replace(SVNS, pce_svn=12),)
    assert sgx_refusal(chain, verifier, recipe, levels=levels).name == "TcbLevelNotFound"


@pytest.mark.parametrize("part", ["level", "enclave", "certificate"])
def test_revoked_at_every_level_of_an_sgx_platform_is_refused(
    chain: Chain, verifier: Contract, part: str
) -> None:
    collateral = {
        "level": lambda: CollateralRecipe.sgx(
            tcb_info=TcbInfoRecipe.sgx_v3(levels=(replace(SVNS, status="Revoked"),))
        ),
        "enclave": lambda: CollateralRecipe.sgx(
            qe_identity=QeIdentityRecipe.sgx(levels=(QeLevel(status="Revoked"),))
        ),
        "certificate": lambda: CollateralRecipe.sgx(
            revoked_by_ca=(development_pki().issue_pck().certificate.serial_number,)
        ),
    }[part]()
    refused = refusal(chain, verifier, QuoteRecipe.sgx_v3().build(), collateral)
    expected = {"level": ("TcbRevoked", (0,)), "enclave": ("TcbRevoked", (2,))}
    if part in expected:
        assert (refused.name, refused.arguments) == expected[part]
    else:
        assert refused.name == "CertificateRevoked"


def test_an_sgx_quote_is_not_judged_by_tdx_collateral(chain: Chain, verifier: Contract) -> None:
    refused = refusal(chain, verifier, QuoteRecipe.sgx_v3().build())
    assert refused.name == "TcbInfoUnknown"


def test_tdx_v5_with_a_report_of_tdx_10_is_the_same_workload_as_version_4(
    chain: Chain, verifier: Contract
) -> None:
    old = verify(chain, verifier)
    new = verify(chain, verifier, QuoteRecipe.tdx_v5_td_10().build())
    assert new == old


def test_tdx_v5_with_a_report_of_tdx_15_is_another_workload(
    chain: Chain, verifier: Contract
) -> None:
    quote = QuoteRecipe.tdx_v5().build()
    report = verify(chain, verifier, quote)
    assert report.status == TcbStatus.UP_TO_DATE
    assert report.workload == workload_id(parse_quote(quote))
    assert report.workload != verify(chain, verifier).workload
    service = QuoteRecipe.tdx_v5(replace(TdRecipe(), mr_service_td=b"\1" * 48)).build()
    assert verify(chain, verifier, service).workload != report.workload


@pytest.mark.parametrize(
    ("body_type", "body_size"), [(1, 384), (2, 648), (3, 584), (4, 648), (3, 649), (0, 0)]
)
def test_another_body_of_version_5_is_refused(
    chain: Chain, verifier: Contract, body_type: int, body_size: int
) -> None:
    evidence = bytearray(new_platform_evidence(QuoteRecipe.tdx_v5().build())[1:])
    submit_all(chain, verifier, CollateralRecipe().build(ISSUED))
    start = 3 + int.from_bytes(evidence[1:3], "big") + 48
    evidence[start : start + 6] = body_type.to_bytes(2, "little") + body_size.to_bytes(4, "little")
    with pytest.raises(Reverted) as refused:
        chain.call(verifier.functions.verify(bytes(evidence)))
    assert refused.value.name == "QuoteBodyUnsupported"
    assert refused.value.arguments == (body_type, body_size)


def test_a_replaced_module_never_judges_better_than_the_one_that_started_the_td(
    chain: Chain, verifier: Contract
) -> None:
    """Intel's library would say "TD relaunch advised"; here the platform stays out of date."""
    levels = (TdxModuleLevel(isv_svn=7), TdxModuleLevel(isv_svn=6, status="OutOfDate"))
    collateral = with_tcb_info(module_identities=(replace(TdxModuleIdentity(), levels=levels),))
    td = replace(TdRecipe(), tee_tcb_svn_2=bytes([7, 1, 3]) + bytes(13))
    report = verify(chain, verifier, QuoteRecipe.tdx_v5(td).build(), collateral)
    assert report.status == TcbStatus.OUT_OF_DATE


@pytest.mark.parametrize(
    ("recipe", "version", "tee"),
    [(QuoteRecipe.sgx_v3(tee_type=0x81), 3, 0x81), (QuoteRecipe.tdx_v5(tee_type=0), 5, 0)],
)
def test_a_tee_type_of_another_version_is_refused(
    chain: Chain, verifier: Contract, recipe: QuoteRecipe, version: int, tee: int
) -> None:
    good = (QuoteRecipe.sgx_v3() if version == 3 else QuoteRecipe.tdx_v5()).build()
    evidence = bytearray(new_platform_evidence(good)[1:])
    submit_all(chain, verifier, CollateralRecipe().build(ISSUED))
    start = 3 + int.from_bytes(evidence[1:3], "big")
    evidence[start : start + 48] = recipe.build()[:48]
    with pytest.raises(Reverted) as refused:
        chain.call(verifier.functions.verify(bytes(evidence)))
    assert (refused.value.name, refused.value.arguments) == ("TeeTypeUnsupported", (tee,))


# --- advisories ------------------------------------------------------------------------------------


def listed(*advisories: int) -> bytes:
    return keccak256(b"".join(number.to_bytes(2, "big") for number in advisories))[:8]


def names(*advisories: int) -> tuple[str, ...]:
    return tuple(f"INTEL-SA-{number:05d}" for number in advisories)


def test_advisories_of_all_three_parts_are_committed_to(chain: Chain, verifier: Contract) -> None:
    level = replace(SVNS, status="OutOfDate", advisory_ids=names(615, 1))
    module = TdxModuleLevel(status="OutOfDate", advisory_ids=names(2))
    collateral = replace(
        with_tcb_info(
            levels=(level,), module_identities=(replace(TdxModuleIdentity(), levels=(module,)),)
        ),
        qe_identity=QeIdentityRecipe(levels=(QeLevel(status="OutOfDate", advisory_ids=names(3)),)),
    )
    report = verify(chain, verifier, None, collateral)
    assert report.status == TcbStatus.OUT_OF_DATE
    assert report.judgement.advisories == listed(615, 1) + listed(2) + listed(3) + bytes(8)
    # Order matters: the list is Intel's, as Intel wrote it.
    assert listed(615, 1) != listed(1, 615)
    evidence = new_platform_evidence(QuoteRecipe().build())[1:]
    chain.send(verifier.functions.verify(evidence))
    assert judged(chain, verifier, report.platform) == report.judgement
    known = known_platform_evidence(QuoteRecipe().build())[1:]
    assert Report.of(chain.call(verifier.functions.verify(known))) == report


def test_a_platform_that_is_up_to_date_has_no_advisories(chain: Chain, verifier: Contract) -> None:
    level = replace(SVNS, advisory_ids=names(615))
    report = verify(chain, verifier, None, with_tcb_info(levels=(level,)))
    assert report.judgement.advisories == bytes(32)


def test_a_level_without_a_list_contributes_zero(chain: Chain, verifier: Contract) -> None:
    level = replace(SVNS, status="ConfigurationNeeded")
    report = verify(chain, verifier, None, with_tcb_info(levels=(level,)))
    assert report.status == TcbStatus.CONFIGURATION_NEEDED
    assert report.judgement.advisories == bytes(32)


def test_advisories_follow_newer_collateral(chain: Chain, verifier: Contract) -> None:
    """A remembered list is not shown under other collateral, nor once the platform is up to date."""
    quote = QuoteRecipe().build()
    first = verify(
        chain,
        verifier,
        quote,
        with_tcb_info(levels=(replace(SVNS, status="OutOfDate", advisory_ids=names(1)),)),
    )
    chain.send(verifier.functions.verify(new_platform_evidence(quote)[1:]))
    for later, level, expected in (
        (1, replace(SVNS, status="OutOfDate", advisory_ids=names(1, 2)), listed(1, 2) + bytes(24)),
        (2, SVNS, bytes(32)),
        (3, replace(SVNS, status="SWHardeningNeeded"), bytes(32)),
    ):
        info = replace(BASE, evaluation_number=17 + later, levels=(level,))
        submit_all(chain, verifier, CollateralRecipe(tcb_info=info).build(ISSUED + later))
        assert judged(chain, verifier, first.platform).advisories == expected
        chain.send(verifier.functions.verify(known_platform_evidence(quote)[1:]))
        assert judged(chain, verifier, first.platform).advisories == expected


# --- TCB info of version 2 -------------------------------------------------------------------------


def test_version_2_of_the_tcb_info_says_that_advisories_are_unknown(
    chain: Chain, verifier: Contract
) -> None:
    level = replace(SVNS, status="SWHardeningNeeded")
    collateral = CollateralRecipe.sgx(tcb_info=TcbInfoRecipe.sgx_v2(levels=(level,)))
    report = verify(chain, verifier, QuoteRecipe.sgx_v3().build(), collateral)
    assert report.status == TcbStatus.SW_HARDENING_NEEDED
    assert report.judgement.advisories == b"\xff" * 8 + bytes(24)


def test_version_2_of_the_tcb_info_never_replaces_version_3_in_force(
    chain: Chain, verifier: Contract
) -> None:
    """Attack: the newer text of version 2 strips the advisories."""
    level = replace(SVNS, status="SWHardeningNeeded", advisory_ids=names(615))
    quote = QuoteRecipe.sgx_v3().build()
    three = CollateralRecipe.sgx(tcb_info=TcbInfoRecipe.sgx_v3(levels=(level,)))
    report = verify(chain, verifier, quote, three)
    plain = replace(SVNS, status="UpToDate")
    two = TcbInfoRecipe.sgx_v2(levels=(plain,), evaluation_number=18)
    submit_all(chain, verifier, CollateralRecipe.sgx(tcb_info=two).build(ISSUED + 1))
    evidence = new_platform_evidence(quote)[1:]
    assert Report.of(chain.call(verifier.functions.verify(evidence))) == report


def test_version_2_serves_once_version_3_has_lapsed_unless_it_is_older(
    chain: Chain, verifier: Contract
) -> None:
    quote = QuoteRecipe.sgx_v3().build()
    evidence = new_platform_evidence(quote)[1:]
    old = TcbInfoRecipe.sgx_v2(evaluation_number=16)
    verify(chain, verifier, quote, CollateralRecipe.sgx(tcb_info=old, lifetime=60 * DAY))
    short = CollateralRecipe.sgx(tcb_info=TcbInfoRecipe.sgx_v3())
    submit_all(chain, verifier, replace(short, lifetime=DAY, crl_lifetime=60 * DAY).build(ISSUED))
    identity = CollateralRecipe.sgx(tcb_info=old, lifetime=60 * DAY).build(ISSUED + 1)
    (step,) = (s for s in plan_submissions(identity) if s.function == "submitQeIdentity")
    chain.send(verifier.functions.submitQeIdentity(*step.arguments))
    chain.warp(to=ISSUED + DAY + GRACE)
    with pytest.raises(Reverted) as refused:
        chain.call(verifier.functions.verify(evidence))
    assert refused.value.name == "TcbInfoLapsed"
    newer = TcbInfoRecipe.sgx_v2(levels=(replace(SVNS, status="OutOfDate"),))
    submit_all(
        chain, verifier, CollateralRecipe.sgx(tcb_info=newer, lifetime=60 * DAY).build(ISSUED + 2)
    )
    assert (
        Report.of(chain.call(verifier.functions.verify(evidence))).status == TcbStatus.OUT_OF_DATE
    )


def test_every_byte_of_simulated_sgx_and_tdx_15_evidence_is_covered(
    chain: Chain, verifier: Contract
) -> None:
    for recipe, collateral in (
        (QuoteRecipe.sgx_v3(), CollateralRecipe.sgx()),
        (QuoteRecipe.tdx_v5(), CollateralRecipe()),
    ):
        quote = recipe.build()
        verify(chain, verifier, quote, collateral)
        chain.send(verifier.functions.verify(new_platform_evidence(quote)[1:]))
        evidence = known_platform_evidence(quote)[1:]
        calls = (
            verifier.functions.verify(
                evidence[:i] + bytes([evidence[i] ^ 0x80]) + evidence[i + 1 :]
            )
            for i in range(len(evidence))
        )
        accepted = [
            i
            for i, outcome in enumerate(chain.outcomes(calls))
            if not isinstance(outcome, Reverted)
        ]
        assert accepted == []
