"""Genuine hardware evidence under Intel's root: the same verifier, the statuses that Intel's own data give."""

from __future__ import annotations

import pytest

from tests.attestation.support import COLLATERAL, NOW, QUOTE, Genuine
from xmtp_tee.attestation import INTEL_ROOT_KEY_HASH, TcbStatus, read_root, verify_quote
from xmtp_tee.attestation.errors import (
    CollateralLapsedError,
    CollateralNotYetValidError,
    FieldError,
    QuoteNotGenuineError,
    TcbStatusRefusedError,
)
from xmtp_tee.attestation.simulator import development_root_certificate

UP_TO_DATE_AT = 1_750_500_000
OUT_OF_DATE_AT = 1_749_095_100


def test_intel_root_key_hash_is_that_of_intels_certificate(genuine: Genuine) -> None:
    root = read_root(genuine.intel_root)
    assert root.key_hash == INTEL_ROOT_KEY_HASH
    assert not root.development


@pytest.mark.parametrize(
    "name",
    [
        "phala_tdx_quote",
        "flashtestations_0x12c14e56d585Dcf3B36f37476c00E78bA9363742",
        "flashtestations_0x46f6b3ACF1dD8Ac0085e30192741336c4aF6EdAF",
    ],
)
def test_verify_quote_accepts_genuine_quotes_that_are_up_to_date(
    genuine: Genuine, name: str
) -> None:
    verified = verify_quote(
        genuine.read(f"tdx/{name}.bin"),
        genuine.all_in_one("tdx_quote"),
        genuine.intel_root,
        UP_TO_DATE_AT,
    )
    assert verified.status is TcbStatus.UP_TO_DATE
    assert verified.tcb_status == "UpToDate"
    assert verified.advisory_ids == ()
    assert verified.fmspc.hex() == "b0c06f000000"
    assert verified.evaluation_number == 17
    assert not verified.development


@pytest.mark.parametrize("name", ["automata_tdx_quote_v4", "automata_tdx_quote_v4_padded8000"])
def test_verify_quote_refuses_a_genuine_quote_that_is_out_of_date(
    genuine: Genuine, name: str
) -> None:
    collateral = genuine.pieces("2025-06", "tcbinfov3_00806f050000")
    quote = genuine.read(f"tdx/{name}.bin")
    with pytest.raises(TcbStatusRefusedError) as refusal:
        verify_quote(quote, collateral, genuine.intel_root, OUT_OF_DATE_AT)
    assert refusal.value.got is not None
    assert refusal.value.got.startswith("OutOfDate (INTEL-SA-00960")
    verified = verify_quote(
        quote,
        collateral,
        genuine.intel_root,
        OUT_OF_DATE_AT,
        accept={TcbStatus.UP_TO_DATE, TcbStatus.OUT_OF_DATE},
    )
    assert verified.status is TcbStatus.OUT_OF_DATE
    assert "INTEL-SA-00986" in verified.advisory_ids


@pytest.mark.parametrize("region", ["mrseam", "qe_report", "reportdata"])
def test_verify_quote_refuses_a_genuine_quote_with_a_flipped_bit(
    genuine: Genuine, region: str
) -> None:
    with pytest.raises(QuoteNotGenuineError):
        verify_quote(
            genuine.read(f"negative/tdx_v4_flipped_{region}_bit.bin"),
            genuine.pieces("2025-06", "tcbinfov3_00806f050000"),
            genuine.intel_root,
            OUT_OF_DATE_AT,
            accept=set(TcbStatus) - {TcbStatus.NONE, TcbStatus.REVOKED},
        )


def test_verify_quote_refuses_a_genuine_quote_under_the_development_root(genuine: Genuine) -> None:
    with pytest.raises(QuoteNotGenuineError):
        verify_quote(
            genuine.read("tdx/phala_tdx_quote.bin"),
            genuine.all_in_one("tdx_quote"),
            development_root_certificate(),
            UP_TO_DATE_AT,
        )


def test_verify_quote_refuses_the_simulators_quote_under_intels_root(genuine: Genuine) -> None:
    with pytest.raises(QuoteNotGenuineError):
        verify_quote(QUOTE, COLLATERAL, genuine.intel_root, NOW)


def test_verify_quote_refuses_the_simulators_quote_with_genuine_collateral(
    genuine: Genuine,
) -> None:
    for root in (genuine.intel_root, development_root_certificate()):
        with pytest.raises(QuoteNotGenuineError):
            verify_quote(QUOTE, genuine.all_in_one("tdx_quote"), root, UP_TO_DATE_AT)


def test_verify_quote_refuses_genuine_collateral_of_another_time(genuine: Genuine) -> None:
    quote, collateral = genuine.read("tdx/phala_tdx_quote.bin"), genuine.all_in_one("tdx_quote")
    with pytest.raises(CollateralLapsedError, match="lapsed"):
        verify_quote(quote, collateral, genuine.intel_root, UP_TO_DATE_AT + 40 * 86_400)
    with pytest.raises(CollateralNotYetValidError, match="future"):
        verify_quote(quote, collateral, genuine.intel_root, UP_TO_DATE_AT - 40 * 86_400)


def test_verify_quote_refuses_genuine_collateral_of_another_platform(genuine: Genuine) -> None:
    with pytest.raises(QuoteNotGenuineError, match="another platform family"):
        verify_quote(
            genuine.read("tdx/phala_tdx_quote.bin"),
            genuine.pieces("2025-06", "tcbinfov3_00806f050000"),
            genuine.intel_root,
            OUT_OF_DATE_AT,
        )


def test_read_root_refuses_what_is_no_root(genuine: Genuine) -> None:
    roots = "intel-collateral/roots"
    for name in ("Intel_SGX_PCK_Platform_CA", "Intel_SGX_TCB_Signing"):
        with pytest.raises(FieldError):
            read_root(genuine.read(f"{roots}/{name}.der"))
    for der in (b"", b"\x30\x00", genuine.intel_root[:-1], genuine.intel_root + b"\x00"):
        with pytest.raises(FieldError):
            read_root(der)
