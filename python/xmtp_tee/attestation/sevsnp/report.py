"""The SEV-SNP attestation report, versions 2 to 5: 1,184 bytes, little-endian. Source: AMD 56860 (firmware ABI).

Version 3 added the processor's CPUID, version 5 the mitigation vectors; 3 and 4 have the same layout. Bytes that a
version reserves must be zero, and so must what follows r and s: no signature covers those, so anything there would be
another spelling of the same report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from xmtp_tee.attestation.errors import (
    AttestationKeyTypeUnsupportedError,
    QuoteTruncatedError,
    QuoteVersionUnsupportedError,
    SnpReportMalformedError,
)

REPORT_SIZE = 0x4A0
SIGNED_SIZE = 0x2A0
SUPPORTED_VERSIONS = (2, 3, 4, 5)
FIRST_VERSION_WITH_CPUID = 3
FIRST_VERSION_WITH_MITIGATIONS = 5
ECDSA_P384_SHA384 = 1
COMPONENT_SIZE = 72
"""r and s have 72 bytes each, little-endian; a P-384 number fills 48."""
MAX_VMPL = 3


class SigningKey(IntEnum):
    """Which kind of key signed: the chip's own (VCEK), or one that AMD gave to a cloud provider (VLEK)."""

    VCEK = 0
    VLEK = 1


@dataclass(frozen=True, slots=True)
class SnpReport:
    """A parsed report; parsing verifies nothing.

    ``policy`` and ``platform_info`` are 64-bit sets of flags; the TCB versions are the raw 8 bytes, whose meaning
    depends on the product line. ``signature`` is r || s, 96 bytes, big-endian. ``cpu`` is CPUID's (family, model,
    stepping), None in version 2. ``raw`` is the whole report.
    """

    raw: bytes = field(repr=False)
    version: int
    guest_svn: int
    policy: int
    vmpl: int
    platform_info: int
    signing_key: SigningKey
    chip_key_masked: bool
    report_data: bytes
    measurement: bytes
    host_data: bytes
    id_key_digest: bytes
    author_key_digest: bytes
    current_tcb: bytes
    reported_tcb: bytes
    committed_tcb: bytes
    launch_tcb: bytes
    chip_id: bytes
    cpu: tuple[int, int, int] | None
    signature: bytes = field(repr=False)

    @property
    def signed(self) -> bytes:
        """The bytes that the signature covers."""
        return self.raw[:SIGNED_SIZE]


def parse_report(raw: bytes) -> SnpReport:
    """Parse a report of exactly 1,184 bytes.

    :raises QuoteTruncatedError: fewer bytes
    :raises QuoteVersionUnsupportedError: a version that is not verified here
    :raises AttestationKeyTypeUnsupportedError: not signed by ECDSA over P-384
    :raises SnpReportMalformedError: more bytes, reserved bytes set, an unknown signing key or privilege level
    """
    if len(raw) < REPORT_SIZE:
        raise QuoteTruncatedError("The report is too short.", got=len(raw), expected=REPORT_SIZE)
    if len(raw) > REPORT_SIZE:
        raise SnpReportMalformedError("The report is too long.", got=len(raw), expected=REPORT_SIZE)
    version = _number(raw, 0x00, 4)
    if version not in SUPPORTED_VERSIONS:
        raise QuoteVersionUnsupportedError(
            "Reports of this version are not verified.", got=version, expected=SUPPORTED_VERSIONS
        )
    algorithm = _number(raw, 0x34, 4)
    if algorithm != ECDSA_P384_SHA384:
        raise AttestationKeyTypeUnsupportedError(
            "The report is not signed by ECDSA over P-384.", got=algorithm, expected=1
        )
    _require_zero(raw, _reserved(version))
    flags = _number(raw, 0x48, 4)
    vmpl = _number(raw, 0x30, 4)
    if vmpl > MAX_VMPL:
        # 0xffffffff: the host asked for the report, not the guest.
        raise SnpReportMalformedError(
            "The report was not requested by a guest.", got=f"VMPL {vmpl:#x}", expected="0 to 3"
        )
    return SnpReport(
        raw=raw,
        version=version,
        guest_svn=_number(raw, 0x04, 4),
        policy=_number(raw, 0x08, 8),
        vmpl=vmpl,
        platform_info=_number(raw, 0x40, 8),
        signing_key=_signing_key(flags),
        chip_key_masked=bool(flags & 2),
        report_data=raw[0x50:0x90],
        measurement=raw[0x90:0xC0],
        host_data=raw[0xC0:0xE0],
        id_key_digest=raw[0xE0:0x110],
        author_key_digest=raw[0x110:0x140],
        current_tcb=raw[0x38:0x40],
        reported_tcb=raw[0x180:0x188],
        committed_tcb=raw[0x1E0:0x1E8],
        launch_tcb=raw[0x1F0:0x1F8],
        chip_id=raw[0x1A0:0x1E0],
        cpu=_cpu(raw, version),
        signature=_component(raw, 0) + _component(raw, 1),
    )


def _number(raw: bytes, offset: int, size: int) -> int:
    return int.from_bytes(raw[offset : offset + size], "little")


def _reserved(version: int) -> tuple[tuple[int, int], ...]:
    """Return the reserved ranges of a version, and what follows the signature's numbers in each."""
    cpuid_end = 0x18B if version >= FIRST_VERSION_WITH_CPUID else 0x188
    mitigations_end = 0x208 if version >= FIRST_VERSION_WITH_MITIGATIONS else 0x1F8
    signature = SIGNED_SIZE
    return (
        (0x4C, 0x50),
        (cpuid_end, 0x1A0),
        (0x1EB, 0x1EC),
        (0x1EF, 0x1F0),
        (mitigations_end, SIGNED_SIZE),
        (signature + 48, signature + COMPONENT_SIZE),
        (signature + COMPONENT_SIZE + 48, REPORT_SIZE),
    )


def _require_zero(raw: bytes, ranges: tuple[tuple[int, int], ...]) -> None:
    for start, end in ranges:
        if any(raw[start:end]):
            raise SnpReportMalformedError(
                f"Reserved bytes {start:#x} to {end - 1:#x} of the report are set.",
                got=raw[start:end].hex()[:80],
                expected="zeros",
            )


def _signing_key(flags: int) -> SigningKey:
    """Read SIGNING_KEY, bits 2 to 4, beside MASK_CHIP_KEY (1) and AUTHOR_KEY_EN (0)."""
    key = flags >> 2
    if key not in (SigningKey.VCEK, SigningKey.VLEK):
        raise SnpReportMalformedError(
            "The report is not signed, or by a key of an unknown kind.",
            got=f"flags {flags:#x}",
            expected="SIGNING_KEY 0 (VCEK) or 1 (VLEK)",
        )
    return SigningKey(key)


def _cpu(raw: bytes, version: int) -> tuple[int, int, int] | None:
    if version < FIRST_VERSION_WITH_CPUID:
        return None
    return raw[0x188], raw[0x189], raw[0x18A]


def _component(raw: bytes, index: int) -> bytes:
    start = SIGNED_SIZE + index * COMPONENT_SIZE
    return raw[start : start + 48][::-1]
