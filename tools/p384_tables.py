"""Builds the code of P384's two table contracts, and says what anyone can compare with P384Constants.sol.

    python tools/p384_tables.py             print sizes and code hashes
    python tools/p384_tables.py FOLDER      also write low.hex and high.hex: creation code, ready to be deployed

The same bytes come from xmtp_tee.attestation.p384.tables, which the deployment script uses.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).absolute().parents[1]
sys.path.insert(0, str(ROOT / "python"))

from xmtp_tee.attestation.p384 import tables  # noqa: E402
from xmtp_tee.hashing import keccak256  # noqa: E402


def main(arguments: list[str]) -> int:
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        print(__doc__, file=sys.stderr)
        return 2
    for name, runtime in (("low", tables.low_table()), ("high", tables.high_table())):
        print(f"{name:<5} {len(runtime):>6,} bytes  code hash 0x{keccak256(runtime).hex()}")
        if arguments:
            folder = Path(arguments[0])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.hex").write_text(tables.creation_code(runtime).hex() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
