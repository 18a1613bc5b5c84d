"""How a script changes something: by a transaction, an announcement under the lock, or calldata for a multisig."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click
from ape.contracts import ContractInstance
from ape.exceptions import ContractLogicError, CustomError

from scripts._common import (
    account_option,
    deployed,
    deployment_option,
    gas_limit,
    load_deployment,
    quiet,
    sending_account,
    span,
)
from scripts._pending import addition_id, in_words
from xmtp_tee.client.deployment import Deployment


@dataclass(frozen=True)
class Actor:
    """Sends, or prints what another must send: an owner that is a multisig has no Ape account."""

    where: Deployment
    alias: str | None
    print_calldata: bool

    @property
    def policy(self) -> ContractInstance:
        return deployed(self.where, "EnclavePolicy")

    def act(self, contract: str, function: str, *arguments: Any) -> bool:
        """Call a function now. Return False when its calldata was printed instead."""
        instance = deployed(self.where, contract)
        method = getattr(instance, function)
        if self.print_calldata:
            self._print(instance.address, bytes(method.encode_input(*arguments)))
            return False
        with _refusals_in_words():
            method(*arguments, sender=sending_account(self.alias), **gas_limit())
        return True

    def add(self, function: str, *arguments: Any) -> bool:
        """Make an addition to the policy, or announce it where there is a lock. Return True when it was made."""
        policy = self.policy
        delay = policy.additionDelay()
        if delay == 0:
            return self.act("EnclavePolicy", function, *arguments)
        call = bytes(getattr(policy, function).encode_input(*arguments))
        if not self.act("EnclavePolicy", "scheduleAddition", call):
            return False
        identifier = addition_id(call)
        executable_at, lapses_at = policy.scheduledAddition(identifier)
        click.echo(f"announced: 0x{identifier.hex()}")
        click.echo(f"  waits {span(delay)}: from {_date(executable_at)} to {_date(lapses_at)}")
        click.echo(f"  then: ape run policy execute 0x{identifier.hex()}")
        return False

    def send(self, address: str, call: bytes) -> None:
        """Send calldata as it is."""
        if self.print_calldata:
            self._print(address, call)
            return
        with _refusals_in_words():
            sending_account(self.alias).transfer(address, 0, data=call, **gas_limit())

    def _print(self, address: str, call: bytes) -> None:
        click.echo(f"to:   {address}")
        click.echo(f"data: 0x{call.hex()}")


@contextmanager
def _refusals_in_words() -> Iterator[None]:
    try:
        yield
    except CustomError as error:
        values = ", ".join(f"{name}: {in_words(value)}" for name, value in error.inputs.items())
        raise click.ClickException(f"refused: {error.name}({values})") from error
    except ContractLogicError as error:
        raise click.ClickException(f"refused: {error}") from error


def _date(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def act_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its :class:`Actor` in place of --deployment, --account and --calldata."""

    @wraps(command)
    def wrapped(*, deployment: Path, alias: str | None, calldata: bool, **arguments: Any) -> None:
        quiet()
        command(Actor(load_deployment(deployment), alias, calldata), **arguments)

    option = click.option(
        "--calldata", is_flag=True, help="Print what the owner must send, and send nothing."
    )
    return deployment_option(account_option(option(wrapped)))
