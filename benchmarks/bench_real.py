"""Genuine hardware evidence: a TDX v4 quote of 2025 under Intel's root, at its time."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.bench_chain import bench_chain
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.dcap.evidence import known_platform_evidence, quote_pck_leaf
from xmtp_tee.attestation.dcap.submissions import plan_submissions

TIME = 1_750_500_000
"""When the quote's collateral was in force (the fixtures' README)."""
_NAMES = {
    "TCB info": "submit_tcb_info_real",
    "PCK CA's revocation list": "submit_pck_ca_crl_real",
}


def measure_real() -> dict[str, int] | None:
    """Return the figures, or None where the fixtures are absent."""
    root = Path(__file__).resolve().parents[1]
    folder = (
        Path(os.environ.get("XMTP_TEE_FIXTURES", root.parent / "shared" / "fixtures"))
        / "attestation"
    )
    quote_file = folder / "tdx" / "phala_tdx_quote.bin"
    if not quote_file.is_file():
        return None
    quote = quote_file.read_bytes()
    intel = folder / "intel-collateral"
    collateral = Collateral.from_json((intel / "phala" / "tdx_quote_collateral.json").read_text())
    figures: dict[str, int] = {}
    with bench_chain(TIME) as chain:
        certificate = (intel / "roots" / "Intel_SGX_Root_CA.der").read_bytes()
        verifier = chain.deploy("DcapVerifier", certificate, 0)
        for piece in plan_submissions(collateral, quote_pck_leaf(quote)):
            gas = chain.gas(verifier.get_function_by_name(piece.function)(*piece.arguments))
            if piece.what in _NAMES:
                figures[_NAMES[piece.what]] = gas
        # The router takes the kind's byte off; the verifier is measured alone.
        evidence = known_platform_evidence(quote)[1:]
        figures["verify_tdx_v4_real_first"] = chain.gas(verifier.functions.verify(evidence))
        figures["verify_tdx_v4_real"] = chain.gas(verifier.functions.verify(evidence))
    return figures
