"""xmtp-tee collateral: where it comes from, what it says, and the exit codes that alerts rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.attestation.support import attestation
from tests.client.collateral_support import DAY, ISSUED_AT, NOW, PKI, Desk, answers_for, serve
from xmtp_tee.attestation import Collateral, TeeKind
from xmtp_tee.attestation.simulator import CollateralRecipe, QuoteRecipe
from xmtp_tee.cli import main
from xmtp_tee.commands.collateral import duration
from xmtp_tee.commands.files import MAX_FILE
from xmtp_tee.commands.options import ChainChoice
from xmtp_tee.errors import UsageError

COLLATERAL = CollateralRecipe().build(ISSUED_AT)
UNTIL = ISSUED_AT + CollateralRecipe().lifetime


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The commands before a verifier in memory."""
    made = Desk()
    made.chain.collateral = COLLATERAL
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(
        "xmtp_tee.commands.collateral._sync", lambda *_: (made.sync, made.verifier.now)
    )
    monkeypatch.setattr(ChainChoice, "connect", lambda *_: (None, None))
    monkeypatch.setattr(ChainChoice, "connect_as", lambda *_: (None, None, object()))
    return made


def run(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(main, ["collateral", *arguments])


def answer(result: Result, code: int) -> dict[str, Any]:
    """The one JSON object on stdout, after the exit code."""
    assert result.exit_code == code, result.output + result.stderr
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


def pieces(folder: Path, collateral: Collateral) -> dict[str, Path]:
    """Intel's own pieces as files."""
    contents: dict[str, bytes] = {
        "tcb-info": (
            f'{{"tcbInfo":{collateral.tcb_info},'
            f'"signature":"{collateral.tcb_info_signature.hex()}"}}'
        ).encode(),
        "qe-identity": (
            f'{{"enclaveIdentity":{collateral.qe_identity},'
            f'"signature":"{collateral.qe_identity_signature.hex()}"}}'
        ).encode(),
        "root-crl": collateral.root_ca_crl.hex().encode() + b"\n",
        "pck-crl": collateral.pck_crl,
        "pck-chain": collateral.pck_crl_issuer_chain.encode(),
        "tcb-chain": collateral.tcb_info_issuer_chain.encode(),
    }
    files = {}
    for name, content in contents.items():
        files[name] = folder / name
        files[name].write_bytes(content)
    return files


def flags(files: dict[str, Path]) -> list[str]:
    return [text for name, path in files.items() for text in (f"--{name}", str(path))]


# --- submit -----------------------------------------------------------------------------------------


def test_submit_takes_the_all_in_one_file(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "collateral.json"
    file.write_text(COLLATERAL.to_json())
    document = answer(run("submit", "--file", str(file), "--json"), 0)
    assert [piece["sent"] for piece in document["pieces"]] == [True] * 6
    assert len(desk.verifier.sent) == 6
    again = run("submit", "--file", str(file))
    assert again.exit_code == 0
    assert again.stdout.count("known") == 6
    assert len(desk.verifier.sent) == 6


def test_submit_takes_intels_own_pieces(desk: Desk, tmp_path: Path) -> None:
    answer(run("submit", *flags(pieces(tmp_path, COLLATERAL)), "--json"), 0)
    assert len(desk.verifier.sent) == 6


def test_submit_names_the_pieces_that_are_missing(desk: Desk, tmp_path: Path) -> None:
    files = pieces(tmp_path, COLLATERAL)
    del files["pck-crl"], files["tcb-chain"]
    error = answer(run("submit", *flags(files), "--json"), 1)["error"]
    assert error["expected"] == "--pck-crl, --tcb-chain"


def test_submit_takes_a_collateral_service_and_the_quotes_certificate(
    desk: Desk, tmp_path: Path
) -> None:
    quote = tmp_path / "quote.bin"
    quote.write_bytes(QuoteRecipe().build() + bytes(100))
    with serve(answers_for(COLLATERAL, TeeKind.TDX, "platform")) as service:
        arguments = ["submit", "--pccs", service.url, "--quote", str(quote), "--json"]
        document = answer(run(*arguments), 0)
    assert len(desk.verifier.sent) == 7
    assert document["pieces"][-1]["what"] == "platform's PCK certificate"


def test_submit_takes_a_collateral_service_and_a_family(desk: Desk, tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    family = ["--tee", "tdx", "--fmspc", "0xDE7E10000000", "--ca", "platform"]
    with serve(answers_for(COLLATERAL, TeeKind.TDX, "platform")) as service:
        answer(run("submit", "--pccs", service.url, *family, "--save", str(saved), "--json"), 0)
        error = answer(run("submit", "--pccs", service.url, *family[:4], "--json"), 1)["error"]
    assert "--ca" in error["expected"]
    assert Collateral.from_json(saved.read_text()) == COLLATERAL
    assert len(desk.verifier.sent) == 6


def test_submit_says_unavailable_of_a_service_that_is_gone(desk: Desk) -> None:
    family = ["--tee", "tdx", "--fmspc", "DE7E10000000", "--ca", "platform"]
    document = answer(run("submit", "--pccs", "http://127.0.0.1:1", *family, "--json"), 3)
    assert document["error"]["code"] == "pccs.unavailable"
    assert desk.verifier.sent == []


@pytest.mark.parametrize("tee", ["tdx", "sgx"])
def test_submit_makes_the_simulators_collateral(desk: Desk, tee: str) -> None:
    sgx = tee == "sgx"
    recipe = CollateralRecipe.sgx() if sgx else CollateralRecipe()
    desk.chain.collateral = recipe.build(NOW - 3600)
    answer(run("submit", "--development", "--tee", tee, "--json"), 0)
    texts = {key[1] for key in desk.verifier.texts}
    assert texts == {TeeKind.SGX if sgx else TeeKind.TDX}


def test_submit_reads_the_quote_of_saved_evidence(desk: Desk, tmp_path: Path) -> None:
    evidence = tmp_path / "evidence.json"
    evidence.write_text(attestation().to_json())
    desk.chain.collateral = CollateralRecipe().build(NOW - 3600)
    answer(run("submit", "--development", "--quote", str(evidence), "--json"), 0)
    assert desk.verifier.sent[-1] == "submitPckCertificate"


def test_submit_dry_run_sends_nothing(desk: Desk) -> None:
    document = answer(run("submit", "--development", "--dry-run", "--json"), 0)
    assert [piece["lacking"] for piece in document["pieces"]] == [True] * 6
    assert desk.verifier.sent == []
    assert run("submit", "--development", "--dry-run").stdout.count("would be sent") == 6


@pytest.mark.parametrize("arguments", [[], ["--development", "--file", "x"]], ids=len)
def test_submit_takes_exactly_one_source(desk: Desk, arguments: list[str]) -> None:
    assert "one source" in answer(run("submit", *arguments, "--json"), 1)["error"]["message"]


def test_submit_refuses_what_the_chain_would_refuse(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "collateral.json"
    file.write_text(CollateralRecipe(tcb_signer=PKI.issue_pck()).build(ISSUED_AT).to_json())
    assert answer(run("submit", "--file", str(file), "--json"), 2)["ok"] is False
    file.write_text(CollateralRecipe().build(NOW - 40 * DAY).to_json())
    lapsed = answer(run("submit", "--file", str(file), "--json"), 3)
    assert lapsed["error"]["code"] == "attestation.collateral-lapsed"
    assert desk.verifier.sent == []


def test_submit_refuses_files_that_are_none(desk: Desk, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(MAX_FILE + 1))
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for file in (tmp_path / "none", tmp_path, big, binary):
        assert answer(run("submit", "--file", str(file), "--json"), 1)["ok"] is False


# --- show and watch ---------------------------------------------------------------------------------


def test_show_lists_every_piece_and_never_fails_for_its_state(desk: Desk) -> None:
    assert answer(run("show", "--json"), 0)["state"] == "missing"
    desk.bring()
    document = answer(run("show", "--json"), 0)
    assert document["state"] == "in-force"
    assert {item["component"] for item in document["holdings"]} == {
        "pck-ca",
        "pck-crl",
        "root-crl",
        "tcb-info",
        "tcb-signer",
        "qe-identity",
    }
    text = run("show").stdout
    assert "TCB info, tdx, FMSPC de7e10000000" in text
    assert "29.0" in text


@pytest.mark.parametrize(
    ("now", "within", "code", "state"),
    [
        (UNTIL - 7 * DAY - 1, "7d", 0, "in-force"),
        (UNTIL - 7 * DAY, "7d", 4, "due"),
        (UNTIL - 1, "1s", 4, "due"),
        (UNTIL - 1, "0s", 0, "in-force"),
        (UNTIL, "7d", 3, "lapsed"),
        (UNTIL - 3600, "59m", 0, "in-force"),
        (UNTIL - 3600, "1h", 4, "due"),
    ],
)
def test_watch_exits_by_what_is_left(
    desk: Desk, now: int, within: str, code: int, state: str
) -> None:
    desk.bring()
    desk.verifier.now = now
    document = answer(run("watch", "--within", within, "--json"), code)
    assert document["state"] == state
    assert document["exit_code"] == code
    assert document["ok"] is (code == 0)
    expected = {
        "PCK CA's revocation list",
        "root CA's revocation list",
        "TCB info, tdx, FMSPC de7e10000000",
        "QE identity, tdx",
    }
    assert set(document["short"]) == (expected if code else set())


def test_watch_says_which_component_is_short(desk: Desk) -> None:
    desk.bring(CollateralRecipe(crl_lifetime=3 * DAY))
    result = run("watch", "--within", "7d")
    assert result.exit_code == 4
    assert "due: root CA's revocation list" in result.stderr
    assert "due: PCK CA's revocation list" in result.stderr
    assert "TCB info" not in result.stderr
    assert run("watch", "--within", "1d").exit_code == 0


def test_watch_of_a_new_verifier_says_missing(desk: Desk) -> None:
    document = answer(run("watch", "--json"), 3)
    assert document["state"] == "missing"
    assert "TCB info" in document["short"]


def test_watch_of_one_family_leaves_the_others_out(desk: Desk) -> None:
    desk.bring()
    other = "00606a000000"
    record = ("0x", NOW - 60 * DAY, NOW - 30 * DAY, 17, next(iter(desk.verifier.authorities)))
    key = {"tee": 2, "fmspc": bytes.fromhex(other), "pceid": bytes(2)}
    desk.verifier.texts[("tcbInfo", *key.values())] = record
    desk.verifier.events.append(("TcbInfoAccepted", key))
    assert answer(run("watch", "--json"), 3)["short"] == [f"TCB info, tdx, FMSPC {other}"]
    assert answer(run("watch", "--fmspc", "0xDE7E10000000", "--json"), 0)["short"] == []
    unknown = answer(run("watch", "--fmspc", "010203040506", "--json"), 3)
    assert unknown["short"] == ["TCB info, FMSPC 010203040506"]


@pytest.mark.parametrize("command", ["show", "watch"])
def test_metrics_are_the_only_thing_on_stdout(desk: Desk, command: str) -> None:
    desk.bring()
    result = run(command, "--metrics")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert all(line.startswith(("#", "xmtp_tee_collateral_")) for line in lines)
    assert sum("_lapse_timestamp_seconds{" in line for line in lines) == 6
    assert answer(run(command, "--metrics", "--json"), 1)["ok"] is False


@pytest.mark.parametrize(
    ("text", "seconds"), [("7d", 604_800), ("12h", 43_200), ("30m", 1_800), ("0s", 0)]
)
def test_duration_reads_days_hours_minutes_and_seconds(text: str, seconds: int) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "7", "d", "-1d", "7 d", "1.5h", "7D", "7d1h", "\u0667d", "9999999d"]
)
def test_duration_refuses_other_texts(text: str) -> None:
    with pytest.raises(UsageError):
        duration(text)
    assert answer(run("watch", "--within", text, "--json"), 1)["ok"] is False
