"""Changes and shows the policy: which workloads are trusted, on which platforms, and who decides.

ape run policy add 0x... --level member --source https://... --commit 0123...
ape run policy add --this-code --source "this checkout" --network ethereum:local:foundry
ape run policy remove 0x...
ape run policy allow-status 0x... SWHardeningNeeded --advisories 0x... --days 30
ape run policy withdraw-status 0x... SWHardeningNeeded --advisories 0x...
ape run policy deny-platform tdx 00112233445566778899aabbccddeeff
ape run policy deny-family tdx 00906ed50000
ape run policy allow-platform tdx 00112233445566778899aabbccddeeff
ape run policy allow-family tdx 00906ed50000
ape run policy raise-floor Milan 4,0,24,219
ape run policy demand-kinds 2 tdx nitro sev-snp
ape run policy relax-kinds 1 nitro sev-snp
ape run policy add-guardian 0x...
ape run policy remove-guardian 0x...
ape run policy guardians
ape run policy pending
ape run policy schedule 0xCALLDATA
ape run policy execute 0xID
ape run policy cancel 0xID
ape run policy list

Under a lock, what adds trust (add, allow-*, relax-kinds, add-guardian) is announced and executed later; what removes
it acts at once.
--calldata prints what an owner without an Ape account must send.
"""

from __future__ import annotations

from pathlib import Path

import click
from ape import networks
from ape.cli import ConnectedProviderCommand

from scripts._acts import Actor, act_options
from scripts._common import deployed, deployment_option, load_deployment, quiet, red
from scripts._pending import addition_id, announced_call, describe, pending_additions
from scripts._policy_list import list_demand, list_denials, list_exceptions, list_workloads
from scripts._policy_words import (
    LEVELS,
    TEES,
    account,
    advisories_of,
    advisories_option,
    commit_hash,
    family,
    floor_of,
    hex_of,
    platform,
    status_argument,
    tee_argument,
    tee_kind,
    tee_kinds,
    this_code,
    workload_id,
)
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.kinds import TcbStatus
from xmtp_tee.attestation.sevsnp.product import ProductLine

DAY = 24 * 3600


@click.group()
def cli() -> None:
    """Which workloads are trusted, on which platforms, and who decides."""


# --- workloads ------------------------------------------------------------------------------------


@cli.command(cls=ConnectedProviderCommand)
@click.argument("workload", required=False)
@click.option(
    "--this-code", "own", is_flag=True, help="The simulated measurement of this checkout."
)
@click.option("--level", type=click.Choice(LEVELS), default="member", show_default=True)
@click.option("--source", default="", help="Where the source lies, for people. Required.")
@click.option("--commit", default="", help="The source's git commit, 40 hex digits.")
@act_options
def add(
    actor: Actor, workload: str | None, own: bool, level: str, source: str, commit: str
) -> None:
    """Trust WORKLOAD."""
    if (workload is None) != own:
        raise click.ClickException("name either a workload id or --this-code")
    if own and not actor.where.development_root:
        raise click.ClickException(
            "--this-code is the simulator's measurement; this deployment pins a vendor's root"
        )
    identifier = this_code() if own else workload_id(workload or "")
    source = source or ("this checkout" if own else "")
    if not source:
        raise click.ClickException("--source is missing: say where the measured source lies")
    number = int(AssuranceLevel[level.upper()])
    if actor.add("addWorkload", identifier, number, source, commit_hash(commit)):
        click.echo(f"trusted: 0x{identifier.hex()} up to level {level}")


@cli.command(cls=ConnectedProviderCommand)
@click.argument("workload")
@act_options
def remove(actor: Actor, workload: str) -> None:
    """Stop trusting WORKLOAD, at once: every enclave that runs it loses its standing."""
    if actor.act("EnclavePolicy", "removeWorkload", workload_id(workload)):
        click.echo(f"removed: {workload}")


# --- exceptions -----------------------------------------------------------------------------------


@cli.command("allow-status", cls=ConnectedProviderCommand)
@click.argument("workload")
@status_argument
@advisories_option
@click.option(
    "--days",
    type=click.IntRange(1, 365),
    required=True,
    help="From the newest block on, the lock's delay included; at most 90 with --advisories any.",
)
@act_options
def allow_status(actor: Actor, workload: str, status: str, advisories: str, days: int) -> None:
    """Accept WORKLOAD on platforms with STATUS and these advisories, until a deadline."""
    if advisories == "any" and days > 90:
        raise click.ClickException(f"--advisories any: got {days} days, expected 90 at most")
    until = networks.provider.get_block("latest").timestamp + days * DAY
    made = actor.add(
        "allowStatus",
        workload_id(workload),
        int(TcbStatus.from_intel_name(status)),
        advisories_of(actor.policy, advisories),
        until,
    )
    if advisories == "any":
        click.echo(red("ANY ADVISORIES: weaknesses that are not published yet are accepted too"))
    if made:
        click.echo(f"allowed: {workload} on {status} until {until}")


@cli.command("withdraw-status", cls=ConnectedProviderCommand)
@click.argument("workload")
@status_argument
@advisories_option
@act_options
def withdraw_status(actor: Actor, workload: str, status: str, advisories: str) -> None:
    """End an exception, at once."""
    if actor.act(
        "EnclavePolicy",
        "withdrawStatus",
        workload_id(workload),
        int(TcbStatus.from_intel_name(status)),
        advisories_of(actor.policy, advisories),
    ):
        click.echo(f"withdrawn: {workload} on {status}")


# --- denials --------------------------------------------------------------------------------------


@cli.command("deny-platform", cls=ConnectedProviderCommand)
@tee_argument
@click.argument("instance")
@act_options
def deny_platform(actor: Actor, tee: str, instance: str) -> None:
    """Deny one machine (PPID, 16 bytes), at once: every enclave on it loses its standing."""
    if actor.act("EnclavePolicy", "denyPlatform", tee_kind(tee), platform(instance)):
        click.echo(f"denied: platform {instance} ({tee})")


@cli.command("allow-platform", cls=ConnectedProviderCommand)
@tee_argument
@click.argument("instance")
@act_options
def allow_platform(actor: Actor, tee: str, instance: str) -> None:
    """Lift the denial of a machine."""
    if actor.add("allowPlatform", tee_kind(tee), platform(instance)):
        click.echo(f"denial lifted: platform {instance} ({tee})")


@cli.command("deny-family", cls=ConnectedProviderCommand)
@tee_argument
@click.argument("model")
@act_options
def deny_family(actor: Actor, tee: str, model: str) -> None:
    """Deny a whole model (FMSPC, 6 bytes), at once: every enclave on one loses its standing."""
    if actor.act("EnclavePolicy", "denyFamily", tee_kind(tee), family(model)):
        click.echo(f"denied: family {model} ({tee})")


@cli.command("allow-family", cls=ConnectedProviderCommand)
@tee_argument
@click.argument("model")
@act_options
def allow_family(actor: Actor, tee: str, model: str) -> None:
    """Lift the denial of a model."""
    if actor.add("allowFamily", tee_kind(tee), family(model)):
        click.echo(f"denial lifted: family {model} ({tee})")


# --- floors ---------------------------------------------------------------------------------------


@cli.command("raise-floor", cls=ConnectedProviderCommand)
@click.argument("product", type=click.Choice([line.label for line in ProductLine]))
@click.argument("tcb", metavar="BL,TEE,SNP,UCODE[,FMC]")
@act_options
def raise_floor(actor: Actor, product: str, tcb: str) -> None:
    """Raise the least TCB of a SEV-SNP product that counts as up to date. The floor keeper; it never falls."""
    line = ProductLine.from_label(product)
    least, floor = floor_of(line, tcb)
    if actor.act("SevSnpVerifier", "raiseFloor", int(line), floor):
        click.echo(f"floor of {product}: {least}")


# --- several kinds of TEE -------------------------------------------------------------------------


@cli.command("demand-kinds", cls=ConnectedProviderCommand)
@click.argument("required", type=click.IntRange(0, len(TEES)))
@click.argument("tees", nargs=-1, type=click.Choice(TEES))
@act_options
def demand_kinds(actor: Actor, required: int, tees: tuple[str, ...]) -> None:
    """Demand that REQUIRED of these kinds stand behind every enclave, at once; no less than now."""
    if actor.act("EnclavePolicy", "demandKinds", required, tee_kinds(tees)):
        click.echo(f"demanded: {required} of {' '.join(tees)}")


@cli.command("relax-kinds", cls=ConnectedProviderCommand)
@click.argument("required", type=click.IntRange(0, len(TEES)))
@click.argument("tees", nargs=-1, type=click.Choice(TEES))
@act_options
def relax_kinds(actor: Actor, required: int, tees: tuple[str, ...]) -> None:
    """Demand something else, less too; `relax-kinds 0` lifts the demand."""
    if actor.add("relaxKinds", required, tee_kinds(tees)):
        click.echo(f"demanded: {required} of {' '.join(tees) or 'none'}")


# --- guardians ------------------------------------------------------------------------------------


@cli.command("add-guardian", cls=ConnectedProviderCommand)
@click.argument("guardian")
@act_options
def add_guardian(actor: Actor, guardian: str) -> None:
    """Let an account pause, and cancel what is announced."""
    if actor.add("addGuardian", account(guardian)):
        click.echo(f"guardian: {account(guardian)}")


@cli.command("remove-guardian", cls=ConnectedProviderCommand)
@click.argument("guardian")
@act_options
def remove_guardian(actor: Actor, guardian: str) -> None:
    """End that, at once."""
    if actor.act("EnclavePolicy", "removeGuardian", account(guardian)):
        click.echo(f"no guardian any more: {account(guardian)}")


@cli.command(cls=ConnectedProviderCommand)
@deployment_option
def guardians(deployment: Path) -> None:
    """List the guardians."""
    quiet()
    policy = deployed(load_deployment(deployment), "EnclavePolicy")
    click.echo("\n".join(policy.guardians()) or "no guardian")


# --- the lock -------------------------------------------------------------------------------------


@cli.command(cls=ConnectedProviderCommand)
@click.argument("call")
@act_options
def schedule(actor: Actor, call: str) -> None:
    """Announce an addition by its calldata: as --calldata printed it, or that of the addition itself."""
    data = announced_call(_calldata(call))
    if actor.act("EnclavePolicy", "scheduleAddition", data):
        click.echo(f"announced: 0x{addition_id(data).hex()}  {describe(data)}")


@cli.command(cls=ConnectedProviderCommand)
@click.argument("identifier", metavar="ID")
@act_options
def execute(actor: Actor, identifier: str) -> None:
    """Make an announced addition whose time has come."""
    wanted = hex_of(identifier, "an id", 32)
    policy = actor.policy
    now = networks.provider.get_block("latest").timestamp
    known = {
        item.id: item for item in pending_additions(policy, actor.where.deployed_at_block, now)
    }
    if wanted not in known:
        raise click.ClickException(
            f"nothing is announced under {identifier}: ape run policy pending"
        )
    addition = known[wanted]
    # The newest block lies in the past: what it is one second too early for may be sent now.
    if not actor.print_calldata and now >= addition.lapses_at:
        raise click.ClickException(f"lapsed, to be announced anew: {addition.in_words(now)}")
    actor.send(policy.address, addition.call)
    if not actor.print_calldata:
        click.echo(f"made: {describe(addition.call)}")


@cli.command(cls=ConnectedProviderCommand)
@click.argument("identifier", metavar="ID")
@act_options
def cancel(actor: Actor, identifier: str) -> None:
    """Take an announcement back. Owner or guardian."""
    if actor.act("EnclavePolicy", "cancelAddition", hex_of(identifier, "an id", 32)):
        click.echo(f"cancelled: {identifier}")


@cli.command(cls=ConnectedProviderCommand)
@deployment_option
def pending(deployment: Path) -> None:
    """List what is announced."""
    quiet()
    where = load_deployment(deployment)
    now = networks.provider.get_block("latest").timestamp
    found = pending_additions(deployed(where, "EnclavePolicy"), where.deployed_at_block, now)
    click.echo("\n".join(item.in_words(now) for item in found) or "nothing is announced")


# --- all of it ------------------------------------------------------------------------------------


@cli.command("list", cls=ConnectedProviderCommand)
@deployment_option
def list_(deployment: Path) -> None:
    """List workloads, exceptions, denials, the demand of kinds, guardians and announcements."""
    quiet()
    where = load_deployment(deployment)
    policy = deployed(where, "EnclavePolicy")
    newest = networks.provider.get_block("latest")
    span = (where.deployed_at_block, newest.number + 1)
    list_workloads(policy)
    list_exceptions(policy, span, newest.timestamp)
    list_denials(policy, span)
    list_demand(policy)
    for guardian in policy.guardians():
        click.echo(f"guardian: {guardian}")
    for addition in pending_additions(policy, where.deployed_at_block, newest.timestamp):
        click.echo(f"announced: {addition.in_words(newest.timestamp)}")


def _calldata(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise click.ClickException(f"not calldata: got {text[:80]}, expected hex") from None
