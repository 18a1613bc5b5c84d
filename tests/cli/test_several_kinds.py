"""`xmtp-tee verify` on several evidence files: the kinds of TEE behind one enclave."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.attestation.support import BINDING, NOW, pem
from tests.cli.test_evidence_file import QUOTES, saved
from xmtp_tee.attestation import Attestation, TeeKind
from xmtp_tee.attestation.judgement import FRESHNESS
from xmtp_tee.attestation.simulator import QuoteRecipe, TdRecipe, development_root_certificate
from xmtp_tee.attestation.simulator.nitro import development_nitro_root
from xmtp_tee.cli import main
from xmtp_tee.commands.by_kind import ByKind
from xmtp_tee.commands.console import Console
from xmtp_tee.commands.evidence_file import Expectations, judge

ACCEPT = ("--at", str(NOW), "--unsafe-accept-simulated")
DEVELOPMENT = ("--root", "development", *ACCEPT)
TDX, NITRO, SNP = TeeKind.TDX, TeeKind.NITRO, TeeKind.SEV_SNP


def files(folder: Path, *kinds: TeeKind, **quotes: bytes) -> list[str]:
    """An evidence file of each kind, all for the same keys unless a quote is given by the kind's name."""
    made = []
    for number, kind in enumerate(kinds):
        path = folder / f"{number}"
        path.mkdir()
        made.append(str(saved(path, kind, quotes.get(kind.name, QUOTES[kind]))))
    return made


def invoke(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(main, ["verify", *arguments])


def said(code: int, *arguments: str) -> dict[str, Any]:
    done = invoke(*arguments, "--json")
    assert done.exit_code == code, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["ok"] is (code == 0)
    return answer


def results(answer: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["result"] for check in answer["checks"]}


@pytest.mark.parametrize("require", [(), ("--require", "3"), ("--require", "1")])
def test_kinds_of_one_enclave_verify_together(require: tuple[str, ...], tmp_path: Path) -> None:
    answer = said(0, *files(tmp_path, TDX, NITRO, SNP), *DEVELOPMENT, *require)
    assert set(results(answer).values()) == {"pass"}
    assert [kind["tee"] for kind in answer["kinds"]] == ["tdx", "nitro", "sev-snp"]
    assert all(kind["verified"] for kind in answer["kinds"])
    assert answer["level"] == "simulated"


def test_text_has_the_lines_of_every_kind_and_one_sentence(tmp_path: Path) -> None:
    text = invoke(*files(tmp_path, TDX, NITRO), *DEVELOPMENT).stdout.splitlines()
    assert {"tdx", "nitro"} <= set(text)
    assert sum("signatures" in line for line in text) == 2
    assert sum(line.startswith("On 20") for line in text) == 1


def test_one_file_with_a_demand_of_two_is_too_few(tmp_path: Path) -> None:
    answer = said(4, *files(tmp_path, TDX), *DEVELOPMENT, "--require", "2")
    assert results(answer)["kinds of TEE"] == "fail"
    said(0, *files(tmp_path / "..", SNP), *DEVELOPMENT, "--require", "1")


def test_kind_that_fails_is_reported_with_its_reason(tmp_path: Path) -> None:
    flipped = bytearray(QUOTES[TDX])
    flipped[200] ^= 1
    given = files(tmp_path, TDX, NITRO, SNP, TDX=bytes(flipped))
    answer = said(2, *given, *DEVELOPMENT)
    failed = next(check for check in answer["checks"] if check["name"] == "tdx")
    assert failed["result"] == "fail"
    assert failed["got"].startswith("signatures: ")
    tolerated = said(0, *given, *DEVELOPMENT, "--require", "2")
    assert results(tolerated)["tdx"] == "warn"
    assert [kind["verified"] for kind in tolerated["kinds"]] == [False, True, True]
    said(2, *given, *DEVELOPMENT, "--require", "3")


def test_development_root_is_refused_unless_accepted(tmp_path: Path) -> None:
    said(4, *files(tmp_path, TDX, NITRO), "--root", "development", "--at", str(NOW))


def test_same_kind_twice_is_no_two_kinds(tmp_path: Path) -> None:
    for require in ("1", "2"):
        folder = tmp_path / require
        folder.mkdir()
        given = files(folder, TDX, TDX)
        assert results(said(2, *given, *DEVELOPMENT, "--require", require))["each kind once"] == (
            "fail"
        )


def test_evidence_of_another_enclave_does_not_count(tmp_path: Path) -> None:
    """Attack: evidence that is genuine by itself, of an enclave that somebody else runs."""
    other = replace(BINDING, authority=b"\x44" * 20)
    quote = QuoteRecipe(td=TdRecipe(report_data=other.report_data())).build()
    [tdx, nitro] = files(tmp_path, TDX, NITRO, TDX=quote)
    document = json.loads(Path(tdx).read_text()) | {"authority": "0x" + "44" * 20}
    Path(tdx).write_text(json.dumps(document))
    assert said(0, tdx, *DEVELOPMENT)["verified"] is True
    for require in ("1", "2"):
        answer = said(2, tdx, nitro, *DEVELOPMENT, "--require", require)
        assert results(answer)["one enclave"] == "fail"


def test_attack_quote_of_one_kind_under_the_others_name(tmp_path: Path) -> None:
    sgx = files(tmp_path, TDX, TeeKind.SGX, SGX=QUOTES[TDX])
    answer = said(2, *sgx, *DEVELOPMENT, "--require", "2")
    assert results(answer)["sgx"] == "fail"


def test_each_kind_has_its_own_root(tmp_path: Path) -> None:
    (tmp_path / "nitro.pem").write_text(pem(development_nitro_root()))
    given = files(tmp_path, NITRO, SNP)
    roots = ("--root", f"nitro={tmp_path / 'nitro.pem'}", "--root", "development")
    said(0, *given, *roots, *ACCEPT)
    missing = said(1, *given, *roots[:2], *ACCEPT)
    assert missing["error"]["expected"] == "--root sev-snp=..."
    twice = said(1, *given, *roots, *roots[:2], *ACCEPT)
    assert twice["error"]["expected"] == "one for nitro"


def test_vendors_collateral_is_that_of_its_kind(tmp_path: Path) -> None:
    from xmtp_tee.attestation.simulator import CollateralRecipe

    root, collateral = tmp_path / "root", tmp_path / "tdx=collateral"
    root.write_bytes(development_root_certificate())
    collateral.write_text(CollateralRecipe().build(NOW - 3600).to_json())
    given = files(tmp_path, TDX, NITRO)
    roots = ("--root", f"tdx={root}", "--root", "nitro=development", *ACCEPT)
    assert said(3, *given, *roots)["error"]["got"] == "tdx"
    said(0, *given, *roots, "--collateral", f"tdx={collateral}")
    said(0, *given, *roots, "--collateral", str(collateral))


@pytest.mark.parametrize(
    "option",
    [
        ("--root", "sgx=development"),
        ("--collateral", "nitro=file"),
        ("--crl", "tdx=file"),
        ("--tcb-floor", "4,0,24,219"),
    ],
    ids=lambda option: option[1],
)
def test_option_that_no_evidence_is_judged_by_is_a_usage_error(
    option: tuple[str, str], tmp_path: Path
) -> None:
    answer = said(1, *files(tmp_path, TDX, NITRO), *DEVELOPMENT, *option)
    assert answer["error"]["got"] == option[0]


def test_broken_file_among_several_is_named(tmp_path: Path) -> None:
    [tdx] = files(tmp_path, TDX)
    broken = tmp_path / "broken"
    broken.write_text("{")
    assert str(broken) in said(2, tdx, str(broken), *DEVELOPMENT)["error"]["got"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--enclave", "file"),
        ("--enclave", "0x" + "11" * 20),
        ("0x" + "11" * 20, "0x" + "22" * 20),
        ("0x" + "11" * 20, "file"),
        ("agent:1", "agent:2"),
        ("0x" + "11" * 20, "--require", "2"),
        ("file", "--require", "0"),
        ("--enclave", "--socket", "nobody"),
    ],
)
def test_what_is_to_be_verified_is_named_once(arguments: tuple[str, ...]) -> None:
    assert said(1, *arguments)["error"]["exit_code"] == 1


def test_enclave_that_does_not_answer_is_unavailable() -> None:
    said(3, "--enclave", "--socket", "nobody", *DEVELOPMENT[:2])


@pytest.mark.parametrize("bound", [True, False])
def test_random_bytes_show_freshness_only_where_the_evidence_binds_them(
    bound: bool, tmp_path: Path
) -> None:
    """Attack: old evidence beside the claim that it binds the bytes that were just drawn."""
    [file] = files(tmp_path, TDX)
    attestation = Attestation.from_json(Path(file).read_text())
    nonce = attestation.block_hash if bound else b"\x99" * 32
    expected = Expectations(
        roots=ByKind.read("root", ["development"]),
        collaterals=ByKind("collateral"),
        crls=ByKind("crl"),
        workloads=None,
        chain_id=None,
        registry=None,
        at=NOW,
        online=None,
        accept_simulated=True,
        nonce=nonce,
    )
    claimed = replace(attestation, block_hash=nonce)
    verdict, _ = judge([claimed], expected, Console())
    assert verdict.passed(FRESHNESS) is bound
    assert (verdict.exit_code == 0) is bound
