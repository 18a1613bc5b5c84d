"""Brings collateral to the verifier, and shows what it has. Anyone may: what counts is Intel's signature.

ape run collateral submit --file collateral.json --network ...
ape run collateral submit --development --network ethereum:local:foundry
ape run collateral show
"""

from __future__ import annotations

import time
from pathlib import Path

import click
from ape import networks
from ape.cli import ConnectedProviderCommand

from scripts._common import account_option, deployment_option, quiet, red, sending_account
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.collateral import CollateralSync
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.errors import XmtpTeeError


class ApeSender:
    """Lets an Ape account send what the client made."""

    def __init__(self, account) -> None:
        self._account = account
        self.address = str(account.address)

    def send(self, web3, transaction):
        from ape_ethereum.transactions import DynamicFeeTransaction

        signed = self._account.sign_transaction(DynamicFeeTransaction.model_validate(transaction))
        return web3.eth.send_raw_transaction(signed.serialize_transaction())


def _sync(path: Path) -> tuple[CollateralSync, Chain, Deployment]:
    deployment = Deployment.load(path)
    chain = Chain(networks.provider.http_uri)
    return CollateralSync(chain, deployment), chain, deployment


@click.group()
def cli() -> None:
    """Certificates, CRLs, TCB info and QE identity."""


@cli.command(cls=ConnectedProviderCommand)
@click.option(
    "--file", "file", type=click.Path(path_type=Path, exists=True), help="dcap-qvl's JSON form."
)
@click.option("--development", is_flag=True, help="The simulator's collateral, issued now.")
@deployment_option
@account_option
def submit(file: Path | None, development: bool, deployment: Path, alias: str | None) -> None:
    """Submit what the verifier lacks; what it knows already is skipped."""
    quiet()
    if (file is None) != development:
        raise click.ClickException("name either --file or --development")
    try:
        sync, chain, _ = _sync(deployment)
        if file is not None:
            collateral = Collateral.from_json(file.read_text(encoding="utf-8"))
        else:
            from xmtp_tee.attestation.simulator import CollateralRecipe

            collateral = CollateralRecipe().build(chain.block().timestamp - 3600)
        for item in sync.submit(collateral, ApeSender(sending_account(alias))):
            click.echo(f"{item.what:<40} {f'gas {item.gas:,}' if item.sent else 'known already'}")
    except XmtpTeeError as error:
        raise click.ClickException(str(error)) from error


@cli.command(cls=ConnectedProviderCommand)
@deployment_option
def show(deployment: Path) -> None:
    """Show what the verifier has and until when."""
    quiet()
    try:
        sync, chain, where = _sync(deployment)
        now = chain.block().timestamp
        for item in sync.holdings():
            left = item.until - now
            text = f"{left / 86_400:.1f} days left" if left > 0 else red("LAPSED")
            date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(item.until))
            click.echo(f"{item.what:<40} until {date}  {text}")
    except XmtpTeeError as error:
        raise click.ClickException(str(error)) from error
    if where.development_root:
        click.echo(red("DEVELOPMENT root"))
