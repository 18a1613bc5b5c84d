"""``xmtp-tee demo``."""

from __future__ import annotations

import time

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.options import json_option
from xmtp_tee.errors import ExitCode


@click.command()
@click.option(
    "--tee",
    type=click.Choice(["tdx", "nitro", "sevsnp"]),
    default="tdx",
    show_default=True,
    help="Which TEE the simulator stands for.",
)
@click.option("--keep", is_flag=True, help="Keep the working folder with the logs, and say where.")
@json_option
def demo(tee: str, keep: bool, console: Console) -> None:
    """From a key's birth in an enclave to its attested entry on chain; then five attempts to cheat.

    Starts a chain of its own (anvil), deploys the contracts under a DEVELOPMENT root, and runs the enclave
    as a separate process under the simulator driver. Exit code 0 only if every step that ran did what it should and
    every cheat was refused with the error it should be refused with; what was skipped is named at the end.
    """
    from xmtp_tee.demo.report import closing, outcome_table
    from xmtp_tee.demo.story import run

    start = time.monotonic()
    outcomes = run(console, keep=keep, tee=tee)
    seconds = time.monotonic() - start
    succeeded = all(outcome.ok for outcome in outcomes)
    data: dict[str, object] = {
        "ok": succeeded,
        "level": "simulated",
        "seconds": round(seconds, 1),
        "skipped": [outcome.step for outcome in outcomes if outcome.skipped],
        "steps": [outcome.as_dict() for outcome in outcomes],
    }
    console.result(data, ["", *outcome_table(outcomes), "", closing(outcomes, seconds)])
    if not succeeded:
        raise click.exceptions.Exit(int(ExitCode.INVALID_EVIDENCE))
