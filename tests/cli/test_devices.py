"""The doctor names the TEE that the kernel shows, and passes only where a driver can ask it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.drivers.tsm import TSM_FOLDER
from xmtp_tee.commands import devices, diagnosis
from xmtp_tee.commands.devices import INTERFACES, UNKNOWN, in_words, tees_here, tsm_provider
from xmtp_tee.enclave.config import DRIVERS, HARDWARE_DEVICES
from xmtp_tee.verdict import CheckResult

SEV, TDX, NSM = Path("/dev/sev-guest"), Path("/dev/tdx_guest"), Path("/dev/nsm")
SGX, DSTACK = Path("/dev/attestation/attestation_type"), Path("/var/run/dstack.sock")


class Tsm:
    """configfs-tsm of one provider; None refuses to be asked."""

    assurance = AssuranceLevel.CVM

    def __init__(self, provider: bytes | None, *, may_make: bool = True) -> None:
        self.provider, self.may_make = provider, may_make
        self.folders: set[str] = set()

    def make(self, name: str) -> None:
        if not self.may_make:
            raise PermissionError
        self.folders.add(name)

    def remove(self, name: str) -> None:
        self.folders.remove(name)

    def read(self, name: str, attribute: str) -> bytes:
        assert (name in self.folders, attribute) == (True, "provider")
        if self.provider is None:
            raise FileNotFoundError
        return self.provider

    def write(self, name: str, attribute: str, data: bytes) -> None:
        raise AssertionError("the doctor writes nothing")


def showing(*paths: Path) -> Callable[[Path], bool]:
    return lambda path: path in paths


@pytest.mark.parametrize(
    ("paths", "provider", "expected"),
    [
        ((), None, {}),
        ((NSM,), None, {"nitro": ["/dev/nsm"]}),
        ((SEV, TSM_FOLDER), "sev_guest", {"sevsnp": ["/dev/sev-guest", "configfs-tsm"]}),
        ((TSM_FOLDER,), "sev_guest", {"sevsnp": ["configfs-tsm"]}),
        ((TDX, TSM_FOLDER), "tdx_guest", {"tdx": ["/dev/tdx_guest", "configfs-tsm"]}),
        ((TSM_FOLDER,), "arm_cca_guest", {"arm_cca_guest": ["configfs-tsm"]}),
        ((SEV, TSM_FOLDER), None, {"sevsnp": ["/dev/sev-guest"]}),
        ((TSM_FOLDER,), None, {UNKNOWN: ["configfs-tsm"]}),
        ((SGX,), None, {"sgx": [str(SGX)]}),
        ((DSTACK,), None, {"dstack": [str(DSTACK)]}),
    ],
)
def test_tee_is_told_by_device_and_provider(
    paths: tuple[Path, ...], provider: str | None, expected: dict[str, list[str]]
) -> None:
    assert tees_here(showing(*paths), lambda: provider) == expected


def test_folder_that_two_vendors_share_is_not_taken_for_tdx_on_a_sev_snp_guest() -> None:
    assert "tdx" not in tees_here(showing(SEV, TSM_FOLDER), lambda: "sev_guest")


def test_provider_is_read_and_the_request_removed() -> None:
    tsm = Tsm(b"sev_guest\n")
    assert tsm_provider(tsm) == "sev_guest"
    assert tsm.folders == set()
    for silent in (Tsm(None), Tsm(b"sev_guest", may_make=False)):
        assert tsm_provider(silent) is None
        assert silent.folders == set()


def test_every_device_that_stops_the_simulator_is_known() -> None:
    assert set(HARDWARE_DEVICES) <= set(INTERFACES)


@pytest.mark.parametrize("tee", ["simulator", "nitro", "sevsnp", "tdx", "sgx", "dstack", UNKNOWN])
def test_diagnosis_passes_only_where_there_is_a_driver(
    tee: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {tee: ["shown"]}
    monkeypatch.setattr(devices, "tees_here", lambda: found)
    finding = diagnosis._devices()
    assert (finding.result is CheckResult.PASS) is (tee in DRIVERS)
    assert ("no driver" in finding.got) is (tee not in DRIVERS)
    assert in_words(found, DRIVERS) == finding.got
