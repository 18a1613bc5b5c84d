"""What the scripts share: accounts, the deployment file, words in red. Ape ignores files that begin with _."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from ape import accounts, networks
from ape.api import AccountAPI
from ape.contracts import ContractContainer, ContractInstance
from ape.logging import LogLevel, logger
from ethpm_types import ContractType

from xmtp_tee.client.abi import contract_abi
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.errors import XmtpTeeError

ROOT = Path(__file__).resolve().parent.parent
DEPLOYMENTS = ROOT / "deployments"
TRANSACTION_GAS_LIMIT = 2**24  # EIP-7825


def contract(name: str, address: str) -> ContractInstance:
    """One of the project's contracts, by the ABI that the client carries: nothing needs to be compiled."""
    container = ContractContainer(
        ContractType.model_validate({"contractName": name, "abi": contract_abi(name)})
    )
    return container.at(address, fetch_from_explorer=False, detect_proxy=False)


def deployed(deployment: Deployment, name: str) -> ContractInstance:
    """A contract of a deployment, on the chain that the deployment is on."""
    require_chain(deployment)
    return contract(name, deployment.address(name))


def refusal(error: XmtpTeeError) -> click.ClickException:
    """An error as a script ends with it: in words, and with the exit code that `xmtp-tee` has for it."""
    ended = click.ClickException(str(error))
    ended.exit_code = int(error.exit_code)
    return ended


def load_deployment(path: Path) -> Deployment:
    """Read a deployment file; a script ends where there is none, or another thing."""
    try:
        return Deployment.load(path)
    except XmtpTeeError as error:
        raise refusal(error) from error


def require_chain(deployment: Deployment) -> None:
    """Refuse to talk to another chain than the deployment's."""
    if networks.provider.chain_id != deployment.chain_id:
        raise click.ClickException(
            f"wrong chain: got {networks.provider.chain_id}, expected {deployment.chain_id}"
        )


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


def yellow(text: str) -> str:
    return click.style(text, fg="yellow", bold=True)


def span(seconds: float) -> str:
    """A length of time, in hours up to two days."""
    return f"{seconds / 3600:.1f} hours" if seconds < 2 * 86_400 else f"{seconds / 86_400:.1f} days"
