"""Gas by transactions: what each act costs, from the receipts of a chain of its own.

    python -m benchmarks.gas            measure, print, write benchmarks/results/gas.json
    python -m benchmarks.gas --check    measure, and exit 1 with the differences if any figure changed

Every input is fixed: keys and quotes follow from seeds, accounts from anvil's mnemonic, block times are set. So
a figure changes only when the code does. Each figure is the whole transaction (intrinsic gas and calldata
included), and every transaction starts with all storage cold.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.bench_chain import BenchChain
from benchmarks.bench_real import measure_real
from benchmarks.bench_simulated import measure_simulated
from xmtp_tee.commands.console import table

RESULTS = Path(__file__).parent / "results" / "gas.json"
FORMAT = 1

NOTES = {
    "attest_renewal": "an attested enclave brings a newer quote",
    "policy_add_workload": "a workload enters the policy",
    "register_certified": "certificate alone: the enclave is attested already; the owner's first bundle",
    "register_with_quote": "quote and certificate; the platform's PCK certificate is known, its first quote",
    "register_with_quote_new_platform": "the same, and the transaction brings the PCK certificate",
    "register_with_quote_seen_platform": "the same, on a platform that another enclave attested on",
    "revoke": "the owner revokes a bundle",
    "rotate_pre_key": "the next epoch, certificate alone",
    "submit_intermediate_ca": "PCK CA certificate",
    "submit_pck_ca_crl": "PCK CA's revocation list, empty",
    "submit_pck_certificate": "a platform's PCK certificate",
    "submit_qe_identity": "QE identity",
    "submit_root_crl": "root CA's revocation list, empty",
    "submit_tcb_info": "TCB info with two levels",
    "submit_tcb_signer": "TCB signing certificate",
    "submit_tcb_info_real": "Intel's TCB info of 2025-06",
    "submit_pck_ca_crl_real": "Intel's Platform CA revocation list of 2025-06",
    "verify_tdx_v4_real": "a genuine TDX v4 quote under Intel's root, platform known and recorded",
    "verify_tdx_v4_real_first": "the same quote, the first of its platform",
}


def measure(stored: dict[str, int]) -> dict[str, int]:
    """Return every figure; those of genuine evidence are kept as stored where the fixtures are absent."""
    figures = measure_simulated()
    real = measure_real()
    if real is None:
        kept = {name: gas for name, gas in stored.items() if "_real" in name}
        print(
            "note: the fixtures with genuine evidence are absent (XMTP_TEE_FIXTURES); "
            f"{len(kept)} stored figure(s) kept",
            file=sys.stderr,
        )
        real = kept
    return dict(sorted((figures | real).items()))


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


def differences(stored: dict[str, int], measured: dict[str, int]) -> list[tuple[str, ...]]:
    """Return (name, stored, measured, change) for every figure that is not the same."""
    rows = []
    for name in sorted(stored.keys() | measured.keys()):
        old, new = stored.get(name), measured.get(name)
        if old == new:
            continue
        change = "" if old is None or new is None else f"{new - old:+,}"
        rows.append((name, _number(old), _number(new), change))
    return rows


def _number(value: int | None) -> str:
    return "absent" if value is None else f"{value:,}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    stored = load()
    measured = measure(stored)
    rows = [(name, f"{gas:,}", NOTES[name]) for name, gas in measured.items()]
    print("\n".join(table(("transaction", "gas", "what"), rows, right=frozenset({1}))))
    if not arguments.check:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(render(measured), encoding="utf-8")
        print(f"\nwritten: {RESULTS.relative_to(Path(__file__).parents[1])}")
        return 0
    changed = differences(stored, measured)
    if not changed:
        print("\nas stored")
        return 0
    print("\nerror: gas changed; if that is meant, run: make gas\n", file=sys.stderr)
    header = ("transaction", "stored", "measured", "change")
    print("\n".join(table(header, changed, right=frozenset({1, 2, 3}))), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
