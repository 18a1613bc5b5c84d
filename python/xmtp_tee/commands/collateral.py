"""``xmtp-tee collateral``: what the verifier has of Intel's data, bringing more, watching when it lapses."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xmtp_tee.commands.collateral_source import Source, source_options
from xmtp_tee.commands.console import Console, table
from xmtp_tee.commands.lazy import LazyGroup
from xmtp_tee.commands.options import (
    chain_options,
    json_option,
    open_chain,
    open_sender,
    sender_options,
)
from xmtp_tee.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.collateral import CollateralSync
    from xmtp_tee.client.holdings import Holding

_COMMANDS = {
    "show": ("xmtp_tee.commands.collateral:show", "What the verifier has, and when it lapses."),
    "submit": ("xmtp_tee.commands.collateral:submit", "Bring what the verifier lacks."),
    "watch": (
        "xmtp_tee.commands.collateral:watch",
        "Exit non-zero when something needs renewal within a time.",
    ),
    "signer-amd": (
        "xmtp_tee.commands.collateral_tee:signer_amd",
        "SEV-SNP: bring AMD's key that a report stands on.",
    ),
    "revoke-nitro": (
        "xmtp_tee.commands.collateral_tee:revoke_nitro",
        "Nitro: bring AWS's revocation list.",
    ),
    "revoke-amd": (
        "xmtp_tee.commands.collateral_amd:revoke_amd",
        "SEV-SNP: bring AMD's revocation list of a product line.",
    ),
}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
def collateral() -> None:
    """Certificates, CRLs, TCB info and QE identity of the on-chain verifier."""


@click.command()
@click.option("--metrics", is_flag=True, help="Print Prometheus' text format instead.")
@chain_options
@json_option
def show(metrics: bool, rpc_url: str | None, deployment: Path | None, console: Console) -> None:
    """What the verifier has, and when it lapses."""
    _report(rpc_url, deployment, console, within=0, metrics=metrics, families=())


@click.command(
    epilog="Exit codes: 0 nothing is due; 4 something must be renewed within the time, and still counts; "
    "3 something has lapsed or is missing, or could not be read."
)
@click.option(
    "--within", default="7d", show_default=True, metavar="TIME", help="Such as 7d, 12h, 30m."
)
@click.option(
    "--fmspc",
    "families",
    multiple=True,
    metavar="HEX",
    help="Watch the TCB info of these families alone.",
)
@click.option("--metrics", is_flag=True, help="Print Prometheus' text format instead.")
@chain_options
@json_option
def watch(
    within: str,
    families: tuple[str, ...],
    metrics: bool,
    rpc_url: str | None,
    deployment: Path | None,
    console: Console,
) -> None:
    """Exit non-zero when something needs renewal within a time: for cron and alerts."""
    _report(
        rpc_url,
        deployment,
        console,
        within=duration(within),
        metrics=metrics,
        families=families,
        judge=True,
    )


@click.command()
@source_options
@click.option(
    "--dry-run", is_flag=True, help="Check everything, name what would be sent, and stop."
)
@click.option("--save", type=click.Path(path_type=Path), help="Write the collateral to a file.")
@chain_options
@sender_options
@json_option
def submit(
    dry_run: bool,
    save: Path | None,
    rpc_url: str | None,
    deployment: Path | None,
    keystore: str | None,
    password_file: Path | None,
    unsafe_private_key_env: str | None,
    node_account: str | None,
    console: Console,
    **flags: Any,
) -> None:
    """Bring what the verifier lacks; what it knows already costs nothing.

    Anyone may: what counts is Intel's signature. What the chain would refuse is refused before gas is spent.
    """
    source = Source(**flags)
    sync, now = _open(rpc_url, deployment, console)
    found, leaf = source.read(lambda: now)
    if save is not None:
        _save(save, found.to_json())
    if dry_run:
        plan = sync.missing(found, leaf)
        rows = [
            {"what": piece.what, "sent": False, "lacking": lacks, "gas": 0} for piece, lacks in plan
        ]
    else:
        sender = open_sender(keystore, password_file, unsafe_private_key_env, node_account)
        done = sync.submit(found, sender, leaf)
        rows = [
            {"what": item.what, "sent": item.sent, "lacking": item.sent, "gas": item.gas}
            for item in done
        ]
    lines = []
    for row in rows:
        said = "would be sent" if dry_run else f"sent, gas {row['gas']:,}"
        lines.append(f"{row['what']:<40} {said if row['lacking'] else 'known'}")
    console.result({"dry_run": dry_run, "pieces": rows}, lines)


def duration(text: str) -> int:
    """Return the seconds of a time such as ``7d``, ``12h``, ``30m``, ``90s``."""
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if found is None:
        raise UsageError("this is no time", got=text[:40], expected="such as 7d, 12h, 30m, 90s")
    return int(found[1]) * _UNITS[found[2]]


def _open(
    rpc_url: str | None, deployment: Path | None, console: Console
) -> tuple[CollateralSync, int]:
    chain, where = open_chain(rpc_url, deployment, console)
    from xmtp_tee.client.collateral import CollateralSync

    if where.development_root:
        console.say("DEVELOPMENT root: anyone can forge what this verifier accepts", colour="red")
    return CollateralSync(chain, where), chain.block().timestamp


def _report(
    rpc_url: str | None,
    deployment: Path | None,
    console: Console,
    *,
    within: int,
    metrics: bool,
    families: tuple[str, ...],
    judge: bool = False,
) -> None:
    from xmtp_tee.client import holdings as model

    if metrics and console.json:
        raise UsageError("one form of output at a time", got="--metrics and --json")
    sync, now = _open(rpc_url, deployment, console)
    held = _chosen([*sync.holdings(), *sync.signers()], families)
    state = model.worst(held, now, within)
    short = [item for item in held if item.state(now, within) >= model.State.DUE]
    code = _exit_code(state) if judge else ExitCode.VERIFIED
    console.result(
        {
            "ok": code is ExitCode.VERIFIED,
            "state": state.label,
            "exit_code": int(code),
            "judged_at": now,
            "within": within,
            "short": [item.what for item in short],
            "holdings": [item.as_dict(now, within) for item in held],
        },
        model.metrics(held, now) if metrics else _lines(held, now, within),
    )
    if judge:
        for item in short:
            console.say(
                f"{item.state(now, within).label}: {item.what} {item.subject}", colour="red"
            )
    if code is not ExitCode.VERIFIED:
        raise click.exceptions.Exit(int(code))


def _chosen(held: list[Holding], families: tuple[str, ...]) -> list[Holding]:
    """Leave out the TCB infos of families that are not watched; one that is watched and unknown is missing."""
    from xmtp_tee.client.holdings import Holding

    if not families:
        return held
    wanted = {family.lower().removeprefix("0x") for family in families}
    chosen = [
        item
        for item in held
        if item.component != "tcb-info" or item.subject.rsplit(" ", 1)[-1] in wanted
    ]
    known = {item.subject.rsplit(" ", 1)[-1] for item in chosen if item.component == "tcb-info"}
    missing = [
        Holding(f"TCB info, FMSPC {family}", 0, "tcb-info", family)
        for family in sorted(wanted - known)
    ]
    return chosen + missing


def _exit_code(state: Any) -> ExitCode:
    from xmtp_tee.client.holdings import State

    if state >= State.LAPSED:
        return ExitCode.UNAVAILABLE
    return ExitCode.REFUSED_BY_POLICY if state is State.DUE else ExitCode.VERIFIED


def _lines(held: list[Holding], now: int, within: int) -> list[str]:
    rows = []
    for item in held:
        if item.until:
            date = time.strftime("%Y-%m-%d %H:%M", time.gmtime(item.until))
            left = f"{(item.until - now) / 86_400:.1f}"
        else:
            date, left = "-", "-"
        rows.append((item.what, item.state(now, within).label, date, left))
    return table(("piece", "state", "until (UTC)", "days left"), rows, frozenset({3}))


def _save(path: Path, text: str) -> None:
    try:
        path.expanduser().write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            "the file cannot be written", got=path, cause=error.strerror or type(error).__name__
        ) from error
