"""What ``register`` and ``intent`` share: accounts that sign for owners, files of intents, the report of a batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xmtp_tee.commands.console import Console, table
from xmtp_tee.commands.files import read_text
from xmtp_tee.commands.options import open_account, open_chain, open_sender
from xmtp_tee.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.accounts import Sender
    from xmtp_tee.client.intents import OwnerIntent
    from xmtp_tee.client.relay import BatchReport

F = TypeVar("F", bound=Callable[..., Any])

_OWNER_FLAGS = (
    "for_owner",
    "owner_keystore",
    "owner_password_file",
    "unsafe_owner_private_key_env",
    "owner_node_account",
)


def owner_options(function: F) -> F:
    """``--for`` and the account that signs for that owner."""
    for decorator in (
        click.option(
            "--owner-node-account",
            metavar="ADDRESS",
            help="Let the node sign for the owner: an unlocked account of a development node.",
        ),
        click.option(
            "--unsafe-owner-private-key-env",
            metavar="NAME",
            help="Read the owner's raw private key from this variable. Other processes may read it too.",
        ),
        click.option(
            "--owner-password-file",
            type=click.Path(path_type=Path),
            help="The password of the owner's keystore, first line.",
        ),
        click.option("--owner-keystore", metavar="NAME|FILE", help="The owner's Foundry keystore."),
        click.option(
            "--for",
            "for_owner",
            metavar="OWNER",
            help="Publish for this address: it signs (--owner-keystore), the sender pays.",
        ),
    ):
        function = decorator(function)
    return function


def split_owner(flags: dict[str, Any]) -> tuple[Sender | None, dict[str, Any]]:
    """Return the account that signs for ``--for``, and the flags that are left."""
    named = {name: flags[name] for name in _OWNER_FLAGS}
    rest = {name: value for name, value in flags.items() if name not in _OWNER_FLAGS}
    owner = named.pop("for_owner")
    given = [value for value in named.values() if value is not None]
    if owner is None:
        if given:
            raise UsageError("an owner's account is named without --for", expected="--for OWNER")
        return None, rest
    if not given:
        raise UsageError(
            "nobody signs for the owner",
            got=f"--for {owner}",
            expected="--owner-keystore, --owner-node-account or --unsafe-owner-private-key-env",
            next_command="xmtp-tee intent new register, to have it signed elsewhere",
        )
    # Flags alone: what the environment names, its password too, is the sender's.
    signer = open_account(
        named["owner_keystore"],
        named["owner_password_file"],
        named["unsafe_owner_private_key_env"],
        named["owner_node_account"],
    )
    if signer.address.lower() != owner.lower():
        raise UsageError(
            "the account is not the owner's", got=signer.address, expected=f"--for {owner}"
        )
    return signer, rest


def read_intent(path: Path) -> OwnerIntent:
    """Read an intent's file."""
    from xmtp_tee.client.intent_file import intent_from_json

    return intent_from_json(read_text(path, "intent"))


def submit_batch(
    console: Console,
    files: tuple[Path, ...],
    *,
    rpc_url: str | None,
    deployment: Path | None,
    keystore: str | None,
    password_file: Path | None,
    unsafe_private_key_env: str | None,
    node_account: str | None,
) -> None:
    """Register what many owners signed; exit 2 if some of it was refused."""
    intents = [read_intent(path) for path in files]
    chain, where = open_chain(rpc_url, deployment, console)
    from xmtp_tee.client.relay import Relayer

    sender = open_sender(keystore, password_file, unsafe_private_key_env, node_account)
    with console.progress(f"registering {len(intents)} bundles"):
        report = Relayer(chain, where, sender).register_all(intents)
    report_batch(console, files, report)


def report_batch(console: Console, files: tuple[Path, ...], report: BatchReport) -> None:
    """Print a line per intent; exit 2 if some were refused."""
    code = ExitCode.INVALID_EVIDENCE if report.refused else ExitCode.VERIFIED
    rows = [
        [
            str(file),
            outcome.intent.owner.hex(),
            "registered" if outcome.done else f"refused: {outcome.reason}",
        ]
        for file, outcome in zip(files, report.outcomes, strict=True)
    ]
    registered = len(rows) - len(report.refused)
    console.result(
        {
            "ok": not report.refused,
            "exit_code": int(code),
            "registered": registered,
            "refused": len(report.refused),
            "gas": report.gas_used,
            "transactions": [receipt.transaction for receipt in report.receipts],
            "entries": [
                {"file": str(file), **outcome.as_dict()}
                for file, outcome in zip(files, report.outcomes, strict=True)
            ],
        },
        [
            *table(["file", "owner", "outcome"], [[f, "0x" + o, t] for f, o, t in rows]),
            "",
            f"{registered} registered, {len(report.refused)} refused; "
            f"{len(report.receipts)} transactions, gas {report.gas_used:,}",
        ],
    )
    if report.refused:
        raise click.exceptions.Exit(int(code))
