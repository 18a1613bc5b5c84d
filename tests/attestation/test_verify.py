"""Attacks on a simulated platform: each forged, tampered, expired or refused piece has its typed error.

The quote under attack is the one that test_simulator.py has an independent verifier accept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attestation import support
from tests.attestation.support import (
    COLLATERAL,
    DAY,
    ISSUED_AT,
    NOW,
    QUOTE,
    RECIPE,
    ROOT,
    enclave,
    flipped,
    platform,
    td,
)
from xmtp_tee.attestation import Collateral, TcbStatus, TeeKind, parse_quote, verify_quote
from xmtp_tee.attestation.errors import (
    CertificateRevokedError,
    CollateralInvalidError,
    CollateralLapsedError,
    CollateralNotYetValidError,
    DebugEnabledError,
    EvidenceExpiredError,
    FieldError,
    PlatformMismatchError,
    QuoteNotGenuineError,
    QuotingEnclaveRefusedError,
    TcbLevelNotFoundError,
    TcbRevokedError,
    TcbStatusRefusedError,
    TdAttributesRefusedError,
)
from xmtp_tee.attestation.qvl import translate
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    DevelopmentPki,
    Platform,
    QeIdentityRecipe,
    QeLevel,
    QuoteRecipe,
    TcbInfoRecipe,
    TcbLevel,
    TdxModuleIdentity,
    TdxModuleLevel,
    development_pki,
)
from xmtp_tee.attestation.simulator.quote import TD_ATTRIBUTE_SEPT_VE_DISABLE
from xmtp_tee.errors import ExitCode, InvalidEvidenceError, XmtpTeeError

PKI = development_pki()
STRANGER = DevelopmentPki(b"a stranger's root")
LEAF = PKI.issue_pck()


def verify(
    quote: bytes = QUOTE,
    collateral: Collateral = COLLATERAL,
    now: int = NOW,
    root: bytes = ROOT,
    **options: Any,
) -> TcbStatus:
    return verify_quote(quote, collateral, root, now, **options).status


def collateral(**changes: Any) -> Collateral:
    return CollateralRecipe(**changes).build(ISSUED_AT)


def tcb_info(**changes: Any) -> Collateral:
    return collateral(tcb_info=TcbInfoRecipe(**changes))


def qe_identity(**changes: Any) -> Collateral:
    return collateral(qe_identity=QeIdentityRecipe(**changes))


def test_verify_quote_returns_what_the_quote_says() -> None:
    verified = verify_quote(QUOTE, COLLATERAL, ROOT, NOW)
    assert verified.tee is TeeKind.TDX
    assert verified.status is TcbStatus.UP_TO_DATE
    assert verified.development
    assert verified.report_data == support.BINDING.report_data()
    assert verified.ppid == Platform().ppid
    assert verified.fmspc == Platform().fmspc
    assert verified.shortest.end == ISSUED_AT + LIFETIME - 1
    assert verify_quote(parse_quote(QUOTE), COLLATERAL, ROOT, NOW) == verified
    assert verify_quote(QUOTE + bytes(3_000), COLLATERAL, ROOT, NOW) == verified


def test_verify_quote_accepts_a_platform_of_the_processor_ca() -> None:
    quote = replace(RECIPE, issuer=PKI.processor_ca).build()
    assert verify(quote, collateral(pck_ca=PKI.processor_ca)) is TcbStatus.UP_TO_DATE


# --- tampering ------------------------------------------------------------------------------------

SIGNED_REGIONS = (
    support.HEADER,
    support.TD_REPORT,
    support.QUOTE_SIGNATURE,
    support.ATTESTATION_KEY,
    support.QE_REPORT,
    support.QE_REPORT_SIGNATURE,
    support.AUTH_DATA,
)
LEAF_TEXT = range(support.PEM_CHAIN, support.PEM_CHAIN + len(LEAF.pem))


@pytest.mark.parametrize("region", SIGNED_REGIONS, ids=str)
@given(st.data())
def test_verify_quote_refuses_any_flipped_bit_of_a_signed_region(
    region: range, data: st.DataObject
) -> None:
    byte = data.draw(st.integers(region.start, region.stop - 1))
    bit = data.draw(st.integers(0, 7))
    with pytest.raises(InvalidEvidenceError):
        verify(flipped(QUOTE, 8 * byte + bit))


@given(st.data())
def test_verify_quote_refuses_any_flipped_bit_of_the_platforms_certificate(
    data: st.DataObject,
) -> None:
    byte = data.draw(st.integers(LEAF_TEXT.start, LEAF_TEXT.stop - 1))
    with pytest.raises((InvalidEvidenceError, EvidenceExpiredError)):
        verify(flipped(QUOTE, 8 * byte + data.draw(st.integers(0, 7))))


@given(st.data())
def test_verify_quote_refuses_or_ignores_a_flipped_bit_of_the_unsigned_tail(
    data: st.DataObject,
) -> None:
    # The CA and the root that the quote carries play no part: the collateral's CA and the pinned root do.
    byte = data.draw(st.integers(LEAF_TEXT.stop, len(QUOTE) - 1))
    try:
        verified = verify_quote(
            flipped(QUOTE, 8 * byte + data.draw(st.integers(0, 7))), COLLATERAL, ROOT, NOW
        )
    except InvalidEvidenceError:
        return
    assert verified.quote.signed_bytes == QUOTE[:632]
    assert verified.quote.pck_leaf == LEAF.der


@given(st.data())
def test_verify_quote_refuses_any_flipped_bit_of_signed_collateral(data: st.DataObject) -> None:
    name = data.draw(
        st.sampled_from(
            [
                "tcb_info",
                "tcb_info_signature",
                "qe_identity",
                "qe_identity_signature",
                "root_ca_crl",
            ]
        )
    )
    value = getattr(COLLATERAL, name)
    raw = value.encode() if isinstance(value, str) else value
    changed = flipped(raw, data.draw(st.integers(0, 8 * len(raw) - 1)))
    damaged = changed.decode("latin-1") if isinstance(value, str) else changed
    with pytest.raises(XmtpTeeError):
        verify(collateral=replace(COLLATERAL, **{name: damaged}))


@pytest.mark.proof
def test_verify_quote_refuses_every_flipped_bit_of_every_signed_region() -> None:
    for region in (*SIGNED_REGIONS, LEAF_TEXT):
        for bit in range(8 * region.start, 8 * region.stop):
            with pytest.raises(XmtpTeeError):
                verify(flipped(QUOTE, bit))


# --- forged ---------------------------------------------------------------------------------------

FORGED: dict[str, tuple[Callable[[], bytes], type[XmtpTeeError]]] = {
    "quote signed by a stranger": (
        lambda: replace(RECIPE, quote_signer=PKI.key("stranger")).build(),
        QuoteNotGenuineError,
    ),
    "attestation key swapped after the QE signed": (
        lambda: enclave(
            report_data=hashlib.sha256(bytes(64) + RECIPE.auth_data).digest() + bytes(32)
        ).build(),
        QuoteNotGenuineError,
    ),
    "QE report signed by a stranger": (
        lambda: replace(RECIPE, qe_report_signer=PKI.key("stranger")).build(),
        QuoteNotGenuineError,
    ),
    "QE report data does not end in zeros": (
        lambda: enclave(
            report_data=hashlib.sha256(
                parse_quote(QUOTE).attestation_key + RECIPE.auth_data
            ).digest()
            + bytes(31)
            + b"\x01"
        ).build(),
        QuoteNotGenuineError,
    ),
    "QE auth data of another length": (
        lambda: replace(RECIPE, auth_data=bytes(20)).build(),
        QuoteNotGenuineError,
    ),
    "whole PKI of a stranger": (lambda: RECIPE.build(STRANGER), QuoteNotGenuineError),
    "leaf of a stranger under our chain": (
        lambda: replace(
            RECIPE,
            pck=STRANGER.issue_pck(),
            pem_chain=(STRANGER.issue_pck().pem + PKI.platform_ca.pem + PKI.root.pem).encode(),
        ).build(),
        QuoteNotGenuineError,
    ),
    "leaf issued by the root": (
        lambda: replace(RECIPE, pck=PKI.issue_pck(issuer=PKI.root)).build(),
        QuoteNotGenuineError,
    ),
    "leaf issued by the TCB signer": (
        lambda: replace(RECIPE, pck=PKI.issue_pck(issuer=PKI.tcb_signer)).build(),
        QuoteNotGenuineError,
    ),
    "leaf issued by another leaf": (
        lambda: replace(RECIPE, pck=PKI.issue_pck(label="second", issuer=LEAF)).build(),
        QuoteNotGenuineError,
    ),
    "leaf is the intermediate CA": (
        lambda: replace(RECIPE, pck=PKI.platform_ca).build(),
        QuoteNotGenuineError,
    ),
    "leaf is the TCB signer": (
        lambda: replace(RECIPE, pck=PKI.tcb_signer).build(),
        QuoteNotGenuineError,
    ),
    "leaf of the other CA": (
        lambda: replace(RECIPE, issuer=PKI.processor_ca).build(),
        QuoteNotGenuineError,
    ),
    "leaf with an empty SGX extension": (
        lambda: replace(RECIPE, pck=PKI.issue_pck(extension=b"\x30\x00")).build(),
        QuoteNotGenuineError,
    ),
    "leaf with a garbled SGX extension": (
        lambda: replace(RECIPE, pck=PKI.issue_pck(extension=b"garbled")).build(),
        QuoteNotGenuineError,
    ),
    "leaf for another platform family": (
        lambda: platform(fmspc=bytes(6)).build(),
        PlatformMismatchError,
    ),
    "leaf for another PCE": (lambda: platform(pce_id=b"\x00\x01").build(), PlatformMismatchError),
    "leaf of an unknown SGX type": (lambda: platform(sgx_type=3).build(), QuoteNotGenuineError),
    "CPUSVN above the components": (
        lambda: platform(cpu_svn=b"\xff" * 16).build(),
        PlatformMismatchError,
    ),
    "quoting enclave of another signer": (
        lambda: enclave(mr_signer=bytes(32)).build(),
        QuotingEnclaveRefusedError,
    ),
    "quoting enclave of another product": (
        lambda: enclave(isv_prod_id=1).build(),
        QuotingEnclaveRefusedError,
    ),
    "quoting enclave with other attributes": (
        lambda: enclave(attributes=bytes.fromhex("0500000000000000e700000000000000")).build(),
        QuotingEnclaveRefusedError,
    ),
    "quoting enclave with another MISCSELECT": (
        lambda: enclave(misc_select=b"\x01\x00\x00\x00").build(),
        QuotingEnclaveRefusedError,
    ),
    "quoting enclave under debug": (
        lambda: enclave(attributes=bytes.fromhex("1700000000000000e700000000000000")).build(),
        QuotingEnclaveRefusedError,
    ),
    "quoting enclave below every level": (
        lambda: enclave(isv_svn=3).build(),
        QuotingEnclaveRefusedError,
    ),
    "TDX module below every level": (
        lambda: td(tee_tcb_svn=bytes([1, 1, 3]) + bytes(13)).build(),
        TcbLevelNotFoundError,
    ),
    "TDX components below every level": (
        lambda: td(tee_tcb_svn=bytes([6, 1, 1]) + bytes(13)).build(),
        TcbLevelNotFoundError,
    ),
    "TDX module of an unknown version": (
        lambda: td(tee_tcb_svn=bytes([6, 2, 3]) + bytes(13)).build(),
        TcbLevelNotFoundError,
    ),
    "TDX module of another signer": (
        lambda: td(mr_signer_seam=b"\x01" + bytes(47)).build(),
        TcbLevelNotFoundError,
    ),
    "SEAM attributes set": (
        lambda: td(seam_attributes=bytes(7) + b"\x80").build(),
        TcbLevelNotFoundError,
    ),
    "platform below every level": (
        lambda: platform(tcb_components=(1,) * 16).build(),
        TcbLevelNotFoundError,
    ),
    "PCE below every level": (lambda: platform(pce_svn=4).build(), TcbLevelNotFoundError),
}


@pytest.mark.parametrize("attack", FORGED)
def test_verify_quote_refuses_a_forged_quote(attack: str) -> None:
    build, expected = FORGED[attack]
    with pytest.raises(expected) as refusal:
        verify(build())
    assert refusal.value.exit_code is ExitCode.INVALID_EVIDENCE


def other_chain(name: str, chain: str) -> Collateral:
    return replace(COLLATERAL, **{name: chain})


FORGED_COLLATERAL: dict[str, tuple[Callable[[], Collateral], type[XmtpTeeError]]] = {
    "signed by a stranger": (
        lambda: CollateralRecipe().build(ISSUED_AT, STRANGER),
        QuoteNotGenuineError,
    ),
    "signed by a platform's key": (lambda: collateral(tcb_signer=LEAF), QuoteNotGenuineError),
    "signed by the platform CA": (
        lambda: collateral(tcb_signer=PKI.platform_ca),
        QuoteNotGenuineError,
    ),
    "signed by the root itself": (lambda: collateral(tcb_signer=PKI.root), QuoteNotGenuineError),
    "signed by the TCB signer but the chain names another": (
        lambda: replace(
            COLLATERAL,
            tcb_info_issuer_chain=PKI.issue_tcb_signer("second signer").pem + PKI.root.pem,
        ),
        CollateralInvalidError,
    ),
    "QE identity signed by another signer than the chain's": (
        lambda: replace(
            COLLATERAL,
            qe_identity_issuer_chain=PKI.issue_tcb_signer("second signer").pem + PKI.root.pem,
        ),
        CollateralInvalidError,
    ),
    "TCB info and QE identity swapped": (
        lambda: replace(
            COLLATERAL,
            tcb_info=COLLATERAL.qe_identity,
            tcb_info_signature=COLLATERAL.qe_identity_signature,
        ),
        CollateralInvalidError,
    ),
    "PCK CA is a TCB signer": (
        lambda: collateral(pck_ca=PKI.tcb_signer),
        QuoteNotGenuineError,
    ),
    "PCK CRL signed by a stranger": (
        lambda: replace(
            COLLATERAL,
            pck_crl=PKI.crl(
                PKI.platform_ca,
                this_update=ISSUED_AT,
                next_update=ISSUED_AT + 30 * DAY,
                signer=STRANGER.platform_ca,
            ),
        ),
        QuoteNotGenuineError,
    ),
    "root CRL signed by a stranger": (
        lambda: replace(
            COLLATERAL,
            root_ca_crl=PKI.crl(
                PKI.root,
                this_update=ISSUED_AT,
                next_update=ISSUED_AT + 30 * DAY,
                signer=STRANGER.root,
            ),
        ),
        InvalidEvidenceError,
    ),
    "PCK CRL of the other CA": (
        lambda: replace(
            COLLATERAL,
            pck_crl=PKI.crl(
                PKI.processor_ca, this_update=ISSUED_AT, next_update=ISSUED_AT + 30 * DAY
            ),
        ),
        QuoteNotGenuineError,
    ),
    "no root CRL, the PCK CRL twice": (
        lambda: replace(COLLATERAL, root_ca_crl=COLLATERAL.pck_crl),
        InvalidEvidenceError,
    ),
    "chain without the root": (
        lambda: other_chain("tcb_info_issuer_chain", PKI.tcb_signer.pem),
        CollateralInvalidError,
    ),
    "TCB status unknown": (
        lambda: tcb_info(levels=(TcbLevel(status="Fine"),)),
        CollateralInvalidError,
    ),
    "TCB status of TDX 1.5": (
        lambda: tcb_info(levels=(TcbLevel(status="TDRelaunchAdvised"),)),
        CollateralInvalidError,
    ),
    "QE status unknown": (
        lambda: qe_identity(levels=(QeLevel(status="Fine"),)),
        CollateralInvalidError,
    ),
    "TCB info of another version": (lambda: tcb_info(version=4), CollateralInvalidError),
    "TCB info for SGX": (lambda: tcb_info(identifier="SGX"), CollateralInvalidError),
    "TCB info of another type": (lambda: tcb_info(tcb_type=1), CollateralInvalidError),
    "TCB info for another platform": (lambda: tcb_info(fmspc=bytes(6)), PlatformMismatchError),
    "TCB info for another PCE": (lambda: tcb_info(pce_id=b"\x01\x00"), PlatformMismatchError),
    "QE identity of another version": (lambda: qe_identity(version=3), CollateralInvalidError),
    "QE identity for SGX": (lambda: qe_identity(identifier="QE"), CollateralInvalidError),
    "TDX module identities missing": (
        lambda: tcb_info(module_identities=()),
        TcbLevelNotFoundError,
    ),
    "TDX module without levels": (
        lambda: tcb_info(module_identities=(TdxModuleIdentity(levels=()),)),
        CollateralInvalidError,
    ),
    "TDX module expected to have attributes": (
        lambda: tcb_info(
            module_identities=(TdxModuleIdentity(attributes=b"\x01" * 8, attributes_mask=bytes(8)),)
        ),
        CollateralInvalidError,
    ),
    "TCB info that ends when it begins": (
        lambda: collateral(lifetime=0, crl_lifetime=30 * DAY),
        CollateralInvalidError,
    ),
    "QE identity without levels": (
        lambda: qe_identity(levels=()),
        InvalidEvidenceError,
    ),
}


@pytest.mark.parametrize("attack", FORGED_COLLATERAL)
def test_verify_quote_refuses_forged_collateral(attack: str) -> None:
    build, expected = FORGED_COLLATERAL[attack]
    with pytest.raises(expected) as refusal:
        verify(collateral=build())
    assert refusal.value.exit_code is ExitCode.INVALID_EVIDENCE


@pytest.mark.parametrize(
    "changes",
    [
        {"revoked_by_ca": (LEAF.certificate.serial_number,)},
        {"revoked_by_ca": (1, 2, LEAF.certificate.serial_number, 3)},
        {"revoked_by_root": (PKI.platform_ca.certificate.serial_number,)},
        {"revoked_by_root": (PKI.tcb_signer.certificate.serial_number,)},
    ],
    ids=["platform", "platform among others", "platform CA", "TCB signer"],
)
def test_verify_quote_refuses_a_revoked_certificate(changes: dict[str, Any]) -> None:
    with pytest.raises(CertificateRevokedError):
        verify(collateral=collateral(**changes))


def test_verify_quote_is_not_moved_by_the_revocation_of_others() -> None:
    others = collateral(revoked_by_ca=(1, 2, 3), revoked_by_root=(4,))
    assert verify(collateral=others) is TcbStatus.UP_TO_DATE


# --- time -----------------------------------------------------------------------------------------

LIFETIME = CollateralRecipe().lifetime


def test_verify_quote_accepts_collateral_from_its_first_to_its_last_second() -> None:
    assert verify(now=ISSUED_AT) is TcbStatus.UP_TO_DATE
    assert verify(now=ISSUED_AT + LIFETIME - 1) is TcbStatus.UP_TO_DATE


def test_verify_quote_refuses_collateral_before_its_first_second() -> None:
    with pytest.raises(CollateralNotYetValidError) as refusal:
        verify(now=ISSUED_AT - 1)
    assert refusal.value.exit_code is ExitCode.UNAVAILABLE


def test_verify_quote_refuses_collateral_after_its_last_second() -> None:
    with pytest.raises(CollateralLapsedError) as refusal:
        verify(now=ISSUED_AT + LIFETIME)
    assert refusal.value.exit_code is ExitCode.UNAVAILABLE


def test_verify_quote_refuses_tcb_info_from_its_next_update_on() -> None:
    longer = collateral(crl_lifetime=LIFETIME + DAY)
    assert verify(collateral=longer, now=ISSUED_AT + LIFETIME - 1) is TcbStatus.UP_TO_DATE
    with pytest.raises(CollateralLapsedError, match="TCB info"):
        verify(collateral=longer, now=ISSUED_AT + LIFETIME)


def test_verify_quote_refuses_a_lapsed_crl() -> None:
    with pytest.raises(CollateralLapsedError, match="CRL"):
        verify(collateral=collateral(crl_lifetime=DAY), now=ISSUED_AT + DAY)


@pytest.mark.parametrize("piece", ["platform CA", "TCB signer"])
def test_verify_quote_refuses_an_expired_signer(piece: str) -> None:
    if piece == "platform CA":
        ca = PKI.issue_ca("platform-ca", "XMTP TEE Development PCK Platform CA", not_after=NOW - 1)
        expired = collateral(pck_ca=ca)
    else:
        expired = collateral(tcb_signer=PKI.issue_tcb_signer(not_after=NOW - 1))
    with pytest.raises(CollateralLapsedError, match="certificate of"):
        verify(collateral=expired)


@pytest.mark.parametrize("bounds", [{"not_after": NOW - 1}, {"not_before": NOW + 1}], ids=str)
def test_verify_quote_refuses_a_platform_certificate_outside_of_its_validity(
    bounds: dict[str, int],
) -> None:
    with pytest.raises(EvidenceExpiredError) as refusal:
        verify(replace(RECIPE, pck=PKI.issue_pck(**bounds)).build())
    assert refusal.value.exit_code is ExitCode.REFUSED_BY_POLICY


def test_verify_quote_accepts_a_platform_certificate_to_its_last_second() -> None:
    quote = replace(RECIPE, pck=PKI.issue_pck(not_after=NOW)).build()
    assert verify(quote) is TcbStatus.UP_TO_DATE


def test_verify_quote_refuses_an_expired_root() -> None:
    pki = DevelopmentPki(not_after=ISSUED_AT)
    with pytest.raises(CollateralLapsedError, match="root"):
        verify(RECIPE.build(pki), CollateralRecipe().build(ISSUED_AT, pki), root=pki.root.der)


# --- policy ---------------------------------------------------------------------------------------


def test_verify_quote_refuses_a_td_under_debug() -> None:
    with pytest.raises(DebugEnabledError) as refusal:
        verify(td(td_attributes=TD_ATTRIBUTE_SEPT_VE_DISABLE | 1).build())
    assert refusal.value.exit_code is ExitCode.REFUSED_BY_POLICY
    assert "0x0000000010000001" in str(refusal.value)


@pytest.mark.parametrize("bit", [*range(1, 16), 17, *range(23, 27), 29, *range(32, 62)])
def test_verify_quote_refuses_td_attributes_that_are_reserved_or_weaken_the_td(bit: int) -> None:
    with pytest.raises(TdAttributesRefusedError):
        verify(td(td_attributes=TD_ATTRIBUTE_SEPT_VE_DISABLE | 1 << bit).build())


def test_verify_quote_refuses_a_td_without_sept_ve_disable() -> None:
    with pytest.raises(TdAttributesRefusedError):
        verify(td(td_attributes=0).build())


@pytest.mark.parametrize("bit", [30, 31, 63], ids=["PKS", "KL", "PERFMON"])
def test_verify_quote_accepts_td_attributes_without_bearing_on_security(bit: int) -> None:
    quote = td(td_attributes=TD_ATTRIBUTE_SEPT_VE_DISABLE | 1 << bit).build()
    assert verify(quote) is TcbStatus.UP_TO_DATE


def test_verify_quote_says_invalid_rather_than_debug_when_a_debug_quote_is_forged() -> None:
    debug = td(td_attributes=TD_ATTRIBUTE_SEPT_VE_DISABLE | 1)
    with pytest.raises(QuoteNotGenuineError):
        verify(replace(debug, quote_signer=PKI.key("stranger")).build())


REFUSED_STATUSES = [
    status
    for status in TcbStatus
    if status not in (TcbStatus.NONE, TcbStatus.UP_TO_DATE, TcbStatus.REVOKED)
]


ADVISORIES = ("INTEL-SA-00828",)


def with_status(part: str, status: str) -> Collateral:
    """Collateral that gives one part of the platform a status, and leaves the others up to date."""
    if part == "platform":
        return tcb_info(levels=(TcbLevel(status=status, advisory_ids=ADVISORIES),))
    if part == "TDX module":
        level = TdxModuleLevel(status=status, advisory_ids=ADVISORIES)
        return tcb_info(module_identities=(TdxModuleIdentity(levels=(level,)),))
    return qe_identity(levels=(QeLevel(status=status, advisory_ids=ADVISORIES),))


@pytest.mark.parametrize(
    ("part", "status"),
    [
        *(("platform", status) for status in REFUSED_STATUSES),
        ("TDX module", TcbStatus.OUT_OF_DATE),
        ("quoting enclave", TcbStatus.OUT_OF_DATE),
    ],
)
def test_verify_quote_refuses_a_status_unless_it_is_accepted(part: str, status: TcbStatus) -> None:
    judged = with_status(part, status.intel_name)
    with pytest.raises(TcbStatusRefusedError) as refusal:
        verify(collateral=judged)
    assert refusal.value.exit_code is ExitCode.REFUSED_BY_POLICY
    assert refusal.value.got == f"{status.intel_name} (INTEL-SA-00828)"
    assert verify(collateral=judged, accept={status}) is status


@pytest.mark.parametrize(
    "status", [s for s in REFUSED_STATUSES if s is not TcbStatus.OUT_OF_DATE], ids=lambda s: s.name
)
@pytest.mark.parametrize("part", ["TDX module", "quoting enclave"])
def test_verify_quote_refuses_a_part_with_a_status_that_parts_do_not_have(
    part: str, status: TcbStatus
) -> None:
    # dcap-qvl alone takes a quoting enclave that needs configuration for one that is up to date.
    with pytest.raises(CollateralInvalidError):
        verify(collateral=with_status(part, status.intel_name), accept=REFUSED_STATUSES)


CONVERGED = {
    "UpToDate": TcbStatus.OUT_OF_DATE,
    "SWHardeningNeeded": TcbStatus.OUT_OF_DATE,
    "ConfigurationNeeded": TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
    "ConfigurationAndSWHardeningNeeded": TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
    "OutOfDate": TcbStatus.OUT_OF_DATE,
    "OutOfDateConfigurationNeeded": TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
}


@pytest.mark.parametrize("status", CONVERGED)
@pytest.mark.parametrize("part", ["TDX module", "quoting enclave"])
def test_verify_quote_converges_the_platform_with_an_out_of_date_part(
    part: str, status: str
) -> None:
    levels = (TcbLevel(status=status),)
    if part == "TDX module":
        module = TdxModuleIdentity(levels=(TdxModuleLevel(status="OutOfDate"),))
        judged = tcb_info(levels=levels, module_identities=(module,))
    else:
        judged = collateral(
            tcb_info=TcbInfoRecipe(levels=levels),
            qe_identity=QeIdentityRecipe(levels=(QeLevel(status="OutOfDate"),)),
        )
    assert verify(collateral=judged, accept=REFUSED_STATUSES) is CONVERGED[status]


def test_verify_quote_judges_a_module_with_an_identity_by_its_own_svn() -> None:
    # TEE_TCB_SVN[0] is below the level's component 0, which counts for modules of version 0 only.
    newer = td(tee_tcb_svn=bytes([4, 1, 3]) + bytes(13)).build()
    assert verify(newer) is TcbStatus.UP_TO_DATE
    first_generation = td(tee_tcb_svn=bytes([4, 0, 3]) + bytes(13)).build()
    with pytest.raises(TcbLevelNotFoundError):
        verify(first_generation)
    assert verify(td(tee_tcb_svn=bytes([5, 0, 3]) + bytes(13)).build()) is TcbStatus.UP_TO_DATE


@pytest.mark.parametrize("part", ["platform", "TDX module", "quoting enclave"])
def test_verify_quote_refuses_a_revoked_tcb_whatever_is_accepted(part: str) -> None:
    pieces = {
        "platform": lambda: tcb_info(levels=(TcbLevel(status="Revoked"),)),
        "TDX module": lambda: tcb_info(
            module_identities=(TdxModuleIdentity(levels=(TdxModuleLevel(status="Revoked"),)),)
        ),
        "quoting enclave": lambda: qe_identity(levels=(QeLevel(status="Revoked"),)),
    }
    with pytest.raises(TcbRevokedError):
        verify(collateral=pieces[part](), accept=REFUSED_STATUSES)


@pytest.mark.parametrize("status", [TcbStatus.NONE, TcbStatus.REVOKED])
def test_verify_quote_refuses_a_policy_that_accepts_what_nobody_may(status: TcbStatus) -> None:
    with pytest.raises(FieldError):
        verify(accept={TcbStatus.UP_TO_DATE, status})


def test_verify_quote_finds_the_lower_level_of_an_old_platform() -> None:
    old = platform(pce_svn=5).build()
    with pytest.raises(TcbStatusRefusedError) as refusal:
        verify(old)
    assert refusal.value.got is not None
    assert refusal.value.got.startswith("OutOfDate (INTEL-SA-00106")


# --- dcap-qvl's words -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message", ["", "Verification failed: something new", "Debug", "tcb is fine", "\x00"]
)
def test_translate_takes_unknown_words_for_not_genuine(message: str) -> None:
    assert type(translate(message)) is QuoteNotGenuineError


def test_translate_does_not_take_the_quoting_enclaves_debug_for_the_tds() -> None:
    words = (
        "Verification failed: QE report validation failed\n\nCaused by:\n    Debug mode is enabled"
    )
    assert type(translate(words)) is QuotingEnclaveRefusedError


def test_quote_recipe_refuses_fields_of_wrong_length() -> None:
    with pytest.raises(ValueError, match="583"):
        QuoteRecipe(td=replace(RECIPE.td, report_data=bytes(63))).build()
