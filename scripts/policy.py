"""Changes and shows the policy: which workloads are trusted, on which platforms.

ape run policy add 0x... --level member --source https://... --commit 0123...
ape run policy add --this-code --network ethereum:local:foundry
ape run policy remove 0x...
ape run policy allow-status 0x... SWHardeningNeeded --advisories 0x... --days 30
ape run policy withdraw-status 0x... SWHardeningNeeded --advisories 0x...
ape run policy deny-platform tdx 00112233445566778899aabbccddeeff
ape run policy deny-family tdx 00906ed50000
ape run policy allow-platform tdx 00112233445566778899aabbccddeeff
ape run policy allow-family tdx 00906ed50000
ape run policy list
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from ape import networks
from ape.cli import ConnectedProviderCommand

from scripts._common import (
    account_option,
    contract,
    deployment_option,
    gas_limit,
    quiet,
    red,
    sending_account,
)
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.client.deployment import Deployment

DAY = 24 * 3600
TEES = [kind.label for kind in TeeKind if kind is not TeeKind.NONE]
STATUSES = [
    status.intel_name
    for status in TcbStatus
    if status not in (TcbStatus.NONE, TcbStatus.UP_TO_DATE, TcbStatus.REVOKED)
]
LEVELS = [level.label for level in AssuranceLevel if level is not AssuranceLevel.NONE]


def _policy(deployment: Deployment):
    if networks.provider.chain_id != deployment.chain_id:
        raise click.ClickException(
            f"wrong chain: got {networks.provider.chain_id}, expected {deployment.chain_id}"
        )
    return contract("EnclavePolicy").at(deployment.address("EnclavePolicy"))


def _hex(text: str, what: str, *sizes: int) -> bytes:
    digits = text.removeprefix("0x")
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        value = b""
    if len(value) not in sizes:
        wanted = " or ".join(str(size) for size in sizes)
        raise click.ClickException(f"not {what}: got {text[:80]}, expected {wanted} bytes in hex")
    return value


def _id(text: str) -> bytes:
    return _hex(text, "a workload id", 32)


def _tee(label: str) -> int:
    return int(next(kind for kind in TeeKind if kind.label == label))


def _advisories(policy: Any, text: str) -> bytes:
    """Return the commitment: ``none`` and ``any`` are words, so that neither is typed by accident."""
    if text == "none":
        return bytes(32)
    if text == "any":
        return bytes(policy.anyAdvisories())
    value = _hex(text, "a commitment to advisories", 32)
    if not any(value):
        raise click.ClickException(
            "32 zero bytes mean that there are no advisories: say --advisories none"
        )
    return value


def _family(text: str) -> bytes:
    """Return a family, left-aligned in 16 bytes; an FMSPC is 6."""
    return _hex(text, "a family", 6, 16).ljust(16, b"\0")


tee_argument = click.argument("tee", type=click.Choice(TEES))
status_argument = click.argument("status", type=click.Choice(STATUSES))
advisories_option = click.option(
    "--advisories",
    required=True,
    metavar="HEX|none|any",
    help="The commitment that `xmtp-tee status` shows; none: Intel lists none; any: whatever they are.",
)


@click.group()
def cli() -> None:
    """Which workloads are trusted, on which platforms."""


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


@cli.command("allow-status", cls=ConnectedProviderCommand)
@click.argument("workload")
@status_argument
@advisories_option
@click.option(
    "--days",
    type=click.IntRange(1, 365),
    required=True,
    help="From the newest block on; at most 90 with --advisories any.",
)
@deployment_option
@account_option
def allow_status(
    workload: str, status: str, advisories: str, days: int, deployment: Path, alias: str | None
) -> None:
    """Accept WORKLOAD on platforms with STATUS and these advisories, until a deadline."""
    quiet()
    policy = _policy(Deployment.load(deployment))
    if advisories == "any" and days > 90:
        raise click.ClickException(f"--advisories any: got {days} days, expected 90 at most")
    until = networks.provider.get_block("latest").timestamp + days * DAY
    policy.allowStatus(
        _id(workload),
        int(TcbStatus.from_intel_name(status)),
        _advisories(policy, advisories),
        until,
        sender=sending_account(alias),
        **gas_limit(),
    )
    if advisories == "any":
        click.echo(red("ANY ADVISORIES: weaknesses that are not published yet are accepted too"))
    click.echo(f"allowed: {workload} on {status} until {until}")


@cli.command("withdraw-status", cls=ConnectedProviderCommand)
@click.argument("workload")
@status_argument
@advisories_option
@deployment_option
@account_option
def withdraw_status(
    workload: str, status: str, advisories: str, deployment: Path, alias: str | None
) -> None:
    """End an exception, at once."""
    quiet()
    policy = _policy(Deployment.load(deployment))
    policy.withdrawStatus(
        _id(workload),
        int(TcbStatus.from_intel_name(status)),
        _advisories(policy, advisories),
        sender=sending_account(alias),
        **gas_limit(),
    )
    click.echo(f"withdrawn: {workload} on {status}")


@cli.command("deny-platform", cls=ConnectedProviderCommand)
@tee_argument
@click.argument("instance")
@deployment_option
@account_option
def deny_platform(tee: str, instance: str, deployment: Path, alias: str | None) -> None:
    """Deny one machine (PPID, 16 bytes), at once: every enclave on it loses its standing."""
    _change(deployment, alias, "denyPlatform", tee, _hex(instance, "a platform", 16))
    click.echo(f"denied: platform {instance} ({tee})")


@cli.command("allow-platform", cls=ConnectedProviderCommand)
@tee_argument
@click.argument("instance")
@deployment_option
@account_option
def allow_platform(tee: str, instance: str, deployment: Path, alias: str | None) -> None:
    """Lift the denial of a machine."""
    _change(deployment, alias, "allowPlatform", tee, _hex(instance, "a platform", 16))
    click.echo(f"denial lifted: platform {instance} ({tee})")


@cli.command("deny-family", cls=ConnectedProviderCommand)
@tee_argument
@click.argument("family")
@deployment_option
@account_option
def deny_family(tee: str, family: str, deployment: Path, alias: str | None) -> None:
    """Deny a whole model (FMSPC, 6 bytes), at once: every enclave on one loses its standing."""
    _change(deployment, alias, "denyFamily", tee, _family(family))
    click.echo(f"denied: family {family} ({tee})")


@cli.command("allow-family", cls=ConnectedProviderCommand)
@tee_argument
@click.argument("family")
@deployment_option
@account_option
def allow_family(tee: str, family: str, deployment: Path, alias: str | None) -> None:
    """Lift the denial of a model."""
    _change(deployment, alias, "allowFamily", tee, _family(family))
    click.echo(f"denial lifted: family {family} ({tee})")


def _change(deployment: Path, alias: str | None, function: str, tee: str, what: bytes) -> None:
    quiet()
    policy = _policy(Deployment.load(deployment))
    getattr(policy, function)(_tee(tee), what, sender=sending_account(alias), **gas_limit())


@cli.command("list", cls=ConnectedProviderCommand)
@deployment_option
def list_(deployment: Path) -> None:
    """List workloads, exceptions and denials: which there ever were from the events, which count from the views."""
    quiet()
    where = Deployment.load(deployment)
    policy = _policy(where)
    span = (where.deployed_at_block, networks.provider.get_block("latest").number + 1)
    seen = dict.fromkeys(bytes(log.workload) for log in policy.WorkloadAdded.range(*span))
    trusted = [identifier for identifier in seen if policy.isWorkloadTrusted(identifier)]
    for identifier in trusted:
        entry = policy.workload(identifier)
        level = AssuranceLevel(entry.level).label
        click.echo(f"0x{identifier.hex()}  {level:<9}  {entry.source}  {entry.commitHash.hex()}")
    if not trusted:
        click.echo("no workload is trusted")
    _list_exceptions(policy, span)
    _list_denials(policy, span)


def _list_exceptions(policy: Any, span: tuple[int, int]) -> None:
    now = networks.provider.get_block("latest").timestamp
    wildcard = bytes(policy.anyAdvisories())
    seen = dict.fromkeys(
        (bytes(log.workload), int(log.status), bytes(log.advisories))
        for log in policy.StatusAllowed.range(*span)
    )
    for workload, status, advisories in seen:
        until = policy.statusAllowedUntil(workload, status, advisories)
        if until == 0:
            continue
        words = {bytes(32): "no advisories", wildcard: red("ANY ADVISORIES")}
        what = words.get(advisories, f"advisories 0x{advisories.hex()}")
        left = f"until {until}" if until > now else f"ended at {until}"
        name = TcbStatus(status).intel_name
        click.echo(f"exception: 0x{workload.hex()}  {name}  {what}  {left}")


def _list_denials(policy: Any, span: tuple[int, int]) -> None:
    platforms = dict.fromkeys(
        (int(log.tee), bytes(log.instance)) for log in policy.PlatformDenialAdded.range(*span)
    )
    for tee, instance in platforms:
        if policy.isPlatformDenied(tee, instance):
            click.echo(f"denied: platform {instance.hex()}  {TeeKind(tee).label}")
    families = dict.fromkeys(
        (int(log.tee), bytes(log.family)) for log in policy.FamilyDenialAdded.range(*span)
    )
    for tee, family in families:
        if policy.isFamilyDenied(tee, family):
            short = family[:6] if not any(family[6:]) else family
            click.echo(f"denied: family {short.hex()}  {TeeKind(tee).label}")
