"""AWS Nitro Enclaves as a driver: documents from /dev/nsm."""

from __future__ import annotations

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.binding import REPORT_DATA_SIZE
from xmtp_tee.attestation.drivers.nsm import NsmDevice, NsmTransport, attest, describe
from xmtp_tee.attestation.drivers.sealing import NoSealSource, SealSource
from xmtp_tee.attestation.errors import DeviceError
from xmtp_tee.attestation.fields import require_length
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.nitro.document import DIGEST, PCR_COUNT, parse_document
from xmtp_tee.attestation.nitro.verify import require_production


class NitroDriver:
    """A Nitro enclave seen from inside.

    ``transport`` is the device, or its emulation, which says itself that it is simulated. A Nitro enclave keeps no
    secret across restarts, so a sealing root comes from ``seal_source`` or is refused.
    """

    def __init__(
        self, transport: NsmTransport | None = None, seal_source: SealSource | None = None
    ) -> None:
        self._transport = transport or NsmDevice()
        self._seal_source = seal_source or NoSealSource(TeeKind.NITRO)

    @property
    def tee(self) -> TeeKind:
        """Nitro."""
        return TeeKind.NITRO

    @property
    def assurance(self) -> AssuranceLevel:
        """What the transport may claim: ``simulated`` for an emulated device."""
        return self._transport.assurance

    def quote(self, report_data: bytes) -> bytes:
        """Return a fresh attestation document whose user_data is ``report_data``.

        :raises FieldError: not 64 bytes
        :raises DeviceError: the device fails, or its document is about something else
        :raises DebugEnabledError: the enclave was started in debug mode: nobody would believe it
        """
        require_length("report data", report_data, REPORT_DATA_SIZE)
        raw = attest(self._transport, report_data)
        document = parse_document(raw)
        if document.user_data != report_data:
            raise DeviceError("The document is not over the data that was asked for.")
        require_production(document)
        return raw

    def seal_root(self) -> bytearray:
        """Return the seal source's 32-byte root; the caller wipes it.

        :raises SealRootUnavailableError: there is no source
        """
        return self._seal_source.root()

    def require_module(self) -> None:
        """Refuse a module that measures with another digest, or whose code registers are not locked.

        :raises DeviceError: it does
        """
        about = describe(self._transport)
        if about.digest != DIGEST or not set(range(PCR_COUNT)) <= about.locked_pcrs:
            raise DeviceError(
                "The Nitro Secure Module is not of the known kind.",
                got=f"{about.digest}, {len(about.locked_pcrs)} locked registers",
                expected=f"{DIGEST}, PCR0 to PCR{PCR_COUNT - 1} locked",
            )
