"""The deployment file: which contracts stand where, and under which root.

JSON, format 1::

    {"format": 1, "network": "...", "chainId": 1, "developmentRoot": true, "deployedAtBlock": 7,
     "parameters": {...}, "contracts": {"KeyRegistry": "0x...", ...}}

``contracts`` names those of ``CONTRACTS`` and may name more. ``parameters`` is what scripts/parameters said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from xmtp_tee.attestation.json_text import load_json
from xmtp_tee.client.chain_errors import DeploymentInvalid

T = TypeVar("T")

FORMAT = 1
CONTRACTS = (
    "KeyRegistry",
    "EnclaveRegistry",
    "EnclavePolicy",
    "AttestationVerifier",
    "DcapVerifier",
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment. Addresses are 0x and 40 hex digits; ``deployed_at_block`` bounds every log search."""

    network: str
    chain_id: int
    development_root: bool
    deployed_at_block: int
    contracts: Mapping[str, str]
    parameters: Mapping[str, object] = field(default_factory=dict)

    def address(self, contract: str) -> str:
        """Return a contract's address."""
        return self.contracts[contract]

    @classmethod
    def from_dict(cls, data: object, *, source: str = "the deployment") -> Deployment:
        """Check every field of a parsed deployment file."""
        if not isinstance(data, dict):
            raise DeploymentInvalid(f"{source} is not a JSON object", got=type(data).__name__)
        version = data.get("format")
        if version != FORMAT or isinstance(version, bool):
            raise DeploymentInvalid(
                f"{source} has another format", got=f"format {version}", expected=f"format {FORMAT}"
            )
        contracts = _member(data, "contracts", dict, source)
        for name in dict.fromkeys((*CONTRACTS, *contracts)):
            _require_address(contracts.get(name), name, source)
        return cls(
            network=_member(data, "network", str, source),
            chain_id=_natural(data, "chainId", source),
            development_root=_member(data, "developmentRoot", bool, source),
            deployed_at_block=_natural(data, "deployedAtBlock", source),
            contracts=dict(contracts),
            parameters=_member(data, "parameters", dict, source),
        )

    def as_dict(self) -> dict[str, object]:
        """Return the file's content."""
        return {
            "format": FORMAT,
            "network": self.network,
            "chainId": self.chain_id,
            "developmentRoot": self.development_root,
            "deployedAtBlock": self.deployed_at_block,
            "parameters": dict(self.parameters),
            "contracts": dict(self.contracts),
        }

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Read and check a deployment file."""
        try:
            data = load_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DeploymentInvalid(
                "there is no such deployment file",
                got=path,
                cause="nothing has been deployed under that name",
                next_command="ape run deploy --network ethereum:local:foundry",
            ) from None
        except (OSError, ValueError) as error:
            raise DeploymentInvalid(
                "the deployment file cannot be read", got=path, cause=str(error)
            ) from error
        return cls.from_dict(data, source=str(path))

    def save(self, path: Path) -> None:
        """Write the file, with sorted keys, all at once."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(
            json.dumps(self.as_dict(), indent=2, sort_keys=True) + "\n", encoding="utf-8"
        )
        temporary.replace(path)


def _member(data: dict[str, object], name: str, kind: type[T], source: str) -> T:
    value = data.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise DeploymentInvalid(
            f"{source}: {name} is missing or of another type",
            got=type(value).__name__,
            expected=kind.__name__,
        )
    return value


def _natural(data: dict[str, object], name: str, source: str) -> int:
    value = _member(data, name, int, source)
    if value < 0:
        raise DeploymentInvalid(f"{source}: {name} is negative", got=value, expected="0 or more")
    return value


def _require_address(value: object, name: str, source: str) -> None:
    hex_digits = frozenset("0123456789abcdefABCDEF")
    if (
        not isinstance(value, str)
        or len(value) != 42
        or not value.startswith("0x")
        or not hex_digits.issuperset(value[2:])
    ):
        raise DeploymentInvalid(
            f"{source}: the address of {name} is missing or malformed",
            got=value,
            expected="0x and 40 hex digits",
        )
    if int(value, 16) == 0:
        raise DeploymentInvalid(f"{source}: the address of {name} is zero", got=value)
