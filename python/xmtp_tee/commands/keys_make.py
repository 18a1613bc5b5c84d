"""``xmtp-tee keys make | install | derive | attest``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.keys_options import (
    idempotency_option,
    limits_of,
    limits_options,
    show_key,
)
from xmtp_tee.commands.options import hex_bytes, json_option, open_keys, socket_option


@click.command("make")
@click.argument("purpose")
@click.argument("owner", required=False)
@click.option("--type", "key_type", metavar="NAME", help="Where the purpose has several types.")
@click.option("--label", default="", metavar="TEXT")
@click.option("--releases", is_flag=True, help="Its shared secrets may leave as bytes.")
@click.option("--exportable", is_flag=True, help="It may go into a backup.")
@limits_options
@idempotency_option
@socket_option
@json_option
def make(
    purpose: str,
    owner: str | None,
    key_type: str | None,
    label: str,
    releases: bool,
    exportable: bool,
    expires_in: int | None,
    max_uses: int | None,
    rate: str | None,
    idempotency_key: str | None,
    socket: Path | None,
    console: Console,
) -> None:
    """Make a key for PURPOSE: wallet (without OWNER), key-agreement, hpke, aead, mac, derivation."""
    with open_keys(socket) as manager:
        key = manager.generate_key(
            purpose,
            owner,
            key_type=key_type,
            label=label,
            limits=limits_of(expires_in, max_uses, rate),
            releases=releases,
            exportable=exportable,
            idempotency_key=idempotency_key,
        )
    show_key(console, key)


@click.command("install")
@click.argument("identity_key_id")
@click.argument("device_id")
@click.option("--label", default="", metavar="TEXT")
@socket_option
@json_option
def install(
    identity_key_id: str, device_id: str, label: str, socket: Path | None, console: Console
) -> None:
    """Derive the installation key of DEVICE_ID: the same one each time."""
    with open_keys(socket) as manager:
        key = manager.derive_installation_key(identity_key_id, device_id, label=label)
    show_key(console, key)


@click.command("derive")
@click.argument("parent_key_id")
@click.argument("purpose")
@click.argument("path")
@click.option("--type", "key_type", metavar="NAME", help="Where the purpose has several types.")
@click.option("--label", default="", metavar="TEXT")
@click.option("--releases", is_flag=True, help="Its shared secrets may leave as bytes.")
@limits_options
@socket_option
@json_option
def derive(
    parent_key_id: str,
    purpose: str,
    path: str,
    key_type: str | None,
    label: str,
    releases: bool,
    expires_in: int | None,
    max_uses: int | None,
    rate: str | None,
    socket: Path | None,
    console: Console,
) -> None:
    """Derive a key for PURPOSE from a derivation key by PATH: the same one each time."""
    with open_keys(socket) as manager:
        key = manager.derive_key(
            parent_key_id,
            purpose,
            path,
            key_type=key_type,
            label=label,
            limits=limits_of(expires_in, max_uses, rate),
            releases=releases,
        )
    show_key(console, key)


@click.command("attest")
@click.argument("key_id")
@click.option("--challenge", metavar="HEX", help="32 bytes of who wants to be shown the key.")
@socket_option
@json_option
def attest(key_id: str, challenge: str | None, socket: Path | None, console: Console) -> None:
    """Have the enclave's authority sign the public record of KEY_ID."""
    asked = os.urandom(32) if challenge is None else hex_bytes(challenge, "--challenge", 32)
    with open_keys(socket) as manager:
        statement, signature = manager.attest_key(key_id, asked)
        authority = manager.info().authority
    document: dict[str, object] = {
        name: "0x" + value.hex() if isinstance(value, bytes) else value
        for name in statement.__slots__
        for value in (getattr(statement, name),)
    }
    document |= {"authority": authority, "signature": "0x" + signature.hex()}
    console.result({"attestation": document}, json.dumps(document, indent=2))
