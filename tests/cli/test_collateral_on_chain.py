"""xmtp-tee collateral against the contracts themselves: SGX and TDX, both CAs, watched as time goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.world import STRANGER, World, open_world
from xmtp_tee.attestation.simulator import CollateralRecipe, TcbInfoRecipe, development_pki
from xmtp_tee.cli import main

PKI = development_pki()
DAY = 86_400


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path]]:
    path = tmp_path_factory.mktemp("deployment") / "local.json"
    with open_world() as made:
        made.deployment.save(path)
        yield made, path


def run(world: tuple[World, Path], code: int, *arguments: str) -> dict[str, Any]:
    made, path = world
    flags = ["--rpc-url", made.url, "--deployment", str(path), "--json"]
    result = CliRunner(mix_stderr=False).invoke(main, ["collateral", *arguments, *flags])
    assert result.exit_code == code, result.output + result.stderr
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


def sender(world: tuple[World, Path]) -> tuple[str, str]:
    return "--node-account", world[0].senders[STRANGER].address


@pytest.mark.parametrize(
    "recipe",
    [
        CollateralRecipe.sgx(),
        CollateralRecipe.sgx(tcb_info=TcbInfoRecipe.sgx_v2(evaluation_number=18)),
        CollateralRecipe.sgx(
            tcb_info=TcbInfoRecipe.sgx_v3(evaluation_number=18), pck_ca=PKI.processor_ca
        ),
        CollateralRecipe(),
    ],
    ids=["SGX, version 3", "SGX, version 2", "SGX, Processor CA", "TDX"],
)
def test_submit_brings_every_kind_and_then_knows_it(
    world: tuple[World, Path], tmp_path: Path, recipe: CollateralRecipe
) -> None:
    file = tmp_path / "collateral.json"
    with world[0].undone():
        file.write_text(recipe.build(world[0].now - 30).to_json())
        dry = run(world, 0, "submit", "--file", str(file), "--dry-run")
        done = run(world, 0, "submit", "--file", str(file), *sender(world))
        assert [p["lacking"] for p in dry["pieces"]] == [p["sent"] for p in done["pieces"]]
        assert any(piece["sent"] for piece in done["pieces"])
        assert all(piece["gas"] > 21_000 for piece in done["pieces"] if piece["sent"])
        again = run(world, 0, "submit", "--file", str(file), *sender(world))
        assert not any(piece["sent"] for piece in again["pieces"])


def test_watch_follows_the_chains_time_and_renewal_ends_the_alarm(
    world: tuple[World, Path], tmp_path: Path
) -> None:
    made = world[0]
    assert run(world, 0, "watch", "--within", "7d")["state"] == "in-force"
    assert run(world, 4, "watch", "--within", "31d")["state"] == "due"
    with made.undone():
        made.chain.request("evm_increaseTime", 31 * DAY)
        made.chain.request("evm_mine")
        lapsed = run(world, 3, "watch")
        assert lapsed["state"] == "lapsed"
        assert "TCB info, tdx, FMSPC de7e10000000" in lapsed["short"]
        file = tmp_path / "collateral.json"
        file.write_text(CollateralRecipe().build(made.now - 60).to_json())
        run(world, 0, "submit", "--file", str(file), *sender(world))
        assert run(world, 0, "watch", "--within", "7d")["short"] == []
