"""``xmtp-tee store``: whether the enclave's store was put back, and the key for the day when every platform is gone."""

from __future__ import annotations

from pathlib import Path

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import expanded
from xmtp_tee.commands.lazy import LazyGroup
from xmtp_tee.commands.options import hex_bytes, json_option, open_keys, socket_option

_COMMANDS = {
    "state": ("xmtp_tee.commands.store:state", "How far the store has come, signed."),
    "check": (
        "xmtp_tee.commands.store:check",
        "Refuse a store that went back behind what was seen.",
    ),
    "new-recovery-key": (
        "xmtp_tee.commands.store:new_recovery_key",
        "Make the key for the safe.",
    ),
    "export-recovery": (
        "xmtp_tee.commands.store:export_recovery",
        "Seal the store key to a recovery key.",
    ),
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
def store() -> None:
    """The enclave's store as a whole."""


@click.command()
@socket_option
@json_option
def state(socket: Path | None, console: Console) -> None:
    """How far the store has come, by the authority's signature over a nonce of this moment."""
    with open_keys(socket) as keys:
        found = keys.store_state()
    data = {
        "authority": "0x" + found.authority.hex(),
        "store_id": found.store_id.hex(),
        "epoch": found.epoch,
        "chain": "0x" + found.chain.hex(),
        "nonce": "0x" + found.nonce.hex(),
        "signature": "0x" + found.signature.hex(),
    }
    console.result(data, [f"{name + ':':<11}{value}" for name, value in data.items()])


@click.command(epilog="Exit codes: 0 it did not; 2 it did, or was forked, or RECEIPTS is damaged.")
@click.argument("receipts", type=click.Path(path_type=Path, dir_okay=False))
@socket_option
@json_option
def check(receipts: Path, socket: Path | None, console: Console) -> None:
    """Have the enclave prove that its store descends from the state in RECEIPTS (JSON, mode 0600), and keep
    the new one there.

    The file is begun if it is absent, so keep it where the host cannot remove it. Every other command does the
    same with the file that XMTP_TEE_STATE_RECEIPTS names.
    """
    from xmtp_tee.client.freshness import ReceiptBook

    book = ReceiptBook(expanded(receipts, "receipts"))
    with open_keys(socket, book) as keys:
        known = book.latest(keys.authority)
    if known is None:
        raise AssertionError("connecting keeps a receipt or raises")
    console.result(
        {
            "authority": "0x" + known.authority,
            "store_id": known.store_id,
            "epoch": known.epoch,
            "chain": "0x" + known.chain,
        },
        f"the store {known.store_id} was not put back; kept: epoch {known.epoch}",
    )


@click.command("new-recovery-key")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def new_recovery_key(file: Path, console: Console) -> None:
    """Make an X25519 key in FILE (32 raw bytes, mode 0600, never overwritten), and print what the policy names.

    FILE and a copy of the database are together every key in the store: make it on a machine that is offline.
    """
    from xmtp_tee.client.recovery_key import new_recovery_key as make

    public = make(expanded(file, "recovery key")).hex()
    console.say(f"next: recovery = [{public!r}] in [store] of the policy; then")
    console.say(f"      xmtp-tee store export-recovery {public}")
    console.result({"recipient": public, "file": str(file)}, public)


@click.command("export-recovery")
@click.argument("recipient", metavar="RECIPIENT")
@socket_option
@json_option
def export_recovery(recipient: str, socket: Path | None, console: Console) -> None:
    """Have the store key sealed to RECIPIENT (X25519, 64 hex digits) and kept in the store.

    The policy must name it in store.recovery, and grant export-recovery by name. To be used by
    `xmtp-tee enclave recover`.
    """
    key = hex_bytes(recipient, "RECIPIENT", 32)
    with open_keys(socket) as keys:
        keys.export_recovery(key)
    console.result(
        {"recipient": key.hex()},
        f"the store key is sealed to {key.hex()}, and lies in the store",
    )
