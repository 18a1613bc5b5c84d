"""The simulator as a driver: genuine-format TDX quotes under the development root."""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.binding import REPORT_DATA_SIZE
from xmtp_tee.attestation.drivers.measurement import measure_code
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.fields import require_length
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.simulator import DevelopmentPki, QuoteRecipe, TdRecipe, development_pki

FUSES_FILE = "simulated-fuses"
_FUSES_SIZE = 32
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
        self._fuses = state_dir / FUSES_FILE
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
        fuses = self._read_fuses()
        return bytearray(HKDF(hashes.SHA256(), 32, salt=None, info=_SEAL_INFO).derive(fuses))

    def _read_fuses(self) -> bytes:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._fuses.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                descriptor = os.open(self._fuses, flags)
            except FileNotFoundError:
                self._burn_fuses()
                descriptor = os.open(self._fuses, flags)
        except OSError as error:
            raise FieldError(
                f"{self._fuses} cannot be opened.",
                cause=error.strerror,
                expected="a regular file in a folder of this user",
            ) from error
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(_FUSES_SIZE + 1)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise FieldError(
                f"{self._fuses} can be read by others.",
                got=f"mode {stat.S_IMODE(status.st_mode):04o}, uid {status.st_uid}",
                expected=f"mode 0600, uid {os.geteuid()}",
                next_command=f"chmod 600 {self._fuses}",
            )
        require_length(str(self._fuses), content, _FUSES_SIZE)
        return content

    def _burn_fuses(self) -> None:
        """Write the secret under a temporary name and link it: the first process wins, none sees half a file."""
        temporary = self._fuses.with_name(f"{FUSES_FILE}.{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(_FUSES_SIZE))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, self._fuses)
            except FileExistsError:
                return
            folder = os.open(self._fuses.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            temporary.unlink()
