"""AMD SEV-SNP as a driver: reports from configfs-tsm, the sealing root from the chip."""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.binding import REPORT_DATA_SIZE
from xmtp_tee.attestation.drivers.sealing import SEAL_ROOT_SIZE
from xmtp_tee.attestation.drivers.sev_guest import SevGuestDevice, SevGuestTransport, derive_key
from xmtp_tee.attestation.drivers.tsm import TsmFolder, TsmTransport, request_report
from xmtp_tee.attestation.ecdsa384 import is_signed_p384, p384_key
from xmtp_tee.attestation.errors import CollateralUnavailableError, DeviceError, FieldError
from xmtp_tee.attestation.fields import require_length
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.sevsnp.certificate_table import (
    evidence_of,
    parse_table,
    table_of_chain,
)
from xmtp_tee.attestation.sevsnp.kds import vcek_url
from xmtp_tee.attestation.sevsnp.report import SnpReport, parse_report
from xmtp_tee.attestation.sevsnp.verify import require_guest_policy
from xmtp_tee.attestation.x509 import read_x509

TSM_PROVIDER = "sev_guest"
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----")
_SEAL_INFO = b"xmtp-tee/sev-snp/seal-root/v1"


class SevSnpDriver:
    """A SEV-SNP guest seen from inside.

    ``tsm`` and ``guest`` are the kernel's interfaces, or their emulations, which say themselves that they are
    simulated. ``certificates`` is a certificate table for hosts that hand none over (:func:`read_certificates`).
    """

    def __init__(
        self,
        tsm: TsmTransport | None = None,
        guest: SevGuestTransport | None = None,
        certificates: dict[UUID, bytes] | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tsm = tsm or TsmFolder()
        self._guest = guest or SevGuestDevice()
        self._certificates = certificates or {}
        self._pause = pause
        self._vmpl: int | None = None

    @property
    def tee(self) -> TeeKind:
        """SEV-SNP."""
        return TeeKind.SEV_SNP

    @property
    def assurance(self) -> AssuranceLevel:
        """What the interface may claim: ``simulated`` for an emulated one."""
        return self._tsm.assurance

    def quote(self, report_data: bytes) -> bytes:
        """Return a fresh report over ``report_data``, with its certificates behind it.

        :raises FieldError: not 64 bytes
        :raises DeviceError: the interface fails, its report is about something else, or no certificate fits it
        :raises CollateralUnavailableError: neither host nor configuration has the certificates
        :raises RefusedByPolicyError: the guest may be debugged or migrated: nobody would believe it
        """
        require_length("report data", report_data, REPORT_DATA_SIZE)
        report, table = self._report(report_data)
        if report.report_data != report_data:
            raise DeviceError("The report is not over the data that was asked for.")
        require_guest_policy(report)
        # What the host hands over is tried first: it knows the chip's present TCB.
        for certificates in (table, self._certificates):
            try:
                evidence = evidence_of(report, certificates)
            except CollateralUnavailableError:
                continue
            key = p384_key(read_x509(evidence.endorsement, "The endorsement certificate"))
            if is_signed_p384(key, report.signature, report.signed):
                return evidence.encode()
        url = vcek_url(report)
        wanted = None if url is None else f"curl -o vcek.der '{url}'"
        if not table and not self._certificates:
            raise CollateralUnavailableError(
                "Neither the host nor the configuration has the report's certificates.",
                expected=f"{report.signing_key.name}, its issuer, and the ARK",
                next_command=wanted,
            )
        raise DeviceError(
            "None of the certificates fits the report.",
            cause="The chip's TCB has changed since they were fetched, or they are another chip's.",
            next_command=wanted,
        )

    def seal_root(self) -> bytearray:
        """Return the 32-byte sealing root, HKDF of the chip's derived key; the caller wipes it.

        It is bound to the chip, the guest's policy and its measurement.

        :raises DeviceError: the interface fails
        """
        if self._vmpl is None:
            # The key is asked for at the privilege level that the guest really runs at.
            self._vmpl = self._report(bytes(REPORT_DATA_SIZE))[0].vmpl
        key = derive_key(self._guest, self._vmpl)
        try:
            derived = HKDF(hashes.SHA256(), SEAL_ROOT_SIZE, salt=None, info=_SEAL_INFO)
            return bytearray(derived.derive(key))
        finally:
            key[:] = bytes(len(key))

    def _report(self, report_data: bytes) -> tuple[SnpReport, dict[UUID, bytes]]:
        name = f"xmtp-tee-{secrets.token_hex(8)}"
        blobs = request_report(self._tsm, report_data, TSM_PROVIDER, name, self._pause)
        return parse_report(blobs.outblob), parse_table(blobs.auxblob)


def read_certificates(path: Path) -> dict[UUID, bytes]:
    """Return the certificates in a file: a table as hosts hand it over, or PEM.

    PEM has the VCEK or VLEK first, then what AMD's ``cert_chain`` has: ASK or ASVK, ARK.

    :raises FieldError: the file cannot be read, or its PEM is not base64
    :raises SnpReportMalformedError: it is neither
    """
    try:
        content = path.read_bytes()
        if not content.lstrip().startswith(b"-----BEGIN"):
            return parse_table(content)
        # Not by a library's reader: it takes offence at the serial number zero of AMD's certificates.
        chain = [
            base64.b64decode(b"".join(b.split()), validate=True) for b in _PEM.findall(content)
        ]
    except OSError as error:
        raise FieldError(f"{path} cannot be read.", cause=error.strerror) from error
    except ValueError as error:
        raise FieldError(f"{path} is not PEM.", cause=str(error)[:200]) from error
    return table_of_chain(chain)
