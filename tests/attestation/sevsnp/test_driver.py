"""The production driver, on emulated interfaces and on interfaces that misbehave."""

from __future__ import annotations

import ctypes
import errno
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from tests.attestation.sevsnp.support import ANCHORS, FLOORS, MILAN, NOW, VLEK, recipe, verify
from tests.attestation.support import pem
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.drivers import sev_guest
from xmtp_tee.attestation.drivers.emulated import emulated_sevsnp
from xmtp_tee.attestation.drivers.measurement import measure_code
from xmtp_tee.attestation.drivers.sev_guest import (
    SNP_GET_DERIVED_KEY,
    SevGuestDevice,
    derive_key,
)
from xmtp_tee.attestation.drivers.sevsnp import SevSnpDriver, read_certificates
from xmtp_tee.attestation.drivers.tsm import TsmFolder, request_report
from xmtp_tee.attestation.errors import (
    CollateralUnavailableError,
    DebugEnabledError,
    DeviceError,
    FieldError,
    SnpReportMalformedError,
)
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.sevsnp.certificate_table import (
    ARK_GUID,
    ASK_GUID,
    VCEK_GUID,
    VLEK_GUID,
    encode_table,
    parse_table,
)
from xmtp_tee.attestation.sevsnp.kds import KDS, chain_url, vcek_url
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.sevsnp.report import REPORT_SIZE, SigningKey, parse_report
from xmtp_tee.attestation.sevsnp.verify import verify_report
from xmtp_tee.attestation.simulator.sevsnp import (
    EmulatedSevGuest,
    EmulatedTsm,
    EndorsementRecipe,
    SnpReportRecipe,
    development_snp_pki,
)
from xmtp_tee.attestation.simulator.sevsnp.pki import CHIP_ID
from xmtp_tee.attestation.simulator.sevsnp.report import POLICY_RESERVED

MEASUREMENT = b"\x4d" * 48
REPORT_DATA = bytes(range(64))
SECRET = b"\x5e" * 32


def no_pause(seconds: float) -> None:
    """Tests do not wait."""


def tsm(**options: Any) -> EmulatedTsm:
    return EmulatedTsm(MEASUREMENT, **options)


def guest(measurement: bytes = MEASUREMENT, secret: bytes = SECRET) -> EmulatedSevGuest:
    return EmulatedSevGuest(lambda: secret, measurement)


def driver(transport: EmulatedTsm | None = None, **options: Any) -> SevSnpDriver:
    return SevSnpDriver(
        transport or tsm(), options.pop("guest", guest()), pause=no_pause, **options
    )


class Faulty(EmulatedTsm):
    """A folder that fails as it was told: by attribute, a list of errors or contents that come first."""

    def __init__(self, faults: dict[str, list[int | bytes]], **options: Any) -> None:
        super().__init__(MEASUREMENT, **options)
        self.faults = faults
        self.removed: list[str] = []

    def _fault(self, what: str) -> bytes | None:
        waiting = self.faults.get(what)
        if not waiting:
            return None
        fault = waiting.pop(0)
        if isinstance(fault, int):
            raise OSError(fault, "a fault")
        return fault

    def make(self, name: str) -> None:
        self._fault("make")
        super().make(name)

    def read(self, name: str, attribute: str) -> bytes:
        fault = self._fault(attribute)
        return super().read(name, attribute) if fault is None else fault

    def write(self, name: str, attribute: str, data: bytes) -> None:
        self._fault(f"write {attribute}")
        super().write(name, attribute, data)

    def remove(self, name: str) -> None:
        self.removed.append(name)
        self._fault("remove")
        super().remove(name)


# --- the driver ----------------------------------------------------------------------------------------


def test_quote_is_an_extended_report_over_the_report_data() -> None:
    made = driver()
    verified = verify(made.quote(REPORT_DATA))
    assert verified.report_data == REPORT_DATA
    assert verified.report.measurement == MEASUREMENT
    assert (made.tee, made.assurance) == (TeeKind.SEV_SNP, AssuranceLevel.SIMULATED)
    assert SevSnpDriver().assurance is AssuranceLevel.CVM


@pytest.mark.parametrize("size", [0, 63, 65])
def test_report_data_is_64_bytes(size: int) -> None:
    with pytest.raises(FieldError):
        driver().quote(bytes(size))


def test_a_guest_below_vmpl_0_asks_at_its_own_level() -> None:
    transport = tsm(recipe=SnpReportRecipe(vmpl=2))
    assert verify(driver(transport).quote(REPORT_DATA)).report.vmpl == 2


def test_a_guest_that_may_be_debugged_does_not_attest_itself() -> None:
    transport = tsm(recipe=SnpReportRecipe(policy=POLICY_RESERVED | 1 << 19))
    with pytest.raises(DebugEnabledError):
        driver(transport).quote(REPORT_DATA)


def test_certificates_come_from_the_host_or_from_configuration() -> None:
    table = parse_table(recipe().build()[REPORT_SIZE:])
    bare = tsm(with_certificates=False)
    with pytest.raises(CollateralUnavailableError, match="Neither the host") as caught:
        driver(bare).quote(REPORT_DATA)
    assert "vcek/v1/Milan" in str(caught.value.next_command)
    assert verify(driver(bare, certificates=table).quote(REPORT_DATA))


def test_certificates_that_do_not_fit_are_refused() -> None:
    """The chip's TCB moved on, and the configured certificate is the old one."""
    stale = recipe(endorsed=EndorsementRecipe(key_label="an older TCB")).build()
    table = parse_table(stale[REPORT_SIZE:])
    with pytest.raises(DeviceError, match="fits the report"):
        driver(tsm(with_certificates=False), certificates=table).quote(REPORT_DATA)
    # The host's fit, so the configured ones are not needed.
    assert verify(driver(certificates=table).quote(REPORT_DATA))
    # A host whose own do not fit leaves room for the configured ones.
    wrong = tsm(recipe=SnpReportRecipe(endorsement=MILAN.endorsement(VLEK).der))
    good = parse_table(recipe().build()[REPORT_SIZE:])
    assert verify(driver(wrong, certificates=good).quote(REPORT_DATA))


def test_a_report_over_other_data_is_refused() -> None:
    other = recipe(report_data=bytes(64)).build()[:REPORT_SIZE]
    with pytest.raises(DeviceError, match="not over the data"):
        driver(Faulty({"outblob": [other]})).quote(REPORT_DATA)


def test_a_certificate_table_in_a_file_is_read(tmp_path: Path) -> None:
    table = parse_table(recipe().build()[REPORT_SIZE:])
    path = tmp_path / "certificates"
    path.write_bytes(encode_table(table))
    assert read_certificates(path) == table
    path.write_bytes(b"\x01" * 24)
    with pytest.raises(SnpReportMalformedError):
        read_certificates(path)
    chain = [table[guid] for guid in (VCEK_GUID, ASK_GUID, ARK_GUID)]
    path.write_text("".join(pem(certificate) for certificate in chain))
    assert read_certificates(path) == table
    vlek = parse_table(recipe(endorsed=VLEK).build()[REPORT_SIZE:])
    path.write_text("".join(pem(vlek[guid]) for guid in (VLEK_GUID, ASK_GUID, ARK_GUID)))
    assert read_certificates(path) == vlek
    for order in (chain[:2], [*chain, chain[2]], chain[::-1]):
        path.write_text("".join(pem(certificate) for certificate in order))
        with pytest.raises(SnpReportMalformedError, match="not that of a report"):
            read_certificates(path)
    path.write_text("-----BEGIN CERTIFICATE-----\n")
    with pytest.raises(SnpReportMalformedError, match="not that of a report"):
        read_certificates(path)
    path.write_text("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
    with pytest.raises(FieldError, match="not PEM"):
        read_certificates(path)
    with pytest.raises(FieldError, match="cannot be read"):
        read_certificates(tmp_path / "nothing")


def test_amds_service_is_asked_for_chip_and_tcb() -> None:
    def url(product: ProductLine = ProductLine.MILAN, **changes: Any) -> str | None:
        built = recipe(**changes).build(development_snp_pki(product))
        return vcek_url(parse_report(built[:REPORT_SIZE]))

    milan = f"{KDS}/vcek/v1/Milan/{CHIP_ID.hex()}?blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219"
    assert url() == milan
    turin = f"{KDS}/vcek/v1/Turin/{CHIP_ID[:8].hex()}?fmcSPL=00&blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219"
    assert url(ProductLine.TURIN) == turin
    # Version 2 does not name its product line, a VLEK is its provider's, and a masked chip has no name.
    assert url(version=2) is url(endorsed=VLEK) is url(chip_id=bytes(64)) is None
    assert url(cpu=(0x1A, 0x50, 0)) is None
    assert chain_url(ProductLine.GENOA, SigningKey.VLEK) == f"{KDS}/vlek/v1/Genoa/cert_chain"


def test_emulated_guest_measures_the_trusted_code(tmp_path: Path) -> None:
    now = int(time.time())
    made = emulated_sevsnp(tmp_path)
    verified = verify_report(made.quote(REPORT_DATA), FLOORS, now, anchors=ANCHORS)
    assert verified.report.measurement == measure_code()
    salted = emulated_sevsnp(tmp_path, measurement_salt=b"a back door")
    other = verify_report(salted.quote(REPORT_DATA), FLOORS, now, anchors=ANCHORS)
    assert other.workload != verified.workload
    assert made.seal_root() == emulated_sevsnp(tmp_path).seal_root() != salted.seal_root()


# --- configfs-tsm ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [errno.EBUSY, errno.EINTR, errno.ETIMEDOUT, errno.EAGAIN])
@pytest.mark.parametrize("step", ["outblob", "write inblob", "generation", "provider"])
def test_a_busy_kernel_is_asked_again_with_growing_pauses(step: str, fault: int) -> None:
    pauses: list[float] = []
    transport = Faulty({step: [fault, fault, fault]})
    report = request_report(transport, REPORT_DATA, "sev_guest", "r", pauses.append)
    assert len(report.outblob) == REPORT_SIZE
    assert pauses == [0.05, 0.1, 0.2]
    assert transport.removed == ["r"]


@pytest.mark.parametrize("step", ["outblob", "write inblob", "generation"])
def test_a_kernel_that_stays_busy_is_given_up(step: str) -> None:
    pauses: list[float] = []
    transport = Faulty({step: [errno.EBUSY] * 99})
    with pytest.raises(DeviceError) as caught:
        request_report(transport, REPORT_DATA, "sev_guest", "r", pauses.append)
    assert caught.value.got == "EBUSY"
    assert len(pauses) == 5
    assert transport.removed == ["r"]


@pytest.mark.parametrize("step", ["make", "provider", "generation", "write inblob", "outblob"])
def test_another_failure_is_final(step: str) -> None:
    pauses: list[float] = []
    with pytest.raises(DeviceError):
        request_report(Faulty({step: [errno.ENXIO]}), REPORT_DATA, "sev_guest", "r", pauses.append)
    assert pauses == []


@pytest.mark.parametrize("outblob", [b"", bytes(32_769)])
def test_an_empty_or_endless_outblob_without_an_error_is_a_failure(outblob: bytes) -> None:
    with pytest.raises(DeviceError, match="no report"):
        request_report(Faulty({"outblob": [outblob]}), REPORT_DATA, "sev_guest", "r", no_pause)


def test_a_short_outblob_is_a_failure() -> None:
    with pytest.raises(Exception, match="too short"):
        driver(Faulty({"outblob": [bytes(100)]})).quote(REPORT_DATA)


@pytest.mark.parametrize(
    ("before", "after"), [(b"0\n", b"2\n"), (b"0\n", b"0\n"), (b"5\n", b"1\n")]
)
def test_somebody_elses_write_shows_in_the_generation(before: bytes, after: bytes) -> None:
    with pytest.raises(DeviceError, match="Somebody else"):
        request_report(
            Faulty({"generation": [before, after]}), REPORT_DATA, "sev_guest", "r", no_pause
        )


@pytest.mark.parametrize("text", [b"", b"x", b"-1", b"1 2"])
def test_a_generation_that_is_no_number_is_refused(text: bytes) -> None:
    with pytest.raises(DeviceError, match="no number"):
        request_report(Faulty({"generation": [text]}), REPORT_DATA, "sev_guest", "r", no_pause)


def test_another_tees_driver_is_refused() -> None:
    with pytest.raises(DeviceError, match="another TEE") as caught:
        request_report(
            Faulty({"provider": [b"tdx_guest\n"]}), REPORT_DATA, "sev_guest", "r", no_pause
        )
    assert caught.value.got == "tdx_guest"


def test_a_folder_that_cannot_be_removed_does_not_hide_the_report() -> None:
    transport = Faulty({"remove": [errno.EBUSY]})
    assert request_report(transport, REPORT_DATA, "sev_guest", "r", no_pause).outblob


def test_a_provider_without_auxblob_gives_none() -> None:
    transport = Faulty({"auxblob": [errno.ENOENT]})
    assert request_report(transport, REPORT_DATA, "sev_guest", "r", no_pause).auxblob == b""


def test_a_busy_auxblob_is_asked_again() -> None:
    transport = Faulty({"auxblob": [errno.EBUSY, errno.EINTR]})
    assert request_report(transport, REPORT_DATA, "sev_guest", "r", no_pause).auxblob


def test_every_request_has_a_folder_of_its_own() -> None:
    transport = Faulty({})
    made = driver(transport)
    made.quote(REPORT_DATA)
    made.quote(REPORT_DATA)
    assert len(set(transport.removed)) == 2
    assert all(name.startswith("xmtp-tee-") for name in transport.removed)


def test_real_folder_is_made_read_written_and_removed(tmp_path: Path) -> None:
    """A plain folder stands for configfs: the attributes lie there already, as the kernel makes them."""
    folder = TsmFolder(tmp_path)
    folder.make("r")
    with pytest.raises(FileExistsError):
        folder.make("r")
    (tmp_path / "r" / "inblob").write_bytes(b"")
    folder.write("r", "inblob", REPORT_DATA)
    assert folder.read("r", "inblob") == REPORT_DATA
    with pytest.raises(FileNotFoundError):
        folder.write("r", "absent", b"x")
    (tmp_path / "r" / "inblob").write_bytes(bytes(100_000))
    assert len(folder.read("r", "inblob")) > 32_768
    (tmp_path / "r" / "inblob").unlink()
    folder.remove("r")
    assert not (tmp_path / "r").exists()


def test_without_the_interface_there_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="Making a request"):
        SevSnpDriver(TsmFolder(tmp_path / "nothing"), guest()).quote(REPORT_DATA)


# --- the derived key --------------------------------------------------------------------------------------


class Recorder:
    """A guest device that keeps what it was asked."""

    def __init__(self, response: bytes = bytes(32) + b"\x01" * 32) -> None:
        self.response = response
        self.requests: list[bytes] = []
        self.given: list[bytearray] = []

    def derived_key(self, request: bytes) -> bytearray:
        self.requests.append(request)
        self.given.append(bytearray(self.response))
        return self.given[-1]


def test_key_request_mixes_policy_ids_and_measurement() -> None:
    recorder = Recorder()
    assert derive_key(recorder, 2) == b"\x01" * 32
    fields = 0b1111
    assert recorder.requests == [struct.pack("<IIQIIQ", 0, 0, fields, 2, 0, 0)]
    assert len(recorder.requests[0]) == 32


def test_the_firmwares_answer_is_wiped() -> None:
    recorder = Recorder()
    derive_key(recorder, 0)
    assert recorder.given == [bytearray(64)]


@pytest.mark.parametrize(
    "response",
    [b"\x16" + bytes(31) + b"\x01" * 32, bytes(64), b"", bytes(32) + b"\x01" * 31],
)
def test_a_refused_or_empty_key_is_an_error(response: bytes) -> None:
    with pytest.raises(DeviceError, match="no key"):
        derive_key(Recorder(response), 0)


def test_seal_root_is_bound_to_chip_and_measurement() -> None:
    root = driver().seal_root()
    assert len(root) == 32
    assert driver().seal_root() == root
    assert driver(guest=guest(secret=b"\x01" * 32)).seal_root() != root
    assert driver(guest=guest(measurement=b"\x01" * 48)).seal_root() != root
    assert bytes(root) != bytes(derive_key(guest(), 0))


def test_seal_root_is_asked_for_at_the_guests_own_level() -> None:
    recorder = Recorder()
    driver(tsm(recipe=SnpReportRecipe(vmpl=3)), guest=recorder).seal_root()
    assert struct.unpack("<IIQIIQ", recorder.requests[0])[3] == 3


def test_a_failing_device_is_a_typed_error() -> None:
    class Failing:
        def derived_key(self, request: bytes) -> bytearray:
            raise OSError(errno.EIO, "input/output error")

    with pytest.raises(DeviceError, match="Deriving a key") as caught:
        driver(guest=Failing()).seal_root()
    assert caught.value.got == "EIO"


def test_emulated_guest_takes_requests_of_one_size() -> None:
    with pytest.raises(OSError, match="invalid argument"):
        guest().derived_key(bytes(31))


def test_ioctl_carries_request_and_response_by_their_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel's side of SNP_GET_DERIVED_KEY, played by the emulated guest at the same addresses."""
    numbers: list[int] = []

    def kernel(descriptor: int, number: int, raw: bytearray) -> None:
        numbers.append(number)
        version, request_at, response_at, _ = struct.unpack("=B7xQQQ", raw)
        assert version == 1
        reply = guest().derived_key(ctypes.string_at(request_at, 32))
        ctypes.memmove(response_at, bytes(reply), len(reply))

    monkeypatch.setattr(sev_guest, "ioctl", kernel)
    device = SevGuestDevice(Path("/dev/null"))
    assert derive_key(device, 1) == derive_key(guest(), 1)
    assert numbers == [SNP_GET_DERIVED_KEY] == [0xC0205301]


def test_a_firmware_error_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def kernel(descriptor: int, number: int, raw: bytearray) -> None:
        raw[24:32] = (0x16).to_bytes(8, "little")

    monkeypatch.setattr(sev_guest, "ioctl", kernel)
    with pytest.raises(DeviceError, match="firmware refused") as caught:
        derive_key(SevGuestDevice(Path("/dev/null")), 0)
    assert caught.value.got == "0x16"


def test_without_the_device_there_is_a_typed_error_for_keys(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="Opening"):
        derive_key(SevGuestDevice(tmp_path / "sev-guest"), 0)
    with pytest.raises(DeviceError, match="Deriving a key"):
        derive_key(SevGuestDevice(Path("/dev/null")), 0)


def test_now_is_within_the_development_certificates() -> None:
    assert verify(driver().quote(REPORT_DATA), NOW)
