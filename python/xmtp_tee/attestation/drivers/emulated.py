"""The production drivers in front of emulated devices: TDX, Nitro and SEV-SNP without the hardware.

What the enclave runs is the code that it runs on hardware; only what answers it is simulated, and says so.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from xmtp_tee.attestation.drivers.measurement import measure_code
from xmtp_tee.attestation.drivers.nitro import NitroDriver
from xmtp_tee.attestation.drivers.sealing import SimulatedFuses
from xmtp_tee.attestation.drivers.sevsnp import SevSnpDriver
from xmtp_tee.attestation.drivers.tdx import TdxDriver

if TYPE_CHECKING:
    from xmtp_tee.attestation.drivers.kms.source import KmsConfig

_TDX_SEAL_INFO = b"xmtp-tee/simulator/seal-root/v1"
_NITRO_SEAL_INFO = b"xmtp-tee/simulator/nitro/seal-root/v1"
_SNP_SECRET_INFO = b"xmtp-tee/simulator/sev-snp/chip-secret/v1"


def emulated_tdx(state_dir: Path, *, measurement_salt: bytes = b"") -> TdxDriver:
    """Return the TDX driver on an emulated guest that measures the trusted code.

    The sealing root, which TDX has none of, is that of the simulated fuses in ``state_dir``: a store survives a change
    of the code. ``measurement_salt`` changes the measurement, so that it becomes a workload that no policy knows.
    """
    from xmtp_tee.attestation.simulator.tdx_guest import EmulatedTdxTsm

    guest = EmulatedTdxTsm(measure_code(salt=measurement_salt))
    return TdxDriver(guest, SimulatedFuses(state_dir, _TDX_SEAL_INFO))


def emulated_nitro(
    state_dir: Path, *, measurement_salt: bytes = b"", kms: KmsConfig | None = None
) -> NitroDriver:
    """Return the Nitro driver on an emulated device that measures the trusted code.

    The sealing root, which Nitro has none of, is that of the simulated fuses in ``state_dir``, or from ``kms``.
    """
    from xmtp_tee.attestation.simulator.nitro import EmulatedNsm

    device = EmulatedNsm(measure_code(salt=measurement_salt), lambda: int(time.time()), os.urandom)
    if kms is not None:
        from xmtp_tee.attestation.drivers.kms.source import KmsSealSource

        return NitroDriver(device, KmsSealSource(kms, device))
    return NitroDriver(device, SimulatedFuses(state_dir, _NITRO_SEAL_INFO))


def emulated_sevsnp(state_dir: Path, *, measurement_salt: bytes = b"") -> SevSnpDriver:
    """Return the SEV-SNP driver on an emulated guest that measures the trusted code.

    The chip's secret is that of the simulated fuses in ``state_dir``. As on hardware the sealing root depends on the
    measurement, so a change of the code loses the store.
    """
    from xmtp_tee.attestation.simulator.sevsnp import EmulatedSevGuest, EmulatedTsm

    measurement = measure_code(salt=measurement_salt)
    fuses = SimulatedFuses(state_dir, _SNP_SECRET_INFO)
    return SevSnpDriver(
        EmulatedTsm(measurement),
        EmulatedSevGuest(lambda: bytes(fuses.root()), measurement),
    )
