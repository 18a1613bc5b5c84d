"""The deployment file: every field checked, nothing guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xmtp_tee.client.chain_errors import DeploymentInvalid
from xmtp_tee.client.deployment import CONTRACTS, Deployment


def sample() -> dict[str, Any]:
    return {
        "format": 1,
        "network": "ethereum:local",
        "chainId": 31337,
        "developmentRoot": True,
        "deployedAtBlock": 3,
        "parameters": {"maxBlockAge": 256},
        "contracts": {name: f"0x{index + 1:040x}" for index, name in enumerate(CONTRACTS)},
    }


def test_saved_deployment_is_read_back_equal(tmp_path: Path) -> None:
    deployment = Deployment.from_dict(sample())
    path = tmp_path / "sub" / "local.json"
    deployment.save(path)
    assert Deployment.load(path) == deployment
    assert json.loads(path.read_text()) == sample()


def test_missing_file_names_the_next_command(tmp_path: Path) -> None:
    with pytest.raises(DeploymentInvalid) as refused:
        Deployment.load(tmp_path / "none.json")
    assert refused.value.next_command == "ape run deploy --network ethereum:local:foundry"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"text"'])
def test_what_is_no_json_object_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(DeploymentInvalid):
        Deployment.load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 2),
        ("format", True),
        ("format", None),
        ("network", 5),
        ("chainId", "31337"),
        ("chainId", True),
        ("chainId", -1),
        ("developmentRoot", 1),
        ("developmentRoot", None),
        ("deployedAtBlock", -1),
        ("parameters", []),
        ("contracts", []),
    ],
)
def test_wrong_field_is_refused(field: str, value: object) -> None:
    with pytest.raises(DeploymentInvalid):
        Deployment.from_dict(sample() | {field: value})


@pytest.mark.parametrize("field", list(sample()))
def test_missing_field_is_refused(field: str) -> None:
    data = sample()
    del data[field]
    with pytest.raises(DeploymentInvalid):
        Deployment.from_dict(data)


@pytest.mark.parametrize("name", CONTRACTS)
@pytest.mark.parametrize("value", [None, "", "0x", "0x" + "0" * 40, "0x" + "g" * 40, "1" * 42, 7])
def test_wrong_address_is_refused(name: str, value: object) -> None:
    data = sample()
    data["contracts"][name] = value
    with pytest.raises(DeploymentInvalid, match=name):
        Deployment.from_dict(data)


def test_further_contracts_are_kept_and_checked_like_the_others(tmp_path: Path) -> None:
    data = sample()
    data["contracts"]["AgentKeyValidator"] = "0x" + "ab" * 20
    deployment = Deployment.from_dict(data)
    assert deployment.address("AgentKeyValidator") == "0x" + "ab" * 20
    deployment.save(tmp_path / "more.json")
    assert Deployment.load(tmp_path / "more.json") == deployment
    data["contracts"]["AgentKeyValidator"] = "0x" + "0" * 40
    with pytest.raises(DeploymentInvalid, match="AgentKeyValidator"):
        Deployment.from_dict(data)
