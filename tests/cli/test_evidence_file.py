"""`xmtp-tee verify FILE` on evidence of every simulated kind, offline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.attestation.support import BINDING, NOW, RECIPE
from xmtp_tee.attestation import Attestation, TeeKind
from xmtp_tee.attestation.simulator import QuoteRecipe, SgxRecipe
from xmtp_tee.cli import main

QUOTES = {
    TeeKind.TDX: RECIPE,
    TeeKind.SGX: QuoteRecipe.sgx_v3(sgx=SgxRecipe(report_data=BINDING.report_data())),
}


@pytest.mark.parametrize("tee", list(QUOTES), ids=lambda tee: tee.label)
def test_simulated_evidence_is_judged_under_the_collateral_of_its_kind(
    tee: TeeKind, tmp_path: Path
) -> None:
    file = tmp_path / "evidence.json"
    evidence = Attestation(
        tee=tee,
        quote=QUOTES[tee].build(),
        authority=BINDING.authority,
        transport_key=BINDING.transport_key,
        chain_id=BINDING.chain_id,
        enclave_registry=BINDING.enclave_registry,
        block_number=BINDING.block_number,
        block_hash=BINDING.block_hash,
    )
    file.write_text(evidence.to_json(), encoding="utf-8")
    flags = ["--root", "development", "--at", str(NOW), "--json"]
    done = CliRunner().invoke(main, ["verify", str(file), *flags, "--unsafe-accept-simulated"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["level"] == "simulated"
    assert CliRunner().invoke(main, ["verify", str(file), *flags]).exit_code == 4


def test_a_time_in_milliseconds_is_a_usage_error(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    file.write_text("{}", encoding="utf-8")
    flags = ["--root", "development", "--at", str(NOW * 1000)]
    done = CliRunner().invoke(main, ["verify", str(file), *flags])
    assert done.exit_code == 1
    assert "range" in done.output
