"""Shows what is deployed, whether it is what the sources make, and who may do what with it.

    ape run status --network ethereum:local:foundry

Exit code 1 when a contract is missing or is not what the sources make.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
from ape import networks
from ape.cli import ConnectedProviderCommand

from scripts._artifacts import build
from scripts._common import deployed, deployment_option, quiet, red, require_chain, span
from scripts._pending import pending_additions
from scripts._plan import ALWAYS
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.errors import XmtpTeeError


@click.command(cls=ConnectedProviderCommand)
@deployment_option
def cli(deployment: Path) -> None:
    """Compare the deployment with the sources; show owner, lock, guardians, pause, root and ages."""
    quiet()
    try:
        where = Deployment.load(deployment)
    except XmtpTeeError as error:
        raise click.ClickException(str(error)) from error
    require_chain(where)
    # What the deployment names: the verifiers of other TEEs only where they are.
    names = list(dict.fromkeys((*ALWAYS, *sorted(where.contracts))))
    builds = build(names)
    newest = networks.provider.get_block("latest")
    click.echo(f"{where.network}, chain id {where.chain_id}, block {newest.number}")

    codes = {name: bytes(networks.provider.get_code(where.address(name))) for name in names}
    same = {name: builds[name].is_deployed_as(code) for name, code in codes.items()}
    for name in names:
        verdict = "as the sources make it" if same[name] else red("NOT what the sources make")
        if not codes[name]:
            verdict = red("NOTHING stands there")
        click.echo(f"{name:<20} {where.address(name)}  {verdict}")
    if not all(codes.values()):
        raise SystemExit(1)
    _wiring(where)
    _roots(where)
    _administration(where, newest.timestamp)
    _ages(where, newest.timestamp)
    if not all(same.values()):
        raise SystemExit(1)


def _line(what: str, text: object) -> None:
    click.echo(f"{what:<20} {text}")


def _wiring(where: Deployment) -> None:
    """Whether each contract asks those of this file."""
    keys, enclaves = deployed(where, "KeyRegistry"), deployed(where, "EnclaveRegistry")
    asked = {
        "EnclaveRegistry": keys.enclaveRegistry(),
        "EnclavePolicy": enclaves.policy(),
        "AttestationVerifier": enclaves.verifier(),
    }
    for name, address in asked.items():
        if address != where.address(name):
            _line("wired to another", red(f"{name} {address}"))


def _roots(where: Deployment) -> None:
    """Whose root each verifier pins."""
    for name, vendor in (
        ("DcapVerifier", "Intel"),
        ("NitroVerifier", "AWS"),
        ("SevSnpVerifier", "AMD"),
    ):
        if name not in where.contracts:
            continue
        development = deployed(where, name).developmentRoot()
        words = red("DEVELOPMENT: anyone can forge what this accepts")
        _line("root", f"{name}: {words if development else vendor}")
        if development != where.development_root:
            _line("", red("the deployment file says otherwise"))


def _administration(where: Deployment, now: int) -> None:
    policy, keys = deployed(where, "EnclavePolicy"), deployed(where, "KeyRegistry")
    heir = policy.pendingOwner()
    _line(
        "owner",
        policy.owner() + (f"  (handed to {heir}, not accepted yet)" if int(heir, 16) else ""),
    )
    delay = policy.additionDelay()
    _line("additions wait", span(delay) if delay else red("not at all: there is no lock"))
    guardians = policy.guardians()
    _line("guardians", ", ".join(guardians) or "none")
    planned: Any = where.parameters.get("guardians", [])
    for account in sorted(set(planned) - set(guardians)):
        _line("", red(f"to be added: {account}"))
    for addition in pending_additions(policy, where.deployed_at_block, now):
        _line("announced", addition.in_words(now))
    _line("paused", red("YES: nothing is registered or rotated") if keys.paused() else "no")


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
