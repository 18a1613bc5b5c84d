"""Writes the client's ABI manifest from forge's output, or checks that it is fresh.

    python tools/abi.py            write python/xmtp_tee/client/abi.json
    python tools/abi.py --check    exit 1 when it differs from the compiled contracts

The manifest maps the name of each deployable contract to its ABI. Entries are sorted, so that it
changes only when an interface does.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from project import ROOT, NotBuiltError, deployable_contracts

MANIFEST = ROOT / "python" / "xmtp_tee" / "client" / "abi.json"


def _order(entry: dict[str, Any]) -> tuple[str, str, list[str]]:
    return (
        entry["type"],
        entry.get("name", ""),
        [parameter["type"] for parameter in entry.get("inputs", [])],
    )


def render() -> str:
    """The manifest's text: one ABI entry per line, so that a change shows as its lines."""
    blocks = []
    for contract in deployable_contracts():
        entries = sorted(contract.artifact["abi"], key=_order)
        lines = [
            "    " + json.dumps(entry, sort_keys=True, separators=(",", ":")) for entry in entries
        ]
        blocks.append(f"  {json.dumps(contract.name)}: [\n" + ",\n".join(lines) + "\n  ]")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Write or check the client's ABI manifest.")
    parser.add_argument("--check", action="store_true", help="exit 1 when the manifest is stale")
    arguments = parser.parse_args()

    name = MANIFEST.relative_to(ROOT)
    try:
        text = render()
    except (NotBuiltError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not arguments.check:
        MANIFEST.parent.mkdir(parents=True, exist_ok=True)
        MANIFEST.write_text(text, encoding="utf-8")
        print(f"{name}: written")
        return 0
    if not MANIFEST.is_file() or MANIFEST.read_text(encoding="utf-8") != text:
        print(f"error: {name} does not match the contracts; run: make abi", file=sys.stderr)
        return 1
    print(f"{name}: fresh")
    return 0


if __name__ == "__main__":
    sys.exit(main())
