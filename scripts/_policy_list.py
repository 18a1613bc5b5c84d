"""The policy in lines: workloads from the view, exceptions and denials from the events, checked against the views."""

from __future__ import annotations

from typing import Any

import click

from scripts._common import red
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.client.tee_demand import TeeDemand

PAGE = 200


def list_workloads(policy: Any) -> None:
    count = policy.workloadCount()
    for start in range(0, count, PAGE):
        for identifier in policy.workloadIds(start, PAGE):
            entry = policy.workload(identifier)
            level = AssuranceLevel(entry.level).label
            commit = bytes(entry.commitHash).hex()
            click.echo(f"0x{bytes(identifier).hex()}  {level:<9}  {entry.source}  {commit}")
    if not count:
        click.echo("no workload is trusted")


def list_exceptions(policy: Any, span: tuple[int, int], now: int) -> None:
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


def list_demand(policy: Any) -> None:
    demand = TeeDemand.of(*policy.teeDemand())
    if demand.required:
        click.echo(f"kinds of TEE: {demand.words}")


def list_denials(policy: Any, span: tuple[int, int]) -> None:
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
