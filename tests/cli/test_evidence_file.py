"""`xmtp-tee verify FILE` on evidence of every simulated kind, offline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.attestation.nitro.support import aws_root
from tests.attestation.sevsnp.support import GENUINE_VLEK, GENUINE_VLEK_AT, genuine_evidence
from tests.attestation.sevsnp.test_revocation import ASK_SERIAL, crl
from tests.attestation.support import BINDING, NOW, RECIPE, Genuine, pem
from xmtp_tee.attestation import Attestation, TeeKind
from xmtp_tee.attestation.simulator import QuoteRecipe, SgxRecipe
from xmtp_tee.attestation.simulator.nitro import DocumentRecipe
from xmtp_tee.attestation.simulator.sevsnp import SnpReportRecipe
from xmtp_tee.cli import main

REPORT_DATA = BINDING.report_data()
QUOTES = {
    TeeKind.TDX: RECIPE.build(),
    TeeKind.SGX: QuoteRecipe.sgx_v3(sgx=SgxRecipe(report_data=REPORT_DATA)).build(),
    TeeKind.NITRO: DocumentRecipe(user_data=REPORT_DATA).build(NOW),
    TeeKind.SEV_SNP: SnpReportRecipe(report_data=REPORT_DATA).build(),
}


def saved(folder: Path, tee: TeeKind, quote: bytes) -> Path:
    """An evidence file that claims what the binding of all tests says."""
    evidence = Attestation(
        tee=tee,
        quote=quote,
        authority=BINDING.authority,
        transport_key=BINDING.transport_key,
        chain_id=BINDING.chain_id,
        enclave_registry=BINDING.enclave_registry,
        block_number=BINDING.block_number,
        block_hash=BINDING.block_hash,
    )
    file = folder / "evidence.json"
    file.write_text(evidence.to_json(), encoding="utf-8")
    return file


def lines(output: str) -> dict[str, str]:
    """The outcome of each line of a verdict."""
    return {check["name"]: check["result"] for check in json.loads(output)["checks"]}


@pytest.mark.parametrize("tee", list(QUOTES), ids=lambda tee: tee.label)
def test_simulated_evidence_is_judged_under_the_collateral_of_its_kind(
    tee: TeeKind, tmp_path: Path
) -> None:
    file = saved(tmp_path, tee, QUOTES[tee])
    flags = ["--root", "development", "--at", str(NOW), "--json"]
    done = CliRunner().invoke(main, ["verify", str(file), *flags, "--unsafe-accept-simulated"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["ok"], said["level"]) == (True, "simulated")
    refused = CliRunner().invoke(main, ["verify", str(file), *flags])
    assert (refused.exit_code, json.loads(refused.stdout)["ok"]) == (4, False)


def test_a_time_in_milliseconds_is_a_usage_error(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    file.write_text("{}", encoding="utf-8")
    flags = ["--root", "development", "--at", str(NOW * 1000)]
    done = CliRunner().invoke(main, ["verify", str(file), *flags])
    assert done.exit_code == 1
    assert "range" in done.output


def test_genuine_nitro_evidence_is_judged_under_aws_root_in_pem_or_der(
    fixtures_dir: Path, tmp_path: Path
) -> None:
    genuine = Genuine(fixtures_dir / "attestation")
    quote = genuine.read("nitro/base_attestation_2026-01.cbor")
    file = saved(tmp_path, TeeKind.NITRO, quote)
    root = tmp_path / "root"
    for content in (aws_root(genuine), pem(aws_root(genuine)).encode()):
        root.write_bytes(content)
        flags = ["--root", str(root), "--at", "1767472867", "--json"]
        done = CliRunner().invoke(main, ["verify", str(file), *flags])
        # Genuine, and bound to something else than our keys.
        assert done.exit_code == 2
        found = lines(done.stdout)
        assert (found["root"], found["signatures"]) == ("pass", "pass")
        assert found["report data"] == "fail"


def test_genuine_sev_snp_evidence_is_judged_under_amds_keys_and_a_floor(
    fixtures_dir: Path, tmp_path: Path
) -> None:
    genuine = Genuine(fixtures_dir / "attestation")
    file = saved(tmp_path, TeeKind.SEV_SNP, genuine_evidence(genuine, GENUINE_VLEK).encode())
    flags = ["--root", "amd", "--at", str(GENUINE_VLEK_AT), "--json"]
    floors = {"4,0,24,217": "pass", "4,0,24,218": "fail", "": "fail"}
    for floor, expected in floors.items():
        given = ["--tcb-floor", floor] if floor else []
        done = CliRunner().invoke(main, ["verify", str(file), *flags, *given])
        found = lines(done.stdout)
        assert (found["root"], found["signatures"]) == ("pass", "pass")
        assert found["TCB level"] == expected


@pytest.mark.parametrize("floor", ["", "1,2,3", "1,2,3,4,5,6", "1,2,3,256", "a,b,c,d", "1,2,3,-1"])
def test_a_floor_that_is_no_tcb_is_a_usage_error(tmp_path: Path, floor: str) -> None:
    file = saved(tmp_path, TeeKind.SEV_SNP, QUOTES[TeeKind.SEV_SNP])
    flags = ["--root", "amd", "--tcb-floor", floor]
    assert CliRunner().invoke(main, ["verify", str(file), *flags]).exit_code == 1


def test_sev_snp_under_a_file_is_a_usage_error(tmp_path: Path) -> None:
    file = saved(tmp_path, TeeKind.SEV_SNP, QUOTES[TeeKind.SEV_SNP])
    done = CliRunner().invoke(main, ["verify", str(file), "--root", str(file)])
    assert done.exit_code == 1


# --- what is given is read, or refused ------------------------------------------------------------


@pytest.mark.parametrize(
    ("tee", "option"),
    [
        (TeeKind.TDX, ("--tcb-floor", "4,0,24,219")),
        (TeeKind.SGX, ("--crl", "list")),
        (TeeKind.NITRO, ("--collateral", "collateral.json")),
        (TeeKind.NITRO, ("--tcb-floor", "4,0,24,219")),
        (TeeKind.SEV_SNP, ("--collateral", "collateral.json")),
        (TeeKind.TDX, ("--socket", "enclave.sock")),
        (TeeKind.TDX, ("--identity-key", "00" * 32)),
        (TeeKind.TDX, ("--trusted-block", "00" * 32)),
        (TeeKind.TDX, ("--rpc-url", "http://127.0.0.1:1")),
        (TeeKind.TDX, ("--deployment", "local.json")),
        (TeeKind.TDX, ("--online", "--chain-id", "1")),
        (TeeKind.TDX, ("--online", "--registry", "0x" + "11" * 20)),
    ],
)
def test_option_that_says_nothing_of_this_evidence_is_a_usage_error(
    tee: TeeKind, option: tuple[str, ...], tmp_path: Path
) -> None:
    file = saved(tmp_path, tee, QUOTES[tee])
    flags = ["--root", "development", "--unsafe-accept-simulated", "--at", str(NOW), "--json"]
    done = CliRunner().invoke(main, ["verify", str(file), *flags, *option])
    assert done.exit_code == 1, done.output
    named = [each for each in option if each.startswith("--") and each != "--online"]
    assert json.loads(done.stdout)["error"]["got"] == ", ".join(named)


@pytest.mark.parametrize(
    "option",
    [
        ("--root", "development"),
        ("--tcb-floor", "4,0,24,219"),
        ("--collateral", "collateral.json"),
        ("--crl", "list"),
        ("--workload", "11" * 32),
        ("--chain-id", "1"),
        ("--registry", "0x" + "11" * 20),
        ("--at", str(NOW)),
        ("--online",),
        ("--trusted-block", "00" * 32, "--socket", "enclave.sock"),
    ],
    ids=lambda option: option[0],
)
@pytest.mark.parametrize("owner", ["0x" + "12" * 20, "agent:7"])
def test_expectation_that_an_owners_entry_is_not_compared_with_is_a_usage_error(
    owner: str, option: tuple[str, ...]
) -> None:
    """Attack on the reader: an entry of other code, judged as if --workload had been compared."""
    done = CliRunner().invoke(main, ["verify", owner, *option, "--json"])
    assert done.exit_code == 1, done.output
    assert json.loads(done.stdout)["error"]["got"] == option[-2 if len(option) > 1 else -1]


def test_revocation_lists_are_read_from_files(tmp_path: Path) -> None:
    file = saved(tmp_path, TeeKind.SEV_SNP, QUOTES[TeeKind.SEV_SNP])
    flags = ["--root", "development", "--unsafe-accept-simulated", "--at", str(NOW), "--json"]
    list_ = tmp_path / "crl"
    outcomes = {(): "pass", (ASK_SERIAL,): "fail"}
    for serials, expected in outcomes.items():
        list_.write_bytes(crl(serials=serials, start=NOW - 60, end=NOW + 60))
        done = CliRunner().invoke(main, ["verify", str(file), *flags, "--crl", str(list_)])
        assert lines(done.stdout)["revocation"] == expected
        assert (done.exit_code == 0) is (expected == "pass")
    without = CliRunner().invoke(main, ["verify", str(file), *flags])
    assert lines(without.stdout)["revocation"] == "not checked"
