"""Deploys the contracts to addresses that follow from code and parameters, and writes the deployment file.

    ape run deploy --network ethereum:local:foundry
    ape run deploy --network ethereum:sepolia:node --parameters production --account NAME --dry-run
    ape run deploy --network ethereum:sepolia:node --parameters production --account NAME

What stands already is left alone, so running it again deploys nothing.
``APE_FOUNDRY_HOST=http://127.0.0.1:8545`` uses an anvil that runs already.
"""

from __future__ import annotations

from pathlib import Path

import click
from ape import networks
from ape.api import AccountAPI, NetworkAPI
from ape.cli import ConnectedProviderCommand
from ape.exceptions import ApeException

from scripts._artifacts import build
from scripts._common import (
    DEPLOYMENTS,
    TRANSACTION_GAS_LIMIT,
    account_option,
    contract,
    gas_limit,
    quiet,
    red,
    sending_account,
)
from scripts._create2 import DEPLOYER, require_deployer
from scripts._parameters import TEES, Parameters, load_parameters
from scripts._plan import Piece, Plan, names
from xmtp_tee.client.chain_errors import DeploymentInvalid
from xmtp_tee.client.deployment import Deployment


def owner_of(parameters: Parameters, sender: AccountAPI) -> str:
    """The policy's owner: as the parameters say; in development the deploying account without saying."""
    owner = parameters.owner or str(sender.address)
    if not parameters.development and owner == sender.address:
        raise click.ClickException(
            "owner is not set: a deployment with a vendor's root is not owned by the deploying account"
        )
    return owner


def stands(piece: Piece) -> bool:
    """Whether the contract is there. Refuses other code at its address."""
    code = bytes(networks.provider.get_code(piece.address))
    if code and not piece.build.is_deployed_as(code):
        raise click.ClickException(
            f"{piece.name}: other code stands at {piece.address} than the sources make"
        )
    return bool(code)


def deploy_piece(piece: Piece, salt: bytes, sender: AccountAPI) -> None:
    """Send one contract's creation through the proxy, and see that it stands."""
    try:
        sender.transfer(DEPLOYER, 0, data=salt + piece.creation_code, **gas_limit())
    except ApeException as error:
        raise click.ClickException(f"{piece.name}: its creation was refused: {error}") from error
    if not stands(piece):
        raise click.ClickException(f"{piece.name}: nothing stands at {piece.address} after all")


def estimate(piece: Piece, salt: bytes, sender: AccountAPI, earlier: list[Piece]) -> int | None:
    """Estimate the gas of a creation as if the contracts before it stood; None where the node cannot."""
    transaction = {
        "from": str(sender.address),
        "to": DEPLOYER,
        "data": "0x" + (salt + piece.creation_code).hex(),
        "gas": hex(TRANSACTION_GAS_LIMIT),
    }
    # Their constructors have not written into this code; what a constructor asks costs the same.
    overrides = {item.address: {"code": "0x" + item.build.runtime_code.hex()} for item in earlier}
    try:
        answer = networks.provider.make_request(
            "eth_estimateGas", [transaction, "pending", overrides]
        )
    except ApeException:  # a node says in its own way that it takes no overrides
        return None
    return int(answer, 16)


def default_name(network: NetworkAPI) -> str:
    """Return the name of a network's deployment file: networks of different ecosystems have the same names."""
    name = str(network.name)
    return "local.json" if name == "local" else f"{network.ecosystem.name}-{name}.json"


def earlier_deployment(path: Path) -> Deployment | None:
    """Read the file that is about to be replaced, if there is one. Refuses one of another chain."""
    if not path.exists():
        return None
    try:
        earlier = Deployment.load(path)
    except DeploymentInvalid as error:
        raise click.ClickException(
            f"{error}; move it away, or name another with --output"
        ) from error
    chain_id = networks.provider.chain_id
    if earlier.chain_id != chain_id:
        raise click.ClickException(
            f"{path} is a deployment on another chain: got chain id {earlier.chain_id}, expected {chain_id}; "
            "move it away, or name another with --output"
        )
    return earlier


def first_block(
    pieces: list[Piece], before: int, present: set[str], earlier: Deployment | None
) -> int:
    """A block in which none of the contracts stood yet: every search of the log begins there."""
    if not present:
        return before
    # A chain that was begun anew, as a local one is, has the addresses but not the blocks of the file.
    if (
        earlier
        and earlier.deployed_at_block <= before
        and all(
            earlier.contracts.get(piece.name) == piece.address
            for piece in pieces
            if not piece.is_table
        )
    ):
        return earlier.deployed_at_block
    return min(_creation_block(p.address, before) for p in pieces if p.name in present)


def _creation_block(address: str, latest: int) -> int:
    """Search for the last block without the contract; 0 where the node keeps no old state."""
    low, high = 0, latest
    while low < high:
        middle = (low + high + 1) // 2
        try:
            code = networks.provider.get_code(address, block_id=middle)
        except ApeException:  # a node without an archive says so in its own way
            return 0
        low, high = (low, middle - 1) if code else (middle, high)
    return low


def appoint_guardians(parameters: Parameters, policy_address: str, sender: AccountAPI) -> list[str]:
    """Add the guardians where the sender may do so at once; return those who are still missing."""
    policy = contract("EnclavePolicy", policy_address)
    missing = [account for account in parameters.guardians if not policy.isGuardian(account)]
    if policy.owner() != sender.address or policy.additionDelay() != 0:
        return missing
    for account in missing:
        policy.addGuardian(account, sender=sender, **gas_limit())
    return []


@click.command(cls=ConnectedProviderCommand)
@click.option("--parameters", "name", default="development", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="The deployment file to write.")
@click.option("--dry-run", is_flag=True, help="Say what would be deployed where, and send nothing.")
@click.option(
    "--tee",
    "further",
    multiple=True,
    type=click.Choice(list(TEES)),
    help="Accept this TEE's evidence too, besides what the parameters say.",
)
@account_option
def cli(
    name: str, output: Path | None, dry_run: bool, further: tuple[str, ...], alias: str | None
) -> None:
    """Deploy the contracts; write deployments/ECOSYSTEM-NETWORK.json, local.json for a local chain."""
    quiet()
    provider = networks.provider
    path = output or DEPLOYMENTS / default_name(provider.network)
    earlier = earlier_deployment(path)
    parameters = load_parameters(name, further)
    parameters.require_roots()
    sender = sending_account(alias)
    owner = owner_of(parameters, sender)
    require_deployer()
    salt = parameters.create2_salt
    pieces = Plan(parameters, owner, build(names(parameters.tees))).pieces
    before = provider.get_block("latest").number or 0

    present: set[str] = set()
    for index, piece in enumerate(pieces):
        if stands(piece):
            present.add(piece.name)
            done = "stands already"
        elif dry_run:
            gas = estimate(piece, salt, sender, pieces[:index])
            done = "would be deployed, gas " + ("not estimated" if gas is None else f"{gas:,}")
        else:
            deploy_piece(piece, salt, sender)
            done = "deployed"
        click.echo(f"{piece.name:<20} {piece.address}  {done}")

    if dry_run:
        click.echo(f"owner {owner}; nothing was sent, nothing was written")
    else:
        addresses = {piece.name: piece.address for piece in pieces if not piece.is_table}
        development = bool(contract("DcapVerifier", addresses["DcapVerifier"]).developmentRoot())
        if development != parameters.development:
            raise click.ClickException(
                f"the verifier says developmentRoot() = {development}, the parameters say "
                f"{parameters.development}: the root certificate is not the one that was meant"
            )
        Deployment(
            network=f"{provider.network.ecosystem.name}:{provider.network.name}",
            chain_id=provider.chain_id,
            development_root=development,
            deployed_at_block=first_block(pieces, before, present, earlier),
            contracts=addresses,
            parameters=parameters.as_dict(owner),
        ).save(path)
        click.echo(f"written: {path}")
        for account in appoint_guardians(parameters, addresses["EnclavePolicy"], sender):
            click.echo(
                f"the owner has yet to add a guardian: ape run policy add-guardian {account}"
            )
    if parameters.development:
        click.echo(
            red("A DEVELOPMENT ROOT is pinned: anyone can forge what this deployment accepts.")
        )
