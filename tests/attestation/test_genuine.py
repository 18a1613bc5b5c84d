"""Genuine hardware evidence under Intel's root: the same verifier, the statuses that Intel's own data give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import dcap_qvl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attestation.support import COLLATERAL, NOW, QUOTE, Genuine, flipped
from xmtp_tee.attestation import (
    INTEL_ROOT_KEY_HASH,
    Collateral,
    TcbStatus,
    TeeKind,
    parse_quote,
    read_root,
    verify_quote,
)
from xmtp_tee.attestation.errors import (
    CollateralLapsedError,
    CollateralNotYetValidError,
    FieldError,
    PlatformMismatchError,
    QuoteNotGenuineError,
    TcbLevelNotFoundError,
    TcbStatusRefusedError,
)
from xmtp_tee.attestation.simulator import development_root_certificate
from xmtp_tee.errors import InvalidEvidenceError
from xmtp_tee.hashing import keccak256

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


EVERY_STATUS = set(TcbStatus) - {TcbStatus.NONE, TcbStatus.REVOKED}


@dataclass(frozen=True)
class Case:
    """A genuine quote with genuine collateral, and what the fixtures' README expects of it.

    ``advisories`` is what the contract's formula gives for the matching levels' lists, written out by hand.
    """

    quote: str
    collateral: Callable[[Genuine], Collateral]
    at: int
    status: TcbStatus
    advisory_ids: tuple[str, ...] = ()
    advisories: bytes = bytes(32)


def part(*numbers: int) -> bytes:
    return keccak256(b"".join(number.to_bytes(2, "big") for number in numbers))[:8]


CASES = {
    "SGX 3, TCB info version 2": Case(
        "sgx/automata_sgx_quote_v3",
        lambda genuine: genuine.pieces("2025-06", "tcbinfo", "identity"),
        1_749_095_100,
        TcbStatus.SW_HARDENING_NEEDED,
        advisories=b"\xff" * 8 + bytes(24),
    ),
    "SGX 3, TCB info version 3": Case(
        "sgx/automata_sgx_quote_v3",
        lambda genuine: genuine.pieces(
            "2025-08", "sgx_tcbinfov3_00606a000000", "sgx_qeidentity_v4"
        ),
        1_755_300_000,
        TcbStatus.SW_HARDENING_NEEDED,
        ("INTEL-SA-00615",),
        part(615) + bytes(24),
    ),
    "SGX 3, Processor CA": Case(
        "sgx/phala_sgx_quote",
        lambda genuine: genuine.all_in_one("sgx_quote"),
        1_750_500_000,
        TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED,
        ("INTEL-SA-00289", "INTEL-SA-00615"),
        part(289, 615) + bytes(24),
    ),
    "TDX 4": Case(
        "tdx/automata_tdx_quote_v4",
        lambda genuine: genuine.pieces("2025-06", "tcbinfov3_00806f050000"),
        OUT_OF_DATE_AT,
        TcbStatus.OUT_OF_DATE,
        ("INTEL-SA-00960", "INTEL-SA-00982", "INTEL-SA-00986"),
        part(960, 982, 986) + bytes(24),
    ),
    "TDX 5, TD 1.5": Case(
        "tdx/automata_alibaba_quote_v5",
        lambda genuine: genuine.pieces("2025-06", "tcbinfov3_90C06F000000"),
        1_750_000_000,
        TcbStatus.UP_TO_DATE,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_verify_quote_gives_every_genuine_quote_the_status_of_the_readme(
    genuine: Genuine, name: str
) -> None:
    case = CASES[name]
    quote = genuine.read(f"{case.quote}.bin")
    verified = verify_quote(
        quote, case.collateral(genuine), genuine.intel_root, case.at, accept=EVERY_STATUS
    )
    assert verified.status is case.status
    assert verified.advisory_ids == case.advisory_ids
    assert verified.advisories == case.advisories
    assert verified.tee is (TeeKind.SGX if case.quote.startswith("sgx/") else TeeKind.TDX)
    assert not verified.development
    padded = verify_quote(
        quote + bytes(500),
        case.collateral(genuine),
        genuine.intel_root,
        case.at,
        accept=EVERY_STATUS,
    )
    assert padded.workload == verified.workload


@pytest.mark.parametrize("name", CASES)
def test_dcap_qvl_gives_genuine_quotes_the_same_status_with_two_explained_exceptions(
    genuine: Genuine, name: str
) -> None:
    """dcap-qvl itself, without anything of ours, on the same evidence.

    It differs from us, and from the contract, in two cases. It cannot read TCB info of version 2 at all. And it
    refuses every TD 1.5 with a service TD (MRSERVICETD is not zero, as on Alibaba's platform): it leaves no way to
    say which service TD is meant, where for us the workload id covers MRSERVICETD, so that the policy says it.
    """
    case = CASES[name]
    collateral = case.collateral(genuine).to_dcap_qvl()
    quote = genuine.read(f"{case.quote}.bin")
    refusals = {
        "SGX 3, TCB info version 2": "missing field `sgxtcbcomponents`",
        "TDX 5, TD 1.5": "Invalid MR service TD",
    }
    if name in refusals:
        with pytest.raises(ValueError, match=refusals[name]):
            dcap_qvl.verify_with_root_ca(quote, collateral, genuine.intel_root, case.at)
        return
    report = dcap_qvl.verify_with_root_ca(quote, collateral, genuine.intel_root, case.at)
    assert report.status == case.status.intel_name
    assert tuple(report.advisory_ids) == case.advisory_ids


@pytest.mark.parametrize("name", ["SGX 3, TCB info version 2", "TDX 5, TD 1.5"])
@given(data=st.data())
def test_verify_quote_refuses_any_flipped_signed_bit_where_it_judges_without_dcap_qvl(
    genuine: Genuine, name: str, data: st.DataObject
) -> None:
    case = CASES[name]
    quote = genuine.read(f"{case.quote}.bin")
    parsed = parse_quote(quote)
    end = quote.index(parsed.qe_report_signature) + 64
    at = data.draw(st.integers(0, end * 8 - 1))
    with pytest.raises(InvalidEvidenceError):
        verify_quote(
            flipped(quote, at),
            case.collateral(genuine),
            genuine.intel_root,
            case.at,
            accept=EVERY_STATUS,
        )


@pytest.mark.parametrize("name", ["SGX 3, TCB info version 2", "TDX 5, TD 1.5"])
@pytest.mark.parametrize("piece", ["tcb_info", "qe_identity", "root_ca_crl", "pck_crl"])
def test_verify_quote_refuses_forged_collateral_where_it_judges_without_dcap_qvl(
    genuine: Genuine, name: str, piece: str
) -> None:
    case = CASES[name]
    collateral = case.collateral(genuine)
    forged = {
        "tcb_info": {"tcb_info": collateral.tcb_info.replace("OutOfDate", "UpToDate")},
        "qe_identity": {
            "qe_identity": collateral.qe_identity.replace('"isvsvn":1', '"isvsvn":0').replace(
                '"isvsvn":4', '"isvsvn":3'
            )
        },
        # The last bit of the signature.
        "root_ca_crl": {"root_ca_crl": flipped(collateral.root_ca_crl, -8)},
        "pck_crl": {"pck_crl": flipped(collateral.pck_crl, -8)},
    }
    changed = replace(collateral, **forged[piece])
    assert changed != collateral
    with pytest.raises(InvalidEvidenceError):
        verify_quote(
            genuine.read(f"{case.quote}.bin"),
            changed,
            genuine.intel_root,
            case.at,
            accept=EVERY_STATUS,
        )


@pytest.mark.parametrize(
    ("quote", "collateral", "at"),
    [
        (
            "phala_tdx_quote_outdated",
            lambda genuine: genuine.all_in_one("tdx_quote_outdated"),
            1_771_500_000,
        ),
        (
            "automata_tdx_quote_v5",
            lambda genuine: genuine.pieces("2025-06", "tcbinfov3_90C06F000000"),
            1_749_095_100,
        ),
    ],
    ids=["outdated", "below"],
)
def test_verify_quote_refuses_genuine_quotes_below_every_level(
    genuine: Genuine, quote: str, collateral: Callable[[Genuine], Collateral], at: int
) -> None:
    with pytest.raises(TcbLevelNotFoundError):
        verify_quote(
            genuine.read(f"tdx/{quote}.bin"),
            collateral(genuine),
            genuine.intel_root,
            at,
            accept=EVERY_STATUS,
        )


def test_verify_quote_refuses_a_genuine_sgx_quote_with_tdx_collateral(genuine: Genuine) -> None:
    with pytest.raises(PlatformMismatchError, match="another kind of TEE"):
        verify_quote(
            genuine.read("sgx/phala_sgx_quote.bin"),
            genuine.all_in_one("tdx_quote"),
            genuine.intel_root,
            UP_TO_DATE_AT,
        )


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
