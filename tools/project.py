"""What forge made of contracts/, for the tools that read it.

Only what the sources declare now is looked at: forge leaves artifacts of removed contracts behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
ARTIFACTS = ROOT / ".build" / "forge" / "out"

# A contract that can be deployed: not abstract, no interface, no library.
_DECLARATION = re.compile(r"^contract\s+(\w+)", re.MULTILINE)


class NotBuiltError(Exception):
    """forge's output lacks a contract that the sources declare."""


@dataclass(frozen=True)
class Contract:
    """A deployable contract: its name, its source relative to the project, forge's artifact."""

    name: str
    source: str
    artifact: dict[str, Any]

    @property
    def runtime_size(self) -> int:
        """Bytes of the deployed code (EIP-170 allows 24,576)."""
        return _hex_length(self.artifact["deployedBytecode"]["object"])

    @property
    def creation_size(self) -> int:
        """Bytes of the creation code without constructor arguments (EIP-3860 allows 49,152)."""
        return _hex_length(self.artifact["bytecode"]["object"])


def deployable_contracts() -> list[Contract]:
    """Every deployable contract under contracts/, by name.

    Raises NotBuiltError when one has not been compiled, ValueError when a name occurs twice.
    """
    artifacts = _artifacts_by_target()
    found: dict[str, Contract] = {}
    for source, name in _declared():
        if name in found:
            msg = f"contract name {name} occurs twice: {found[name].source} and {source}"
            raise ValueError(msg)
        if (source, name) not in artifacts:
            msg = f"{source}:{name} is not compiled; run: make build"
            raise NotBuiltError(msg)
        found[name] = Contract(name, source, artifacts[source, name])
    return [found[name] for name in sorted(found)]


def _declared() -> Iterator[tuple[str, str]]:
    for path in sorted(CONTRACTS.rglob("*.sol")):
        if (
            ".cache" in path.parts
        ):  # Ape unpacks dependencies there when the project is in a temp folder
            continue
        for name in _DECLARATION.findall(path.read_text(encoding="utf-8")):
            yield path.relative_to(ROOT).as_posix(), name


def _artifacts_by_target() -> dict[tuple[str, str], dict[str, Any]]:
    result: dict[tuple[str, str], dict[str, Any]] = {}
    for path in ARTIFACTS.rglob("*.json"):
        artifact = json.loads(path.read_text(encoding="utf-8"))
        settings = artifact.get("metadata", {}).get("settings", {})
        for source, name in settings.get("compilationTarget", {}).items():
            result[source, name] = artifact
    return result


def _hex_length(text: str) -> int:
    return len(text.removeprefix("0x")) // 2
