"""What the commands print: data on stdout, talk on stderr, colours on a terminal only.

With ``--json`` stdout carries exactly ONE JSON object, whose ``ok`` says whether the exit code is 0; the talk stays on
stderr. Commands that run until they are stopped (``watch``, ``enclave run``) print an object per line instead, and the
line of an error is the last.
"""

from __future__ import annotations

import json as json_module
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import click

from xmtp_tee.errors import ExitCode, XmtpTeeError
from xmtp_tee.verdict import CheckResult, Verdict

if TYPE_CHECKING:
    from xmtp_tee.attestation.several import Judged

COLOURS = {
    CheckResult.PASS: "green",
    CheckResult.WARN: "yellow",
    CheckResult.FAIL: "red",
    CheckResult.NOT_CHECKED: "yellow",
}
# C0 but tab and line feed, DEL, C1, what turns the direction of text, and what no encoding has.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# What takes longer than this is announced.
_PATIENCE_SECONDS = 2.0


class Console:
    """The two streams of one command."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json

    def say(self, text: str = "", *, colour: str | None = None, bold: bool = False) -> None:
        """Talk to the person, on stderr."""
        click.echo(paint(plain(text), sys.stderr, colour, bold=bold), err=True)

    def result(self, data: Mapping[str, object], text: str | Iterable[str]) -> None:
        """Print the command's result: ``data`` as JSON, or ``text``, on stdout."""
        if self.json:
            click.echo(json_module.dumps({"ok": True, **data}, indent=2, sort_keys=False))
            return
        for line in [text] if isinstance(text, str) else text:
            click.echo(plain(line))

    def line(self, data: Mapping[str, object], text: str) -> None:
        """Print one item of a stream on stdout at once: ``data`` as a JSON object in one line, or ``text``."""
        click.echo(json_module.dumps(dict(data)) if self.json else plain(text))
        sys.stdout.flush()

    def fail(self, error: XmtpTeeError) -> int:
        """Report an error and return the exit code."""
        if self.json:
            # In one line: a stream of objects may end so.
            click.echo(json_module.dumps({"ok": False, "error": error.as_dict()}))
        else:
            self.say(f"error: {error.message}", colour="red", bold=True)
            for label, value in (
                ("got", error.got),
                ("expected", error.expected),
                ("cause", error.cause),
                ("next", error.next_command),
                ("code", error.code),
            ):
                if value is not None:
                    self.say(f"  {label + ':':<10}{one_line(value)}")
        return int(error.exit_code)

    def verdict(
        self, verdict: Verdict, *, explain: bool = False, kinds: Sequence[Judged] = ()
    ) -> None:
        """Print a verdict: a line per check, the sentence, the level, what it does not show.

        Before it stand the checks of ``kinds``, which were judged together for it.
        """
        if self.json:
            data = {"ok": verdict.exit_code is ExitCode.VERIFIED, **verdict.as_dict()}
            if kinds:
                data["kinds"] = [{"tee": k.tee.label, **k.verdict.as_dict()} for k in kinds]
            click.echo(json_module.dumps(data, indent=2))
            return
        for kind in kinds:
            click.echo(paint(kind.tee.label, sys.stdout, None, bold=True))
            for line in _check_lines(kind.verdict, sys.stdout, explain=explain):
                click.echo(line)
            click.echo()
        for line in verdict_lines(verdict, sys.stdout, explain=explain):
            click.echo(line)

    @contextmanager
    def progress(self, label: str) -> Iterator[None]:
        """Announce what is going on once it has taken two seconds, and how long it took."""
        start = time.monotonic()
        timer = threading.Timer(_PATIENCE_SECONDS, self.say, (f"{label} ...",))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            took = time.monotonic() - start
            if took > _PATIENCE_SECONDS:
                self.say(f"{label}: {took:.1f} s")


def verdict_lines(verdict: Verdict, stream: IO[str], *, explain: bool) -> Iterator[str]:
    """Yield the lines of a verdict."""
    yield from _check_lines(verdict, stream, explain=explain)
    colour = "green" if verdict.exit_code == 0 else "red"
    yield ""
    yield paint(verdict.sentence, stream, colour, bold=True)
    yield f"Assurance level: {verdict.level.label}. {verdict.level.claim}"
    for text in verdict.not_shown:
        yield f"Not shown: {text}"


def _check_lines(verdict: Verdict, stream: IO[str], *, explain: bool) -> Iterator[str]:
    width = max((len(check.name) for check in verdict.checks), default=0)
    for check in verdict.checks:
        mark = paint(f"{check.result.value:<11}", stream, COLOURS[check.result])
        yield f"{mark} {check.name:<{width}}  {one_line(check.got or '')}".rstrip()
        if check.expected is not None and (explain or check.result is not CheckResult.PASS):
            yield f"{'':<11} {'':<{width}}  expected {one_line(check.expected)}"
        if explain and check.why:
            yield f"{'':<11} {'':<{width}}  why: {check.why}"


def plain(text: str) -> str:
    """Write control characters out: what others say must not command the reader's terminal."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    """Like :func:`plain`, line breaks included: a value is no second line."""
    return plain(text).replace("\n", "\\n")


def paint(text: str, stream: IO[str], colour: str | None, *, bold: bool = False) -> str:
    """Colour ``text`` if the stream is a terminal and NO_COLOR is not set."""
    if (colour is None and not bold) or os.environ.get("NO_COLOR") or not stream.isatty():
        return text
    return click.style(text, fg=colour, bold=bold)


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()
) -> list[str]:
    """Return a plain text table; the columns in ``right`` are right-aligned."""
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    return [line(header), line(["-" * width for width in widths]), *(line(row) for row in rows)]
