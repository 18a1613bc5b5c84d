"""The simulator as a driver: its quotes verify, its sealing root stays the same, its measurement is the code."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.attestation.support import BINDING, COLLATERAL, NOW, ROOT
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation import TeeKind, parse_quote, verify_quote, workload_id
from xmtp_tee.attestation.drivers import Driver, TdxDriver, measure_code
from xmtp_tee.attestation.drivers.emulated import emulated_tdx
from xmtp_tee.attestation.drivers.measurement import trusted_files
from xmtp_tee.attestation.drivers.sealing import FUSES_FILE
from xmtp_tee.attestation.errors import FieldError


@pytest.fixture
def driver(tmp_path: Path) -> TdxDriver:
    return emulated_tdx(tmp_path)


def test_simulator_driver_is_a_driver_and_claims_simulated(driver: TdxDriver) -> None:
    as_driver: Driver = driver
    assert as_driver.tee is TeeKind.TDX
    assert as_driver.assurance is AssuranceLevel.SIMULATED


def test_quote_verifies_and_binds_the_report_data(driver: TdxDriver) -> None:
    verified = verify_quote(driver.quote(BINDING.report_data()), COLLATERAL, ROOT, NOW)
    assert verified.report_data == BINDING.report_data()
    assert verified.quote.body.mr_td == measure_code()
    assert verified.development


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_quote_refuses_report_data_of_another_length(driver: TdxDriver, size: int) -> None:
    with pytest.raises(FieldError):
        driver.quote(bytes(size))


def test_measurement_salt_makes_another_workload(driver: TdxDriver, tmp_path: Path) -> None:
    salted = emulated_tdx(tmp_path, measurement_salt=b"attack")
    first, second = (parse_quote(d.quote(bytes(64))) for d in (driver, salted))
    assert workload_id(first) != workload_id(second)


# --- measurement ----------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "xmtp_tee"
    for path in ("errors.py", "enclave/a.py", "wire/b.py", "attestation/dcap/c.py"):
        file = package / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {path}\n")
    return package


def test_measure_code_changes_with_content_path_and_presence(package: Path) -> None:
    measured = {measure_code(package)}
    (package / "enclave/a.py").write_text("# changed\n")
    measured.add(measure_code(package))
    (package / "enclave/a.py").rename(package / "enclave/renamed.py")
    measured.add(measure_code(package))
    (package / "enclave/renamed.py").unlink()
    measured.add(measure_code(package))
    (package / "mls").mkdir()
    (package / "mls/group.py").write_text("# a package of its own\n")
    measured.add(measure_code(package))
    assert len(measured) == 5
    assert all(len(digest) == 48 for digest in measured)


def test_measure_code_ignores_what_is_not_inside_the_enclave(package: Path) -> None:
    before = measure_code(package)
    for path in ("cli.py", "client/x.py", "commands/y.py", "demo/z.py", "enclave/notes.txt"):
        file = package / path
        file.parent.mkdir(exist_ok=True)
        file.write_text("outside\n")
    assert measure_code(package) == before


_LOADED = """
import json, pkgutil, sys
from importlib import import_module
import xmtp_tee.enclave
for module in pkgutil.walk_packages(xmtp_tee.enclave.__path__, "xmtp_tee.enclave."):
    if not module.name.endswith("__main__"):
        import_module(module.name)
print(json.dumps([m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] == "xmtp_tee"]))
"""


def test_trusted_files_hold_every_module_that_the_enclave_loads() -> None:
    package = Path(measure_code.__code__.co_filename).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True
    )
    loaded = {Path(name).resolve() for name in json.loads(done.stdout)}
    assert package / "enclave/service.py" in loaded
    assert package / "mls/group.py" in loaded
    assert loaded - set(trusted_files(package)) == set()


# --- sealing root ---------------------------------------------------------------------------------


def test_seal_root_is_the_same_for_the_same_platform(driver: TdxDriver, tmp_path: Path) -> None:
    root = driver.seal_root()
    assert isinstance(root, bytearray)
    assert len(root) == 32
    assert root == driver.seal_root() == emulated_tdx(tmp_path).seal_root()


def test_seal_root_survives_a_change_of_the_code(driver: TdxDriver, tmp_path: Path) -> None:
    assert emulated_tdx(tmp_path, measurement_salt=b"new").seal_root() == driver.seal_root()


def test_seal_root_differs_between_platforms(tmp_path: Path) -> None:
    first, second = (emulated_tdx(tmp_path / name).seal_root() for name in ("a", "b"))
    assert first != second


def test_seal_root_is_not_the_secret_of_the_file(driver: TdxDriver, tmp_path: Path) -> None:
    assert driver.seal_root() != (tmp_path / FUSES_FILE).read_bytes()


def test_fuses_are_32_bytes_that_only_the_user_can_read(driver: TdxDriver, tmp_path: Path) -> None:
    driver.seal_root()
    fuses = tmp_path / FUSES_FILE
    assert len(fuses.read_bytes()) == 32
    assert stat.S_IMODE(fuses.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FUSES_FILE]


def test_seal_root_is_the_same_for_all_who_start_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        roots = list(pool.map(lambda _: bytes(emulated_tdx(tmp_path).seal_root()), range(32)))
    assert len(set(roots)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_seal_root_refuses_fuses_that_others_can_read(
    driver: TdxDriver, tmp_path: Path, mode: int
) -> None:
    driver.seal_root()
    (tmp_path / FUSES_FILE).chmod(mode)
    with pytest.raises(FieldError, match="read by others") as refusal:
        driver.seal_root()
    assert refusal.value.next_command is not None


@pytest.mark.parametrize("size", [0, 31, 33])
def test_seal_root_refuses_fuses_of_another_length(
    driver: TdxDriver, tmp_path: Path, size: int
) -> None:
    (tmp_path / FUSES_FILE).write_bytes(bytes(size))
    (tmp_path / FUSES_FILE).chmod(0o600)
    with pytest.raises(FieldError):
        driver.seal_root()


def test_seal_root_does_not_follow_a_link(driver: TdxDriver, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_bytes(bytes(32))
    target.chmod(0o600)
    (tmp_path / FUSES_FILE).symlink_to(target)
    with pytest.raises(FieldError, match="cannot be opened"):
        driver.seal_root()


def test_seal_root_refuses_a_state_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(FieldError, match="cannot be opened"):
        emulated_tdx(tmp_path / "state").seal_root()
