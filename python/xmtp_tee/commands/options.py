"""The options that several commands share, and what they resolve to.

Nothing heavy is imported at module level: ``--help`` of every command stays quick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xmtp_tee.commands.config import Settings
from xmtp_tee.commands.console import Console
from xmtp_tee.errors import UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.accounts import Sender
    from xmtp_tee.client.chain import Chain
    from xmtp_tee.client.deployment import Deployment
    from xmtp_tee.client.freshness import ReceiptBook
    from xmtp_tee.client.key_manager import KeyManager

F = TypeVar("F", bound=Callable[..., Any])


def json_option(function: F) -> F:
    """``--json``: the command gets ``console``."""

    def callback(ctx: click.Context, param: click.Parameter, value: bool) -> Console:
        return Console(json=value)

    return click.option(
        "--json",
        "console",
        is_flag=True,
        callback=callback,
        help="Print one JSON object on stdout.",
    )(function)


def socket_option(function: F) -> F:
    """``--socket``: the enclave's Unix socket."""
    return click.option(
        "--socket",
        type=click.Path(path_type=Path),
        help="The enclave's Unix socket. [env: XMTP_TEE_SOCKET]",
    )(function)


def chain_options(function: F) -> F:
    """``--rpc-url`` and ``--deployment``."""
    function = click.option(
        "--deployment",
        type=click.Path(path_type=Path),
        help="The deployment file. [env: XMTP_TEE_DEPLOYMENT]",
    )(function)
    return click.option(
        "--rpc-url", metavar="URL", help="The chain's node. [env: XMTP_TEE_RPC_URL, ETH_RPC_URL]"
    )(function)


def sender_options(function: F) -> F:
    """Who sends the transaction."""
    for decorator in (
        click.option(
            "--node-account",
            metavar="ADDRESS",
            help="Let the node sign: an unlocked account of a development node.",
        ),
        click.option(
            "--unsafe-private-key-env",
            metavar="NAME",
            help="Read a raw private key from this variable. Other processes may read it too.",
        ),
        click.option(
            "--password-file",
            type=click.Path(path_type=Path),
            help="The keystore's password, first line. [env: XMTP_TEE_PASSWORD_FILE, ETH_PASSWORD]",
        ),
        click.option(
            "--keystore",
            metavar="NAME|FILE",
            help="A Foundry keystore. [env: XMTP_TEE_KEYSTORE, ETH_KEYSTORE]",
        ),
    ):
        function = decorator(function)
    return function


def open_deployment(flag: Path | None, settings: Settings | None = None) -> Deployment:
    """Load the deployment file that the settings name."""
    from xmtp_tee.client.deployment import Deployment

    return Deployment.load(Path((settings or Settings()).require("deployment", flag)))


def open_chain(
    rpc_url: str | None, deployment: Path | None, console: Console
) -> tuple[Chain, Deployment]:
    """Connect, and refuse a node on another chain than the deployment's."""
    settings = Settings()
    where = open_deployment(deployment, settings)
    with console.progress("loading the chain client"):
        from xmtp_tee.client.chain import Chain

    chain = Chain(settings.require("rpc-url", rpc_url))
    chain.require_chain(where.chain_id)
    return chain, where


def open_keys(flag: Path | None, receipts: ReceiptBook | None = None) -> KeyManager:
    """Connect to the enclave, as the caller whose key the settings name, if they name one.

    A store that went back behind ``receipts``, by default those that the settings name, is refused.
    """
    from xmtp_tee.client.caller import CallerKey
    from xmtp_tee.client.freshness import ReceiptBook
    from xmtp_tee.client.key_manager import KeyManager

    settings = Settings()
    key, transport = settings.find("caller-key"), settings.find("transport-key")
    if receipts is None and (kept := settings.find("state-receipts")) is not None:
        receipts = ReceiptBook(Path(kept.value).expanduser())
    return KeyManager(
        Path(settings.require("socket", flag)),
        caller=None if key is None else CallerKey.load(key.value),
        transport_key=None
        if transport is None
        else hex_bytes(transport.value, "transport-key", 32),
        state_receipts=receipts,
    )


def open_sender(
    keystore: str | None,
    password_file: Path | None,
    unsafe_private_key_env: str | None,
    node_account: str | None,
) -> Sender:
    """Choose the sending account; at most one of the flags may name it, and settings stand behind them."""
    if unsafe_private_key_env is None and node_account is None:
        settings = Settings()
        keystore = settings.require("keystore", keystore)
        password = settings.find("password-file", password_file)
        password_file = None if password is None else Path(password.value)
    return open_account(keystore, password_file, unsafe_private_key_env, node_account)


def open_account(
    keystore: str | None,
    password_file: Path | None,
    unsafe_private_key_env: str | None,
    node_account: str | None,
) -> Sender:
    """Open the account that exactly one of these names; nothing is taken from the environment's settings.

    :raises UsageError: none or several, or a password for what needs none
    """
    named = [x for x in (keystore, unsafe_private_key_env, node_account) if x is not None]
    if len(named) != 1:
        raise UsageError(
            "one account is needed, and named once",
            got=f"{len(named)} flags",
            expected="a keystore, a node's account, or the variable with a private key",
        )
    from xmtp_tee.client import accounts

    if keystore is None:
        refuse_unread("Only a keystore has a password", {"password-file": password_file})
    if node_account is not None:
        return accounts.from_node(node_account)
    if unsafe_private_key_env is not None:
        return accounts.from_environment(unsafe_private_key_env)
    return accounts.from_keystore(
        named[0],
        password_file=password_file,
        prompt=lambda text: str(click.prompt(text, hide_input=True, err=True)),
    )


def refuse_unread(why: str, given: Mapping[str, object]) -> None:
    """Refuse options that were given where nothing reads them: an expectation must not be dropped in silence.

    ``given`` maps parameters' names to their values; None, False and () are what was not given.

    :raises UsageError: one of them was given
    """
    unread = [
        "--" + name.replace("_", "-")
        for name, value in given.items()
        if not (value is None or value is False or value == ())
    ]
    if unread:
        raise UsageError(f"{why}: an option says nothing here", got=", ".join(unread))


def hex_bytes(value: str, name: str, length: int) -> bytes:
    """Read ``length`` bytes from hex digits, with or without 0x."""
    digits = value.removeprefix("0x")
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        data = b""
    if len(data) != length or len(digits) != 2 * length:
        raise UsageError(f"{name} is malformed", got=value[:80], expected=f"{length} bytes in hex")
    return data
