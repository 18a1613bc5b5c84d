"""``xmtp-tee enclave run``: the process that holds the keys."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

import click

from xmtp_tee.commands.config import Settings
from xmtp_tee.commands.console import Console
from xmtp_tee.commands.lazy import LazyGroup
from xmtp_tee.commands.options import json_option


@click.group(
    cls=LazyGroup,
    lazy={"run": ("xmtp_tee.commands.enclave:run", "Run the enclave until it is stopped.")},
)
def enclave() -> None:
    """Run the process that holds the keys."""


@click.command("run")
@click.option(
    "--driver",
    help="How this process attests itself: simulator, nitro, sevsnp. There is no default. "
    "[env: XMTP_TEE_DRIVER]",
)
@click.option(
    "--tee",
    default="tdx",
    show_default=True,
    help="Which TEE the simulator stands for: tdx, nitro, sevsnp.",
)
@click.option(
    "--certificates",
    type=click.Path(path_type=Path),
    help="SEV-SNP: the certificate table, for hosts that hand none over.",
)
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    help="The sealed store's folder, mode 0700. [env: XMTP_TEE_STATE_DIR]",
)
@click.option(
    "--socket",
    type=click.Path(path_type=Path),
    help="Where to listen; default: enclave.sock in the state folder. [env: XMTP_TEE_SOCKET]",
)
@click.option(
    "--store", help="Where the sealed store lies: a path, or postgresql://USER@HOST/DATABASE."
)
@click.option("--check-store", is_flag=True, help="Verify every record of the store at the start.")
@click.option(
    "--freshness-file",
    type=click.Path(path_type=Path),
    help="Keep the store's last state there, out of the host's reach, and refuse an older store.",
)
@click.option("--must-exist", is_flag=True, help="Refuse to make a new store if there is none.")
@click.option(
    "--accept-lost-audit",
    is_flag=True,
    help="Begin a new audit log although the store knows one that is gone.",
)
@click.option("--simulator-salt", default="", help="Change the simulator's measurement, for tests.")
@click.option(
    "--unsafe-simulate-on-hardware",
    is_flag=True,
    help="Allow the simulator on a machine that has a genuine TEE.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
)
@json_option
def run(
    driver: str | None,
    tee: str,
    certificates: Path | None,
    state_dir: Path | None,
    socket: Path | None,
    store: str | None,
    check_store: bool,
    freshness_file: Path | None,
    must_exist: bool,
    accept_lost_audit: bool,
    simulator_salt: str,
    unsafe_simulate_on_hardware: bool,
    log_level: str,
    console: Console,
) -> None:
    """Run the enclave until SIGTERM or Ctrl-C. One line on stdout says that clients can connect."""
    settings = Settings()
    named = settings.require("driver", driver)
    listen = settings.find("socket", socket)
    folder = Path(settings.require("state-dir", state_dir)).absolute()

    from xmtp_tee.enclave.config import EnclaveConfig
    from xmtp_tee.enclave.process import run as run_enclave

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
    # The default socket follows the state folder, also when that comes from a flag.
    chosen = None if listen is None or listen.source == "default" else Path(listen.value).absolute()
    config = EnclaveConfig(
        state_dir=folder,
        driver=named,
        socket=chosen,
        store=store,
        must_exist=must_exist,
        check_store=check_store,
        freshness_file=freshness_file,
        accept_lost_audit=accept_lost_audit,
        tee=tee,
        certificates=certificates,
        simulator_salt=simulator_salt.encode(),
        unsafe_simulate_on_hardware=unsafe_simulate_on_hardware,
    )

    def announce(line: str) -> None:
        click.echo(line if console.json else f"ready: {config.socket_path}")

    run_enclave(config, announce=announce)
