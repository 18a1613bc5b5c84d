"""``xmtp-tee keys export | import | backup``: keys leave sealed, and come back as imported."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.keys import key_dict, when
from xmtp_tee.commands.options import hex_bytes, json_option, open_keys, socket_option
from xmtp_tee.errors import UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.key_manager import KeyManager

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, dir_okay=False)


def verification_options(function: F) -> F:
    """Add the options by which the enclave is verified before it gets a password."""
    for option in (
        click.option(
            "--unverified-enclave",
            is_flag=True,
            help="Give the password to whoever answers on the socket.",
        ),
        click.option("--unsafe-accept-simulated", is_flag=True, help="Accept a development root."),
        click.option(
            "--workload", "workloads", multiple=True, metavar="HEX", help="Expect this workload id."
        ),
        click.option(
            "--collateral", type=_FILE, help="The platform's collateral (dcap-qvl's JSON)."
        ),
        click.option(
            "--root",
            metavar="development|amd|FILE",
            help="The root under which the enclave is verified before it gets a password.",
        ),
    ):
        function = option(function)
    return function


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
@verification_options
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
    root: str | None,
    collateral: Path | None,
    workloads: tuple[str, ...],
    unsafe_accept_simulated: bool,
    unverified_enclave: bool,
    socket: Path | None,
    console: Console,
) -> None:
    """Seal the key KEY_ID, which must have been made exportable, into the new file OUTPUT."""
    if output.exists():
        raise UsageError("The backup's file is there already", got=output)
    secret = _password(password, password_file, confirm=True)
    with open_keys(socket) as manager:
        if secret is not None and not unverified_enclave:
            _verify(manager, root, collateral, workloads, unsafe_accept_simulated, console)
        mnemonics: tuple[str, ...] = ()
        if age:
            data = manager.export_age(key_id, age)
        elif keystore:
            if secret is None:
                raise UsageError("An Ethereum keystore needs a password", expected="--password")
            data = manager.export_keystore(key_id, secret, unverified_enclave=unverified_enclave)
        else:
            backup = manager.export_encrypted(
                key_id,
                password=secret,
                public_keys=[hex_bytes(each, "--to", _size(each)) for each in public_keys],
                successors=[hex_bytes(each, "--successor", 32) for each in successors],
                shares=None if shares is None else _threshold(shares),
                unverified_enclave=unverified_enclave,
            )
            data, mnemonics = backup.data, backup.shares
    _write_new(output, data)
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
@verification_options
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
    root: str | None,
    collateral: Path | None,
    workloads: tuple[str, ...],
    unsafe_accept_simulated: bool,
    unverified_enclave: bool,
    socket: Path | None,
    console: Console,
) -> None:
    """Take the key in the file BACKUP in; it says for ever that it was imported.

    Without a password, shares or private key, the backup must be for this enclave.
    """
    data = _read(backup)
    secret = _password(password, password_file, confirm=False)
    shares = None if shares_file is None else _read(shares_file).decode().split("\n")
    private = None
    if private_key_file is not None:
        private = hex_bytes(_read(private_key_file).decode().strip(), "private key", 32)
    with open_keys(socket) as manager:
        if (secret or shares or private) and not unverified_enclave:
            _verify(manager, root, collateral, workloads, unsafe_accept_simulated, console)
        key = manager.import_from_backup(
            data,
            password=secret,
            shares=None if shares is None else [line.strip() for line in shares if line.strip()],
            private_key=private,
            exportable=exportable,
            label=label,
            unverified_enclave=unverified_enclave,
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

    header = parse(_read(backup)).header
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
    lines.append(f"{'exported:':<13}{when(header.exported_at)}")
    console.result(facts, lines)


def _verify(
    manager: KeyManager,
    root: str | None,
    collateral: Path | None,
    workloads: tuple[str, ...],
    accept_simulated: bool,
    console: Console,
) -> None:
    """Verify the enclave on this connection by evidence that it makes now, over random bytes."""
    if root is None:
        raise UsageError(
            "The enclave would get a secret, and nothing says under which root to verify it",
            expected="--root, or --unverified-enclave",
        )
    from xmtp_tee.commands.evidence_file import Expectations, judge

    attestation = manager.get_attestation(
        chain_id=1, enclave_registry=b"\x01" * 20, block_number=0, block_hash=os.urandom(32)
    )
    expected = Expectations(
        root=root,
        collateral=collateral,
        workloads=[hex_bytes(each, "--workload", 32) for each in workloads] or None,
        chain_id=None,
        registry=None,
        at=int(time.time()),
        online=None,
        accept_simulated=accept_simulated,
    )
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(attestation.to_json())
        file.flush()
        verdict = judge(Path(file.name), expected, console)
    manager.accept_verdict(attestation, verdict)


def _password(ask: bool, file: Path | None, *, confirm: bool) -> str | None:
    if file is not None:
        return _read(file).decode().split("\n")[0]
    if ask:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True))
    return None


def _threshold(text: str) -> tuple[int, int]:
    threshold, _, count = text.partition("/")
    if not (threshold.isdigit() and count.isdigit()):
        raise UsageError("Shares are given as K/N", got=text, expected="2/3, for example")
    return int(threshold), int(count)


def _size(text: str) -> int:
    return 1216 if len(text.removeprefix("0x")) > 64 else 32


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError("The file cannot be read", got=path, cause=error.strerror) from error


def _write_new(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise UsageError("The backup cannot be written", got=path, cause=error.strerror) from error
