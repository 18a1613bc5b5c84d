"""The production driver, on the emulated device and on a device that misbehaves."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from tests.attestation.nitro.support import NOW, ROOT, recipe
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.drivers import nsm
from xmtp_tee.attestation.drivers.emulated import emulated_nitro
from xmtp_tee.attestation.drivers.measurement import measure_code
from xmtp_tee.attestation.drivers.nitro import NitroDriver
from xmtp_tee.attestation.drivers.nsm import MAX_REPLY_SIZE, NSM_IOCTL_RAW, NsmDevice, describe
from xmtp_tee.attestation.errors import (
    CborMalformedError,
    DebugEnabledError,
    DeviceError,
    FieldError,
    QuoteMalformedError,
    SealRootUnavailableError,
)
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.nitro.cbor import Cbor, decode, encode
from xmtp_tee.attestation.nitro.verify import verify_document
from xmtp_tee.attestation.simulator.nitro import EmulatedNsm
from xmtp_tee.attestation.simulator.nitro.pki import MODULE_ID

APPLICATION = hashlib.sha384(b"an application").digest()
REPORT_DATA = bytes(range(64))


def device(**options: Any) -> EmulatedNsm:
    """An emulated device whose clock stands still."""
    return EmulatedNsm(APPLICATION, lambda: NOW, lambda size: b"\x05" * size, **options)


class Scripted:
    """A device that answers what it was told, and keeps what it was asked."""

    assurance = AssuranceLevel.SIMULATED

    def __init__(self, reply: bytes) -> None:
        self.reply = reply
        self.requests: list[bytes] = []

    def request(self, request: bytes) -> bytes:
        self.requests.append(request)
        return self.reply


def ask(request: Cbor, emulated: EmulatedNsm | None = None) -> Cbor:
    """One request to an emulated device."""
    return decode((emulated or device()).request(encode(request)), "the reply")


# --- the driver ----------------------------------------------------------------------------------------


def test_quote_is_a_document_over_the_report_data_with_the_applications_measurement() -> None:
    driver = NitroDriver(device())
    verified = verify_document(driver.quote(REPORT_DATA), ROOT, NOW)
    assert verified.report_data == REPORT_DATA
    assert verified.document.pcrs[2] == APPLICATION
    assert (driver.tee, driver.assurance) == (TeeKind.NITRO, AssuranceLevel.SIMULATED)


def test_request_is_what_the_real_device_is_asked() -> None:
    scripted = Scripted(device().request(encode({"Attestation": {"user_data": REPORT_DATA}})))
    NitroDriver(scripted).quote(REPORT_DATA)
    expected = (
        b"\xa1\x6bAttestation\xa3\x69user_data\x58\x40"
        + REPORT_DATA
        + b"\x65nonce\xf6\x6apublic_key\xf6"
    )
    assert scripted.requests == [expected]


def test_real_device_claims_no_simulation() -> None:
    assert NitroDriver().assurance is AssuranceLevel.CVM


@pytest.mark.parametrize("size", [0, 63, 65])
def test_report_data_is_64_bytes(size: int) -> None:
    with pytest.raises(FieldError):
        NitroDriver(device()).quote(bytes(size))


def test_an_enclave_in_debug_mode_does_not_attest_itself() -> None:
    with pytest.raises(DebugEnabledError):
        NitroDriver(device(debug=True)).quote(REPORT_DATA)


def test_a_document_over_other_data_is_refused() -> None:
    other = encode({"Attestation": {"document": recipe(user_data=bytes(64)).build(NOW)}})
    with pytest.raises(DeviceError, match="not over the data"):
        NitroDriver(Scripted(other)).quote(REPORT_DATA)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ({"Error": "InternalError"}, "refused Attestation"),
        ({"Attestation": {}}, "no document"),
        ({"Attestation": {"document": b""}}, "no document"),
        ({"Attestation": {"document": "text"}}, "no document"),
        ({"Attestation": None}, "another form"),
        ({"DescribePCR": {"lock": True, "data": b""}}, "another form"),
        ({"Attestation": {"document": b"x"}, "Error": "y"}, "another form"),
        ({}, "another form"),
        ("LockPCR", "another form"),
        (None, "another form"),
    ],
)
def test_another_reply_is_refused(reply: Cbor, message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        NitroDriver(Scripted(encode(reply))).quote(REPORT_DATA)


def test_a_reply_that_is_no_cbor_or_no_document_is_refused() -> None:
    for reply in (b"", b"\xff", b"\xa1"):
        with pytest.raises(CborMalformedError):
            NitroDriver(Scripted(reply)).quote(REPORT_DATA)
    with pytest.raises(QuoteMalformedError):
        NitroDriver(Scripted(encode({"Attestation": {"document": b"x"}}))).quote(REPORT_DATA)


def test_module_must_measure_with_sha384_and_lock_its_registers() -> None:
    NitroDriver(device()).require_module()
    described = ask("DescribeNSM")
    assert isinstance(described, dict)
    about = described["DescribeNSM"]
    assert isinstance(about, dict)
    for changes in ({"digest": "SHA256"}, {"locked_pcrs": list(range(15))}, {"locked_pcrs": []}):
        with pytest.raises(DeviceError, match="not of the known kind"):
            NitroDriver(Scripted(encode({"DescribeNSM": {**about, **changes}}))).require_module()  # type: ignore[dict-item]
    for name in ("digest", "locked_pcrs", "module_id", "max_pcrs"):
        without = {key: value for key, value in about.items() if key != name}
        with pytest.raises(DeviceError, match="another form"):
            describe(Scripted(encode({"DescribeNSM": without})))


# --- sealing -------------------------------------------------------------------------------------------


def test_nitro_has_no_sealing_root_and_says_what_is_missing() -> None:
    with pytest.raises(SealRootUnavailableError, match="no sealing root") as caught:
        NitroDriver(device()).seal_root()
    assert "recovery" in str(caught.value.expected)


def test_a_seal_source_stands_in_for_it() -> None:
    class Source:
        def root(self) -> bytearray:
            return bytearray(b"\x07" * 32)

    assert NitroDriver(device(), Source()).seal_root() == b"\x07" * 32


def test_emulated_enclave_seals_under_simulated_fuses(tmp_path: Path) -> None:
    first, second = emulated_nitro(tmp_path), emulated_nitro(tmp_path)
    assert first.seal_root() == second.seal_root()
    assert len(first.seal_root()) == 32
    other = emulated_nitro(tmp_path / "another machine")
    assert other.seal_root() != first.seal_root()


def test_emulated_enclave_measures_the_trusted_code(tmp_path: Path) -> None:
    now = int(time.time())
    driver = emulated_nitro(tmp_path)
    verified = verify_document(driver.quote(REPORT_DATA), ROOT, now)
    assert verified.document.pcrs[2] == measure_code()
    salted = emulated_nitro(tmp_path, measurement_salt=b"a back door")
    assert verify_document(salted.quote(REPORT_DATA), ROOT, now).workload != verified.workload


# --- the emulated device --------------------------------------------------------------------------------


def test_emulated_device_describes_itself_and_its_registers() -> None:
    about = describe(device())
    assert (about.module_id, about.digest, about.max_pcrs) == (MODULE_ID, "SHA384", 32)
    assert about.locked_pcrs == frozenset(range(16))
    assert ask({"DescribePCR": {"index": 2}}) == {
        "DescribePCR": {"lock": True, "data": APPLICATION}
    }
    assert ask("GetRandom") == {"GetRandom": {"random": b"\x05" * 256}}


def test_emulated_registers_extend_until_they_are_locked() -> None:
    emulated = device()
    extended = hashlib.sha384(bytes(48) + b"data").digest()
    request: Cbor = {"ExtendPCR": {"index": 16, "data": b"data"}}
    assert ask(request, emulated) == {"ExtendPCR": {"data": extended}}
    assert ask({"LockPCR": {"index": 16}}, emulated) == "LockPCR"
    assert ask(request, emulated) == {"Error": "ReadOnlyIndex"}
    raw = NitroDriver(emulated).quote(REPORT_DATA)
    assert verify_document(raw, ROOT, NOW).document.pcrs[16] == extended


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ("Nonsense", "InvalidOperation"),
        ({"Nonsense": {}}, "InvalidOperation"),
        ({}, "InvalidOperation"),
        ({"DescribePCR": None}, "InvalidArgument"),
        ({"DescribePCR": {"index": 32}}, "InvalidIndex"),
        ({"DescribePCR": {"index": -1}}, "InvalidIndex"),
        ({"ExtendPCR": {"index": 0, "data": b"x"}}, "ReadOnlyIndex"),
        ({"ExtendPCR": {"index": 20, "data": bytes(513)}}, "InvalidArgument"),
        ({"Attestation": {"user_data": bytes(513)}}, "InputTooLarge"),
        ({"Attestation": {"user_data": "text"}}, "InvalidArgument"),
        ({"Attestation": {"other": b""}}, "InvalidArgument"),
    ],
)
def test_emulated_device_answers_errors_as_the_real_one(request_: Cbor, error: str) -> None:
    assert ask(request_) == {"Error": error}


def test_emulated_device_refuses_what_is_no_cbor_or_too_long() -> None:
    assert decode(device().request(b"\xff"), "the reply") == {"Error": "InvalidArgument"}
    assert decode(device().request(bytes(4_097)), "the reply") == {"Error": "InputTooLarge"}


# --- the system call -------------------------------------------------------------------------------------


def test_ioctl_carries_two_iovecs_and_returns_the_length_that_the_kernel_wrote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel's side of NSM_IOCTL_RAW, played by an emulated device at the same addresses."""
    numbers: list[int] = []

    def kernel(descriptor: int, number: int, raw: bytearray) -> None:
        numbers.append(number)
        request_at, request_size, reply_at, reply_size = struct.unpack("=QQQQ", raw)
        assert reply_size == MAX_REPLY_SIZE
        reply = device().request(ctypes.string_at(request_at, request_size))
        ctypes.memmove(reply_at, reply, len(reply))
        raw[:] = struct.pack("=QQQQ", request_at, request_size, reply_at, len(reply))

    monkeypatch.setattr(nsm, "ioctl", kernel)
    driver = NitroDriver(NsmDevice(Path("/dev/null")))
    assert verify_document(driver.quote(REPORT_DATA), ROOT, NOW).report_data == REPORT_DATA
    assert numbers == [NSM_IOCTL_RAW] == [0xC0200A00]


@pytest.mark.parametrize("length", [0, MAX_REPLY_SIZE + 1])
def test_an_empty_or_impossible_reply_is_refused(
    monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    def kernel(descriptor: int, number: int, raw: bytearray) -> None:
        raw[24:] = length.to_bytes(8, "little")

    monkeypatch.setattr(nsm, "ioctl", kernel)
    with pytest.raises(DeviceError, match="no reply"):
        NsmDevice(Path("/dev/null")).request(b"\x00")


def test_the_kernels_refusal_is_a_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def kernel(descriptor: int, number: int, raw: bytearray) -> None:
        raise OSError(errno.ETIMEDOUT, "timed out")

    monkeypatch.setattr(nsm, "ioctl", kernel)
    with pytest.raises(DeviceError) as caught:
        NsmDevice(Path("/dev/null")).request(b"\x00")
    assert caught.value.got == "ETIMEDOUT"


def test_without_the_device_there_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="Opening"):
        NsmDevice(tmp_path / "nsm").request(b"\x00")
    (tmp_path / "file").touch()
    with pytest.raises(DeviceError, match="no character device"):
        NsmDevice(tmp_path / "file").request(b"\x00")
    # /dev/null is a character device, and takes no such ioctl.
    with pytest.raises(DeviceError, match="A request to"):
        NsmDevice(Path("/dev/null")).request(b"\x00")


@pytest.mark.parametrize("size", [0, 4_097])
def test_a_request_that_does_not_fit_is_not_sent(size: int) -> None:
    with pytest.raises(DeviceError, match="does not fit"):
        NsmDevice(Path("/dev/null")).request(bytes(size))
