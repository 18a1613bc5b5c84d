"""What the enclave asks of the TEE it runs in."""

from __future__ import annotations

from typing import Protocol

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.kinds import TeeKind


class Driver(Protocol):
    """A TEE as seen from inside. A driver never falls back: what it cannot do, it refuses."""

    @property
    def tee(self) -> TeeKind:
        """The kind of evidence that :meth:`quote` returns."""
        ...

    @property
    def assurance(self) -> AssuranceLevel:
        """The most that may be claimed under this driver."""
        ...

    def quote(self, report_data: bytes) -> bytes:
        """Return fresh evidence over 64 bytes of report data, padding allowed.

        :raises FieldError: not 64 bytes
        """
        ...

    def seal_root(self) -> bytearray:
        """Return the 32-byte root of the sealing keys. The caller wipes it after use.

        It is the same on every call for the same platform, and never leaves the process.
        """
        ...
