"""``xmtp-tee collateral``: what the verifier has of Intel's data, bringing more, watching when it lapses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xmtp_tee.commands.collateral_source import Source, source_options
from xmtp_tee.commands.console import Console, table
from xmtp_tee.commands.files import write_text
from xmtp_tee.commands.lazy import LazyGroup
from xmtp_tee.commands.options import (
    ChainChoice,
    SenderChoice,
    chain_options,
    hex_bytes,
    json_option,
    sender_options,
)
from xmtp_tee.dates import show_time
from xmtp_tee.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from xmtp_tee.attestation.collateral import Collateral
    from xmtp_tee.client.accounts import Sender
    from xmtp_tee.client.chain import Chain
    from xmtp_tee.client.collateral import CollateralSync
    from xmtp_tee.client.deployment import Deployment
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
def show(metrics: bool, where: ChainChoice, console: Console) -> None:
    """What the verifier has, and when it lapses."""
    _report(where, console, within=0, metrics=metrics, families=())


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
    where: ChainChoice,
    console: Console,
) -> None:
    """Exit non-zero when something needs renewal within a time: for cron and alerts."""
    _report(
        where,
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
    where: ChainChoice,
    sender: SenderChoice,
    source: Source,
    console: Console,
) -> None:
    """Bring what the verifier lacks; what it knows already costs nothing.

    Anyone may: what counts is Intel's signature. What the chain would refuse is refused before gas is spent.
    """
    prepared = source.prepare()
    account: Sender | None = None
    if dry_run:
        chain, deployment = where.connect(console)
    else:
        chain, deployment, account = where.connect_as(sender, console)
    sync, now = _sync(chain, deployment, console)
    with console.progress("reading the collateral"):
        found, leaf = prepared(now)
    if save is not None:
        write_text(save, found.to_json(), "file")
    with console.progress("comparing" if account is None else "bringing what is lacking"):
        rows = _rows(sync, found, leaf, account)
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


def _rows(
    sync: CollateralSync, found: Collateral, leaf: bytes | None, account: Sender | None
) -> list[dict[str, Any]]:
    """Bring what is lacking; without an account say what is."""
    if account is None:
        return [
            {"what": piece.what, "sent": False, "lacking": lacks, "gas": 0}
            for piece, lacks in sync.missing(found, leaf)
        ]
    return [
        {"what": item.what, "sent": item.sent, "lacking": item.sent, "gas": item.gas}
        for item in sync.submit(found, account, leaf)
    ]


def _sync(chain: Chain, deployment: Deployment, console: Console) -> tuple[CollateralSync, int]:
    """Return the verifier's collateral, and the chain's time."""
    from xmtp_tee.client.collateral import CollateralSync

    if deployment.development_root:
        console.say("DEVELOPMENT root: anyone can forge what this verifier accepts", colour="red")
    return CollateralSync(chain, deployment), chain.block().timestamp


def _report(
    where: ChainChoice,
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
    watched = {hex_bytes(family, "--fmspc", 6).hex() for family in families}
    sync, now = _sync(*where.connect(console), console)
    with console.progress("reading what the verifier has"):
        held = _chosen([*sync.holdings(), *sync.signers()], watched)
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


def _chosen(held: list[Holding], wanted: set[str]) -> list[Holding]:
    """Leave out the TCB infos of families that are not watched; one that is watched and unknown is missing."""
    from xmtp_tee.client.holdings import Holding

    if not wanted:
        return held
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
            date = show_time(item.until)
            left = f"{(item.until - now) / 86_400:.1f}"
        else:
            date, left = "-", "-"
        rows.append((item.what, item.state(now, within).label, date, left))
    return table(("piece", "state", "until", "days left"), rows, frozenset({3}))
