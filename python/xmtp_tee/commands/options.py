"""The options that several commands share, and what they resolve to.

Nothing heavy is imported at module level: ``--help`` of every command stays quick.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xmtp_tee.commands.config import Settings
from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import expanded
from xmtp_tee.errors import UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.accounts import Sender
    from xmtp_tee.client.chain import Chain
    from xmtp_tee.client.deployment import Deployment
    from xmtp_tee.client.freshness import ReceiptBook
    from xmtp_tee.client.key_manager import KeyManager

_GREATEST_AMOUNT = 1_000_000_000
F = TypeVar("F", bound=Callable[..., Any])


class Amount(click.FloatRange):
    """A finite number of seconds or gwei: a range lets "nan" and "inf" pass, and no clock takes them."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number; refuse what is not finite, or above a thousand million."""
        number = float(super().convert(value, param, ctx))
        if not number <= _GREATEST_AMOUNT:
            self.fail(f"{str(value)[:40]} is no amount up to {_GREATEST_AMOUNT:,}.", param, ctx)
        return number


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


def gathered(
    function: Callable[..., Any], name: str, kind: type[Any], options: Iterable[Callable[[F], F]]
) -> Callable[..., Any]:
    """Give a command several options as the one object ``name``.

    ``kind`` is a dataclass whose fields are called as the options' parameters. ``options`` are in the order of
    ``--help``.
    """

    @functools.wraps(function)
    def command(**given: Any) -> Any:
        made = kind(**{each.name: given.pop(each.name) for each in fields(kind)})
        return function(**{name: made}, **given)

    decorated: Any = command
    for option in reversed(list(options)):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class SenderChoice:
    """Who sends the transaction, as the flags name it. Nothing is opened and no password asked before :meth:`open`.

    :raises UsageError: several accounts are named, or a password for one that has none
    """

    keystore: str | None
    password_file: Path | None
    unsafe_private_key_env: str | None
    node_account: str | None

    def __post_init__(self) -> None:
        others = [x for x in (self.unsafe_private_key_env, self.node_account) if x is not None]
        named = len(others) + (self.keystore is not None)
        if named > 1:
            raise _not_one_account(named)
        if others:
            refuse_unread("Only a keystore has a password", {"password-file": self.password_file})

    def open(self) -> Sender:
        """Open the account that a flag names, else the keystore that the settings name.

        :raises SettingMissing: neither names one
        :raises SenderError: it cannot be opened
        """
        if self.unsafe_private_key_env is not None or self.node_account is not None:
            return self.open_named()
        settings = Settings()
        password = settings.find("password-file", self.password_file)
        return replace(
            self,
            keystore=settings.require("keystore", self.keystore),
            password_file=None if password is None else Path(password.value),
        ).open_named()

    def open_named(self) -> Sender:
        """Open the account that a flag names; nothing is taken from the environment's settings.

        :raises UsageError: no flag names one
        :raises SenderError: it cannot be opened
        """
        from xmtp_tee.client import accounts

        if self.node_account is not None:
            return accounts.from_node(self.node_account)
        if self.unsafe_private_key_env is not None:
            return accounts.from_environment(self.unsafe_private_key_env)
        if self.keystore is None:
            raise _not_one_account(0)
        return accounts.from_keystore(
            self.keystore,
            password_file=self.password_file,
            prompt=lambda text: str(click.prompt(text, hide_input=True, err=True)),
        )


@dataclass(frozen=True, slots=True)
class ChainChoice:
    """Which chain and which deployment, as the flags name them. Nothing is read before it is asked for."""

    rpc_url: str | None
    deployment: Path | None

    def load(self) -> Deployment:
        """Load the deployment file that flag or settings name; no node is asked.

        :raises SettingMissing: none is named
        :raises DeploymentInvalid: it cannot be read
        """
        from xmtp_tee.client.deployment import Deployment

        return Deployment.load(Path(Settings().require("deployment", self.deployment)))

    def connect(self, console: Console) -> tuple[Chain, Deployment]:
        """Connect, and refuse a node on another chain than the deployment's."""
        chain, deployment = self._named(console)
        chain.require_chain(deployment.chain_id)
        return chain, deployment

    def connect_as(
        self, sender: SenderChoice, console: Console
    ) -> tuple[Chain, Deployment, Sender]:
        """Like :meth:`connect`, for a command that sends whatever the chain says.

        The account is opened after everything that the arguments name was read, and before the node is asked.
        """
        chain, deployment = self._named(console)
        account = sender.open()
        chain.require_chain(deployment.chain_id)
        return chain, deployment, account

    def _named(self, console: Console) -> tuple[Chain, Deployment]:
        """Return both without asking the node."""
        deployment = self.load()
        with console.progress("loading the chain client"):
            from xmtp_tee.client.chain import Chain
        return Chain(Settings().require("rpc-url", self.rpc_url)), deployment


def chain_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--rpc-url`` and ``--deployment``: the command gets ``where``."""
    return gathered(
        function,
        "where",
        ChainChoice,
        (
            click.option(
                "--rpc-url",
                metavar="URL",
                help="The chain's node. [env: XMTP_TEE_RPC_URL, ETH_RPC_URL]",
            ),
            deployment_option,
        ),
    )


def deployment_option(function: F) -> F:
    """``--deployment`` alone, for commands that ask no node."""
    return click.option(
        "--deployment",
        type=click.Path(path_type=Path),
        help="The deployment file. [env: XMTP_TEE_DEPLOYMENT]",
    )(function)


def sender_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Who sends the transaction: the command gets ``sender``."""
    return gathered(
        function,
        "sender",
        SenderChoice,
        (
            click.option(
                "--keystore",
                metavar="NAME|FILE",
                help="A Foundry keystore. [env: XMTP_TEE_KEYSTORE, ETH_KEYSTORE]",
            ),
            click.option(
                "--password-file",
                type=click.Path(path_type=Path),
                help="The keystore's password, first line. [env: XMTP_TEE_PASSWORD_FILE, ETH_PASSWORD]",
            ),
            click.option(
                "--unsafe-private-key-env",
                metavar="NAME",
                help="Read a raw private key from this variable. Other processes may read it too.",
            ),
            click.option(
                "--node-account",
                metavar="ADDRESS",
                help="Let the node sign: an unlocked account of a development node.",
            ),
        ),
    )


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
        receipts = ReceiptBook(expanded(Path(kept.value), "receipts"))
    return KeyManager(
        Path(settings.require("socket", flag)),
        caller=None if key is None else CallerKey.load(key.value),
        transport_key=None
        if transport is None
        else hex_bytes(transport.value, "transport-key", 32),
        state_receipts=receipts,
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


def _not_one_account(named: int) -> UsageError:
    return UsageError(
        "one account is needed, and named once",
        got=f"{named} flags",
        expected="a keystore, a node's account, or the variable with a private key",
    )
