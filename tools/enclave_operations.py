"""Writes the table of operations in docs/ENCLAVE.md from the messages, or checks that it is fresh.

python tools/enclave_operations.py            write
python tools/enclave_operations.py --check    exit 1 when the table differs
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from pathlib import Path
from typing import get_args

from xmtp_tee.policy.operations import ADMINISTRATIVE, OPEN
from xmtp_tee.wire import messages as wire

PAGE = Path(__file__).resolve().parent.parent / "docs" / "ENCLAVE.md"
BEGIN, END = "<!-- operations -->", "<!-- /operations -->"


def table() -> str:
    """The table: a line for each operation, by module."""
    lines = ["| operation | what it does | granted |", "|---|---|---|"]
    for kind in get_args(wire.Operation):
        name = str(kind.__struct_config__.tag)
        text = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
        text = re.sub(r"[;,]? *-> ", " → ", text).replace("``", "`").replace("|", "\\|").strip()
        granted = "to every known caller" if name in OPEN else ""
        granted = "by name" if name in ADMINISTRATIVE else granted
        lines.append(f"| `{name}` | {text} | {granted} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Write or check the table of operations.")
    parser.add_argument("--check", action="store_true", help="exit 1 when the table is stale")
    arguments = parser.parse_args()
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    text = f"{head}{BEGIN}\n{table()}\n{END}{tail}"
    if not arguments.check:
        PAGE.write_text(text, encoding="utf-8")
        print(f"{PAGE.name}: written")
        return 0
    if text != page:
        print(
            "error: docs/ENCLAVE.md is stale; run: python tools/enclave_operations.py",
            file=sys.stderr,
        )
        return 1
    print(f"{PAGE.name}: fresh")
    return 0


if __name__ == "__main__":
    sys.exit(main())
