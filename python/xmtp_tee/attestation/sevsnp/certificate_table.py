"""A report with the certificates behind it: the extended report, as the host hands it over.

``report 1184 | table``, where the table is that of AMD 56421 (GHCB standardization, SNP extended guest request):
entries of ``GUID 16 | offset u32 | length u32`` (little-endian, offsets from the table's start), an entry of zeros,
then the certificates in DER. A table may be zero-padded to whole pages. Nothing in it is trusted: it is what the chain
of signatures is tried with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from xmtp_tee.attestation.errors import CollateralUnavailableError, SnpReportMalformedError
from xmtp_tee.attestation.sevsnp.report import REPORT_SIZE, SigningKey, SnpReport, parse_report
from xmtp_tee.attestation.x509 import read_x509

VCEK_GUID = UUID("63da758d-e664-4564-adc5-f4b93be8accd")
VLEK_GUID = UUID("a8074bc2-a25a-483e-aae6-39c045a0b8a1")
ASK_GUID = UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782")
"""The issuer of the VCEK; beside a VLEK, that of the VLEK (ASVK)."""
ARK_GUID = UUID("c0b406a4-a803-4952-9743-3fb6014cd0ae")
MAX_TABLE_SIZE = 28_672
MAX_ENTRIES = 16
MAX_CERTIFICATE_SIZE = 4_096
_ENTRY_SIZE = 24
_END = bytes(_ENTRY_SIZE)


@dataclass(frozen=True, slots=True)
class SnpEvidence:
    """A report, and the certificates of the key that signed it, its issuer and the root, in DER; unverified."""

    report: SnpReport
    endorsement: bytes = field(repr=False)
    intermediate: bytes = field(repr=False)
    ark: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Return the extended report: what :func:`parse_evidence` reads back."""
        key = VCEK_GUID if self.report.signing_key is SigningKey.VCEK else VLEK_GUID
        certificates = {key: self.endorsement, ASK_GUID: self.intermediate, ARK_GUID: self.ark}
        return self.report.raw + encode_table(certificates)


def parse_evidence(raw: bytes) -> SnpEvidence:
    """Parse an extended report.

    :raises QuoteMalformedError: the report or the table cannot be read
    :raises CollateralUnavailableError: the table lacks a certificate of the chain
    """
    report = parse_report(raw[:REPORT_SIZE])
    return evidence_of(report, parse_table(raw[REPORT_SIZE:]))


def evidence_of(report: SnpReport, certificates: dict[UUID, bytes]) -> SnpEvidence:
    """Put a report together with its chain out of a table's certificates.

    :raises CollateralUnavailableError: one is missing
    """
    key = VCEK_GUID if report.signing_key is SigningKey.VCEK else VLEK_GUID
    names = {key: report.signing_key.name, ASK_GUID: "ASK or ASVK", ARK_GUID: "ARK"}
    missing = [name for guid, name in names.items() if guid not in certificates]
    if missing:
        raise CollateralUnavailableError(
            "The certificates behind the report are not complete.",
            got=f"without {', '.join(missing)}",
            expected=", ".join(names.values()),
            cause="Not every host hands them over; AMD's key distribution service has them.",
        )
    return SnpEvidence(report, certificates[key], certificates[ASK_GUID], certificates[ARK_GUID])


def table_of_chain(chain: Sequence[bytes]) -> dict[UUID, bytes]:
    """Return the table of a VCEK's or VLEK's certificate, its issuer's and the root's, in this order and in DER.

    :raises SnpReportMalformedError: not three, or the first is neither AMD's VCEK nor a VLEK by its name
    :raises CertificateMalformedError: the first cannot be read
    """
    names = {"SEV-VCEK": VCEK_GUID, "SEV-VLEK": VLEK_GUID}
    if len(chain) == 3:
        name = read_x509(chain[0], "The first certificate").common_name
        if name in names:
            return {names[name]: chain[0], ASK_GUID: chain[1], ARK_GUID: chain[2]}
    raise SnpReportMalformedError(
        "The chain is not that of a report.",
        got=f"{len(chain)} certificate(s)",
        expected="VCEK or VLEK, ASK or ASVK, ARK",
    )


def encode_table(certificates: dict[UUID, bytes]) -> bytes:
    """Return the table of these certificates, without padding."""
    offset = (len(certificates) + 1) * _ENTRY_SIZE
    head, body = b"", b""
    for guid, der in certificates.items():
        place = (offset + len(body)).to_bytes(4, "little") + len(der).to_bytes(4, "little")
        head += guid.bytes + place
        body += der
    return head + _END + body


def parse_table(raw: bytes) -> dict[UUID, bytes]:
    """Return the certificates of a table by their GUIDs; an empty table has none.

    The certificates must fill the table without gaps or overlaps, in the order of the entries; only zeros may follow.

    :raises SnpReportMalformedError: anything else
    """
    if len(raw) > MAX_TABLE_SIZE:
        raise SnpReportMalformedError(
            "The certificate table is too long.", got=len(raw), expected=f"<= {MAX_TABLE_SIZE}"
        )
    entries: list[tuple[UUID, int, int]] = []
    position = 0
    while raw and (entry := raw[position : position + _ENTRY_SIZE]) != _END:
        if len(entry) != _ENTRY_SIZE or len(entries) == MAX_ENTRIES:
            raise SnpReportMalformedError("The certificate table does not end.", got=len(entries))
        offset, length = (int.from_bytes(entry[at : at + 4], "little") for at in (16, 20))
        entries.append((UUID(bytes=entry[:16]), offset, length))
        position += _ENTRY_SIZE
    expected = position + _ENTRY_SIZE
    certificates: dict[UUID, bytes] = {}
    for guid, offset, length in entries:
        fits = 0 < length <= MAX_CERTIFICATE_SIZE and expected + length <= len(raw)
        if offset != expected or not fits or guid in certificates:
            raise SnpReportMalformedError(
                "An entry of the certificate table is twice there, or not where it should be.",
                got=f"{guid} at {offset}, {length} bytes",
                expected=f"at {expected}, at most {MAX_CERTIFICATE_SIZE} bytes",
            )
        certificates[guid] = raw[offset : offset + length]
        expected += length
    if any(raw[expected:]):
        raise SnpReportMalformedError("Something other than padding follows the certificates.")
    return certificates
