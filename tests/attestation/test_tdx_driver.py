"""The TDX driver, on an emulated guest and on interfaces that misbehave."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.drivers import TdxDriver, measure_code
from xmtp_tee.attestation.drivers.emulated import emulated_tdx
from xmtp_tee.attestation.drivers.tsm import TsmFolder
from xmtp_tee.attestation.errors import (
    DebugEnabledError,
    DeviceError,
    FieldError,
    QuoteMalformedError,
    SealRootUnavailableError,
    TdAttributesRefusedError,
)
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    QuoteRecipe,
    TdRecipe,
    development_pki,
    development_root_certificate,
)
from xmtp_tee.attestation.simulator.tdx_guest import EmulatedTdxTsm
from xmtp_tee.attestation.verify import verify_quote

MEASUREMENT = b"\x4d" * 48
REPORT_DATA = bytes(range(64))


def recipe(**td: object) -> QuoteRecipe:
    return QuoteRecipe(
        td=TdRecipe(mr_td=MEASUREMENT, **td),  # type: ignore[arg-type]
        pck=development_pki().issue_pck(),
    )


def driver(guest: EmulatedTdxTsm | None = None) -> TdxDriver:
    return TdxDriver(guest or EmulatedTdxTsm(MEASUREMENT), pause=lambda _: None)


class Instead(EmulatedTdxTsm):
    """A guest whose attribute reads as it was told."""

    def __init__(self, attribute: str, content: bytes) -> None:
        super().__init__(MEASUREMENT)
        self._instead = {attribute: content}
        self.removed: list[str] = []

    def read(self, name: str, attribute: str) -> bytes:
        return self._instead.get(attribute) or super().read(name, attribute)

    def remove(self, name: str) -> None:
        self.removed.append(name)
        super().remove(name)


def test_quote_verifies_and_binds_the_report_data() -> None:
    now = int(time.time())
    made = driver()
    verified = verify_quote(
        made.quote(REPORT_DATA),
        CollateralRecipe().build(now - 60),
        development_root_certificate(),
        now,
    )
    assert verified.report_data == REPORT_DATA
    assert verified.quote.body.mr_td == MEASUREMENT  # type: ignore[union-attr]
    assert (made.tee, made.assurance) == (TeeKind.TDX, AssuranceLevel.SIMULATED)


def test_real_interface_claims_the_machine_and_nothing_less() -> None:
    assert TdxDriver().assurance is AssuranceLevel.CVM


def test_quote_of_version_5_is_taken() -> None:
    version_5 = QuoteRecipe.tdx_v5(TdRecipe(mr_td=MEASUREMENT), pck=development_pki().issue_pck())
    assert driver(EmulatedTdxTsm(MEASUREMENT, recipe=version_5)).quote(REPORT_DATA)


@pytest.mark.parametrize("size", [0, 63, 65])
def test_report_data_is_64_bytes(size: int) -> None:
    with pytest.raises(FieldError):
        driver().quote(bytes(size))


def test_td_under_debug_does_not_attest_itself() -> None:
    bent = recipe(td_attributes=TdRecipe().td_attributes | 1)
    with pytest.raises(DebugEnabledError):
        driver(EmulatedTdxTsm(MEASUREMENT, recipe=bent)).quote(REPORT_DATA)


def test_td_with_attributes_that_weaken_it_does_not_attest_itself() -> None:
    bent = recipe(td_attributes=0)
    with pytest.raises(TdAttributesRefusedError):
        driver(EmulatedTdxTsm(MEASUREMENT, recipe=bent)).quote(REPORT_DATA)


def test_quote_over_other_data_is_refused() -> None:
    """Attack: the host replays a quote."""
    old = replace(recipe(), td=TdRecipe(mr_td=MEASUREMENT, report_data=bytes(64))).build()
    guest = Instead("outblob", old)
    with pytest.raises(DeviceError, match="not over the data"):
        driver(guest).quote(REPORT_DATA)
    assert len(guest.removed) == 1


def test_sgx_quote_is_refused() -> None:
    with pytest.raises(DeviceError, match="not a TD's"):
        driver(Instead("outblob", QuoteRecipe.sgx_v3().build())).quote(REPORT_DATA)


@pytest.mark.parametrize("outblob", [b"\x04", bytes(700)])
def test_what_is_no_quote_is_refused(outblob: bytes) -> None:
    with pytest.raises(QuoteMalformedError):
        driver(Instead("outblob", outblob)).quote(REPORT_DATA)


def test_other_tees_interface_is_refused() -> None:
    with pytest.raises(DeviceError, match="another TEE's driver"):
        driver(Instead("provider", b"sev_guest\n")).quote(REPORT_DATA)


def test_machine_without_the_interface_is_refused(tmp_path: Path) -> None:
    absent = TdxDriver(TsmFolder(tmp_path / "absent"), pause=lambda _: None)
    with pytest.raises(DeviceError):
        absent.quote(REPORT_DATA)


def test_td_has_no_sealing_root_of_its_own() -> None:
    with pytest.raises(SealRootUnavailableError, match="no sealing root"):
        driver().seal_root()

    class Source:
        def root(self) -> bytearray:
            return bytearray(b"\x07" * 32)

    assert TdxDriver(EmulatedTdxTsm(MEASUREMENT), Source()).seal_root() == b"\x07" * 32


def test_emulated_guest_measures_the_trusted_code(tmp_path: Path) -> None:
    first, other = (
        emulated_tdx(tmp_path, measurement_salt=salt).quote(REPORT_DATA) for salt in (b"", b"x")
    )
    assert measure_code() in first
    assert measure_code() not in other
