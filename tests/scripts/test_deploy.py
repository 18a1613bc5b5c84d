"""scripts/deploy.py: where a deployment is written."""

from __future__ import annotations

import pytest
from ape import networks

from scripts.deploy import default_name


@pytest.mark.parametrize(
    ("ecosystem", "network", "name"),
    [
        ("ethereum", "mainnet", "ethereum-mainnet.json"),
        ("ethereum", "sepolia", "ethereum-sepolia.json"),
        ("ethereum", "local", "local.json"),
    ],
)
def test_the_files_name_has_the_ecosystem_but_for_a_local_chain(
    ecosystem: str, network: str, name: str
) -> None:
    assert default_name(networks.ecosystems[ecosystem][network]) == name


def test_two_ecosystems_share_no_file() -> None:
    mainnet = networks.ecosystems["ethereum"]["mainnet"]
    other = mainnet.ecosystem.model_copy(update={"name": "base"})
    assert default_name(mainnet.model_copy(update={"ecosystem": other})) == "base-mainnet.json"
