"""What the scripts share: parameters, the sending account, words in red. Ape ignores files that begin with _."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml
from ape import accounts, networks, project
from ape.api import AccountAPI
from ape.contracts import ContractContainer
from ape.logging import LogLevel, logger
from eth_utils import is_address

ROOT = Path(__file__).resolve().parent.parent
PARAMETERS = ROOT / "scripts" / "parameters"
DEPLOYMENTS = ROOT / "deployments"
MAX_BLOCK_AGE_LIMIT = 8191  # EIP-2935
DEVELOPMENT = "development"
TRANSACTION_GAS_LIMIT = 2**24  # EIP-7825


@dataclass(frozen=True)
class Parameters:
    """A parameter file, checked."""

    name: str
    root: str
    collateral_grace: int
    max_block_age: int
    attestation_ttl: int
    owner: str

    @property
    def development(self) -> bool:
        return self.root == DEVELOPMENT

    def root_certificate(self) -> bytes:
        """The root's certificate, DER."""
        if self.development:
            from xmtp_tee.attestation.simulator import development_root_certificate

            return development_root_certificate()
        path = (PARAMETERS / self.root).resolve()
        if not path.is_file():
            raise click.ClickException(f"no root certificate: got {path}, expected a DER file")
        return path.read_bytes()

    def as_dict(self) -> dict[str, object]:
        return {
            "root": DEVELOPMENT if self.development else Path(self.root).name,
            "collateralGrace": self.collateral_grace,
            "maxBlockAge": self.max_block_age,
            "attestationTtl": self.attestation_ttl,
        }


def contract(name: str) -> ContractContainer:
    """One of the project's contracts, compiled if need be.

    Not `project.NAME`: in a project that lies in the temporary folder, Ape forgets what an earlier run compiled.
    """
    return project.load_contracts()[name]


def load_parameters(name: str) -> Parameters:
    """Read scripts/parameters/NAME.yaml, or a path; every field must be there and nothing else."""
    path = Path(name) if name.endswith(".yaml") else PARAMETERS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in PARAMETERS.glob("*.yaml")))
        raise click.ClickException(f"no parameters: got {name}, expected one of {known}")
    data: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    numbers = ("collateral_grace", "max_block_age", "attestation_ttl")
    expected = {"root", "owner", *numbers}
    if set(data) != expected:
        raise click.ClickException(
            f"{path.name}: got {sorted(data)}, expected exactly {sorted(expected)}"
        )
    for field in numbers:
        if type(data[field]) is not int or data[field] < 0:
            raise click.ClickException(f"{path.name}: {field}: got {data[field]!r}, expected >= 0")
    if not 0 < data["max_block_age"] <= MAX_BLOCK_AGE_LIMIT:
        raise click.ClickException(
            f"{path.name}: max_block_age: got {data['max_block_age']}, "
            f"expected 1..{MAX_BLOCK_AGE_LIMIT} (EIP-2935)"
        )
    if data["owner"] and not is_address(data["owner"]):
        raise click.ClickException(
            f"{path.name}: owner: got {data['owner']!r}, expected an address"
        )
    return Parameters(name=path.stem, **data)


def account_option(function: Any) -> Any:
    return click.option(
        "--account", "alias", help="An Ape account. On a local network: its first test account."
    )(function)


def deployment_option(function: Any) -> Any:
    return click.option(
        "--deployment",
        type=click.Path(path_type=Path),
        envvar="XMTP_TEE_DEPLOYMENT",
        default=DEPLOYMENTS / "local.json",
        show_default="deployments/local.json",
        help="The deployment file.",
    )(function)


def sending_account(alias: str | None) -> AccountAPI:
    """The account that sends; a test account without being named on a local network alone."""
    if alias is not None:
        return accounts.load(alias)
    if networks.provider.network.name != "local":
        raise click.ClickException("no account: name one with --account (ape accounts list)")
    return accounts.test_accounts[0]


def gas_limit() -> dict[str, int]:
    """What to pass with every transaction.

    On a local network Ape would ask for all the gas of a block, more than a transaction may have.
    """
    return {"gas": TRANSACTION_GAS_LIMIT} if networks.provider.network.name == "local" else {}


def quiet() -> None:
    """Show no more of Ape's own talk than warnings."""
    logger.set_level(LogLevel.WARNING)


def red(text: str) -> str:
    return click.style(text, fg="red", bold=True)
