"""Prints the size of every deployable contract and exits 1 when one is over the chain's limits."""

from __future__ import annotations

import sys

from project import NotBuiltError, deployable_contracts

MAX_RUNTIME = 24_576  # EIP-170
MAX_CREATION = 49_152  # EIP-3860; constructor arguments come on top


def main() -> int:
    try:
        contracts = deployable_contracts()
    except (NotBuiltError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    too_big = []
    print(f"{'contract':<24} {'runtime':>8} {'of':>7} {'creation':>9} {'of':>7}")
    for contract in contracts:
        runtime, creation = contract.runtime_size, contract.creation_size
        print(
            f"{contract.name:<24} {runtime:>8,} {MAX_RUNTIME:>7,} {creation:>9,} {MAX_CREATION:>7,}"
        )
        if runtime > MAX_RUNTIME or creation > MAX_CREATION:
            too_big.append(contract.name)
    if too_big:
        print(f"error: over the limit: {', '.join(too_big)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
