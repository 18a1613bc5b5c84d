"""``xmtp-tee keys export | import | backup``: keys leave sealed, and come back as imported."""

from __future__ import annotations

import re
from pathlib import Path

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import read_file, read_text, require_absent, write_secret
from xmtp_tee.commands.keys import key_dict
from xmtp_tee.commands.options import (
    hex_bytes,
    json_option,
    open_keys,
    refuse_unread,
    socket_option,
)
from xmtp_tee.commands.verified_enclave import (
    EnclaveTrust,
    enclave_trust_options,
    require_verified_enclave,
)
from xmtp_tee.dates import show_time
from xmtp_tee.errors import UsageError

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("export")
@click.argument("key_id")
@click.argument("output", type=_FILE)
@click.option("--password", is_flag=True, help="Ask for a password (12 characters or more).")
@click.option("--password-file", type=_FILE, help="Read the password from the first line there.")
@click.option(
    "--to", "public_keys", multiple=True, metavar="HEX", help="An X25519 or X-Wing public key."
)
@click.option(
    "--successor", "successors", multiple=True, metavar="HEX", help="An enclave's transport key."
)
@click.option("--shares", metavar="K/N", help="SLIP-39 shares, printed once: any K of N.")
@click.option("--age", "age", multiple=True, metavar="age1...", help="Write an age file instead.")
@click.option("--keystore", is_flag=True, help="Write an Ethereum keystore (v3) instead.")
@enclave_trust_options
@socket_option
@json_option
def export(
    key_id: str,
    output: Path,
    password: bool,
    password_file: Path | None,
    public_keys: tuple[str, ...],
    successors: tuple[str, ...],
    shares: str | None,
    age: tuple[str, ...],
    keystore: bool,
    trust: EnclaveTrust,
    socket: Path | None,
    console: Console,
) -> None:
    """Seal the key KEY_ID, which must have been made exportable, into the new file OUTPUT."""
    require_absent(output, "backup")
    _require_one_form(
        password=password or password_file is not None,
        to=public_keys,
        successor=successors,
        shares=shares,
        age=age,
        keystore=keystore,
    )
    threshold = None if shares is None else _threshold(shares)
    recipients = [hex_bytes(each, "--to", _size(each)) for each in public_keys]
    enclaves = [hex_bytes(each, "--successor", 32) for each in successors]
    secret = _password(password, password_file, confirm=True)
    if secret is None:
        trust.require_unread("The enclave gets no secret from this export")
    unverified = trust.unsafe_unverified_enclave
    with open_keys(socket) as manager:
        if secret is not None:
            require_verified_enclave(manager, trust, console)
        mnemonics: tuple[str, ...] = ()
        with console.progress("sealing"):
            if age:
                data = manager.export_age(key_id, age)
            elif keystore and secret is not None:
                data = manager.export_keystore(key_id, secret, unverified_enclave=unverified)
            else:
                backup = manager.export_encrypted(
                    key_id,
                    password=secret,
                    public_keys=recipients,
                    successors=enclaves,
                    shares=threshold,
                    unverified_enclave=unverified,
                )
                data, mnemonics = backup.data, backup.shares
    write_secret(output, data, "backup")
    lines = [f"written: {output}, {len(data)} bytes"]
    if mnemonics:
        lines += ["", "Each share for another hand; they are not shown again:", "", *mnemonics]
    console.result({"file": str(output), "bytes": len(data), "shares": list(mnemonics)}, lines)


@click.command("import")
@click.argument("backup", type=_FILE)
@click.option("--password", is_flag=True, help="Ask for the backup's password.")
@click.option("--password-file", type=_FILE, help="Read the password from the first line there.")
@click.option("--shares-file", type=_FILE, help="SLIP-39 shares, one on a line.")
@click.option("--private-key-file", type=_FILE, help="X25519 or X-Wing private key, 64 hex digits.")
@click.option("--exportable", is_flag=True, help="Let the key leave again.")
@click.option("--label", default="", help="Another label than the backup's.")
@enclave_trust_options
@socket_option
@json_option
def import_(
    backup: Path,
    password: bool,
    password_file: Path | None,
    shares_file: Path | None,
    private_key_file: Path | None,
    exportable: bool,
    label: str,
    trust: EnclaveTrust,
    socket: Path | None,
    console: Console,
) -> None:
    """Take the key in the file BACKUP in; it says for ever that it was imported.

    Without a password, shares or private key, the backup must be for this enclave.
    """
    data = read_file(backup, "backup")
    secret = _password(password, password_file, confirm=False)
    shares = None if shares_file is None else read_text(shares_file, "file of shares").split("\n")
    private = None
    if private_key_file is not None:
        private = _private_key(private_key_file)
    sends_secret = any(each is not None for each in (secret, shares, private))
    if not sends_secret:
        trust.require_unread("The enclave gets no secret for this import")
    with open_keys(socket) as manager:
        if sends_secret:
            require_verified_enclave(manager, trust, console)
        with console.progress("opening"):
            key = manager.import_from_backup(
                data,
                password=secret,
                shares=None
                if shares is None
                else [each.strip() for each in shares if each.strip()],
                private_key=private,
                exportable=exportable,
                label=label,
                unverified_enclave=trust.unsafe_unverified_enclave,
            )
    console.result(
        {"key": key_dict(key)},
        [f"imported: {key.id}  {key.purpose}  0x{key.public_key.hex()}"],
    )


@click.command("backup")
@click.argument("backup", type=_FILE)
@json_option
def inspect(backup: Path, console: Console) -> None:
    """Show what the file BACKUP says of itself. Nothing of it is verified before it is opened."""
    from xmtp_tee.backup.container import parse

    header = parse(read_file(backup, "backup")).header
    ways = [str(way.__struct_config__.tag) for way in header.ways]
    facts = {
        "key": header.key.id,
        "type": header.key.key_type,
        "purpose": header.key.purpose,
        "owner": None if header.key.owner is None else "0x" + header.key.owner.hex(),
        "public_key": "0x" + header.key.public_key.hex(),
        "provenance": header.key.provenance,
        "version": header.key.version,
        "store": header.store_id.hex(),
        "exported_at": header.exported_at,
        "ways": ways,
    }
    lines = [f"{name + ':':<13}{value}" for name, value in facts.items() if name != "exported_at"]
    lines.append(f"{'exported:':<13}{show_time(header.exported_at)}")
    console.result(facts, lines)


def _require_one_form(*, keystore: bool, age: tuple[str, ...], **ways: object) -> None:
    """Refuse ways in that the chosen form of file does not have."""
    if keystore:
        if not ways.pop("password"):
            raise UsageError("An Ethereum keystore needs a password", expected="--password")
        refuse_unread("An Ethereum keystore opens by its password alone", {"age": age, **ways})
    elif age:
        refuse_unread("An age file opens for its recipients alone", ways)


def _password(ask: bool, file: Path | None, *, confirm: bool) -> str | None:
    if ask and file is not None:
        raise UsageError(
            "One password", got="--password and --password-file", expected="one of them"
        )
    if file is not None:
        return read_text(file, "password's file").split("\n")[0]
    if ask:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True))
    return None


def _private_key(file: Path) -> bytes:
    try:
        key = bytes.fromhex(
            read_file(file, "private key's file").decode("ascii").strip().removeprefix("0x")
        )
    except ValueError:
        key = b""
    if len(key) != 32:
        # The content is a secret, also where it is malformed.
        raise UsageError("The private key is malformed", got=file, expected="64 hex digits")
    return key


def _threshold(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,2})/([0-9]{1,2})", text)
    if match is None:
        raise UsageError("Shares are given as K/N", got=text[:80], expected="2/3, for example")
    return int(match[1]), int(match[2])


def _size(text: str) -> int:
    return 1216 if len(text.removeprefix("0x")) > 64 else 32
