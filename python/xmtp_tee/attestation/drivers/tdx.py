"""Intel TDX as a driver: quotes from configfs-tsm. The kernel has the quoting enclave on the host sign them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.binding import REPORT_DATA_SIZE
from xmtp_tee.attestation.drivers.sealing import NoSealSource, SealSource
from xmtp_tee.attestation.drivers.tsm import TsmFolder, TsmTransport, request_report
from xmtp_tee.attestation.errors import DeviceError
from xmtp_tee.attestation.fields import require_length
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.quote import parse_quote
from xmtp_tee.attestation.verify import require_attributes

TSM_PROVIDER: Final = "tdx_guest"


class TdxDriver:
    """A TD seen from inside.

    ``tsm`` is the kernel's interface, or its emulation, which says itself that it is simulated. A TD keeps no secret
    across restarts, so a sealing root comes from ``seal_source`` or is refused.
    """

    def __init__(
        self,
        tsm: TsmTransport | None = None,
        seal_source: SealSource | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tsm = tsm or TsmFolder()
        self._seal_source = seal_source or NoSealSource(TeeKind.TDX)
        self._pause = pause

    @property
    def tee(self) -> TeeKind:
        """TDX."""
        return TeeKind.TDX

    @property
    def assurance(self) -> AssuranceLevel:
        """What the interface may claim: ``simulated`` for an emulated one."""
        return self._tsm.assurance

    def quote(self, report_data: bytes) -> bytes:
        """Return a fresh quote (version 4 or 5) over ``report_data``, padding and all.

        :raises FieldError: not 64 bytes
        :raises DeviceError: the interface fails, or its quote is another TEE's or about something else
        :raises QuoteMalformedError: what it gives is no quote
        :raises RefusedByPolicyError: the TD may be debugged, or has attributes that weaken it: nobody would
            believe it
        """
        require_length("report data", report_data, REPORT_DATA_SIZE)
        name = f"xmtp-tee-{secrets.token_hex(8)}"
        raw = request_report(self._tsm, report_data, TSM_PROVIDER, name, self._pause).outblob
        quote = parse_quote(raw)
        if quote.tee is not TeeKind.TDX:
            raise DeviceError("The quote is not a TD's.", got=quote.tee.label, expected="tdx")
        if quote.report_data != report_data:
            raise DeviceError("The quote is not over the data that was asked for.")
        require_attributes(quote.body)
        return raw

    def seal_root(self) -> bytearray:
        """Return the seal source's 32-byte root; the caller wipes it.

        :raises SealRootUnavailableError: there is no source
        """
        return self._seal_source.root()
