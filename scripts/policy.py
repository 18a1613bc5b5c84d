"""Changes and shows the policy: which workloads are trusted.

ape run policy add 0x... --level member --source https://... --commit 0123...
ape run policy add --this-code --network ethereum:local:foundry
ape run policy remove 0x...
ape run policy list
"""

from __future__ import annotations

from pathlib import Path

import click
from ape import networks
from ape.cli import ConnectedProviderCommand

from scripts._common import (
    account_option,
    contract,
    deployment_option,
    gas_limit,
    quiet,
    sending_account,
)
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.client.deployment import Deployment

LEVELS = [level.label for level in AssuranceLevel if level is not AssuranceLevel.NONE]


def _policy(deployment: Deployment):
    if networks.provider.chain_id != deployment.chain_id:
        raise click.ClickException(
            f"wrong chain: got {networks.provider.chain_id}, expected {deployment.chain_id}"
        )
    return contract("EnclavePolicy").at(deployment.address("EnclavePolicy"))


def _id(text: str) -> bytes:
    digits = text.removeprefix("0x")
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        value = b""
    if len(value) != 32:
        raise click.ClickException(f"not a workload id: got {text[:80]}, expected 32 bytes in hex")
    return value


@click.group()
def cli() -> None:
    """Which workloads are trusted."""


@cli.command(cls=ConnectedProviderCommand)
@click.argument("workload", required=False)
@click.option("--this-code", is_flag=True, help="The simulated measurement of this checkout.")
@click.option("--level", type=click.Choice(LEVELS), default="member", show_default=True)
@click.option("--source", default="", help="Where the source lies, for people. Required.")
@click.option("--commit", default="", help="The source's git commit, 40 hex digits.")
@deployment_option
@account_option
def add(
    workload: str | None,
    this_code: bool,
    level: str,
    source: str,
    commit: str,
    deployment: Path,
    alias: str | None,
) -> None:
    """Trust WORKLOAD from now on."""
    quiet()
    if (workload is None) != this_code:
        raise click.ClickException("name either a workload id or --this-code")
    where = Deployment.load(deployment)
    if this_code and not where.development_root:
        raise click.ClickException(
            "--this-code is the simulator's measurement; this deployment pins a vendor's root"
        )
    if this_code:
        from xmtp_tee.attestation.drivers import measure_code
        from xmtp_tee.attestation.simulator import TdRecipe
        from xmtp_tee.attestation.workload import tdx_workload_id

        identifier = tdx_workload_id(TdRecipe(mr_td=measure_code()).build())
        source = source or "this checkout"
    else:
        identifier = _id(workload or "")
    if not source:
        raise click.ClickException("--source is missing: say where the measured source lies")
    try:
        commit_hash = bytes.fromhex(commit).rjust(20, b"\0") if commit else bytes(20)
    except ValueError:
        commit_hash = b""
    if len(commit_hash) != 20:
        raise click.ClickException(f"not a commit: got {commit}, expected 40 hex digits")
    policy = _policy(where)
    sender = sending_account(alias)
    number = int(AssuranceLevel[level.upper()])
    policy.addWorkload(identifier, number, source, commit_hash, sender=sender, **gas_limit())
    click.echo(f"trusted: 0x{identifier.hex()} up to level {level}")


@cli.command(cls=ConnectedProviderCommand)
@click.argument("workload")
@deployment_option
@account_option
def remove(workload: str, deployment: Path, alias: str | None) -> None:
    """Stop trusting WORKLOAD, at once: every enclave that runs it loses its standing."""
    quiet()
    policy = _policy(Deployment.load(deployment))
    policy.removeWorkload(_id(workload), sender=sending_account(alias), **gas_limit())
    click.echo(f"removed: {workload}")


@cli.command("list", cls=ConnectedProviderCommand)
@deployment_option
def list_(deployment: Path) -> None:
    """List the trusted workloads, from the policy's events."""
    quiet()
    where = Deployment.load(deployment)
    policy = _policy(where)
    seen = dict.fromkeys(
        bytes(log.workload)
        for log in policy.WorkloadAdded.range(
            where.deployed_at_block, networks.provider.get_block("latest").number + 1
        )
    )
    trusted = [identifier for identifier in seen if policy.isWorkloadTrusted(identifier)]
    for identifier in trusted:
        entry = policy.workload(identifier)
        level = AssuranceLevel(entry.level).label
        click.echo(f"0x{identifier.hex()}  {level:<9}  {entry.source}  {entry.commitHash.hex()}")
    if not trusted:
        click.echo("no workload is trusted")
