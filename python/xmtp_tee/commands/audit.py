"""``xmtp-tee audit``: what was asked of the enclave, and whether the log is what the authority signs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from xmtp_tee.commands.console import Console, table
from xmtp_tee.commands.files import read_text
from xmtp_tee.commands.lazy import LazyGroup
from xmtp_tee.commands.options import json_option, open_keys, socket_option
from xmtp_tee.dates import show_time

if TYPE_CHECKING:
    from xmtp_tee.audit import AuditEntry

_COMMANDS = {
    "tail": ("xmtp_tee.commands.audit:tail", "Print the newest entries."),
    "verify": ("xmtp_tee.commands.audit:verify", "Verify the whole log under the authority."),
    "receipt": ("xmtp_tee.commands.audit:receipt", "Verify a receipt of an operation."),
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
def audit() -> None:
    """What was asked of the enclave."""


@click.command("tail")
@click.option("-n", "--lines", type=click.IntRange(1, 100_000), default=20, show_default=True)
@socket_option
@json_option
def tail(lines: int, socket: Path | None, console: Console) -> None:
    """Print the newest entries of the audit log; their chain is verified on the way."""
    from xmtp_tee.client.receipts import entry_dict

    with open_keys(socket) as manager:
        entries = manager.audit_tail(lines)
    header = ("counter", "time", "caller", "operation", "key", "outcome")
    console.result(
        {"entries": [entry_dict(entry) for entry in entries]},
        table(header, [_row(entry) for entry in entries], frozenset({0})),
    )


@click.command("verify")
@socket_option
@json_option
def verify(socket: Path | None, console: Console) -> None:
    """Verify the whole audit log: its chain, its checkpoints, and that it ends where the authority
    signs that it ends.
    """
    with open_keys(socket) as manager, console.progress("verifying the log"):
        checkpoint, first = manager.verify_audit_log()
        authority = manager.info().authority
    if first > 1:
        console.say(
            f"the log begins at entry {first}: older segments were removed", colour="yellow"
        )
    console.result(
        {
            "log_id": checkpoint.log_id.hex(),
            "first": first,
            "counter": checkpoint.counter,
            "chain": checkpoint.chain.hex(),
            "time": checkpoint.time,
            "authority": authority,
        },
        [
            f"verified: entries {first} to {checkpoint.counter} of the log "
            f"{checkpoint.log_id.hex()}",
            f"chain {checkpoint.chain.hex()}",
            f"signed at {show_time(checkpoint.time)} by {authority}",
        ],
    )


@click.command("receipt")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--authority",
    required=True,
    metavar="ADDRESS",
    help="Of the enclave, from its verified attestation (`xmtp-tee verify`).",
)
@json_option
def receipt(file: Path, authority: str, console: Console) -> None:
    """Verify the receipt in FILE under an attested enclave's authority. Needs no enclave."""
    from xmtp_tee.attestation.address import parse_address
    from xmtp_tee.client.receipts import OperationReceipt

    text = read_text(file, "receipt")
    found = OperationReceipt.from_json(text, parse_address(authority))
    console.result(
        {"receipt": found.as_dict()},
        [
            f"{name + ':':<16}{value}"
            for name, value in found.as_dict().items()
            if value is not None
        ],
    )


def _row(entry: AuditEntry) -> tuple[str, ...]:
    return (
        str(entry.counter),
        show_time(entry.time),
        entry.caller,
        entry.operation,
        entry.key_id or "-",
        entry.outcome,
    )
