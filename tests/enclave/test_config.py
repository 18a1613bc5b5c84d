"""The options of a start, and the combinations that are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.errors import DeviceError, SealRootUnavailableError
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.enclave import EnclaveConfig, run
from xmtp_tee.enclave.config import make_driver, make_drivers
from xmtp_tee.enclave.errors import ConfigurationError, DriverUnknownError
from xmtp_tee.enclave.process import run as run_itself


@pytest.mark.parametrize("name", ["", "sgx", "none", "Simulator", "simulator "])
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
    assert config.store_name == "/state/keys.sqlite"
    other = EnclaveConfig(state_dir=Path("/state"), driver="simulator", socket=Path("/run/e"))
    assert other.socket_path == Path("/run/e")


def test_package_offers_config_and_run() -> None:
    assert run is run_itself
    with pytest.raises(ImportError):
        exec("from xmtp_tee.enclave import private_key")


# --- which TEE -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tee", "kind"),
    [("tdx", TeeKind.TDX), ("nitro", TeeKind.NITRO), ("sevsnp", TeeKind.SEV_SNP)],
)
def test_simulator_stands_for_the_tee_that_is_named(folder: Path, tee: str, kind: TeeKind) -> None:
    driver = make_driver(EnclaveConfig(state_dir=folder, driver="simulator", tee=tee), ())
    assert (driver.tee, driver.assurance) == (kind, AssuranceLevel.SIMULATED)
    assert driver.quote(bytes(64))
    assert driver.seal_root() == driver.seal_root()


@pytest.mark.parametrize("tee", ["", "TDX", "sgx", "sev-snp", "nitro "])
def test_simulator_stands_for_no_other_tee(folder: Path, tee: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot stand for"):
        make_driver(EnclaveConfig(state_dir=folder, driver="simulator", tee=tee), ())


@pytest.mark.parametrize("tee", ["nitro", "sevsnp"])
def test_emulated_tee_beside_a_genuine_one_is_refused_unless_that_is_meant(
    folder: Path, tee: str
) -> None:
    device = folder / "nsm"
    device.touch()
    config = EnclaveConfig(state_dir=folder, driver="simulator", tee=tee)
    with pytest.raises(ConfigurationError, match="nsm"):
        make_driver(config, (device,))
    meant = replace(config, unsafe_simulate_on_hardware=True)
    assert make_driver(meant, (device,)).assurance is AssuranceLevel.SIMULATED


@pytest.mark.parametrize("driver", ["tdx", "nitro", "sevsnp"])
@pytest.mark.parametrize(
    "options",
    [{"tee": "nitro"}, {"simulator_salt": b"x"}, {"unsafe_simulate_on_hardware": True}],
)
def test_options_of_the_simulator_do_not_go_with_hardware(
    folder: Path, driver: str, options: dict[str, object]
) -> None:
    config = replace(EnclaveConfig(state_dir=folder, driver=driver), **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="Options of the simulator"):
        make_driver(config, ())


def test_certificates_are_sev_snps_alone(folder: Path) -> None:
    table = folder / "certificates"
    table.write_bytes(b"")
    for driver in ("simulator", "tdx", "nitro"):
        config = EnclaveConfig(state_dir=folder, driver=driver, certificates=table)
        with pytest.raises(ConfigurationError, match="certificates"):
            make_driver(config, ())
    taken = EnclaveConfig(state_dir=folder, driver="sevsnp", certificates=table)
    assert make_driver(taken, ()).tee is TeeKind.SEV_SNP


@pytest.mark.skipif(Path("/dev/nsm").exists(), reason="this is a Nitro enclave")
def test_nitro_without_its_device_does_not_start(folder: Path) -> None:
    with pytest.raises(DeviceError, match="/dev/nsm"):
        make_driver(EnclaveConfig(state_dir=folder, driver="nitro"), ())


@pytest.mark.skipif(Path("/dev/tdx_guest").exists(), reason="this is a TD")
def test_tdx_never_falls_back_to_the_simulator(folder: Path) -> None:
    driver = make_driver(EnclaveConfig(state_dir=folder, driver="tdx"), ())
    assert (driver.tee, driver.assurance) == (TeeKind.TDX, AssuranceLevel.CVM)
    with pytest.raises(DeviceError):
        driver.quote(bytes(64))
    with pytest.raises(SealRootUnavailableError):
        driver.seal_root()


@pytest.mark.skipif(Path("/dev/sev-guest").exists(), reason="this is a SEV-SNP guest")
def test_sev_snp_never_falls_back_to_the_simulator(folder: Path) -> None:
    driver = make_driver(EnclaveConfig(state_dir=folder, driver="sevsnp"), ())
    assert driver.assurance is AssuranceLevel.CVM
    with pytest.raises(DeviceError):
        driver.quote(bytes(64))
    with pytest.raises(DeviceError):
        driver.seal_root()


# --- several kinds of TEE --------------------------------------------------------------------------


def test_simulator_stands_for_several_tees_in_the_order_that_is_named(folder: Path) -> None:
    config = EnclaveConfig(
        state_dir=folder, driver="simulator", tee="sevsnp", further_tees=("tdx", "nitro")
    )
    drivers = make_drivers(config, ())
    assert [driver.tee for driver in drivers] == [TeeKind.SEV_SNP, TeeKind.TDX, TeeKind.NITRO]
    assert all(driver.quote(bytes(64)) for driver in drivers)


def test_one_driver_alone_is_made_as_before(folder: Path) -> None:
    [driver] = make_drivers(EnclaveConfig(state_dir=folder, driver="simulator"), ())
    assert driver.tee is TeeKind.TDX


def test_one_kind_attests_an_enclave_once(folder: Path) -> None:
    config = EnclaveConfig(state_dir=folder, driver="simulator", further_tees=("nitro", "tdx"))
    with pytest.raises(ConfigurationError, match="once"):
        make_drivers(config, ())


@pytest.mark.parametrize("drivers", [("simulator", "sevsnp"), ("sevsnp", "simulator")])
def test_simulator_attests_nothing_beside_hardware(folder: Path, drivers: tuple[str, str]) -> None:
    config = EnclaveConfig(state_dir=folder, driver=drivers[0], further_drivers=drivers[1:])
    with pytest.raises(ConfigurationError, match="together"):
        make_drivers(config, ())


def test_simulated_tees_do_not_go_with_hardware(folder: Path) -> None:
    config = EnclaveConfig(state_dir=folder, driver="sevsnp", further_tees=("nitro",))
    with pytest.raises(ConfigurationError, match="Options of the simulator"):
        make_drivers(config, ())


def test_further_driver_is_not_guessed(folder: Path) -> None:
    config = EnclaveConfig(state_dir=folder, driver="sevsnp", further_drivers=("gpu",))
    with pytest.raises(DriverUnknownError):
        make_drivers(config, ())
