"""Deploys the contracts and writes the deployment file.

    ape run deploy --network ethereum:local:foundry
    ape run deploy --network ethereum:sepolia:node --parameters production --account NAME

``APE_FOUNDRY_HOST=http://127.0.0.1:8545`` uses an anvil that runs already.
"""

from __future__ import annotations

from pathlib import Path

import click
from ape import networks
from ape.api import AccountAPI
from ape.cli import ConnectedProviderCommand
from ape.contracts import ContractContainer, ContractInstance

from scripts._common import (
    DEPLOYMENTS,
    Parameters,
    account_option,
    contract,
    gas_limit,
    load_parameters,
    quiet,
    red,
    sending_account,
)
from xmtp_tee.client.deployment import Deployment

TDX = 2  # TeeKind.TDX


def deploy(parameters: Parameters, sender: AccountAPI) -> tuple[dict[str, str], bool]:
    """Deploy all five; return their addresses, and whether a development root is pinned."""
    root = parameters.root_certificate()
    owner = parameters.owner or sender.address
    if not parameters.development and owner == sender.address:
        raise click.ClickException(
            "owner is not set: a deployment with a vendor's root is not owned by the deploying account"
        )
    verifier = _deploy(sender, contract("DcapVerifier"), root, parameters.collateral_grace)
    development = bool(verifier.developmentRoot())
    if development != parameters.development:
        raise click.ClickException(
            f"the verifier says developmentRoot() = {development}, the parameters say "
            f"{parameters.development}: the root certificate is not the one that was meant"
        )
    router = _deploy(sender, contract("AttestationVerifier"), [TDX], [verifier.address])
    policy = _deploy(sender, contract("EnclavePolicy"), owner)
    enclaves = _deploy(
        sender,
        contract("EnclaveRegistry"),
        router.address,
        policy.address,
        parameters.max_block_age,
        parameters.attestation_ttl,
    )
    keys = _deploy(sender, contract("KeyRegistry"), enclaves.address, owner)
    contracts = {
        "KeyRegistry": keys.address,
        "EnclaveRegistry": enclaves.address,
        "EnclavePolicy": policy.address,
        "AttestationVerifier": router.address,
        "DcapVerifier": verifier.address,
    }
    return {name: str(address) for name, address in contracts.items()}, development


def _deploy(
    sender: AccountAPI, container: ContractContainer, *arguments: object
) -> ContractInstance:
    return sender.deploy(container, *arguments, **gas_limit())


@click.command(cls=ConnectedProviderCommand)
@click.option("--parameters", "name", default="development", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="The deployment file to write.")
@account_option
def cli(name: str, output: Path | None, alias: str | None) -> None:
    """Deploy the contracts; write deployments/NETWORK.json."""
    quiet()
    provider = networks.provider
    parameters = load_parameters(name)
    sender = sending_account(alias)
    network = f"{provider.network.ecosystem.name}:{provider.network.name}"
    first_block = provider.get_block("latest").number
    contracts, development = deploy(parameters, sender)
    deployment = Deployment(
        network=network,
        chain_id=provider.chain_id,
        development_root=development,
        deployed_at_block=first_block or 0,
        contracts=contracts,
        parameters=parameters.as_dict(),
    )
    path = output or DEPLOYMENTS / f"{provider.network.name}.json"
    deployment.save(path)
    for deployed, address in contracts.items():
        click.echo(f"{deployed:<20} {address}")
    click.echo(f"written: {path}")
    if development:
        click.echo(
            red("A DEVELOPMENT ROOT is pinned: anyone can forge what this deployment accepts.")
        )
