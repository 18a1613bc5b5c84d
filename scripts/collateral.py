"""Brings collateral to the verifier, and shows what it has. Anyone may: what counts is Intel's signature.

ape run collateral submit --file collateral.json --network ...
ape run collateral submit --pccs https://pccs.example --quote quote.bin --network ...
ape run collateral submit --development --network ethereum:local:foundry
ape run collateral show
ape run collateral watch --within 7d        # exit 4: something is due; 3: lapsed, missing, or not to be read
"""

from __future__ import annotations

import time
from pathlib import Path

import click
from ape import networks
from ape.cli import ConnectedProviderCommand

from scripts._common import account_option, deployment_option, quiet, red, refusal, sending_account
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.collateral import CollateralSync
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.holdings import State, worst
from xmtp_tee.commands.collateral import duration
from xmtp_tee.commands.collateral_source import Source, source_options
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
@source_options
@deployment_option
@account_option
def submit(deployment: Path, alias: str | None, source: Source) -> None:
    """Submit what the verifier lacks; what it knows already is skipped."""
    quiet()
    try:
        prepared = source.prepare()
        sync, chain, _ = _sync(deployment)
        collateral, leaf = prepared(chain.block().timestamp)
        for item in sync.submit(collateral, ApeSender(sending_account(alias)), leaf):
            click.echo(f"{item.what:<40} {f'gas {item.gas:,}' if item.sent else 'known already'}")
    except XmtpTeeError as error:
        raise refusal(error) from error


@cli.command(cls=ConnectedProviderCommand)
@deployment_option
def show(deployment: Path) -> None:
    """Show what the verifier has and until when."""
    _report(deployment, 0)


@cli.command(cls=ConnectedProviderCommand)
@click.option("--within", default="7d", show_default=True, metavar="TIME", help="Such as 7d, 12h.")
@deployment_option
def watch(within: str, deployment: Path) -> None:
    """Exit 4 when something is due within a time, 3 when something has lapsed, is missing or cannot be read."""
    try:
        seconds = duration(within)
    except XmtpTeeError as error:
        raise refusal(error) from error
    state = _report(deployment, seconds)
    if state >= State.DUE:
        raise SystemExit(4 if state is State.DUE else 3)


def _report(path: Path, within: int) -> State:
    """Print every piece with what is left of it; return the worst state."""
    quiet()
    try:
        sync, chain, where = _sync(path)
        now = chain.block().timestamp
        held = [*sync.holdings(), *sync.signers()]
    except XmtpTeeError as error:
        raise refusal(error) from error
    for item in held:
        state = item.state(now, within)
        text = f"{(item.until - now) / 86_400:.1f} days left"
        if state >= State.DUE:
            text = red(state.label.upper()) + f"  {text}"
        date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(item.until))
        click.echo(
            f"{item.what:<40} until {date}  {text}"
            if item.until
            else f"{item.what:<40} {red('MISSING')}"
        )
    if where.development_root:
        click.echo(red("DEVELOPMENT root"))
    return worst(held, now, within)
