"""Files that are not what a command expects: a typed error and one JSON object, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.cli.test_evidence_file import QUOTES, saved
from xmtp_tee.attestation import TeeKind
from xmtp_tee.cli import main
from xmtp_tee.commands.files import MAX_FILE
from xmtp_tee.commands.keys_options import limits_of
from xmtp_tee.errors import UsageError

OWNER = "0x" + "11" * 20
CONTENTS = {
    "not-utf-8": b"\xff\xfe\x00secret",
    "deep": b"[" * 100_000,
    "deep-member": b'{"format": 1, "checkpoints": ' + b"[" * 100_000,
    "empty": b"",
    "twice": b'{"format": 1, "format": 1}',
    "infinite": b'{"format": 1, "counter": 1e999}',
    "a-long-number": b"1" * 5_000,
}
COMMANDS = {
    "verify": ("verify", "FILE", "--root", "development"),
    "collateral": ("verify", "EVIDENCE", "--root", "development", "--collateral", "FILE"),
    "deployment": ("status", OWNER, "--rpc-url", "http://127.0.0.1:1", "--deployment", "FILE"),
    "intent": ("intent", "show", "FILE"),
    "batch": ("register", "--batch", "FILE"),
    "receipt": ("audit", "receipt", "FILE", "--authority", OWNER),
    "policy": ("policy", "check", "FILE"),
    "backup": ("keys", "backup", "FILE"),
    "shares": ("keys", "import", "FILE", "--shares-file", "FILE", "--socket", "nobody"),
    "private-key": ("keys", "import", "FILE", "--private-key-file", "FILE", "--socket", "nobody"),
    "password": ("keys", "import", "FILE", "--password-file", "FILE", "--socket", "nobody"),
    "owners": ("lookup", "--file", "FILE", "--rpc-url", "http://127.0.0.1:1", "--deployment", "D"),
    "caller": ("keys", "list", "--socket", "nobody"),
}


def said(*arguments: str, code: int | None = None) -> dict[str, Any]:
    """The one JSON object of a command that fails."""
    done = CliRunner(mix_stderr=False).invoke(main, [*arguments, "--json"])
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code in ((1, 2, 3) if code is None else (code,))
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["ok"] is False
    assert "secret" not in done.stdout + done.stderr
    return answer


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_bad_file_ends_in_one_json_object(
    command: str,
    content: str,
    tmp_path: Path,
    deployment_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "file"
    file.write_bytes(CONTENTS[content])
    if command == "caller":
        monkeypatch.setenv("XMTP_TEE_CALLER_KEY", str(file))
    evidence = saved(tmp_path, TeeKind.TDX, QUOTES[TeeKind.TDX])
    names = {"FILE": str(file), "D": str(deployment_file), "EVIDENCE": str(evidence)}
    said(*(names.get(each, each) for each in COMMANDS[command]))


@pytest.mark.parametrize("kind", [[], {}, None, 7, ["register"]])
def test_intent_of_a_kind_that_is_no_text_is_refused(kind: object, tmp_path: Path) -> None:
    names = ("chainId", "keyRegistry", "owner", "identityKey", "preKey", "preKeySignature")
    rest = ("attestationProof", "nonce", "deadline", "signature")
    file = tmp_path / "intent.json"
    file.write_text(json.dumps({"format": 1, "intent": kind, **dict.fromkeys((*names, *rest), 0)}))
    assert said("intent", "show", str(file), code=1)["error"]["code"] == "intent.invalid"


def test_file_without_end_is_refused(tmp_path: Path) -> None:
    answer = said("keys", "backup", "/dev/zero", code=1)
    assert str(MAX_FILE) in answer["error"]["expected"]


@pytest.mark.parametrize("rate", ["\u00b2/3", "1/\u0663", "1", "1/2/3", "1/" + "9" * 5_000, "-1/2"])
def test_rate_that_is_no_pair_of_numbers_is_a_usage_error(rate: str) -> None:
    with pytest.raises(UsageError, match="--rate"):
        limits_of(None, None, rate)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:notaport/v2/KEY-OF-ACCESS",
        "http://[::1/v2/KEY-OF-ACCESS",
        "http:///v2/KEY-OF-ACCESS",
        "ftp://node/v2/KEY-OF-ACCESS",
        "KEY-OF-ACCESS",
        "http://node:0/KEY-OF-ACCESS",
        "http://node:99999/KEY-OF-ACCESS",
    ],
)
def test_malformed_node_address_is_a_usage_error_that_does_not_repeat_it(
    url: str, deployment_file: Path
) -> None:
    where = ("--rpc-url", url, "--deployment", str(deployment_file))
    answer = said("status", OWNER, *where, code=1)
    assert "KEY-OF-ACCESS" not in json.dumps(answer)
    assert answer["error"]["code"] == "xmtp-tee.usage"
