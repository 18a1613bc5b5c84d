"""A click group that imports a command when it is called, and turns every error into the one form.

``xmtp-tee --help`` must answer in under 0.3 s, and web3 alone takes a second to import. So the group knows
the names and the one-line help of its commands, and where each lives.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.errors import UsageError, XmtpTeeError


class Interrupted(UsageError):
    """The command was interrupted, or what it asked was not confirmed."""

    code = "cli.interrupted"


class LazyGroup(click.Group):
    """``lazy`` maps a command's name to (``module:attribute``, one-line help), in the order of ``--help``."""

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order given."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name."""
        if cmd_name not in self._lazy:
            return None
        module, attribute = self._lazy[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._lazy.items()])


class RootGroup(LazyGroup):
    """The top: exit codes 0 to 4, and errors as text on stderr or as the one JSON object on stdout."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *_: Any,
        **extra: Any,
    ) -> NoReturn:
        """Run, report, exit."""
        arguments = list(sys.argv[1:] if args is None else args)
        for stream in (sys.stdout, sys.stderr):
            # What the terminal's encoding lacks is written out; it is no reason to fail.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        extra["standalone_mode"] = False
        console = Console(json="--json" in arguments)
        try:
            _require_text(arguments)
            code = super().main(arguments, prog_name, **extra)
        except click.exceptions.Exit as stop:
            code = stop.exit_code
        except click.Abort:
            # Ctrl-C, the end of the input, or a question that was not answered with yes; its line is still open.
            console.say()
            code = console.fail(Interrupted("interrupted, or not confirmed"))
        except click.ClickException as error:
            code = console.fail(_from_click(error))
        except XmtpTeeError as error:
            code = console.fail(error)
        except BrokenPipeError:
            # The reader of our output went away, which is its right (`| head`).
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        sys.exit(code if isinstance(code, int) else 0)


def _require_text(arguments: Sequence[str]) -> None:
    """Refuse arguments in another encoding than UTF-8: Python keeps their bytes in a form that nothing else takes."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError(
                "an argument is not UTF-8", got=ascii(argument)[:80], expected="UTF-8"
            ) from None
        if "\0" in argument:
            raise UsageError("an argument has a zero byte", got=ascii(argument)[:80])


def _from_click(error: click.ClickException) -> XmtpTeeError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "xmtp-tee"
    return UsageError(error.format_message(), next_command=f"{path} --help")
