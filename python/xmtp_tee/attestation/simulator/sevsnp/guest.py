"""What Linux shows a SEV-SNP guest, emulated: configfs-tsm and the ioctl of /dev/sev-guest.

The drivers in front are the production ones; these classes stand where the kernel stands. Sources: Linux,
Documentation/ABI/testing/configfs-tsm and Documentation/virt/coco/sev-guest.rst; AMD 56860, MSG_KEY_REQ.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.sevsnp.report import REPORT_SIZE
from xmtp_tee.attestation.simulator.sevsnp.pki import DevelopmentSnpPki, development_snp_pki
from xmtp_tee.attestation.simulator.sevsnp.report import SnpReportRecipe

PROVIDER = "sev_guest"
INBLOB_SIZE = 64
PAGE = 4_096
DERIVED_KEY_REQUEST_SIZE, DERIVED_KEY_RESPONSE_SIZE = 32, 64
FIELD_MEASUREMENT = 1 << 3
_KEY_OFFSET = 0x20


@dataclass
class _Request:
    """A folder under configfs-tsm."""

    generation: int = 0
    inblob: bytes = b""
    privilege_level: int = 0


class EmulatedTsm:
    """The folder ``/sys/kernel/config/tsm/report`` of a simulated guest that measures as ``measurement`` (48 bytes).

    ``recipe`` has the rest of its reports; its VMPL is the guest's own, and no request may name a stronger one. The
    methods are those of :class:`xmtp_tee.attestation.drivers.tsm.TsmFolder`, and fail with the kernel's errors.
    """

    def __init__(
        self,
        measurement: bytes,
        *,
        recipe: SnpReportRecipe | None = None,
        pki: DevelopmentSnpPki | None = None,
        with_certificates: bool = True,
    ) -> None:
        self._recipe = replace(recipe or SnpReportRecipe(), measurement=measurement)
        self._pki = pki or development_snp_pki()
        self._with_certificates = with_certificates
        self._requests: dict[str, _Request] = {}

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
        request = self._requests[name]
        if attribute == "inblob" and len(data) == INBLOB_SIZE:
            request.inblob = data
        elif attribute == "privlevel" and data.isdigit() and self._recipe.vmpl <= int(data) <= 3:
            request.privilege_level = int(data)
        else:
            raise OSError(errno.EINVAL, "invalid argument", attribute)
        request.generation += 1

    def read(self, name: str, attribute: str) -> bytes:
        """Read an attribute."""
        request = self._requests[name]
        if attribute == "provider":
            return f"{PROVIDER}\n".encode()
        if attribute == "generation":
            return f"{request.generation}\n".encode()
        if attribute == "privlevel_floor":
            return f"{self._recipe.vmpl}\n".encode()
        if attribute not in ("outblob", "auxblob"):
            raise FileNotFoundError(errno.ENOENT, "no such attribute", attribute)
        if not request.inblob or request.privilege_level < self._recipe.vmpl:
            raise OSError(errno.EINVAL, "no inblob", attribute)
        recipe = replace(self._recipe, report_data=request.inblob, vmpl=request.privilege_level)
        extended = recipe.build(self._pki)
        if attribute == "outblob":
            return extended[:REPORT_SIZE]
        table = extended[REPORT_SIZE:] if self._with_certificates else b""
        # The host hands whole pages over.
        return table.ljust(-(-len(table) // PAGE) * PAGE, b"\0")


class EmulatedSevGuest:
    """The key derivation of /dev/sev-guest, from a simulated chip's ``secret`` (32 bytes).

    The guest's own fields enter the key where the request selects them, as the firmware does it: a guest with another
    measurement gets another key.
    """

    def __init__(self, secret: Callable[[], bytes], measurement: bytes) -> None:
        self._secret = secret
        self._measurement = measurement

    def derived_key(self, request: bytes) -> bytearray:
        """Return the 64 bytes of the reply to a SNP_GET_DERIVED_KEY request of 32 bytes."""
        if len(request) != DERIVED_KEY_REQUEST_SIZE:
            raise OSError(errno.EINVAL, "invalid argument")
        fields = int.from_bytes(request[8:16], "little")
        measurement = self._measurement if fields & FIELD_MEASUREMENT else b""
        info = b"xmtp-tee/simulator/derived-key/v1" + hashlib.sha384(request + measurement).digest()
        key = HKDF(hashes.SHA384(), 32, salt=None, info=info).derive(self._secret())
        reply = bytearray(DERIVED_KEY_RESPONSE_SIZE)
        reply[_KEY_OFFSET:] = key
        return reply
