"""``xmtp-tee enclave``: the process that holds the keys, and how another platform gets into its store."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xmtp_tee.commands.config import Settings
from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import read_file, read_root
from xmtp_tee.commands.lazy import LazyGroup
from xmtp_tee.commands.options import json_option, open_keys, socket_option

if TYPE_CHECKING:
    from xmtp_tee.enclave.config import EnclaveConfig

F = TypeVar("F", bound=Callable[..., Any])


_COMMANDS = {
    "run": ("xmtp_tee.commands.enclave:run", "Run the enclave until it is stopped."),
    "info": ("xmtp_tee.commands.enclave:info", "Who the enclave says it is."),
    "recover": (
        "xmtp_tee.commands.enclave:recover",
        "Take a store over with a recovery key, its keys as imported ones.",
    ),
    "receive": (
        "xmtp_tee.commands.enclave:receive",
        "Have another enclave hand its store over to this platform.",
    ),
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
def enclave() -> None:
    """Run the process that holds the keys."""


def place_options(function: F) -> F:
    """Which TEE this is, and where the store lies."""
    for decorator in (
        click.option(
            "--log-level",
            type=click.Choice(["debug", "info", "warning", "error"]),
            default="info",
            show_default=True,
        ),
        click.option(
            "--unsafe-simulate-on-hardware",
            is_flag=True,
            help="Allow the simulator on a machine that has a genuine TEE.",
        ),
        click.option(
            "--simulator-salt", default="", help="Change the simulator's measurement, for tests."
        ),
        click.option(
            "--store",
            help="Where the sealed store lies: a path, or postgresql://USER@HOST/DATABASE.",
        ),
        click.option(
            "--state-dir",
            type=click.Path(path_type=Path),
            help="The sealed store's folder, mode 0700. [env: XMTP_TEE_STATE_DIR]",
        ),
        click.option(
            "--kms-authorities",
            type=click.Path(path_type=Path),
            help="The roots of KMS's TLS certificate, PEM; default: the system's.",
        ),
        click.option(
            "--kms-connect",
            metavar="ADDRESS",
            help="The way to KMS: vsock:CID:PORT or tcp:HOST:PORT; default: vsock:3:8000.",
        ),
        click.option(
            "--kms-blob",
            type=click.Path(path_type=Path),
            help="The root as KMS sealed it; default: kms-root in the state folder.",
        ),
        click.option(
            "--kms-credentials",
            type=click.Path(path_type=Path),
            help="AWS credentials, JSON as the instance metadata service has them.",
        ),
        click.option(
            "--kms-key", metavar="ARN", help="Nitro: the AWS KMS key that keeps the sealing root."
        ),
        click.option(
            "--certificates",
            type=click.Path(path_type=Path),
            help="SEV-SNP: the certificate table, for hosts that hand none over.",
        ),
        click.option(
            "--tee",
            "tees",
            type=click.Choice(["tdx", "nitro", "sevsnp"]),
            multiple=True,
            default=("tdx",),
            show_default=True,
            help="Which TEE the simulator stands for. Repeat it for several at once.",
        ),
        click.option(
            "--driver",
            "drivers",
            multiple=True,
            help="How this process attests itself: simulator, tdx, nitro, sevsnp. There is no default. The first "
            "seals the store; repeat it where several TEEs vouch for one process. [env: XMTP_TEE_DRIVER]",
        ),
    ):
        function = decorator(function)
    return function


@click.command("run")
@place_options
@click.option(
    "--socket",
    type=click.Path(path_type=Path),
    help="Where to listen; default: enclave.sock in the state folder. [env: XMTP_TEE_SOCKET]",
)
@click.option("--check-store", is_flag=True, help="Verify every record of the store at the start.")
@click.option(
    "--freshness-file",
    type=click.Path(path_type=Path),
    help="Keep the store's last state there, out of the host's reach, and refuse an older store.",
)
@click.option(
    "--known-states",
    type=click.Path(path_type=Path),
    help="Refuse a store that does not descend from the states in this file of `anchor show --save`.",
)
@click.option("--must-exist", is_flag=True, help="Refuse to make a new store if there is none.")
@click.option(
    "--unsafe-accept-lost-audit",
    "accept_lost_audit",
    is_flag=True,
    help="Begin a new audit log although the store knows one that is gone.",
)
@json_option
def run(
    socket: Path | None,
    check_store: bool,
    freshness_file: Path | None,
    known_states: Path | None,
    must_exist: bool,
    accept_lost_audit: bool,
    console: Console,
    **place: Any,
) -> None:
    """Run the enclave until SIGTERM or Ctrl-C. One line on stdout says that clients can connect."""
    listen = Settings().find("socket", socket)
    # The default socket follows the state folder, also when that comes from a flag.
    chosen = None if listen is None or listen.source == "default" else Path(listen.value).absolute()
    config = _config(
        console,
        **place,
        socket=chosen,
        check_store=check_store,
        freshness_file=None if freshness_file is None else freshness_file.absolute(),
        known_states=known_states,
        must_exist=must_exist,
        accept_lost_audit=accept_lost_audit,
    )
    from xmtp_tee.enclave.process import run as run_enclave

    def announce(line: str) -> None:
        click.echo(line if console.json else f"ready: {config.socket_path}")

    run_enclave(config, announce=announce)


@click.command()
@socket_option
@json_option
def info(socket: Path | None, console: Console) -> None:
    """Who the enclave on the socket says it is; only a verified attestation proves it."""
    with open_keys(socket) as keys:
        about = keys.info()
    data: dict[str, object] = asdict(about) | {"transport_key": "0x" + about.transport_key.hex()}
    console.result(data, [f"{name + ':':<18}{value}" for name, value in data.items()])


@click.command()
@click.argument("key_file", type=click.Path(path_type=Path, dir_okay=False))
@place_options
@json_option
def recover(key_file: Path, console: Console, **place: Any) -> None:
    """Put a new store in the place of one that opens with the recovery key in KEY_FILE (32 raw bytes).

    For the day when no platform is left that can open it. The new store has the keys of the old one, marked as imported
    for ever, and an authority of its own, to be attested anew. Keep a copy of the database until it serves. Then name
    another recovery key: this one was on this machine.
    """
    config = _config(console, **place)
    from xmtp_tee.enclave.process import recover_store
    from xmtp_tee.enclave.recovery import read_recovery_key
    from xmtp_tee.enclave.wiping import wiped

    with (
        wiped(read_recovery_key(key_file)) as private_key,
        console.progress("recovering the store"),
    ):
        store_id = recover_store(config, private_key)
    text = f"the new store {store_id} has the old one's keys, as imported ones"
    console.result({"store_id": store_id}, text)


@click.command()
@click.argument("predecessor", metavar="SOCKET", type=click.Path(path_type=Path))
@click.option(
    "--root",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The root of this platform's evidence, DER or PEM; the other's policy pins it. "
    "SEV-SNP: default, the ARK that the evidence carries.",
)
@click.option(
    "--predecessor-root",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The root of the other's evidence, if it is another one.",
)
@click.option(
    "--collateral",
    type=click.Path(path_type=Path, dir_okay=False),
    help="SGX and TDX: the collateral, JSON.",
)
@place_options
@json_option
def receive(
    predecessor: Path,
    root: Path | None,
    predecessor_root: Path | None,
    collateral: Path | None,
    console: Console,
    **place: Any,
) -> None:
    """Have the enclave on SOCKET hand its store over to this platform, if its policy approves of this code."""
    config = _config(console, **place)
    own = b"" if root is None else read_root(root)
    others = b"" if predecessor_root is None else read_root(predecessor_root, "predecessor's root")
    given = b"" if collateral is None else read_file(collateral, "collateral")
    from xmtp_tee.enclave.process import receive as receive_store

    with console.progress("receiving the store"):
        store_id = receive_store(config, predecessor, own, given, others)
    console.result({"store_id": store_id}, f"the store {store_id} opens on this platform now")


def _config(
    console: Console,
    *,
    drivers: tuple[str, ...],
    tees: tuple[str, ...],
    state_dir: Path | None,
    simulator_salt: str,
    log_level: str,
    kms_key: str | None,
    kms_credentials: Path | None,
    kms_blob: Path | None,
    kms_connect: str | None,
    kms_authorities: Path | None,
    **options: Any,
) -> EnclaveConfig:
    """Return the configuration, having set up the log."""
    from xmtp_tee.enclave.config import EnclaveConfig, kms_config

    settings = Settings()
    named = settings.require("driver", drivers[0] if drivers else None)
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        stream=sys.stderr,
        level=log_level.upper(),
        format="%(asctime)sZ %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
    if named == "simulator":
        console.say(
            "SIMULATED: there is no TEE here. For development only.", colour="red", bold=True
        )
    folder = Path(settings.require("state-dir", state_dir)).absolute()
    return EnclaveConfig(
        state_dir=folder,
        kms=kms_config(
            folder,
            key=kms_key,
            credentials=kms_credentials,
            blob=kms_blob,
            connect=kms_connect,
            authorities=kms_authorities,
        ),
        driver=named,
        further_drivers=drivers[1:],
        tee=tees[0],
        further_tees=tees[1:],
        simulator_salt=simulator_salt.encode(),
        **options,
    )
