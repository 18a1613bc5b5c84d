"""What Linux shows a TD, emulated: configfs-tsm with the provider ``tdx_guest``.

The driver in front is the production one; this class stands where the kernel and the quoting enclave stand. Source:
Linux, Documentation/ABI/testing/configfs-tsm.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace
from functools import cached_property

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.simulator.pki import DevelopmentPki, development_pki
from xmtp_tee.attestation.simulator.quote import QuoteRecipe, TdRecipe

PROVIDER = "tdx_guest"
INBLOB_SIZE = 64


@dataclass
class _Request:
    """A folder under configfs-tsm."""

    generation: int = 0
    inblob: bytes = b""


class EmulatedTdxTsm:
    """The folder ``/sys/kernel/config/tsm/report`` of a simulated TD that measures as ``measurement`` (48 bytes).

    ``recipe`` has the rest of its quotes. The methods are those of
    :class:`xmtp_tee.attestation.drivers.tsm.TsmFolder`, and fail with the kernel's errors.
    """

    def __init__(
        self,
        measurement: bytes,
        *,
        recipe: QuoteRecipe | None = None,
        pki: DevelopmentPki | None = None,
    ) -> None:
        self._measurement = measurement
        self._given = recipe
        self._pki = pki or development_pki()
        self._requests: dict[str, _Request] = {}

    @cached_property
    def _recipe(self) -> QuoteRecipe:
        if self._given is not None:
            return self._given
        # Issued once per process: the certificate depends on the seed alone.
        return QuoteRecipe(td=TdRecipe(mr_td=self._measurement), pck=self._pki.issue_pck())

    @property
    def assurance(self) -> AssuranceLevel:
        """Always ``simulated``."""
        return AssuranceLevel.SIMULATED

    def make(self, name: str) -> None:
        """Make a folder for one request."""
        if name in self._requests:
            raise FileExistsError(errno.EEXIST, "exists", name)
        self._requests[name] = _Request()

    def remove(self, name: str) -> None:
        """Remove a request's folder."""
        del self._requests[name]

    def write(self, name: str, attribute: str, data: bytes) -> None:
        """Write an attribute; each write makes a new generation."""
        if attribute != "inblob" or len(data) != INBLOB_SIZE:
            raise OSError(errno.EINVAL, "invalid argument", attribute)
        request = self._requests[name]
        request.inblob = data
        request.generation += 1

    def read(self, name: str, attribute: str) -> bytes:
        """Read an attribute."""
        request = self._requests[name]
        if attribute == "provider":
            return f"{PROVIDER}\n".encode()
        if attribute == "generation":
            return f"{request.generation}\n".encode()
        if attribute != "outblob":
            # A TD has no privilege levels, and its host hands no certificates over.
            raise FileNotFoundError(errno.ENOENT, "no such attribute", attribute)
        if not request.inblob:
            raise OSError(errno.EINVAL, "no inblob", attribute)
        recipe = self._recipe
        return replace(recipe, td=replace(recipe.td, report_data=request.inblob)).build(self._pki)
