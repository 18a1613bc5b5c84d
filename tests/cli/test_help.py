"""Every level has --help; usage errors exit 1; --json prints one object on stdout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from xmtp_tee.cli import main
from xmtp_tee.commands.lazy import LazyGroup


def commands(group: LazyGroup = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:  # type: ignore[assignment]
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, LazyGroup):
            yield from commands(command, (*path, name))


def run(*arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, away from any configuration."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("XMTP_TEE_")}
    clean.pop("ETH_RPC_URL", None)
    return subprocess.run(
        [sys.executable, "-m", "xmtp_tee.cli", *arguments],
        capture_output=True,
        text=True,
        env=clean | environment,
        input=given,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...]) -> None:
    result = CliRunner(mix_stderr=False).invoke(main, [*path, "--help"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def is_group(path: tuple[str, ...]) -> bool:
    """Whether other commands lie below it; a group by itself prints help alone."""
    return any(other != path and other[: len(path)] == path for other in commands())


@pytest.mark.parametrize("path", [p for p in commands() if not is_group(p)], ids=" ".join)
def test_every_command_takes_json(path: tuple[str, ...]) -> None:
    result = CliRunner(mix_stderr=False).invoke(main, [*path, "--help"], catch_exceptions=False)
    assert "--json" in result.stdout


def test_help_lists_every_exit_code() -> None:
    text = CliRunner(mix_stderr=False).invoke(main, ["--help"]).stdout
    for words in ("0 verified", "1 usage", "2 invalid", "3 network", "4 genuine"):
        assert words in " ".join(text.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["keys", "frobnicate"],
        ["keys", "new"],
        ["status", "--frobnicate"],
        ["status", "0x1234"],
        ["verify", "/no/such/file", "--root", "development"],
    ],
    ids=" ".join,
)
def test_usage_error_exits_1_with_one_json_object(arguments: list[str]) -> None:
    result = CliRunner(mix_stderr=False).invoke(main, [*arguments, "--json"])
    assert result.exit_code == 1
    error = json.loads(result.stdout)
    assert error["ok"] is False
    assert error["error"]["code"]
    assert error["error"]["exit_code"] == 1


def test_error_as_text_says_got_expected_next_and_code(tmp_path: Path) -> None:
    result = run("status", "0x" + "11" * 20, HOME=str(tmp_path))
    assert result.returncode == 1
    assert result.stdout == ""
    for label in ("error:", "expected:", "next:", "code:"):
        assert label in result.stderr


def test_unreachable_enclave_exits_3(tmp_path: Path) -> None:
    result = run("keys", "list", "--json", "--socket", str(tmp_path / "none.sock"))
    assert result.returncode == 3, result.stderr
    assert json.loads(result.stdout)["error"]["exit_code"] == 3


def test_unreachable_chain_exits_3(tmp_path: Path, deployment_file: Path) -> None:
    result = run(
        "status",
        "0x" + "11" * 20,
        "--json",
        *("--rpc-url", "http://127.0.0.1:1", "--deployment", str(deployment_file)),
    )
    assert result.returncode == 3, result.stderr
    assert json.loads(result.stdout)["error"]["code"] == "chain.unavailable"


def test_rpc_address_with_an_access_key_is_never_printed(deployment_file: Path) -> None:
    result = run(
        "status",
        "0x" + "11" * 20,
        *("--rpc-url", "http://127.0.0.1:1/v2/SECRET", "--deployment", str(deployment_file)),
    )
    assert result.returncode == 3
    assert "SECRET" not in result.stdout + result.stderr


def test_output_off_a_terminal_has_no_colours(tmp_path: Path) -> None:
    result = run("doctor", "--socket", str(tmp_path / "none"), "--rpc-url", "http://127.0.0.1:1")
    assert result.returncode == 3
    assert "\x1b[" not in result.stdout + result.stderr
    assert "not checked" in result.stdout


def test_interrupted_reader_is_no_error() -> None:
    command = f"'{sys.executable}' -m xmtp_tee.cli --help | head -n 1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("given", ["", "n\n"], ids=["end of input", "no"])
@pytest.mark.parametrize("command", ["destroy", "trim"])
def test_what_cannot_be_undone_is_asked_and_a_no_is_one_json_object(
    command: str, given: str
) -> None:
    arguments = ["keys", command, "00" * 16, "--socket", "nobody"]
    result = run(*arguments, "--json", given=given)
    assert result.returncode == 1
    answer = json.loads(result.stdout)
    assert (answer["ok"], answer["error"]["code"]) == (False, "cli.interrupted")
    assert "for ever?" in result.stderr
    text = run(*arguments, given=given)
    # The blank is the library's, which writes it before it reads an answer.
    assert (text.returncode, text.stdout.strip()) == (1, "")
    assert "not confirmed" in text.stderr
    asked = CliRunner(mix_stderr=False).invoke(main, [*arguments, "--yes", "--json"])
    assert asked.exit_code == 3


def test_dangerous_options_say_unsafe() -> None:
    """What accepts less than the rules ask for is named so that nobody passes it by accident."""
    accepting = re.compile(r"--(?!unsafe-)\S*(?:accept|unverified|insecure|simulate-on)\S*")
    for path in commands():
        text = CliRunner(mix_stderr=False).invoke(main, [*path, "--help"]).stdout
        assert accepting.findall(text) == [], path


def test_tee_of_the_enclave_is_a_choice(tmp_path: Path) -> None:
    flags = ["--driver", "simulator", "--state-dir", str(tmp_path), "--tee", "sgx1"]
    result = CliRunner(mix_stderr=False).invoke(main, ["enclave", "run", *flags, "--json"])
    assert result.exit_code == 1
    assert "sevsnp" in json.loads(result.stdout)["error"]["message"]


def test_error_is_one_line_so_that_a_stream_may_end_with_it(tmp_path: Path) -> None:
    result = CliRunner(mix_stderr=False).invoke(main, ["keys", "backup", "none", "--json"])
    assert len(result.stdout.splitlines()) == 1
