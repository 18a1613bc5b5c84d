"""``xmtp-tee keys rotate | minimum | trim | delete | restore | destroy | update``."""

from __future__ import annotations

from pathlib import Path

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.keys_options import (
    idempotency_option,
    limits_of,
    limits_options,
    show_key,
)
from xmtp_tee.commands.options import json_option, open_keys, socket_option

_yes_option = click.option("--yes", is_flag=True, help="Do not ask. What is destroyed is gone.")


@click.command("rotate")
@click.argument("key_id")
@idempotency_option
@socket_option
@json_option
def rotate(key_id: str, idempotency_key: str | None, socket: Path | None, console: Console) -> None:
    """Make the next version of KEY_ID. Older ones still open and check."""
    with open_keys(socket) as manager:
        show_key(console, manager.rotate_key(key_id, idempotency_key=idempotency_key))


@click.command("minimum")
@click.argument("key_id")
@click.argument("version", type=click.IntRange(1))
@socket_option
@json_option
def minimum(key_id: str, version: int, socket: Path | None, console: Console) -> None:
    """Refuse versions of KEY_ID below VERSION from now on."""
    with open_keys(socket) as manager:
        show_key(console, manager.set_minimum_version(key_id, version))


@click.command("trim")
@click.argument("key_id")
@_yes_option
@socket_option
@json_option
def trim(key_id: str, yes: bool, socket: Path | None, console: Console) -> None:
    """Destroy the versions of KEY_ID below its minimum, for ever."""
    _confirm(yes, f"Destroy the versions of {key_id} below its minimum for ever?")
    with open_keys(socket) as manager:
        show_key(console, manager.trim_key(key_id))


@click.command("versions")
@click.argument("key_id")
@socket_option
@json_option
def versions(key_id: str, socket: Path | None, console: Console) -> None:
    """List the versions of KEY_ID that can be used, and their public keys, where it has any."""
    with open_keys(socket) as manager:
        found = manager.get_versions(key_id)
    texts = {number: "0x" + key.hex() if key else None for number, key in sorted(found.items())}
    console.result(
        {"versions": [{"version": n, "public_key": text} for n, text in texts.items()]},
        [f"{number:>4}  {text or '-'}" for number, text in texts.items()],
    )


@click.command("delete")
@click.argument("key_id")
@click.option(
    "--waiting",
    type=click.IntRange(0),
    metavar="SECONDS",
    help="Until it can be destroyed; default: the policy's minimum.",
)
@socket_option
@json_option
def delete(key_id: str, waiting: int | None, socket: Path | None, console: Console) -> None:
    """Take KEY_ID out of use; it can be restored until it is destroyed."""
    with open_keys(socket) as manager:
        show_key(console, manager.delete_key(key_id, waiting))
    console.say(f"next: xmtp-tee keys destroy {key_id}, once its time has come")


@click.command("restore")
@click.argument("key_id")
@socket_option
@json_option
def restore(key_id: str, socket: Path | None, console: Console) -> None:
    """Put the deleted key KEY_ID back into use."""
    with open_keys(socket) as manager:
        show_key(console, manager.restore_key(key_id))


@click.command("destroy")
@click.argument("key_id")
@_yes_option
@socket_option
@json_option
def destroy(key_id: str, yes: bool, socket: Path | None, console: Console) -> None:
    """Destroy the deleted key KEY_ID, for ever."""
    _confirm(yes, f"Destroy {key_id} for ever?")
    with open_keys(socket) as manager:
        show_key(console, manager.destroy_key(key_id))


@click.command("update")
@click.argument("key_id")
@click.option("--label", metavar="TEXT")
@limits_options
@socket_option
@json_option
def update(
    key_id: str,
    label: str | None,
    expires_in: int | None,
    max_uses: int | None,
    rate: str | None,
    socket: Path | None,
    console: Console,
) -> None:
    """Change the label of KEY_ID, or replace all its limits."""
    limits = limits_of(expires_in, max_uses, rate)
    with open_keys(socket) as manager:
        show_key(console, manager.update_key(key_id, label=label, limits=limits))


def _confirm(yes: bool, question: str) -> None:
    if not yes:
        click.confirm(question, abort=True, err=True)
