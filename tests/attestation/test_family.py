"""SGX version 3, TDX version 5, both CAs, both versions of TCB info: the same decisions as for TDX version 4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attestation.support import ISSUED_AT, NOW, ROOT, flipped
from xmtp_tee.attestation import Collateral, TcbStatus, TeeKind, parse_quote, verify_quote
from xmtp_tee.attestation.errors import (
    CertificateRevokedError,
    CollateralInvalidError,
    DebugEnabledError,
    EnclaveAttributesRefusedError,
    PlatformMismatchError,
    QuoteNotGenuineError,
    QuotingEnclaveRefusedError,
    ServiceTdNotJudgedError,
    TcbLevelNotFoundError,
    TcbRevokedError,
    TcbStatusRefusedError,
    TdAttributesRefusedError,
)
from xmtp_tee.attestation.qvl import QvlReport, read_status, run_dcap_qvl
from xmtp_tee.attestation.simulator import (
    CertificateShape,
    CollateralRecipe,
    DevelopmentPki,
    Platform,
    QeIdentityRecipe,
    QeLevel,
    QuoteRecipe,
    SgxRecipe,
    TcbInfoRecipe,
    TcbLevel,
    TdRecipe,
    TdxModuleIdentity,
    TdxModuleLevel,
    development_pki,
)
from xmtp_tee.attestation.simulator.quote import (
    SGX_FLAG_DEBUG,
    SGX_FLAG_EINITTOKEN_KEY,
    SGX_FLAG_INIT,
    SGX_FLAG_MODE64BIT,
    SGX_FLAG_PROVISION_KEY,
    TD_ATTRIBUTE_SEPT_VE_DISABLE,
)
from xmtp_tee.errors import InvalidEvidenceError, XmtpTeeError

PKI = development_pki()
STRANGER = DevelopmentPki(b"a stranger's root")
EVERY_STATUS = set(TcbStatus) - {TcbStatus.NONE, TcbStatus.REVOKED}
SERVICE_TD = b"\x5e" * 48

RECIPES: dict[str, tuple[QuoteRecipe, CollateralRecipe]] = {
    "SGX 3": (QuoteRecipe.sgx_v3(), CollateralRecipe.sgx()),
    "SGX 3, TCB info 2": (
        QuoteRecipe.sgx_v3(),
        CollateralRecipe.sgx(tcb_info=TcbInfoRecipe.sgx_v2()),
    ),
    "SGX 3, Processor CA": (
        QuoteRecipe.sgx_v3(issuer=PKI.processor_ca),
        CollateralRecipe.sgx(pck_ca=PKI.processor_ca),
    ),
    "TDX 5, TD 1.0": (QuoteRecipe.tdx_v5_td_10(), CollateralRecipe()),
    "TDX 5, TD 1.5": (QuoteRecipe.tdx_v5(), CollateralRecipe()),
    "TDX 5, service TD": (
        QuoteRecipe.tdx_v5(TdRecipe(mr_service_td=SERVICE_TD)),
        CollateralRecipe(),
    ),
}
MADE = {
    name: (quote.build(), collateral.build(ISSUED_AT))
    for name, (quote, collateral) in RECIPES.items()
}


def verify(quote: bytes, collateral: Collateral, **options: Any) -> TcbStatus:
    return verify_quote(quote, collateral, ROOT, NOW, **options).status


@pytest.mark.parametrize("name", RECIPES)
def test_verify_quote_accepts_every_kind_under_its_collateral(name: str) -> None:
    quote, collateral = MADE[name]
    verified = verify_quote(quote, collateral, ROOT, NOW)
    assert verified.status is TcbStatus.UP_TO_DATE
    assert verified.advisories == bytes(32)
    assert verified.tee is (TeeKind.SGX if name.startswith("SGX") else TeeKind.TDX)
    assert verified.ppid == Platform().ppid
    assert verified.development


@pytest.mark.parametrize("name", RECIPES)
@given(data=st.data())
def test_verify_quote_refuses_any_flipped_signed_bit_of_every_kind(
    name: str, data: st.DataObject
) -> None:
    quote, collateral = MADE[name]
    parsed = parse_quote(quote)
    signed = len(parsed.signed_bytes) * 8
    report = quote.index(parsed.qe_report.raw) * 8
    key = quote.index(parsed.attestation_key) * 8
    at = data.draw(
        st.integers(0, signed - 1)
        | st.integers(key, key + 511)
        | st.integers(report, report + 384 * 8 - 1)
    )
    with pytest.raises(InvalidEvidenceError):
        verify(flipped(quote, at), collateral, accept=EVERY_STATUS)


FORGERIES: dict[str, Callable[[QuoteRecipe], QuoteRecipe]] = {
    "the quote is signed by a stranger": lambda r: replace(r, quote_signer=PKI.key("stranger")),
    "the QE report is signed by a stranger": lambda r: replace(
        r, qe_report_signer=PKI.key("stranger")
    ),
    "the QE report binds another key": lambda r: replace(
        r, quoting_enclave=replace(r.quoting_enclave, report_data=bytes(64))
    ),
    "the QE report's data has a tail": lambda r: replace(
        r, quoting_enclave=replace(r.quoting_enclave, report_data=b"\x01" * 64)
    ),
    "the chain is a stranger's": lambda r: replace(
        r, issuer=STRANGER.platform_ca, pck=STRANGER.issue_pck()
    ),
}


@pytest.mark.parametrize("attack", FORGERIES)
@pytest.mark.parametrize("name", RECIPES)
def test_verify_quote_refuses_forged_quotes_of_every_kind(name: str, attack: str) -> None:
    recipe, _ = RECIPES[name]
    with pytest.raises(QuoteNotGenuineError):
        verify(FORGERIES[attack](recipe).build(), MADE[name][1], accept=EVERY_STATUS)


QUOTING_ENCLAVES: dict[str, dict[str, Any]] = {
    "another signer": {"mr_signer": b"\x01" * 32},
    "another product": {"isv_prod_id": 7},
    "debug": {"attributes": bytes.fromhex("1700000000000000e700000000000000")},
    "other attributes": {"attributes": bytes.fromhex("0500000000000000e700000000000000")},
    "another MISCSELECT": {"misc_select": b"\x01\x00\x00\x00"},
    "below every level": {"isv_svn": 1},
}


@pytest.mark.parametrize("fault", QUOTING_ENCLAVES)
@pytest.mark.parametrize("name", RECIPES)
def test_verify_quote_refuses_other_quoting_enclaves_for_every_kind(name: str, fault: str) -> None:
    recipe, _ = RECIPES[name]
    other = replace(recipe.quoting_enclave, **QUOTING_ENCLAVES[fault])
    with pytest.raises(QuotingEnclaveRefusedError):
        verify(replace(recipe, quoting_enclave=other).build(), MADE[name][1])


def test_verify_quote_refuses_the_quoting_enclave_of_the_other_tee() -> None:
    sgx, tdx = RECIPES["SGX 3"][0], RECIPES["TDX 5, TD 1.5"][0]
    for recipe, enclave, collateral in (
        (sgx, tdx.quoting_enclave, MADE["SGX 3"][1]),
        (tdx, sgx.quoting_enclave, MADE["TDX 5, TD 1.5"][1]),
    ):
        with pytest.raises(QuotingEnclaveRefusedError):
            verify(replace(recipe, quoting_enclave=enclave).build(), collateral)


@pytest.mark.parametrize("name", ["SGX 3", "SGX 3, Processor CA"])
def test_verify_quote_refuses_collateral_of_the_other_tee(name: str) -> None:
    with pytest.raises(PlatformMismatchError):
        verify(MADE[name][0], MADE["TDX 5, TD 1.5"][1])
    with pytest.raises(PlatformMismatchError):
        verify(MADE["TDX 5, TD 1.5"][0], MADE[name][1])


def test_verify_quote_refuses_a_processor_platform_under_the_platform_cas_list() -> None:
    with pytest.raises(QuoteNotGenuineError):
        verify(MADE["SGX 3, Processor CA"][0], MADE["SGX 3"][1])
    with pytest.raises(QuoteNotGenuineError):
        verify(MADE["SGX 3"][0], MADE["SGX 3, Processor CA"][1])


@pytest.mark.parametrize("name", ["SGX 3", "SGX 3, TCB info 2", "SGX 3, Processor CA"])
def test_verify_quote_refuses_a_revoked_platform_of_every_ca(name: str) -> None:
    recipe, collateral = RECIPES[name]
    leaf = PKI.issue_pck(issuer=recipe.issuer)
    for revoked in (
        replace(collateral, revoked_by_ca=(leaf.certificate.serial_number,)),
        replace(
            collateral,
            revoked_by_root=((recipe.issuer or PKI.platform_ca).certificate.serial_number,),
        ),
    ):
        with pytest.raises(CertificateRevokedError):
            verify(recipe.build(), revoked.build(ISSUED_AT))


# --- attributes -------------------------------------------------------------------------------------


def sgx(**changes: Any) -> bytes:
    return QuoteRecipe.sgx_v3(SgxRecipe(**changes)).build()


def test_verify_quote_refuses_an_enclave_under_debug() -> None:
    for name in ("SGX 3", "SGX 3, TCB info 2"):
        with pytest.raises(DebugEnabledError, match="0x0000000000000007"):
            verify(sgx(flags=SGX_FLAG_INIT | SGX_FLAG_MODE64BIT | SGX_FLAG_DEBUG), MADE[name][1])


@pytest.mark.parametrize(
    "flag",
    [SGX_FLAG_PROVISION_KEY, SGX_FLAG_EINITTOKEN_KEY, *(1 << bit for bit in (3, 8, 9, 11, 63))],
    ids=hex,
)
def test_verify_quote_refuses_an_enclave_with_the_provisioning_or_launch_key_or_unknown_flags(
    flag: int,
) -> None:
    with pytest.raises(EnclaveAttributesRefusedError):
        verify(sgx(flags=SGX_FLAG_INIT | SGX_FLAG_MODE64BIT | flag), MADE["SGX 3"][1])


def test_verify_quote_refuses_an_enclave_that_is_not_initialised() -> None:
    with pytest.raises(EnclaveAttributesRefusedError):
        verify(sgx(flags=SGX_FLAG_MODE64BIT), MADE["SGX 3"][1])


@pytest.mark.parametrize("flag", [0x40, 0x80, 0x400], ids=["CET", "KSS", "AEX_NOTIFY"])
def test_verify_quote_accepts_sgx_flags_without_bearing_on_secrecy(flag: int) -> None:
    quote = sgx(flags=SGX_FLAG_INIT | SGX_FLAG_MODE64BIT | flag)
    assert verify(quote, MADE["SGX 3"][1]) is TcbStatus.UP_TO_DATE


@pytest.mark.parametrize("make", [QuoteRecipe.tdx_v5, QuoteRecipe.tdx_v5_td_10])
@pytest.mark.parametrize("service", [bytes(48), SERVICE_TD], ids=["no service TD", "service TD"])
def test_verify_quote_refuses_td_attributes_in_version_5(
    make: Callable[[TdRecipe], QuoteRecipe], service: bytes
) -> None:
    collateral = MADE["TDX 5, TD 1.5"][1]
    for attributes, error in (
        (TD_ATTRIBUTE_SEPT_VE_DISABLE | 1, DebugEnabledError),
        (TD_ATTRIBUTE_SEPT_VE_DISABLE | 1 << 5, TdAttributesRefusedError),
        (TD_ATTRIBUTE_SEPT_VE_DISABLE | 1 << 29, TdAttributesRefusedError),
        (TD_ATTRIBUTE_SEPT_VE_DISABLE | 1 << 40, TdAttributesRefusedError),
        (0, TdAttributesRefusedError),
    ):
        td = TdRecipe(td_attributes=attributes, mr_service_td=service)
        with pytest.raises((error, ServiceTdNotJudgedError)) as refusal:
            verify(make(td).build(), collateral)
        assert refusal.type is error


def test_verify_quote_says_forged_rather_than_debug_of_a_forged_debug_enclave() -> None:
    debug = QuoteRecipe.sgx_v3(SgxRecipe(flags=SGX_FLAG_INIT | SGX_FLAG_DEBUG))
    with pytest.raises(QuoteNotGenuineError):
        verify(
            replace(debug, quote_signer=PKI.key("stranger")).build(),
            MADE["SGX 3, TCB info 2"][1],
        )


# --- statuses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("status", sorted(EVERY_STATUS))
def test_verify_quote_gives_sgx_platforms_every_status(status: TcbStatus, version: int) -> None:
    levels = (TcbLevel(status=status.intel_name, advisory_ids=("INTEL-SA-00615",)),)
    recipe = replace(TcbInfoRecipe.sgx_v3(levels=levels), version=version)
    collateral = CollateralRecipe.sgx(tcb_info=recipe).build(ISSUED_AT)
    quote = MADE["SGX 3"][0]
    assert verify(quote, collateral, accept={status}) is status
    if status is not TcbStatus.UP_TO_DATE:
        with pytest.raises(TcbStatusRefusedError):
            verify(quote, collateral)


@pytest.mark.parametrize("version", [2, 3])
def test_verify_quote_refuses_sgx_platforms_that_are_revoked_or_below_every_level(
    version: int,
) -> None:
    for levels, error in (
        ((TcbLevel(status="Revoked"),), TcbRevokedError),
        ((TcbLevel(pce_svn=12),), TcbLevelNotFoundError),
        ((TcbLevel(sgx=(0,) * 15 + (1,)),), TcbLevelNotFoundError),
    ):
        recipe = replace(TcbInfoRecipe.sgx_v3(levels=levels), version=version)
        with pytest.raises(error):
            verify(
                MADE["SGX 3"][0],
                CollateralRecipe.sgx(tcb_info=recipe).build(ISSUED_AT),
                accept=EVERY_STATUS,
            )


def test_verify_quote_refuses_a_revoked_quoting_enclave_without_dcap_qvl_too() -> None:
    identity = QeIdentityRecipe.sgx(levels=(QeLevel(status="Revoked"),))
    collateral = CollateralRecipe.sgx(tcb_info=TcbInfoRecipe.sgx_v2(), qe_identity=identity)
    with pytest.raises(TcbRevokedError):
        verify(MADE["SGX 3"][0], collateral.build(ISSUED_AT), accept=EVERY_STATUS)


def test_verify_quote_takes_a_relaunch_that_is_advised_for_out_of_date() -> None:
    # The module that started the TD is out of date; the one that runs now is not.
    td = TdRecipe(
        tee_tcb_svn=bytes([2, 1, 3]) + bytes(13), tee_tcb_svn_2=bytes([6, 1, 3]) + bytes(13)
    )
    quote, collateral = QuoteRecipe.tdx_v5(td).build(), MADE["TDX 5, TD 1.5"][1]
    chain = PKI.issue_pck().pem + PKI.platform_ca.pem + PKI.root.pem
    assert run_dcap_qvl(quote, collateral, chain, ROOT, NOW).status is TcbStatus.OUT_OF_DATE
    assert verify(quote, collateral, accept=EVERY_STATUS) is TcbStatus.OUT_OF_DATE
    with pytest.raises(TcbStatusRefusedError):
        verify(quote, collateral)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("TDRelaunchAdvised", TcbStatus.OUT_OF_DATE),
        ("TDRelaunchAdvisedConfigurationNeeded", TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED),
        ("SWHardeningNeeded", TcbStatus.SW_HARDENING_NEEDED),
    ],
)
def test_read_status_never_improves_on_out_of_date(name: str, status: TcbStatus) -> None:
    assert read_status(name) is status


@pytest.mark.parametrize("name", ["", "Fine", "UPTODATE"])
def test_read_status_refuses_unknown_names(name: str) -> None:
    with pytest.raises(QuoteNotGenuineError):
        read_status(name)


def test_verify_quote_refuses_when_the_two_verifiers_do_not_agree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def disagree(*_: object) -> QvlReport:
        return QvlReport(TcbStatus.UP_TO_DATE, ())

    levels = (TcbLevel(status="OutOfDate", advisory_ids=("INTEL-SA-00615",)),)
    collateral = CollateralRecipe(tcb_info=TcbInfoRecipe(levels=levels)).build(ISSUED_AT)
    monkeypatch.setattr("xmtp_tee.attestation.verify.run_dcap_qvl", disagree)
    with pytest.raises(QuoteNotGenuineError, match="do not agree"):
        verify(MADE["TDX 5, TD 1.5"][0], collateral, accept=EVERY_STATUS)


def test_verify_quote_takes_no_refusal_of_a_service_td_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> QvlReport:
        raise ServiceTdNotJudgedError("Invalid MR service TD")

    monkeypatch.setattr("xmtp_tee.attestation.verify.run_dcap_qvl", refuse)
    for name in ("SGX 3", "TDX 5, TD 1.0", "TDX 5, TD 1.5"):
        with pytest.raises(ServiceTdNotJudgedError):
            verify(*MADE[name])
    assert verify(*MADE["TDX 5, service TD"]) is TcbStatus.UP_TO_DATE


# --- random platforms: our levels and dcap-qvl's ------------------------------------------------------

svns = st.tuples(*(st.integers(0, 3) for _ in range(16)))
statuses = st.sampled_from([s.intel_name for s in sorted(EVERY_STATUS)])


@given(
    levels=st.lists(
        st.builds(
            TcbLevel,
            sgx=svns,
            pce_svn=st.integers(9, 12),
            tdx=st.tuples(*(st.integers(0, 2) for _ in range(3))).map(lambda t: t + (0,) * 13),
            status=statuses,
            advisory_ids=st.sampled_from([(), ("INTEL-SA-00001",), ("INTEL-SA-00002",) * 2]),
        ),
        min_size=1,
        max_size=5,
    ),
    components=svns,
    version=st.integers(0, 1),
    tdx=st.booleans(),
)
def test_verify_quote_judges_random_levels_as_dcap_qvl_does(
    levels: list[TcbLevel], components: tuple[int, ...], version: int, tdx: bool
) -> None:
    # verify_quote itself compares the two: it refuses with "do not agree" when they differ.
    ordered = tuple(sorted(levels, key=lambda v: (v.sgx, v.pce_svn, v.tdx), reverse=True))
    platform = Platform(tcb_components=components)
    if tdx:
        td = TdRecipe(tee_tcb_svn=bytes([1, version, 1]) + bytes(13))
        quote = QuoteRecipe.tdx_v5_td_10(td, platform=platform)
        module = TdxModuleIdentity(levels=(TdxModuleLevel(isv_svn=1, status="OutOfDate"),))
        recipe = CollateralRecipe(
            tcb_info=TcbInfoRecipe(levels=ordered, module_identities=(module,))
        )
    else:
        quote = QuoteRecipe.sgx_v3(platform=platform)
        recipe = CollateralRecipe.sgx(tcb_info=TcbInfoRecipe.sgx_v3(levels=ordered))
    try:
        assert verify(quote.build(), recipe.build(ISSUED_AT), accept=EVERY_STATUS) in EVERY_STATUS
    except TcbLevelNotFoundError:
        return


# --- chains of any shape ----------------------------------------------------------------------------


def under(ca: Any) -> tuple[QuoteRecipe, CollateralRecipe]:
    """A platform certified by a CA of some shape."""
    leaf = PKI.issue_pck(issuer=ca)
    return QuoteRecipe.sgx_v3(issuer=ca, pck=leaf), CollateralRecipe.sgx(pck_ca=ca)


def shaped_ca(**shape: Any) -> tuple[QuoteRecipe, CollateralRecipe]:
    length = shape.pop("path_length", 0)
    issuer = shape.pop("issuer", PKI.root)
    ca = PKI.issue(
        "shaped", "A CA", issuer=issuer, path_length=length, shape=CertificateShape(**shape)
    )
    return under(ca)


def shaped_leaf(**shape: Any) -> tuple[QuoteRecipe, CollateralRecipe]:
    length = shape.pop("path_length", None)
    leaf = PKI.issue(
        "pck",
        "XMTP TEE Development PCK Certificate",
        issuer=PKI.platform_ca,
        path_length=length,
        shape=CertificateShape(**shape),
        sgx_extension=Platform().sgx_extension(),
    )
    return QuoteRecipe.sgx_v3(pck=leaf), CollateralRecipe.sgx()


SHAPES: dict[str, Callable[[], tuple[QuoteRecipe, CollateralRecipe]]] = {
    "the CA is self-signed": lambda: shaped_ca(issuer=None),
    "the CA is signed by a leaf": lambda: shaped_ca(issuer=PKI.issue_pck()),
    "the CA is signed by a stranger in the root's name": lambda: shaped_ca(
        signing_key=STRANGER.root.key
    ),
    "the CA names another issuer": lambda: shaped_ca(issuer_common_name="Another Root"),
    "the CA may issue CAs": lambda: shaped_ca(path_length=1),
    "the CA has no path length": lambda: shaped_ca(path_length=None, is_ca=True),
    "the CA is no CA": lambda: shaped_ca(is_ca=False),
    "the CA may not sign certificates": lambda: shaped_ca(signs_certificates=False),
    "the CA has no key usage": lambda: shaped_ca(without_key_usage=True),
    "the CA has no basic constraints": lambda: shaped_ca(without_basic_constraints=True),
    "the leaf is a CA": lambda: shaped_leaf(path_length=0),
    "the leaf may sign certificates": lambda: shaped_leaf(signs_certificates=True),
    "the leaf has no key usage": lambda: shaped_leaf(without_key_usage=True),
    "the leaf is signed by a stranger": lambda: shaped_leaf(signing_key=STRANGER.platform_ca.key),
    "the leaf names another issuer": lambda: shaped_leaf(issuer_common_name="Another CA"),
}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_verify_quote_refuses_chains_of_a_wrong_shape(shape: str, version: int) -> None:
    quote, collateral = SHAPES[shape]()
    collateral = replace(collateral, tcb_info=replace(TcbInfoRecipe.sgx_v3(), version=version))
    with pytest.raises(QuoteNotGenuineError):
        verify(quote.build(), collateral.build(ISSUED_AT), accept=EVERY_STATUS)


def test_issue_without_faults_makes_a_chain_that_is_accepted() -> None:
    quote, collateral = shaped_ca()
    assert verify(quote.build(), collateral.build(ISSUED_AT)) is TcbStatus.UP_TO_DATE
    quote, collateral = shaped_leaf()
    assert verify(quote.build(), collateral.build(ISSUED_AT)) is TcbStatus.UP_TO_DATE


def test_verify_quote_refuses_collateral_signed_by_the_platform_without_dcap_qvl_too() -> None:
    recipe = CollateralRecipe.sgx(tcb_info=TcbInfoRecipe.sgx_v2(), tcb_signer=PKI.issue_pck())
    with pytest.raises(QuoteNotGenuineError):
        verify(MADE["SGX 3"][0], recipe.build(ISSUED_AT))


def test_verify_quote_refuses_a_list_signed_by_a_stranger_without_dcap_qvl_too() -> None:
    quote = MADE["SGX 3"][0]
    collateral = MADE["SGX 3, TCB info 2"][1]
    times = {"this_update": ISSUED_AT, "next_update": NOW + 86_400}
    for changes in (
        {"root_ca_crl": PKI.crl(PKI.root, signer=STRANGER.root, **times)},
        {"root_ca_crl": PKI.crl(PKI.platform_ca, **times)},
        {"pck_crl": PKI.crl(PKI.platform_ca, signer=STRANGER.platform_ca, **times)},
        {"pck_crl": PKI.crl(PKI.processor_ca, **times)},
    ):
        with pytest.raises(CollateralInvalidError):
            verify(quote, replace(collateral, **changes))


# --- every byte ---------------------------------------------------------------------------------------


def outcome(quote: bytes, collateral: Collateral) -> tuple[bytes, ...] | None:
    """What a quote says once verified, None when it is refused."""
    try:
        verified = verify_quote(quote, collateral, ROOT, NOW)
    except XmtpTeeError:
        return None
    return verified.workload, verified.report_data, verified.ppid, verified.quote.signed_bytes


def unsigned_and_unused(quote: bytes) -> range:
    """The bytes that no signature covers and nothing reads: after the leaf certificate in the PEM chain.

    The CA and the root that the quote carries, and the terminating zero, play no part: the collateral's CA and the
    pinned root do. Their form is still checked.
    """
    end_of_leaf = quote.index(b"-----END CERTIFICATE-----") + len(b"-----END CERTIFICATE-----")
    return range(end_of_leaf, len(quote))


@pytest.mark.parametrize("name", RECIPES)
@given(data=st.data())
def test_verify_quote_ignores_changes_nowhere_but_after_the_leaf_certificate(
    name: str, data: st.DataObject
) -> None:
    quote, collateral = MADE[name]
    at = data.draw(st.integers(0, len(quote) - 1))
    changed = bytearray(quote)
    changed[at] ^= data.draw(st.integers(1, 255))
    said = outcome(bytes(changed), collateral)
    assert said is None or (at in unsigned_and_unused(quote) and said == outcome(quote, collateral))


@pytest.mark.proof
@pytest.mark.parametrize("name", RECIPES)
def test_verify_quote_ignores_no_byte_but_those_after_the_leaf_certificate(name: str) -> None:
    quote, collateral = MADE[name]
    genuine, unused = outcome(quote, collateral), unsigned_and_unused(quote)
    for at in range(len(quote)):
        for mask in (0x01, 0x80, 0xFF):
            changed = quote[:at] + bytes([quote[at] ^ mask]) + quote[at + 1 :]
            said = outcome(changed, collateral)
            assert said is None or (at in unused and said == genuine), at
