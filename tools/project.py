"""What forge made of contracts/, for whoever reads it: the tools, the deployment, the tests.

Forge compiles some sources more than once (foundry.toml, profiles), names the artifacts by what lay there before, and
forgets none when a profile changes. All stand in its cache; which of them is deployed follows from foundry.toml.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
# Forge's own variables move its folders.
ARTIFACTS = ROOT / os.environ.get("FOUNDRY_OUT", ".build/forge/out")
CACHE = (
    ROOT / os.environ.get("FOUNDRY_CACHE_PATH", ".build/forge/cache") / "solidity-files-cache.json"
)

# A contract that can be deployed: not abstract, no interface, no library.
_DECLARATION = re.compile(r"^contract\s+(\w+)", re.MULTILINE)


class NotBuiltError(Exception):
    """forge's output lacks a contract that the sources declare."""


@dataclass(frozen=True)
class Contract:
    """A contract: its name, its source relative to the project, forge's artifact."""

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
    files = _cached_files()
    return [
        Contract(name, source, _read(files, source, name))
        for name, source in sorted(deployable_sources().items())
    ]


def deployable_sources() -> dict[str, str]:
    """Return ``{name: source}`` of every deployable contract. Raises ValueError when a name occurs twice."""
    found: dict[str, str] = {}
    for source, name in _declared():
        if name in found:
            msg = f"contract name {name} occurs twice: {found[name]} and {source}"
            raise ValueError(msg)
        found[name] = source
    return found


def compiled(source: str, name: str) -> Contract:
    """Return one contract as it is deployed. Raises NotBuiltError when it has not been compiled."""
    return Contract(name, source, _read(_cached_files(), source, name))


def _declared() -> Iterator[tuple[str, str]]:
    for path in sorted(CONTRACTS.rglob("*.sol")):
        if (
            ".cache" in path.parts
        ):  # Ape unpacks dependencies there when the project is in a temp folder
            continue
        for name in _DECLARATION.findall(path.read_text(encoding="utf-8")):
            yield path.relative_to(ROOT).as_posix(), name


def _cached_files() -> dict[str, Any]:
    try:
        files: dict[str, Any] = json.loads(CACHE.read_text(encoding="utf-8"))["files"]
    except FileNotFoundError:
        return {}
    return files


def _read(files: dict[str, Any], source: str, name: str) -> dict[str, Any]:
    versions = files.get(source, {}).get("artifacts", {}).get(name, {})
    paths = [
        ARTIFACTS / entry["path"] for profiles in versions.values() for entry in profiles.values()
    ]
    found: list[dict[str, Any]] = [
        json.loads(path.read_text(encoding="utf-8")) for path in paths if path.is_file()
    ]
    if not found:
        msg = f"{source}:{name} is not compiled; run: make build"
        raise NotBuiltError(msg)
    runs = _optimizer_runs(source)

    def distance(artifact: dict[str, Any]) -> tuple[bool, bool]:
        """What is not optimised is a test's copy; other runs are left over, or forced by an import."""
        optimizer = artifact["metadata"]["settings"]["optimizer"]
        return not optimizer["enabled"], optimizer["runs"] != runs

    return min(found, key=distance)


def _optimizer_runs(source: str) -> int:
    """How often the optimizer is told that this source's code runs: its restriction's, else the profile's."""
    settings = tomllib.loads((ROOT / "foundry.toml").read_text(encoding="utf-8"))
    profile = settings["profile"]["default"]
    for restriction in profile.get("compilation_restrictions", []):
        if restriction["paths"] == source and "optimizer_runs" in restriction:
            return int(restriction["optimizer_runs"])
    return int(profile["optimizer_runs"])


def _hex_length(text: str) -> int:
    return len(text.removeprefix("0x")) // 2
