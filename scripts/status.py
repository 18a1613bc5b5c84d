"""Shows what is deployed, whether it is what the sources and the deployment file make, and who may do what with it.

    ape run status --network ethereum:local:foundry

Red is what is not as the sources or the file say: then the exit code is 1. Yellow is as they say, and to be known.
"""

from __future__ import annotations

import time
from pathlib import Path

import click
from ape import networks
from ape.cli import ConnectedProviderCommand
from ape.exceptions import ApeException

from scripts._artifacts import Build, build
from scripts._common import (
    deployed,
    deployment_option,
    load_deployment,
    quiet,
    red,
    require_chain,
    span,
    yellow,
)
from scripts._parameters import Parameters, recorded
from scripts._pending import in_words, pending_additions
from scripts._plan import Plan, names
from scripts._readings import readings
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.tee_demand import TeeDemand


@click.command(cls=ConnectedProviderCommand)
@deployment_option
def cli(deployment: Path) -> None:
    """Compare the deployment with sources and file; show owner, lock, guardians, pause, root and ages."""
    quiet()
    where = load_deployment(deployment)
    require_chain(where)
    parameters = recorded(where.parameters, deployment)
    newest = networks.provider.get_block("latest")
    click.echo(f"{where.network}, chain id {where.chain_id}, block {newest.number}")

    standing, as_planned = _contracts(where, parameters, build(names(parameters.tees)))
    if not standing:
        raise SystemExit(1)
    try:
        as_planned &= _constructed(where, parameters)
        _roots(where)
        _administration(where, parameters, newest.timestamp)
        _ages(where, newest.timestamp)
    except ApeException as error:
        # Another contract than the sources make need not answer as they do.
        raise click.ClickException(f"a contract does not answer: {error}") from error
    if not as_planned:
        raise SystemExit(1)


def _line(what: str, text: object) -> None:
    click.echo(f"{what:<20} {text}")


def _contracts(
    where: Deployment, parameters: Parameters, builds: dict[str, Build]
) -> tuple[bool, bool]:
    """Say of each contract what it is. Return whether all stand, and whether all are as sources and file make them.

    An address follows from the code and all arguments of its construction, so it answers for what a constructor
    wrote into code and storage, shown by the contract or not.
    """
    plan = {
        piece.name: piece.address for piece in Plan(parameters, parameters.owner, builds).pieces
    }
    verdicts = []
    for name in dict.fromkeys((*builds, *sorted(where.contracts))):
        address = where.contracts.get(name)
        code = bytes(networks.provider.get_code(address)) if address else b""
        if address is None:
            verdict = "NOT in the deployment file"
        elif not code:
            verdict = "NOTHING stands there"
        elif name not in builds or not builds[name].is_deployed_as(code):
            verdict = "NOT what the sources make"
        elif address != plan[name]:
            verdict = f"NOT constructed as the deployment file says: that one is {plan[name]}"
        else:
            verdict = ""
        verdicts.append((bool(code), not verdict))
        said = red(verdict) if verdict else "as the sources make it"
        click.echo(f"{name:<20} {address or '':<42}  {said}")
    return all(stands for stands, _ in verdicts), all(good for _, good in verdicts)


def _constructed(where: Deployment, parameters: Parameters) -> bool:
    """Show what a constructor fixed otherwise than the file says. Return whether there is nothing such."""
    wrong = [reading for reading in readings(where, parameters) if not reading.agrees]
    for reading in wrong:
        got, expected = in_words(reading.got), in_words(reading.expected)
        _line(reading.contract, red(f"{reading.value}: got {got}, expected {expected}"))
    return not wrong


def _roots(where: Deployment) -> None:
    """Whose root each verifier pins; whether the file says so too is among the readings."""
    for name, vendor in (
        ("DcapVerifier", "Intel"),
        ("NitroVerifier", "AWS"),
        ("SevSnpVerifier", "AMD"),
    ):
        if name in where.contracts:
            development = deployed(where, name).developmentRoot()
            words = yellow("DEVELOPMENT: anyone can forge what this accepts")
            _line("root", f"{name}: {words if development else vendor}")


def _administration(where: Deployment, parameters: Parameters, now: int) -> None:
    policy, keys = deployed(where, "EnclavePolicy"), deployed(where, "KeyRegistry")
    owner, heir = policy.owner(), policy.pendingOwner()
    _line("owner", owner + (f"  (handed to {heir}, not accepted yet)" if int(heir, 16) else ""))
    if owner != parameters.owner:
        _line("", yellow(f"deployed for {parameters.owner}, and handed on since"))
    delay = policy.additionDelay()
    _line("additions wait", span(delay) if delay else yellow("not at all: there is no lock"))
    _line("kinds of TEE", TeeDemand.of(*policy.teeDemand()).words)
    guardians = policy.guardians()
    _line("guardians", ", ".join(guardians) or "none")
    for account in sorted(set(parameters.guardians) - set(guardians)):
        _line("", yellow(f"in the deployment file, and no guardian: {account}"))
    for addition in pending_additions(policy, where.deployed_at_block, now):
        _line("announced", addition.in_words(now))
    _line("paused", yellow("YES: nothing is registered or rotated") if keys.paused() else "no")


def _ages(where: Deployment, now: int) -> None:
    block = networks.provider.get_block(where.deployed_at_block)
    date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(block.timestamp))
    _line("deployed", f"after block {where.deployed_at_block}, {date}")
    enclaves = deployed(where, "EnclaveRegistry")
    _line("attestations last", span(enclaves.attestationTtl()))
    policy = deployed(where, "EnclavePolicy")
    count = policy.workloadCount()
    for identifier in policy.workloadIds(0, count):
        entry = policy.workload(identifier)
        level = AssuranceLevel(entry.level).label
        age = span(now - entry.addedAt)
        _line("workload", f"0x{bytes(identifier).hex()}  {level}  for {age}  {entry.source}")
    if not count:
        _line("workload", "none is trusted")
