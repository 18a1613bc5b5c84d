"""What ``register`` and ``intent`` share: accounts that sign for owners, files of intents, the report of a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xmtp_tee.commands.console import Console, table
from xmtp_tee.commands.files import read_text
from xmtp_tee.commands.options import ChainChoice, SenderChoice, gathered
from xmtp_tee.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.accounts import Sender
    from xmtp_tee.client.intents import OwnerIntent
    from xmtp_tee.client.relay import BatchReport


@dataclass(frozen=True, slots=True)
class OwnerChoice:
    """For whom something is published, and the account that signs for this owner; all None: for the sender.

    Flags alone say so: what the environment names, its password too, is the sender's.

    :raises UsageError: an account without an owner, an owner without an account, or several accounts
    """

    for_owner: str | None
    owner_keystore: str | None
    owner_password_file: Path | None
    unsafe_owner_private_key_env: str | None
    owner_node_account: str | None

    def __post_init__(self) -> None:
        account = self._account
        given = any(value is not None for value in astuple(account))
        if self.for_owner is None and given:
            raise UsageError("an owner's account is named without --for", expected="--for OWNER")
        if self.for_owner is not None and not given:
            raise UsageError(
                "nobody signs for the owner",
                got=f"--for {self.for_owner}",
                expected="--owner-keystore, --owner-node-account or --unsafe-owner-private-key-env",
                next_command="xmtp-tee intent new register, to have it signed elsewhere",
            )

    def open(self) -> Sender | None:
        """Open the account that signs for ``--for``; None without it.

        :raises UsageError: the account is not this owner's
        :raises SenderError: it cannot be opened
        """
        if self.for_owner is None:
            return None
        signer = self._account.open_named()
        if signer.address.lower() != self.for_owner.lower():
            raise UsageError(
                "the account is not the owner's",
                got=signer.address,
                expected=f"--for {self.for_owner}",
            )
        return signer

    @property
    def _account(self) -> SenderChoice:
        return SenderChoice(
            self.owner_keystore,
            self.owner_password_file,
            self.unsafe_owner_private_key_env,
            self.owner_node_account,
        )


def owner_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--for`` and the account that signs for that owner: the command gets ``owner``."""
    return gathered(
        function,
        "owner",
        OwnerChoice,
        (
            click.option(
                "--for",
                "for_owner",
                metavar="OWNER",
                help="Publish for this address: it signs (--owner-keystore), the sender pays.",
            ),
            click.option(
                "--owner-keystore", metavar="NAME|FILE", help="The owner's Foundry keystore."
            ),
            click.option(
                "--owner-password-file",
                type=click.Path(path_type=Path),
                help="The password of the owner's keystore, first line.",
            ),
            click.option(
                "--unsafe-owner-private-key-env",
                metavar="NAME",
                help="Read the owner's raw private key from this variable. Other processes may read it too.",
            ),
            click.option(
                "--owner-node-account",
                metavar="ADDRESS",
                help="Let the node sign for the owner: an unlocked account of a development node.",
            ),
        ),
    )


def read_intent(path: Path) -> OwnerIntent:
    """Read an intent's file."""
    from xmtp_tee.client.intent_file import intent_from_json

    return intent_from_json(read_text(path, "intent"))


def submit_batch(
    console: Console, files: tuple[Path, ...], where: ChainChoice, sender: SenderChoice
) -> None:
    """Register what many owners signed; exit 2 if some of it was refused."""
    intents = [read_intent(path) for path in files]
    chain, deployment, account = where.connect_as(sender, console)
    from xmtp_tee.client.relay import Relayer

    with console.progress(f"registering {len(intents)} bundles"):
        report = Relayer(chain, deployment, account).register_all(intents)
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
