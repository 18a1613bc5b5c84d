"""What arguments, files and nodes can say without a traceback, and without a word to the reader's terminal."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.backup.support import sealed
from tests.backup.test_container import reheaded
from tests.cli.test_evidence_file import QUOTES, saved
from xmtp_tee.attestation import TeeKind
from xmtp_tee.cli import main
from xmtp_tee.commands.console import one_line, plain, table
from xmtp_tee.dates import CALENDAR_END, show_time

OWNER = "0x" + "11" * 20
WORD = "0x" + "00" * 32


def invoke(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(main, list(arguments))


def refused(*arguments: str, codes: tuple[int, ...] = (1,)) -> dict[str, Any]:
    """The error of a command, as its one JSON object; its text form is no traceback either."""
    done = invoke(*arguments, "--json")
    assert isinstance(done.exception, SystemExit), repr(done.exception)
    assert done.exit_code in codes, done.stdout
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["ok"] is False
    assert isinstance(invoke(*arguments).exception, SystemExit)
    return answer


# --- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", ["\udcff", "a\udc80b", "\0", "a\0b"])
@pytest.mark.parametrize(
    "command",
    [
        ("keys", "list", "--socket", "nobody", "--label"),
        ("keys", "seal", "ID", "--socket", "nobody", "--aad"),
        ("enclave", "run", "--driver", "tdx", "--simulator-salt"),
        ("verify", "--root", "development"),
        ("status",),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_argument_that_is_no_text_is_a_usage_error(command: tuple[str, ...], argument: str) -> None:
    assert refused(*command, argument)["error"]["code"] == "xmtp-tee.usage"


@pytest.mark.parametrize("amount", ["nan", "inf", "-inf", "1e400", "1000000001", "-1"])
@pytest.mark.parametrize(
    "option",
    [
        ("anchor", "submit", "--max-fee"),
        ("anchor", "watch", "--soon"),
        ("anchor", "watch", "--later"),
        ("anchor", "watch", "--interval"),
        ("watch", OWNER, "--interval"),
    ],
    ids=lambda option: option[-1],
)
def test_amount_that_no_clock_takes_is_a_usage_error(option: tuple[str, ...], amount: str) -> None:
    refused(*option, amount)


def test_greatest_amount_is_taken(deployment_file: Path) -> None:
    where = ("--rpc-url", "http://127.0.0.1:1", "--deployment", str(deployment_file))
    refused("watch", OWNER, "--interval", "1000000000", *where, codes=(3,))


def test_floor_of_five_thousand_digits_is_a_usage_error(tmp_path: Path) -> None:
    file = saved(tmp_path, TeeKind.SEV_SNP, QUOTES[TeeKind.SEV_SNP])
    floor = "1,2,3," + "9" * 5_000
    refused("verify", str(file), "--root", "amd", "--tcb-floor", floor)


@pytest.mark.parametrize("folder", ["x" * 300, "file/below"])
def test_state_folder_that_cannot_be_made_is_refused(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    flags = ("--driver", "simulator", "--state-dir", str(tmp_path / folder))
    answer = refused("enclave", "run", *flags, codes=(1, 4))
    assert "Traceback" not in json.dumps(answer)


def test_home_of_nobody_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    refused("store", "check", "~nobody-of-this-name/x", "--socket", "nobody")
    refused("store", "new-recovery-key", "~nobody-of-this-name/x")
    monkeypatch.setenv("XMTP_TEE_STATE_RECEIPTS", "~nobody-of-this-name/x")
    refused("keys", "list", "--socket", "nobody")


# --- what is printed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "control", ["\x1b[2J", "\r", "\x07", "\x9b31m", "\u202e", "\udcff", "\x7f"]
)
def test_strangers_words_do_not_command_the_terminal(control: str) -> None:
    assert plain(f"a{control}b") != f"a{control}b"
    assert plain(f"a{control}b").isprintable()
    assert control not in "".join(table(["column"], [[control]]))


def test_text_stays_as_it_is() -> None:
    text = "Grüße, 世界 🙂\n\tnext"
    assert plain(text) == text
    assert one_line("a\nb") == "a\\nb"


def test_name_of_a_file_does_not_reach_the_terminal_raw() -> None:
    done = invoke("verify", "no\x1b[2Jfile\nok", "--root", "development")
    assert done.exit_code == 1
    assert "\x1b" not in done.stderr
    assert "no\\x1b[2Jfile\\nok" in done.stderr


def test_name_of_an_option_does_not_reach_the_terminal_raw() -> None:
    done = invoke("status", "--no\x1b[2Joption")
    assert done.exit_code == 1
    assert "\x1b" not in done.stderr
    assert "--no\\x1b[2Joption" in done.stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01 00:00:00 UTC"),
        (CALENDAR_END - 1, "9999-12-31 23:59:59 UTC"),
        (CALENDAR_END, f"{CALENDAR_END} (unix seconds)"),
        (1 << 64, f"{1 << 64} (unix seconds)"),
        (-1, "-1 (unix seconds)"),
    ],
)
def test_no_number_is_too_much_for_a_date(seconds: int, text: str) -> None:
    assert show_time(seconds) == text


def test_backup_from_after_the_calendars_end_is_shown(tmp_path: Path) -> None:
    data, _ = sealed()
    file = tmp_path / "backup"
    file.write_bytes(reheaded(data, exported_at=(1 << 40) - 1))
    done = invoke("keys", "backup", str(file))
    assert done.exit_code == 0, done.stderr
    assert f"{(1 << 40) - 1} (unix seconds)" in done.stdout


# --- nodes ----------------------------------------------------------------------------------------

BLOCK = {
    "number": "0x5",
    "hash": "0x" + "11" * 32,
    "parentHash": "0x" + "11" * 32,
    "timestamp": "0x70000000",
}


@dataclass
class Node:
    """A node on the deployment's chain that gives one answer to one method, and something plausible to others."""

    method: str = ""
    answer: object = None
    body: bytes | None = None
    url: str = field(default="", init=False)

    def reply(self, request: dict[str, Any]) -> bytes:
        usual = {"eth_chainId": hex(31337), "eth_getCode": "0x60", "eth_getBlockByNumber": BLOCK}
        result = usual.get(request["method"], WORD * 2)
        if request["method"] == self.method:
            if self.body is not None:
                return self.body
            result = self.answer  # type: ignore[assignment]
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    made = Node()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["content-length"])
            body = made.reply(json.loads(self.rfile.read(size)))
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()
        thread.join()


ANSWERS = {
    "null": None,
    "true": True,
    "negative": -1,
    "float": 1.5,
    "empty": "",
    "no digits": "0x",
    "no hex": "0xzz",
    "short": "0x" + "00" * 31,
    "all ones": "0x" + "ff" * 32 * 40,
    "list": [],
    "list of null": [None],
    "object": {},
    "block alone": {"number": "0x5"},
    "block without time": BLOCK | {"timestamp": None},
    "block of the far future": BLOCK | {"timestamp": "0x" + "ff" * 8},
    "block with a short hash": BLOCK | {"hash": "0x11"},
    "block of a great number": BLOCK | {"number": "0x" + "ff" * 9},
}
BODIES = {
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "deep": b"[" * 100_000,
    "an error of nothing": b'{"error":null}',
    "a revert of no hex": b'{"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"execution reverted","data":"0xzz"}}',
}


def asked(node: Node, deployment: Path, *command: str) -> None:
    """Run a command before the node: any exit code, and one JSON object."""
    flags = ("--rpc-url", node.url, "--deployment", str(deployment), "--json")
    done = CliRunner(mix_stderr=False).invoke(main, [*command, *flags])
    assert isinstance(done.exception, SystemExit | None), repr(done.exception)
    assert isinstance(json.loads(done.stdout), dict)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(
    "method", ["eth_chainId", "eth_getCode", "eth_call", "eth_getBlockByNumber", "eth_getLogs"]
)
def test_answer_of_another_shape_is_an_error_with_a_code(
    method: str, answer: str, node: Node, deployment_file: Path
) -> None:
    node.method, node.answer = method, ANSWERS[answer]
    asked(node, deployment_file, "status", OWNER)
    asked(node, deployment_file, "history", OWNER)
    asked(node, deployment_file, "intent", "cancel", "--yes", "--node-account", OWNER)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("method", ["eth_chainId", "eth_call"])
def test_answer_that_is_none_is_an_error_with_a_code(
    method: str, body: str, node: Node, deployment_file: Path
) -> None:
    node.method, node.body = method, BODIES[body]
    asked(node, deployment_file, "status", OWNER)


def test_deep_answer_ends_no_process_whose_recursion_limit_a_library_has_raised(
    node: Node, deployment_file: Path
) -> None:
    node.method, node.body = "eth_chainId", b"[" * 200_000
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        asked(node, deployment_file, "status", OWNER)
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize("method", ["eth_call", "eth_getBlockByNumber", "eth_getCode"])
def test_doctor_says_what_a_broken_node_fails_in(
    method: str, node: Node, deployment_file: Path
) -> None:
    node.method, node.answer = method, "0xzz"
    flags = ("--rpc-url", node.url, "--deployment", str(deployment_file), "--socket", "nobody")
    done = invoke("doctor", *flags, "--json")
    assert done.exit_code == 3, done.stderr
    findings = {each["name"]: each["result"] for each in json.loads(done.stdout)["findings"]}
    failing = {
        "eth_call": "P256VERIFY",
        "eth_getBlockByNumber": "clock",
        "eth_getCode": "deployment",
    }
    assert findings[failing[method]] == "fail"


def test_doctor_tells_of_a_configuration_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "xmtp-tee").mkdir()
    (tmp_path / "xmtp-tee" / "config.toml").write_text("unknown = 1")
    done = invoke("doctor", "--json")
    assert done.exit_code == 3, done.stderr
    findings = {each["name"]: each["result"] for each in json.loads(done.stdout)["findings"]}
    assert (findings["configuration"], findings["chain"]) == ("fail", "not checked")
