"""The simulator as a driver: genuine-format TDX quotes under the development root."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.binding import REPORT_DATA_SIZE
from xmtp_tee.attestation.drivers.measurement import measure_code
from xmtp_tee.attestation.drivers.sealing import FUSES_FILE, SimulatedFuses
from xmtp_tee.attestation.fields import require_length
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.simulator import DevelopmentPki, QuoteRecipe, TdRecipe, development_pki

__all__ = ["FUSES_FILE", "SimulatorDriver"]

_SEAL_INFO = b"xmtp-tee/simulator/seal-root/v1"


class SimulatorDriver:
    """A TDX platform in software; its assurance level is ``simulated``.

    ``state_dir`` holds the file ``simulated-fuses`` (32 random bytes, mode 0600), which stands for the secret
    fused into a CPU: who can read it can unseal everything sealed here. ``measurement_salt`` changes the
    measurement, so that it becomes a workload that no policy knows.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        measurement_salt: bytes = b"",
        pki: DevelopmentPki | None = None,
    ) -> None:
        self._fuses = SimulatedFuses(state_dir, _SEAL_INFO)
        self._salt = measurement_salt
        self._pki = pki or development_pki()

    @property
    def tee(self) -> TeeKind:
        """TDX: the quotes have its format."""
        return TeeKind.TDX

    @property
    def assurance(self) -> AssuranceLevel:
        """Always ``simulated``."""
        return AssuranceLevel.SIMULATED

    @cached_property
    def measurement(self) -> bytes:
        """The 48-byte MRTD, taken once: the SHA-384 of the trusted code as it was loaded."""
        return measure_code(salt=self._salt)

    @cached_property
    def _recipe(self) -> QuoteRecipe:
        # Issued once per process: the certificate depends on the seed alone.
        return QuoteRecipe(td=TdRecipe(mr_td=self.measurement), pck=self._pki.issue_pck())

    def quote(self, report_data: bytes) -> bytes:
        """Return a TDX v4 quote over 64 bytes of report data.

        :raises FieldError: not 64 bytes
        """
        require_length("report data", report_data, REPORT_DATA_SIZE)
        td = replace(self._recipe.td, report_data=report_data)
        return replace(self._recipe, td=td).build(self._pki)

    def seal_root(self) -> bytearray:
        """Return the 32-byte sealing root, HKDF of the simulated fuses; the caller wipes it.

        It is bound to the platform and not to the measurement, so a store survives a change of the code.

        :raises FieldError: the file cannot be opened, or is not 32 bytes of mode 0600 owned by this user
        """
        return self._fuses.root()
