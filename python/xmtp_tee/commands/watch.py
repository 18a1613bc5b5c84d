"""``xmtp-tee watch``: an alarm on every change of an owner's entry."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import is_there, read_text, write_text
from xmtp_tee.commands.options import Amount, ChainChoice, chain_options, json_option
from xmtp_tee.commands.owners import OWNER_HELP, require_owner, resolve_owner
from xmtp_tee.errors import ExitCode, UnavailableError

if TYPE_CHECKING:
    from xmtp_tee.client.history.cursor import Cursor
    from xmtp_tee.client.history.watch import Alarm, Watch


@click.command(
    epilog=OWNER_HELP
    + " Exit codes with --once: 0 nothing changed; 4 something did; 2 the node's events do not "
    "lead to what the registry says; 3 could not check. With --json, one object a line for each alarm."
)
@click.argument("owner", metavar="OWNER")
@click.option(
    "--cursor",
    "cursor_file",
    type=click.Path(path_type=Path),
    help="Resume from this file, and keep it up to date. Without it the watch begins now.",
)
@click.option("--once", is_flag=True, help="Look once and exit: for cron.")
@click.option(
    "--interval",
    type=Amount(min=0.1),
    default=12.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks.",
)
@click.option(
    "--confirmations",
    type=click.IntRange(0, 10_000),
    default=2,
    show_default=True,
    help="Blocks that must stand on a change before it counts.",
)
@chain_options
@json_option
def watch(
    owner: str,
    cursor_file: Path | None,
    once: bool,
    interval: float,
    confirmations: int,
    where: ChainChoice,
    console: Console,
) -> None:
    """Say at once when an owner's entry changes: registered, rotated, revoked, or its standing.

    A change that the owner does not know of means that somebody else acts with its key. Nothing is missed: the
    registry's links must lead from each change to the last one known, and the cursor survives restarts.
    """
    require_owner(owner)
    known = _read(cursor_file)
    chain, deployment = where.connect(console)
    from xmtp_tee.client.history.watch import Watch
    from xmtp_tee.client.registry_reader import RegistryReader

    reader = RegistryReader(chain, deployment)
    watching = Watch(
        reader,
        resolve_owner(reader, owner),
        cursor=known,
        confirmations=confirmations,
    )
    if known is None:
        console.say(f"watching from block {watching.cursor.block_number} on")
        _keep(cursor_file, watching)
    if once:
        with console.progress("looking"):
            alarms = watching.poll()
        _report_once(console, watching, alarms)
        _keep(cursor_file, watching)
        if alarms:
            raise click.exceptions.Exit(int(ExitCode.REFUSED_BY_POLICY))
        return
    while True:
        try:
            for alarm in watching.poll():
                console.line(alarm.as_dict(), _told(alarm))
            # After the alarms are out: a crash in between repeats them, and loses none.
            _keep(cursor_file, watching)
        except UnavailableError as error:
            # A node that is away for a while is the normal life of a watch; the cursor waits.
            console.say(f"could not look: {error}", colour="yellow")
        time.sleep(interval)


def _report_once(console: Console, watching: Watch, alarms: list[Alarm]) -> None:
    block = watching.cursor.block_number
    console.result(
        {
            "ok": not alarms,
            "owner": watching.owner,
            "block": block,
            "alarms": [alarm.as_dict() for alarm in alarms],
        },
        [_told(alarm) for alarm in alarms] or [f"nothing changed up to block {block}"],
    )


def _told(alarm: Alarm) -> str:
    return f"ALARM {alarm.kind.value} at block {alarm.block_number}: {alarm.text}"


def _read(path: Path | None) -> Cursor | None:
    """Return where the watch stood; None where it begins now."""
    if path is None or not is_there(path, "cursor"):
        return None
    from xmtp_tee.client.history.cursor import Cursor

    return Cursor.from_json(read_text(path, "cursor"))


def _keep(path: Path | None, watching: Watch) -> None:
    if path is not None:
        write_text(path, watching.cursor.to_json(), "cursor")
