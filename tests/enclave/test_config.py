"""The options of a start, and the combinations that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.enclave import EnclaveConfig, run
from xmtp_tee.enclave.config import make_driver
from xmtp_tee.enclave.errors import ConfigurationError, DriverUnknownError
from xmtp_tee.enclave.process import run as run_itself


@pytest.mark.parametrize("name", ["", "tdx", "none", "Simulator", "simulator "])
def test_unknown_driver_is_refused_without_falling_back(folder: Path, name: str) -> None:
    with pytest.raises(DriverUnknownError, match="simulator"):
        make_driver(EnclaveConfig(state_dir=folder, driver=name), ())


def test_simulator_beside_a_genuine_tee_is_refused_unless_that_is_meant(folder: Path) -> None:
    device = folder / "tdx_guest"
    device.touch()
    config = EnclaveConfig(state_dir=folder, driver="simulator")
    with pytest.raises(ConfigurationError, match="tdx_guest"):
        make_driver(config, (device,))
    meant = EnclaveConfig(state_dir=folder, driver="simulator", unsafe_simulate_on_hardware=True)
    assert make_driver(meant, (device,)).assurance is AssuranceLevel.SIMULATED


def test_paths_follow_the_state_directory() -> None:
    config = EnclaveConfig(state_dir=Path("/state"), driver="simulator")
    assert config.socket_path == Path("/state/enclave.sock")
    assert config.store_path == Path("/state/keys.sqlite")
    other = EnclaveConfig(state_dir=Path("/state"), driver="simulator", socket=Path("/run/e"))
    assert other.socket_path == Path("/run/e")


def test_package_offers_config_and_run() -> None:
    assert run is run_itself
    with pytest.raises(ImportError):
        exec("from xmtp_tee.enclave import private_key")
