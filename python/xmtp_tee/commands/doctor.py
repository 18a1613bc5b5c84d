"""``xmtp-tee doctor``: the environment's faults, each with what to do about it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from xmtp_tee.commands.console import COLOURS, Console, one_line, paint
from xmtp_tee.commands.diagnosis import Finding, examine
from xmtp_tee.commands.options import ChainChoice, chain_options, json_option, socket_option
from xmtp_tee.errors import ExitCode
from xmtp_tee.verdict import CheckResult

_WIDTH = 22


@click.command()
@socket_option
@chain_options
@json_option
def doctor(socket: Path | None, where: ChainChoice, console: Console) -> None:
    """Look for faults of the environment: tools, socket, chain, clock, deployment, devices.

    Exit code 0 when nothing failed; 3 when something did.
    """
    findings: list[Finding] = []
    for finding in examine(socket, where, console):
        findings.append(finding)
        if not console.json:
            _print(finding)
    failed = [finding for finding in findings if finding.result is CheckResult.FAIL]
    console.result(
        {"ok": not failed, "findings": [finding.as_dict() for finding in findings]},
        ["", f"{len(failed)} fault(s)." if failed else "No faults."],
    )
    if failed:
        raise click.exceptions.Exit(int(ExitCode.UNAVAILABLE))


def _print(finding: Finding) -> None:
    """Print a finding as soon as it is there: some take a while."""
    mark = paint(f"{finding.result.value:<11}", sys.stdout, COLOURS[finding.result])
    click.echo(f"{mark} {finding.name:<{_WIDTH}} {one_line(finding.got)}")
    if finding.result is not CheckResult.PASS and finding.advice:
        click.echo(f"{'':<11} {'':<{_WIDTH}} -> {one_line(finding.advice)}")
