"""The bytecode that is deployed: forge's, which is also what is tested and compared. Ape compiles nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import click
from ape.contracts import ContractContainer
from ethpm_types import ContractType

from tools.project import ROOT, Contract, NotBuiltError, compiled, deployable_sources

STANDARD_ERROR = 2
"""Where forge's progress goes: standard output is the script's own, and may be read by programs."""


@dataclass(frozen=True)
class Build:
    """One contract as forge made it."""

    name: str
    abi: list[dict[str, Any]]
    creation_code: bytes
    runtime_code: bytes
    immutables: tuple[tuple[int, int], ...]
    """Where the constructor writes into the runtime code: (offset, length) in bytes."""

    @property
    def container(self) -> ContractContainer:
        """The contract for Ape."""
        return ContractContainer(
            ContractType.model_validate(
                {
                    "contractName": self.name,
                    "abi": self.abi,
                    "deploymentBytecode": {"bytecode": "0x" + self.creation_code.hex()},
                }
            )
        )

    def is_deployed_as(self, code: bytes) -> bool:
        """Whether this is the code, whatever its constructor wrote."""
        return len(code) == len(self.runtime_code) and self._masked(code) == self._masked(
            self.runtime_code
        )

    def _masked(self, code: bytes) -> bytes:
        blank = bytearray(code)
        for offset, length in self.immutables:
            blank[offset : offset + length] = bytes(length)
        return bytes(blank)


def build(names: Iterable[str]) -> dict[str, Build]:
    """Have forge compile what is missing or stale, showing its progress; return the contracts by name."""
    sources = deployable_sources()
    wanted = {name: sources[name] for name in names}
    forge = shutil.which("forge") or shutil.which("forge", path=str(ROOT / ".tools" / "bin"))
    if forge is None:
        raise click.ClickException("forge is not installed; run: make setup")
    done = subprocess.run(  # noqa: S603 - a fixed command, no shell
        [forge, "build", *sorted(set(wanted.values()))],
        cwd=ROOT,
        stdout=STANDARD_ERROR,
        check=False,
    )
    if done.returncode != 0:
        raise click.ClickException(f"forge build failed with exit code {done.returncode}")
    return {name: read(name, source) for name, source in wanted.items()}


def read(name: str, source: str) -> Build:
    """Return one contract from forge's output."""
    try:
        contract = compiled(source, name)
    except NotBuiltError as error:
        raise click.ClickException(str(error)) from error
    return _from(contract)


def _from(contract: Contract) -> Build:
    artifact = contract.artifact
    runtime = artifact["deployedBytecode"]
    if runtime.get("linkReferences") or artifact["bytecode"].get("linkReferences"):
        raise click.ClickException(f"{contract.name} needs a library to be linked")
    return Build(
        name=contract.name,
        abi=artifact["abi"],
        creation_code=_bytes(artifact["bytecode"]["object"]),
        runtime_code=_bytes(runtime["object"]),
        immutables=tuple(
            (place["start"], place["length"])
            for places in runtime.get("immutableReferences", {}).values()
            for place in places
        ),
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
