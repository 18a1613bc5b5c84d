"""Where sealing roots come from when the TEE itself has none."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xmtp_tee.attestation.errors import FieldError, SealRootUnavailableError
from xmtp_tee.attestation.fields import require_length
from xmtp_tee.attestation.kinds import TeeKind

FUSES_FILE = "simulated-fuses"
FUSES_SIZE = 32
SEAL_ROOT_SIZE = 32


class SealSource(Protocol):
    """Gives a sealing root from outside of the TEE's own hardware."""

    def root(self) -> bytearray:
        """Return 32 bytes, the same on every call; the caller wipes them."""
        ...


class NoSealSource:
    """The refusal: this TEE has no sealing root, and nothing is configured in its place."""

    def __init__(self, tee: TeeKind) -> None:
        self._tee = tee

    def root(self) -> bytearray:
        """Always raise.

        :raises SealRootUnavailableError: what is missing
        """
        raise SealRootUnavailableError(
            f"{self._tee.label} has no sealing root of its own.",
            expected="a key service that releases one to this measurement, or a recovery of the store",
            cause="The hardware keeps no secret across restarts, so nothing here can seal a store for the next start.",
        )


class SimulatedFuses:
    """The secret of a simulated CPU: 32 random bytes in ``state_dir/simulated-fuses``, mode 0600.

    WARNING: who can read the file can unseal everything that was sealed under it.
    """

    def __init__(self, state_dir: Path, info: bytes) -> None:
        self._path = state_dir / FUSES_FILE
        self._info = info

    def root(self) -> bytearray:
        """Return the 32-byte root, HKDF of the fuses; the caller wipes it.

        :raises FieldError: the file cannot be opened, or is not 32 bytes of mode 0600 owned by this user
        """
        derived = HKDF(hashes.SHA256(), SEAL_ROOT_SIZE, salt=None, info=self._info)
        return bytearray(derived.derive(self.read()))

    def read(self) -> bytes:
        """Return the fuses themselves, burning them at the first call.

        :raises FieldError: as :meth:`root`
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                descriptor = os.open(self._path, flags)
            except FileNotFoundError:
                self._burn()
                descriptor = os.open(self._path, flags)
        except OSError as error:
            raise FieldError(
                f"{self._path} cannot be opened.",
                cause=error.strerror,
                expected="a regular file in a folder of this user",
            ) from error
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(FUSES_SIZE + 1)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise FieldError(
                f"{self._path} can be read by others.",
                got=f"mode {stat.S_IMODE(status.st_mode):04o}, uid {status.st_uid}",
                expected=f"mode 0600, uid {os.geteuid()}",
                next_command=f"chmod 600 {self._path}",
            )
        require_length(str(self._path), content, FUSES_SIZE)
        return content

    def _burn(self) -> None:
        """Write the secret under a temporary name and link it: the first process wins, none sees half a file."""
        temporary = self._path.with_name(f"{FUSES_FILE}.{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(FUSES_SIZE))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, self._path)
            except FileExistsError:
                return
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            temporary.unlink()
