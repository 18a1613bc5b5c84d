"""Gas by transactions: what each act costs, from the receipts of a chain of its own.

    python -m benchmarks.gas            measure, print, write benchmarks/results/gas.json
    python -m benchmarks.gas --check    measure, and exit 1 with the differences if any figure changed

Every input is fixed: keys and quotes follow from seeds, accounts from anvil's mnemonic, block times are set. So
a figure changes only when the code does. Each figure is the whole transaction (intrinsic gas and calldata
included), and every transaction starts with all storage cold. Where the fixtures with genuine evidence are absent,
their figures read "not measured": they are neither compared nor changed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection
from pathlib import Path

from benchmarks.bench_chain import BenchChain
from benchmarks.bench_real import KEYS as REAL_KEYS
from benchmarks.bench_real import measure_real
from benchmarks.bench_simulated import measure_simulated
from benchmarks.bench_tee import KEYS as TEE_KEYS
from benchmarks.bench_tee import measure_crypto, measure_tee
from xmtp_tee.commands.console import table

RESULTS = Path(__file__).parent / "results" / "gas.json"
FORMAT = 1

NOTES = {
    "revocation_check_real_44_entries": "isRevoked while Intel's list of 44 entries is in force",
    "revocation_check_real_129_entries": "the same while Intel's list of 129 entries is in force",
    "submit_pck_crl_44_entries": "Intel's Platform CA revocation list of 2025-06, one transaction",
    "submit_pck_crl_129_entries": "Intel's Platform CA revocation list of 2026-07, one transaction",
    "submit_qe_identity": "Intel's SGX QE identity of 2025-08",
    "submit_tcb_info_sgx_v3_11_levels": "Intel's SGX TCB info of 2025-08, 6,733 bytes of JSON",
    "submit_tcb_info_tdx": "Intel's TDX TCB info of 2025-06, 4,921 bytes of JSON",
    "verify_sgx_v3_real_warm": "a genuine SGX v3 quote, certificates and collateral known",
    "verify_tdx_v4_real_cold_platform": "the same with its PCK certificate; machine unknown, its kind and level known",
    "verify_tdx_v4_real_first": "the same with its PCK certificate; kind and level unknown too",
    "verify_tdx_v4_real_warm": "a genuine TDX v4 quote, certificates and collateral known",
    "verify_tdx_v5_real_warm": "a genuine TDX v5 quote (TDX 1.5), certificates and collateral known",
    "attest_renewal": "an attested enclave brings a newer quote",
    "policy_add_workload": "a workload enters the policy",
    "policy_allow_status": "an exception: one status and its advisories, until a deadline",
    "policy_deny_family": "a family of platforms is denied",
    "policy_deny_platform": "a platform is denied: ends every enclave on it",
    "register_batch_per_owner": "100 owners' first bundles in one transaction, by signature and certificate; per owner",
    "register_certified": "certificate alone: the enclave is attested already; the owner's first bundle",
    "register_certified_under_denials": "the same while a platform and a family are denied",
    "register_certified_for": "the same by the owner's signature, brought by another",
    "register_for_agent": "the first bundle of an ERC-8004 agent, certificate alone",
    "register_with_quote": "first bundle of an enclave: quote and certificate, on a platform that is recorded",
    "register_with_quote_first_on_platform": "the same; the PCK certificate is known, the platform is not recorded",
    "register_with_quote_new_platform": "the same, and the transaction brings the PCK certificate",
    "revoke": "the owner revokes a bundle",
    "rotate_pre_key": "the next epoch, certificate alone",
    "submit_intermediate_ca": "PCK CA certificate",
    "submit_pck_ca_crl": "PCK CA's revocation list, empty",
    "submit_pck_certificate": "a platform's PCK certificate",
    "submit_root_crl": "root CA's revocation list, empty",
    "submit_tcb_info": "TCB info with two levels",
    "submit_tcb_signer": "TCB signing certificate",
    "p384_verify": "P384.verify, the average of 12 random signatures; calldata 15.6 kB",
    "sha384_per_block": "SHA-384, each block of 128 bytes; execution, no transaction",
    "submit_nitro_crl_50_entries": "a Nitro CA's revocation list, one transaction",
    "submit_sevsnp_crl_2_entries": "an AMD root's revocation list, which names a known signer",
    "submit_sevsnp_signer": "AMD's ASVK of Milan under its ARK: once for each key",
    "verify_nitro_cold_chain": "a genuine Nitro document, five signatures; only the root is known",
    "verify_nitro_new_leaf": "the same; only the enclave's own certificate is new",
    "verify_nitro_warm": "the same; its certificates are known",
    "verify_sevsnp_cold": "a genuine SEV-SNP report of Milan with its VLEK certificate",
    "verify_sevsnp_warm": "the same; the key is known",
}


def measure() -> tuple[dict[str, int], frozenset[str]]:
    """Return every figure that can be measured, and the names of those that cannot: their fixtures are absent."""
    figures = measure_simulated() | measure_crypto()
    unmeasured: set[str] = set()
    for keys, real in ((REAL_KEYS, measure_real()), (TEE_KEYS, measure_tee())):
        if real is None:
            unmeasured |= keys
        else:
            figures |= real
    return dict(sorted(figures.items())), frozenset(unmeasured)


def render(figures: dict[str, int]) -> str:
    """The file's text; stable, one figure a line."""
    document = {
        "format": FORMAT,
        "hardfork": BenchChain.HARDFORK,
        "gas": figures,
        "notes": {name: NOTES[name] for name in figures},
    }
    return json.dumps(document, indent=2) + "\n"


def load() -> dict[str, int]:
    if not RESULTS.is_file():
        return {}
    gas: dict[str, int] = json.loads(RESULTS.read_text(encoding="utf-8"))["gas"]
    return gas


def differences(
    stored: dict[str, int], measured: dict[str, int], unmeasured: Collection[str] = ()
) -> list[tuple[str, ...]]:
    """Return (name, stored, measured, change) for every figure that is not the same, of those that were measured."""
    rows = []
    for name in sorted((stored.keys() | measured.keys()) - set(unmeasured)):
        old, new = stored.get(name), measured.get(name)
        if old == new:
            continue
        change = "" if old is None or new is None else f"{new - old:+,}"
        rows.append((name, _number(old), _number(new), change))
    return rows


def rows_of(measured: dict[str, int], unmeasured: Collection[str]) -> list[tuple[str, str, str]]:
    """Return (name, gas, note) for every figure; what was not measured says so, and shows no figure."""
    figures = {name: f"{gas:,}" for name, gas in measured.items()}
    figures |= dict.fromkeys(unmeasured, "not measured")
    return [(name, figure, NOTES[name]) for name, figure in sorted(figures.items())]


def _number(value: int | None) -> str:
    return "absent" if value is None else f"{value:,}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    stored = load()
    measured, unmeasured = measure()
    rows = rows_of(measured, unmeasured)
    print("\n".join(table(("transaction", "gas", "what"), rows, right=frozenset({1}))))
    if unmeasured:
        print(
            f"\nNOT MEASURED: {len(unmeasured)} figures; the genuine evidence that they need is absent "
            "(XMTP_TEE_FIXTURES)"
        )
    if not arguments.check:
        kept = {name: gas for name, gas in stored.items() if name in unmeasured}
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(render(dict(sorted((measured | kept).items()))), encoding="utf-8")
        print(f"\nwritten: {RESULTS.relative_to(Path(__file__).parents[1])}")
        return 0
    changed = differences(stored, measured, unmeasured)
    if not changed:
        print(f"\n{len(measured)} figures as stored")
        return 0
    print("\nerror: gas changed; if that is meant, run: make gas\n", file=sys.stderr)
    header = ("transaction", "stored", "measured", "change")
    print("\n".join(table(header, changed, right=frozenset({1, 2, 3}))), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
