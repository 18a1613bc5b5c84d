"""The Ape scripts as an operator calls them: deploy, policy, collateral, on a chain that runs already."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.chain import ROOT, Anvil
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.demo.processes import environment

# A cold start compiles every contract with an emscripten solc.
pytestmark = pytest.mark.timeout(600)
NETWORK = ("--network", "ethereum:local:foundry")


@dataclass
class Operator:
    """Runs scripts against one chain, with one deployment file."""

    url: str
    deployment: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = environment(ROOT) | {
            "APE_FOUNDRY_HOST": self.url,
            "XMTP_TEE_DEPLOYMENT": str(self.deployment),
        }
        return subprocess.run(
            ["ape", "run", *arguments],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    def must(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """An operator whose deployment was made by the script."""
    path = tmp_path_factory.mktemp("ape") / "local.json"
    with Anvil() as anvil:
        operator = Operator(anvil.url, path)
        output = operator.must("deploy", *NETWORK, "--output", str(path))
        assert "DEVELOPMENT ROOT" in output
        yield operator


def test_deploy_script_writes_a_deployment_that_the_client_reads(operator: Operator) -> None:
    deployment = Deployment.load(operator.deployment)
    chain = Chain(operator.url)
    assert deployment.development_root is True
    assert deployment.chain_id == chain.chain_id
    assert deployment.parameters["root"] == "development"
    for name, address in deployment.contracts.items():
        assert chain.contract(name, address).address == address
    registry = chain.contract("KeyRegistry", deployment.address("KeyRegistry"))
    enclaves = chain.read(registry.functions.enclaveRegistry())
    assert enclaves == deployment.address("EnclaveRegistry")


def test_policy_script_adds_lists_and_removes_a_workload(operator: Operator) -> None:
    workload = "0x" + "ab" * 32
    assert "no workload" in operator.must("policy", "list", *NETWORK)
    operator.must("policy", "add", workload, "--source", "https://example.org/code", *NETWORK)
    listed = operator.must("policy", "list", *NETWORK)
    assert workload in listed
    assert "https://example.org/code" in listed
    operator.must("policy", "remove", workload, *NETWORK)
    assert workload not in operator.must("policy", "list", *NETWORK)


def test_policy_script_refuses_a_workload_without_a_source(operator: Operator) -> None:
    done = operator.run("policy", "add", "0x" + "ab" * 32, *NETWORK)
    assert done.returncode != 0
    assert "--source" in done.stdout + done.stderr


def test_policy_script_denies_and_lifts(operator: Operator) -> None:
    platform, family = "00112233445566778899aabbccddeeff", "de7e10000000"
    operator.must("policy", "deny-platform", "tdx", platform, *NETWORK)
    operator.must("policy", "deny-family", "tdx", family, *NETWORK)
    listed = operator.must("policy", "list", *NETWORK)
    assert f"denied: platform {platform}  tdx" in listed
    assert f"denied: family {family}  tdx" in listed
    operator.must("policy", "allow-platform", "tdx", platform, *NETWORK)
    operator.must("policy", "allow-family", "tdx", family, *NETWORK)
    assert "denied" not in operator.must("policy", "list", *NETWORK)
    done = operator.run("policy", "deny-platform", "tdx", platform[2:], *NETWORK)
    assert done.returncode != 0
    assert "16 bytes" in done.stdout + done.stderr


def test_policy_script_makes_and_withdraws_an_exception(operator: Operator) -> None:
    workload, advisories = "0x" + "cd" * 32, "0x" + "ef" * 24 + "00" * 8
    operator.must("policy", "add", workload, "--source", "https://example.org/code", *NETWORK)
    exception = (workload, "SWHardeningNeeded", "--advisories", advisories)
    operator.must("policy", "allow-status", *exception, "--days", "30", *NETWORK)
    listed = operator.must("policy", "list", *NETWORK)
    assert f"exception: {workload}  SWHardeningNeeded  advisories {advisories}  until" in listed
    operator.must("policy", "withdraw-status", *exception, *NETWORK)
    assert "exception" not in operator.must("policy", "list", *NETWORK)
    for refused in (
        (workload, "Revoked", "--advisories", "any", "--days", "1"),
        (workload, "OutOfDate", "--advisories", "any", "--days", "91"),
        (workload, "OutOfDate", "--advisories", "0x" + "00" * 32, "--days", "1"),
    ):
        assert operator.run("policy", "allow-status", *refused, *NETWORK).returncode != 0


def test_collateral_script_submits_once_and_shows_what_is_held(operator: Operator) -> None:
    first = operator.must("collateral", "submit", "--development", *NETWORK)
    assert "gas" in first
    shown = operator.must("collateral", "show", *NETWORK)
    for what in ("TCB info", "QE identity", "PCK CA certificate", "days left", "DEVELOPMENT root"):
        assert what in shown


def test_production_parameters_without_a_root_file_are_refused(operator: Operator) -> None:
    done = operator.run("deploy", "--parameters", "production", *NETWORK)
    assert done.returncode != 0
    assert "root certificate" in done.stdout + done.stderr
