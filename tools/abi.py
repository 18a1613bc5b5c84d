"""Writes what the client knows of the contracts from forge's output, or checks that it is fresh.

    python tools/abi.py            write python/xmtp_tee/client/abi.json and storage_layout.json
    python tools/abi.py --check    exit 1 when one differs from the compiled contracts

``abi.json`` maps the name of each deployable contract to its ABI. ``storage_layout.json`` maps the names of those whose
storage the client reads by proof to solc's storageLayout. Both are sorted and free of what changes from build to build,
so that they change only when an interface or a layout does.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from typing import Any

from project import ROOT, Contract, NotBuiltError, deployable_contracts

CLIENT = ROOT / "python" / "xmtp_tee" / "client"
PROVABLE = ("DcapVerifier", "EnclavePolicy", "EnclaveRegistry", "KeyRegistry")
"""The contracts of which the client reads storage by eth_getProof."""

# Named types carry the number of their AST node, which changes with any source. An array's number is its length.
_AST_NUMBER = re.compile(r"(t_(?:struct|enum|userDefinedValueType|contract)\([^()]*\))\d+")


def _order(entry: dict[str, Any]) -> tuple[str, str, list[str]]:
    return (
        entry["type"],
        entry.get("name", ""),
        [parameter["type"] for parameter in entry.get("inputs", [])],
    )


def _dump(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def render_abi(contracts: list[Contract]) -> str:
    """The manifest's text: one ABI entry per line, so that a change shows as its lines."""
    blocks = []
    for contract in contracts:
        entries = sorted(contract.artifact["abi"], key=_order)
        lines = ["    " + _dump(entry) for entry in entries]
        blocks.append(f"  {json.dumps(contract.name)}: [\n" + ",\n".join(lines) + "\n  ]")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def render_layouts(contracts: list[Contract]) -> str:
    """The layouts' text: one variable and one type per line."""
    blocks = []
    for contract in contracts:
        if contract.name not in PROVABLE:
            continue
        layout = _without_numbers(contract)
        storage = ",\n".join("      " + _dump(entry) for entry in layout["storage"])
        types = ",\n".join(
            f"      {json.dumps(name)}: {_dump(entry)}"
            for name, entry in sorted(layout["types"].items())
        )
        blocks.append(
            f"  {json.dumps(contract.name)}: {{\n"
            f'    "storage": [\n{storage}\n    ],\n'
            f'    "types": {{\n{types}\n    }}\n  }}'
        )
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _without_numbers(contract: Contract) -> dict[str, Any]:
    layout = contract.artifact.get("storageLayout")
    if not layout:
        msg = f"{contract.name}: forge gave no storageLayout (foundry.toml, extra_output)"
        raise ValueError(msg)
    types: dict[str, Any] = {}
    for name, entry in (layout["types"] or {}).items():
        short, cleaned = _AST_NUMBER.sub(r"\1", name), _cleaned(entry)
        if types.setdefault(short, cleaned) != cleaned:
            msg = f"{contract.name}: two types of storage are called {short}"
            raise ValueError(msg)
    return {"storage": [_cleaned(entry) for entry in layout["storage"]], "types": types}


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _cleaned(v) for k, v in value.items() if k not in ("astId", "contract")}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return _AST_NUMBER.sub(r"\1", value) if isinstance(value, str) else value


FILES: dict[str, Callable[[list[Contract]], str]] = {
    "abi.json": render_abi,
    "storage_layout.json": render_layouts,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Write or check the client's ABIs and storage layouts."
    )
    parser.add_argument("--check", action="store_true", help="exit 1 when a file is stale")
    arguments = parser.parse_args()

    try:
        contracts = deployable_contracts()
        texts = {CLIENT / name: render(contracts) for name, render in FILES.items()}
    except (NotBuiltError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    stale = 0
    for path, text in texts.items():
        name = path.relative_to(ROOT)
        if not arguments.check:
            path.write_text(text, encoding="utf-8")
            print(f"{name}: written")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            print(f"error: {name} does not match the contracts; run: make abi", file=sys.stderr)
            stale = 1
        else:
            print(f"{name}: fresh")
    return stale


if __name__ == "__main__":
    sys.exit(main())
