"""Writes contracts/crypto/P384Constants.sol: the numbers of P384.sol, and the code hashes of its tables.

python tools/p384_constants.py            write the file
python tools/p384_constants.py --check    exit 1 when the file is not what this script writes
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).absolute().parents[1]
sys.path.insert(0, str(ROOT / "python"))

from xmtp_tee.attestation.p384 import curve, field, tables  # noqa: E402
from xmtp_tee.attestation.p384.field import BASIS, MODULUS, QUOTIENT, WORD, Pair  # noqa: E402
from xmtp_tee.hashing import keccak256  # noqa: E402

TARGET = ROOT / "contracts" / "crypto" / "P384Constants.sol"

HEAD = """\
// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// Written by tools/p384_constants.py; `--check` says whether it is fresh. What each number is for stands in
// P384.sol, and how it is found in python/xmtp_tee/attestation/p384/field.py.
"""


def constants() -> list[tuple[str, str, int]]:
    """Return (comment, name, value) of every constant, in the order of the file."""
    u, v = BASIS[0]
    n0, n1 = QUOTIENT[0]
    if BASIS[1] != (2 * v, u) or QUOTIENT[1] != (2 * n1 % WORD, n0):
        raise AssertionError("P384.sol relies on the basis being (u, v) and (u, v) times sqrt(2)")
    offset = field.zero_near(Pair(3 * 2**216, 3 * 2**216))
    if not all(2**217 <= coordinate < 2**218 for coordinate in offset):
        raise AssertionError("the offset is out of the range that P384.sol proves its bounds with")
    rows = Pair(u + 2 * v, u + v)
    shift = Pair(*(-(2**255) * row % MODULUS for row in rows))
    three = field.to_pair(3 * WORD)
    minus_three = field.to_pair(-3)
    b = field.to_pair(curve.B * WORD)
    one, high_one = field.to_pair(WORD), field.to_pair(WORD << 192)
    return [
        ("The order of the group.", "N_HIGH", curve.N >> 256),
        ("", "N_LOW", curve.N % WORD),
        ("The prime of the field.", "P_HIGH", curve.P >> 256),
        ("", "P_LOW", curve.P % WORD),
        ("The second modulus, (2^256 - 1) / 255.", "M", MODULUS),
        ("The basis of zero: (U, V) and (2V, U).", "U", u),
        ("", "V", v),
        ("", "V2", 2 * v),
        (
            "Minus the inverse of ((U, V), (2V, U)) modulo 2^256: ((K, L), (2L, K)).",
            "K",
            n0,
        ),
        ("", "L", n1),
        ("", "L2", 2 * n1 % WORD),
        ("A pair for zero with both coordinates in [2^217, 2^218).", "OFF_A", offset.a),
        ("", "OFF_B", offset.b),
        (
            "The sum of the basis: a pair for zero, greater than anything a reduction subtracts.",
            "ROW_A",
            rows.a,
        ),
        ("", "ROW_B", rows.b),
        ("2^255.", "HALF", 2**255),
        ("-2^255 times the sum of the basis, modulo M, plus 4M.", "SHIFT_A", shift.a + 4 * MODULUS),
        ("", "SHIFT_B", shift.b + 4 * MODULUS),
        ("3 at level 2.", "THREE_A", three.a),
        ("", "THREE_B", three.b),
        ("SHIFT + THREE + 8M.", "SHIFT_THREE_A", shift.a + three.a + 12 * MODULUS),
        ("", "SHIFT_THREE_B", shift.b + three.b + 12 * MODULUS),
        ("-3 at level 1.", "MINUS_THREE_A", minus_three.a),
        ("", "MINUS_THREE_B", minus_three.b),
        ("The curve's coefficient b at level 2.", "CURVE_A", b.a),
        ("", "CURVE_B", b.b),
        ("1 at level 2: what a plain integer is multiplied by.", "ONE_A", one.a),
        ("", "ONE_B", one.b),
        ("2^192 at level 2.", "HIGH_ONE_A", high_one.a),
        ("", "HIGH_ONE_B", high_one.b),
    ]


def render() -> str:
    """Return the file's text."""
    lines = [HEAD]
    for comment, name, value in constants():
        if comment:
            lines.append(f"// {comment}")
        lines.append(f"uint256 constant P384_{name} = 0x{value:064x};")
    lines.append("// Code hashes of the tables, made by tools/p384_tables.py.")
    for name, code in (("LOW", tables.low_table()), ("HIGH", tables.high_table())):
        lines.append(f"bytes32 constant P384_{name}_TABLE_HASH = 0x{keccak256(code).hex()};")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    text = render()
    if not arguments:
        TARGET.write_text(text)
        return 0
    if TARGET.exists() and TARGET.read_text() == text:
        return 0
    print(
        f"error: {TARGET.relative_to(ROOT)} is stale: run tools/p384_constants.py", file=sys.stderr
    )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
