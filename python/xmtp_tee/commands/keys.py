"""``xmtp-tee keys``: make, list and show keys. Private keys never leave the enclave; these are the public parts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xmtp_tee.commands.console import Console, table
from xmtp_tee.commands.lazy import LazyGroup
from xmtp_tee.commands.options import json_option, open_keys, socket_option
from xmtp_tee.dates import show_time

if TYPE_CHECKING:
    from xmtp_tee.client.key_manager import KeyInfo, KeyLimits, PreKeyInfo

_COMMANDS = {
    "new": ("xmtp_tee.commands.keys:new", "Make an identity key and a pre-key for an owner."),
    "list": ("xmtp_tee.commands.keys:list_", "List the keys."),
    "show": ("xmtp_tee.commands.keys:show", "Show one key."),
    "make": ("xmtp_tee.commands.keys_make:make", "Make a key for a purpose."),
    "install": ("xmtp_tee.commands.keys_make:install", "Derive an installation key for a device."),
    "derive": ("xmtp_tee.commands.keys_make:derive", "Derive a key from a derivation key."),
    "rotate": ("xmtp_tee.commands.keys_life:rotate", "Make a key's next version."),
    "versions": ("xmtp_tee.commands.keys_life:versions", "List a key's versions."),
    "minimum": ("xmtp_tee.commands.keys_life:minimum", "Refuse a key's older versions."),
    "trim": ("xmtp_tee.commands.keys_life:trim", "Destroy the versions below the minimum."),
    "delete": ("xmtp_tee.commands.keys_life:delete", "Take a key out of use."),
    "restore": ("xmtp_tee.commands.keys_life:restore", "Put a deleted key back into use."),
    "destroy": ("xmtp_tee.commands.keys_life:destroy", "Destroy a deleted key, for ever."),
    "update": ("xmtp_tee.commands.keys_life:update", "Change a key's label and limits."),
    "sign": ("xmtp_tee.commands.keys_sign:sign", "Sign a message, an identity text, typed data."),
    "intent": ("xmtp_tee.commands.keys_sign:intent", "Sign an owner's intent at a KeyRegistry."),
    "seal": ("xmtp_tee.commands.keys_secret:seal", "Seal under an AEAD key."),
    "open": ("xmtp_tee.commands.keys_secret:open_", "Open what was sealed."),
    "mac": ("xmtp_tee.commands.keys_secret:mac", "Compute or check an HMAC."),
    "hpke-seal": ("xmtp_tee.commands.keys_secret:hpke_seal", "Seal to a public key (HPKE)."),
    "hpke-open": ("xmtp_tee.commands.keys_secret:hpke_open", "Open what came to a key (HPKE)."),
    "shared-secret": (
        "xmtp_tee.commands.keys_secret:shared_secret",
        "A shared secret with a peer, where its key releases it.",
    ),
    "export": ("xmtp_tee.commands.keys_backup:export", "Seal a key into a backup."),
    "import": ("xmtp_tee.commands.keys_backup:import_", "Take a key in from a backup."),
    "backup": ("xmtp_tee.commands.keys_backup:inspect", "Show what a backup says of itself."),
    "attest": ("xmtp_tee.commands.keys_make:attest", "Have the authority vouch for a key."),
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
def keys() -> None:
    """Make and list keys in the enclave."""


@click.command("new")
@click.argument("owner")
@click.option(
    "--pre-key",
    "pre_key_only",
    is_flag=True,
    help="Only make a new pre-key for the owner's identity key.",
)
@click.option("--expires-in", type=click.IntRange(1, 3650), metavar="DAYS", help="Of the pre-key.")
@socket_option
@json_option
def new(
    owner: str, pre_key_only: bool, expires_in: int | None, socket: Path | None, console: Console
) -> None:
    """Make the identity key of OWNER (an address) and its first pre-key."""
    with open_keys(socket) as manager:
        identity = (
            manager.get_identity_key(owner)
            if pre_key_only
            else manager.generate_identity_key(owner)
        )
        expires_at = None
        if expires_in is not None:
            expires_at = int(datetime.now(UTC).timestamp()) + expires_in * 86_400
        pre_key = manager.generate_pre_key(identity.id, expires_at=expires_at)
    console.result(
        {"identity_key": key_dict(identity), "pre_key": pre_key_dict(pre_key)},
        [
            f"identity key  {identity.id}  0x{identity.public_key.hex()}",
            f"pre-key       {pre_key.id}  0x{pre_key.public_key.hex()}",
            f"owner         {identity.owner}",
            f"epoch         {pre_key.epoch}, until {show_time(pre_key.expires_at)}",
        ],
    )


@click.command("list")
@click.option("--owner", metavar="ADDRESS", help="Only this owner's keys.")
@click.option("--purpose", metavar="NAME", help="Only keys of this purpose.")
@click.option("--type", "key_type", metavar="NAME", help="Only keys of this type.")
@click.option("--label", metavar="TEXT", help="Only keys whose label begins so.")
@click.option("--state", type=click.Choice(["active", "deleted", "destroyed"]))
@socket_option
@json_option
def list_(
    owner: str | None,
    purpose: str | None,
    key_type: str | None,
    label: str | None,
    state: str | None,
    socket: Path | None,
    console: Console,
) -> None:
    """List the enclave's keys that the caller may see."""
    with open_keys(socket) as manager:
        found = manager.list_keys(
            owner, purpose=purpose, key_type=key_type, label=label, state=state
        )
    rows = [
        (k.id, k.purpose, k.type, k.owner or "-", k.state, show_time(k.created_at), k.label)
        for k in found
    ]
    header = ("id", "purpose", "type", "owner", "state", "created", "label")
    console.result(
        {"keys": [key_dict(key) for key in found]}, table(header, rows) if rows else "no keys"
    )


@click.command("show")
@click.argument("key_id")
@socket_option
@json_option
def show(key_id: str, socket: Path | None, console: Console) -> None:
    """Show the key KEY_ID; of an identity key, its pre-keys too."""
    with open_keys(socket) as manager:
        key = manager.get_key(key_id)
        pre_keys = manager.get_pre_keys(key_id) if key.purpose == "xmtp-identity" else []
    data = key_dict(key)
    lines = [f"{name + ':':<14}{value}" for name, value in data.items() if value is not None]
    lines += [
        f"pre-key:      {p.id}  0x{p.public_key.hex()}  epoch {p.epoch}, until {show_time(p.expires_at)}"
        for p in pre_keys
    ]
    console.result({"key": data, "pre_keys": [pre_key_dict(p) for p in pre_keys]}, lines)


def key_dict(key: KeyInfo) -> dict[str, object]:
    """Return a key as ``--json`` prints it; times are unix seconds."""
    return {
        "id": key.id,
        "type": key.type,
        "purpose": key.purpose,
        "owner": key.owner,
        "public_key": "0x" + key.public_key.hex(),
        "version": key.version,
        "epoch": key.epoch,
        "provenance": key.provenance,
        "operations": list(key.operations),
        "created_at": key.created_at,
        "destroyed_at": key.destroyed_at,
        "state": key.state,
        "label": key.label or None,
        "minimum_version": key.minimum_version,
        "rotated_at": key.rotated_at,
        "limits": None if key.limits is None else limits_dict(key.limits),
        "derived_from": key.derived_from,
        "releases": key.releases,
        "exportable": key.exportable,
        "deleted_at": key.deleted_at,
        "destroy_after": key.destroy_after,
    }


def limits_dict(limits: KeyLimits) -> dict[str, int]:
    """Return the limits that there are."""
    named = {name: getattr(limits, name) for name in limits.__slots__}
    return {name: value for name, value in named.items() if value is not None}


def pre_key_dict(pre_key: PreKeyInfo) -> dict[str, object]:
    """Return a pre-key as ``--json`` prints it."""
    return {
        "id": pre_key.id,
        "identity_key_id": pre_key.identity_key_id,
        "public_key": "0x" + pre_key.public_key.hex(),
        "signature": "0x" + pre_key.signature.hex(),
        "epoch": pre_key.epoch,
        "expires_at": pre_key.expires_at,
    }
