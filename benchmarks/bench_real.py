"""Genuine hardware evidence and Intel's own collateral under Intel's root, at their time.

Which fixtures stand for which key, and when each was valid, is the fixtures' README's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from web3.contract import Contract

from benchmarks.bench_chain import BenchChain, bench_chain
from tests.support.dcap import (
    PLATFORM_CA,
    collateral_from_pieces,
    forget_platform,
    intel_root,
    phala_collateral,
    submit_all,
)
from tests.support.fixtures import attestation_fixture
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.dcap.evidence import (
    known_platform_evidence,
    new_platform_evidence,
    platform_handle,
)

KEYS = frozenset(
    {
        "revocation_check_real_44_entries",
        "revocation_check_real_129_entries",
        "submit_pck_crl_44_entries",
        "submit_pck_crl_129_entries",
        "submit_qe_identity",
        "submit_tcb_info_sgx_v3_11_levels",
        "submit_tcb_info_tdx",
        "verify_sgx_v3_real_warm",
        "verify_tdx_v4_real_cold_platform",
        "verify_tdx_v4_real_first",
        "verify_tdx_v4_real_warm",
        "verify_tdx_v5_real_warm",
    }
)
"""Every figure that is measured here."""

_ROOT = Path(__file__).resolve().parents[1]


def measure_real() -> dict[str, int] | None:
    """Return the figures, or None where the fixtures are absent."""
    os.environ.setdefault("XMTP_TEE_FIXTURES", str(_ROOT.parent / "shared" / "fixtures"))
    try:
        attestation_fixture("tdx/phala_tdx_quote.bin")
    except pytest.skip.Exception:
        return None
    return _tdx_v4() | _tdx_large() | _tdx_v5() | _sgx_v3() | _revocation_lists()


@contextmanager
def _deployed(
    time: int, collateral: Collateral | None
) -> Iterator[tuple[BenchChain, Contract, dict[str, int]]]:
    with bench_chain(time) as chain:
        verifier = chain.deploy("DcapVerifier", intel_root(), 0)
        gas = {} if collateral is None else submit_all(chain, verifier, collateral)
        yield chain, verifier, gas


def _quote(name: str) -> bytes:
    return attestation_fixture(name).read_bytes()


def _first_and_warm(chain: BenchChain, verifier: Contract, quote: bytes) -> tuple[int, int]:
    """Send the quote as the first of its kind, then again. The router takes the kind's byte off."""
    first = chain.gas(verifier.functions.verify(new_platform_evidence(quote)[1:]))
    return first, chain.gas(verifier.functions.verify(known_platform_evidence(quote)[1:]))


def _tdx_v4() -> dict[str, int]:
    quote = _quote("tdx/phala_tdx_quote.bin")
    with _deployed(1_750_500_000, phala_collateral()) as (chain, verifier, _):
        first, warm = _first_and_warm(chain, verifier, quote)
        forget_platform(chain, verifier, platform_handle(quote))
        cold = chain.gas(verifier.functions.verify(new_platform_evidence(quote)[1:]))
    return {
        "verify_tdx_v4_real_first": first,
        "verify_tdx_v4_real_warm": warm,
        "verify_tdx_v4_real_cold_platform": cold,
    }


def _tdx_large() -> dict[str, int]:
    """Intel's largest TDX collateral of 2025-06."""
    collateral = collateral_from_pieces(
        "2025-06/tcbinfov3_00806f050000.json", "2025-06/qe_td.json", "2025-06/platform_crl.der"
    )
    with _deployed(1_749_095_100, collateral) as (_, _, gas):
        return {
            "submit_tcb_info_tdx": gas["TCB info"],
            "submit_pck_crl_44_entries": gas["PCK CA's revocation list"],
        }


def _tdx_v5() -> dict[str, int]:
    collateral = collateral_from_pieces(
        "2025-06/tcbinfov3_90C06F000000.json", "2025-06/qe_td.json", "2025-06/platform_crl.der"
    )
    with _deployed(1_750_000_000, collateral) as (chain, verifier, _):
        quote = _quote("tdx/automata_alibaba_quote_v5.bin")
        return {"verify_tdx_v5_real_warm": _first_and_warm(chain, verifier, quote)[1]}


def _sgx_v3() -> dict[str, int]:
    collateral = collateral_from_pieces(
        "2025-08/sgx_tcbinfov3_00606a000000.json",
        "2025-08/sgx_qeidentity_v4.json",
        "2025-08/platform_crl.der",
    )
    with _deployed(1_755_300_000, collateral) as (chain, verifier, gas):
        quote = _quote("sgx/automata_sgx_quote_v3.bin")
        return {
            "verify_sgx_v3_real_warm": _first_and_warm(chain, verifier, quote)[1],
            "submit_tcb_info_sgx_v3_11_levels": gas["TCB info"],
            "submit_qe_identity": gas["QE identity"],
        }


def _revocation_lists() -> dict[str, int]:
    """The Platform CA's list of 2026-07, and what a check of a serial number costs with each list in force."""
    figures: dict[str, int] = {}
    lists = {
        44: (1_750_500_000, "intel-collateral/2025-06/platform_crl.der"),
        129: (1_784_300_000, "intel-collateral/2026-07/platform-129-20260716.der"),
    }
    for entries, (time, name) in lists.items():
        with _deployed(time, None) as (chain, verifier, _):
            ca = attestation_fixture(PLATFORM_CA).read_bytes()
            chain.gas(verifier.functions.submitIntermediateCa(ca))
            gas = chain.gas(verifier.functions.submitCrl(attestation_fixture(name).read_bytes()))
            if entries == 129:
                figures["submit_pck_crl_129_entries"] = gas
            revoked = verifier.events.SerialRevoked().get_logs(from_block=0)
            if len(revoked) != entries:
                msg = f"{name} has {len(revoked)} entries, not {entries}"
                raise LookupError(msg)
            # The same input for both lists: a serial number that neither has.
            check = verifier.functions.isRevoked(revoked[0]["args"]["issuerKeyId"], 1)
            figures[f"revocation_check_real_{entries}_entries"] = chain.gas(check)
    return figures
