"""``xmtp-tee anchor``: how far the enclave's store has come, by the FreshnessAnchor contract."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import write_text
from xmtp_tee.commands.lazy import LazyGroup
from xmtp_tee.commands.options import (
    Amount,
    ChainChoice,
    SenderChoice,
    chain_options,
    deployment_option,
    json_option,
    open_keys,
    sender_options,
    socket_option,
)
from xmtp_tee.errors import ExitCode, UsageError, XmtpTeeError

if TYPE_CHECKING:
    from xmtp_tee.attestation.known_states import KnownStates
    from xmtp_tee.client.anchoring import Look

_COMMANDS = {
    "show": ("xmtp_tee.commands.anchor:show", "What the contract has of an enclave's store."),
    "check": (
        "xmtp_tee.commands.anchor:check",
        "Have the enclave prove that its store was not put back.",
    ),
    "sign": ("xmtp_tee.commands.anchor:sign", "Have the present state signed, for others to send."),
    "submit": ("xmtp_tee.commands.anchor:submit", "Anchor the present state."),
    "watch": ("xmtp_tee.commands.anchor:watch", "Anchor whatever changes, until stopped."),
}
_GWEI = 10**9


@click.group(cls=LazyGroup, lazy=_COMMANDS)
def anchor() -> None:
    """How far the enclave's store has come, on chain."""


max_fee_option = click.option(
    "--max-fee",
    type=Amount(min=0, min_open=True),
    metavar="GWEI",
    help="Send nothing while a unit of gas costs more.",
)


@click.command(epilog="Exit codes: 0 there is an anchor; 2 there is none.")
@click.argument("authority", required=False, metavar="[AUTHORITY]")
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all anchors to a file for `enclave run --known-states`.",
)
@socket_option
@chain_options
@json_option
def show(
    authority: str | None,
    save: Path | None,
    socket: Path | None,
    where: ChainChoice,
    console: Console,
) -> None:
    """What the contract has of the store of the enclave AUTHORITY (an address), by default of the one on the
    socket.
    """
    from xmtp_tee.attestation.address import parse_address

    if authority is not None:
        named = parse_address(authority)
    else:
        with open_keys(socket) as keys:
            named = keys.authority
    chain, deployment = where.connect(console)
    from xmtp_tee.client.anchors import FreshnessAnchors

    with console.progress("reading the anchors"):
        found = FreshnessAnchors(chain, deployment).require_all(named)
    if save is not None:
        write_text(save, found.to_json(), "file")
    console.result(_described(found), _lines(found))


@click.command(
    epilog="Exit codes: 0 it was not; 2 it was put back, forked or exchanged, or there is no anchor."
)
@click.argument("authority", required=False, metavar="[AUTHORITY]")
@socket_option
@chain_options
@json_option
def check(
    authority: str | None,
    socket: Path | None,
    where: ChainChoice,
    console: Console,
) -> None:
    """Have the enclave prove that its store descends from every anchor that it ever had.

    AUTHORITY: the enclave's address, from its verified attestation; without it the enclave on the socket is believed
    to be the one that is meant. The older anchors count too: the newest may be one of a fork, which the host has had
    anchored.
    """
    from xmtp_tee.attestation.address import parse_address

    named = None if authority is None else parse_address(authority)
    chain, deployment = where.connect(console)
    from xmtp_tee.client.anchors import FreshnessAnchors

    with open_keys(socket) as keys, console.progress("comparing the store with its anchors"):
        known = FreshnessAnchors(chain, deployment).require_all(named or keys.authority)
        epoch = keys.require_descent(known)
    behind = epoch - known.states[-1].epoch
    console.result(
        _described(known) | {"epoch": epoch, "ahead": behind},
        [*_lines(known), f"the store is at epoch {epoch}, {behind} ahead, and descends from all"],
    )


@click.command()
@socket_option
@deployment_option
@json_option
def sign(socket: Path | None, deployment: Path | None, console: Console) -> None:
    """Have the present state signed for the deployment's contract; anyone may send the call."""
    target = ChainChoice(None, deployment).load()
    with console.progress("loading the chain client"):
        from xmtp_tee.client.anchors import calldata, contract_of

    contract = contract_of(target)
    with open_keys(socket) as keys:
        made = keys.sign_anchor(chain_id=target.chain_id, contract=contract)
    data = {
        "chain_id": made.chain_id,
        "to": contract,
        "authority": "0x" + made.authority.hex(),
        "epoch": made.epoch,
        "chain": "0x" + made.chain.hex(),
        "signature": "0x" + made.signature.hex(),
        "calldata": "0x" + calldata(made).hex(),
    }
    console.result(data, [f"{name + ':':<11}{value}" for name, value in data.items()])


@click.command()
@max_fee_option
@socket_option
@chain_options
@sender_options
@json_option
def submit(
    max_fee: float | None,
    socket: Path | None,
    where: ChainChoice,
    sender: SenderChoice,
    console: Console,
) -> None:
    """Anchor the store's present state, unless it is anchored already.

    Nothing is sent unless the store descends from every anchor there is.
    """
    chain, deployment, account = where.connect_as(sender, console)
    from xmtp_tee.client.anchoring import anchor_once
    from xmtp_tee.client.anchors import FreshnessAnchors

    anchors = FreshnessAnchors(chain, deployment)
    with open_keys(socket) as keys, console.progress("anchoring"):
        done = anchor_once(keys, anchors, chain, account, max_fee=_wei(max_fee))
    console.result(_look(done), _told(done))


@click.command(
    epilog="Ends with exit code 2 when the store was put back or forked, 4 when the enclave's policy refuses, "
    "1 when the account cannot be used; an enclave or a node that does not answer is asked again."
)
@click.option(
    "--soon",
    type=Amount(min=0),
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="A change that matters waits so long for others.",
)
@click.option(
    "--later",
    type=Amount(min=0),
    default=3600.0,
    show_default=True,
    metavar="SECONDS",
    help="Traffic (messages, counters of uses) waits so long.",
)
@click.option(
    "--per-day",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="At most so many transactions in any 24 hours.",
)
@click.option(
    "--interval",
    type=Amount(min=0.1),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks.",
)
@max_fee_option
@socket_option
@chain_options
@sender_options
@json_option
def watch(
    soon: float,
    later: float,
    per_day: int,
    interval: float,
    max_fee: float | None,
    socket: Path | None,
    where: ChainChoice,
    sender: SenderChoice,
    console: Console,
) -> None:
    """Anchor the store's state after changes, one call for as many as come together, until stopped.

    What matters and what is traffic is told from the audit log; without the grant read-audit every change
    matters. With --json, one object a line for each transaction.
    """
    if soon > later:
        raise UsageError(
            "what matters cannot wait longer than the rest",
            got=f"--soon {soon:g} --later {later:g}",
        )
    chain, deployment, account = where.connect_as(sender, console)
    from xmtp_tee.client.anchor_schedule import Pace
    from xmtp_tee.client.anchoring import AnchorKeeper
    from xmtp_tee.client.anchors import FreshnessAnchors

    anchors = FreshnessAnchors(chain, deployment)
    keeper = AnchorKeeper(
        lambda: open_keys(socket),
        anchors,
        chain,
        account,
        Pace(soon, later, per_day),
        max_fee=_wei(max_fee),
    )
    console.say(f"anchoring at {anchors.address}, from the account {account.address}")
    while True:
        wait = interval
        try:
            done = keeper.look(time.monotonic())
            keeper.schedule.succeeded()
            if done.sent is not None:
                console.line(_look(done), _told(done))
        except XmtpTeeError as error:
            if error.exit_code is not ExitCode.UNAVAILABLE:
                raise
            wait = max(interval, keeper.schedule.failed(time.monotonic(), random.random()))  # noqa: S311
            console.say(f"again in {wait:.0f} s: {error} [{error.code}]", colour="yellow")
        time.sleep(wait)


def _wei(gwei: float | None) -> int | None:
    return None if gwei is None else int(gwei * _GWEI)


def _described(known: KnownStates) -> dict[str, object]:
    newest = known.states[-1]
    return {
        "authority": "0x" + known.authority.hex(),
        "anchors": len(known.states),
        "anchored": newest.epoch,
        "chain": "0x" + newest.chain.hex(),
    }


def _lines(known: KnownStates) -> list[str]:
    return [f"{name + ':':<11}{value}" for name, value in _described(known).items()]


def _look(done: Look) -> dict[str, object]:
    return {
        "authority": "0x" + done.authority.hex(),
        "epoch": done.epoch,
        "anchored": done.anchored,
        "transaction": None if done.sent is None else done.sent.transaction,
        "gas": None if done.sent is None else done.sent.gas_used,
    }


def _told(done: Look) -> str:
    if done.sent is None:
        return f"epoch {done.anchored} is anchored already"
    return f"epoch {done.anchored} anchored: {done.sent.transaction}, gas {done.sent.gas_used:,}"
