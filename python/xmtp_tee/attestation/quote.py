"""The TDX quote, version 4: strict parsing, no judgement.

Source: Intel TDX DCAP Quoting Library API, appendix "Quote Format" (ECDSA-P256, version 4). All integers are
little-endian. Layout::

    header 48 | TD report 584 | signature data length u32 | signature data
    signature data = quote signature 64 | attestation key 64 | type u16 = 6 | size u32 | certification
    certification  = QE report 384 | its signature 64 | auth data u16 + bytes | type u16 = 5 | size u32 | PEM

Nothing here is verified. Kernels hand quotes out zero-padded; the padding is cut, and nothing else may follow.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from xmtp_tee.attestation.errors import (
    AttestationKeyTypeUnsupportedError,
    CertificationDataUnsupportedError,
    PckChainMalformedError,
    QeVendorUnknownError,
    QuoteMalformedError,
    QuoteOversizedError,
    QuoteReservedSetError,
    QuoteTrailingBytesError,
    QuoteTruncatedError,
    QuoteVersionUnsupportedError,
    TeeTypeUnsupportedError,
)

HEADER_SIZE = 48
TD_REPORT_SIZE = 584
SIGNED_SIZE = HEADER_SIZE + TD_REPORT_SIZE
QE_REPORT_SIZE = 384
MAX_QUOTE_SIZE = 32_768
"""A bound on what is looked at, padding included; real quotes have about 5,000 bytes, padded ones 8,000."""

QUOTE_VERSION = 4
ATTESTATION_KEY_ECDSA_P256 = 2
TEE_TYPE_SGX = 0x00
TEE_TYPE_TDX = 0x81
INTEL_QE_VENDOR_ID = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
CERTIFICATION_PCK_CHAIN = 5
CERTIFICATION_QE_REPORT = 6

_PEM_BLOCK = (
    rb"-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----\r?\n?"
)
# Intel's chain: leaf, intermediate CA, root, in this order; the library writes a terminating zero byte.
_PEM_CHAIN = re.compile(_PEM_BLOCK * 3 + rb"\x00?")


@dataclass(frozen=True, slots=True)
class QuoteHeader:
    """The 48 bytes at the head of a quote. ``tee_type`` is 0x81 for TDX."""

    raw: bytes
    version: int
    attestation_key_type: int
    tee_type: int
    qe_vendor_id: bytes
    user_data: bytes


@dataclass(frozen=True, slots=True)
class TdReport:
    """The TD report body of TD 1.0, 584 bytes in ``raw``.

    Measurements are 48 bytes (SHA-384), attribute fields 8, ``tee_tcb_svn`` 16, ``report_data`` 64.
    """

    raw: bytes
    tee_tcb_svn: bytes
    mr_seam: bytes
    mr_signer_seam: bytes
    seam_attributes: bytes
    td_attributes: bytes
    xfam: bytes
    mr_td: bytes
    mr_config_id: bytes
    mr_owner: bytes
    mr_owner_config: bytes
    rtmr: tuple[bytes, bytes, bytes, bytes]
    report_data: bytes


@dataclass(frozen=True, slots=True)
class QeReport:
    """The quoting enclave's SGX report, 384 bytes in ``raw``."""

    raw: bytes
    cpu_svn: bytes
    misc_select: bytes
    attributes: bytes
    mr_enclave: bytes
    mr_signer: bytes
    isv_prod_id: int
    isv_svn: int
    report_data: bytes


@dataclass(frozen=True, slots=True)
class TdxQuoteV4:
    """A parsed quote. ``raw`` ends where the quote ends: no padding.

    WARNING: never take a hash of ``raw`` for the quote's identity: its tail is not signed.
    """

    raw: bytes
    header: QuoteHeader
    body: TdReport
    signature: bytes
    attestation_key: bytes
    qe_report: QeReport
    qe_report_signature: bytes
    qe_auth_data: bytes
    pck_chain_pem: bytes

    @property
    def signed_bytes(self) -> bytes:
        """The 632 bytes that the attestation key signed: header and TD report."""
        return self.raw[:SIGNED_SIZE]

    @property
    def pck_chain(self) -> tuple[bytes, bytes, bytes]:
        """The DER bytes of PCK leaf, intermediate CA and root, as the quote carries them."""
        return split_pck_chain(self.pck_chain_pem)

    @property
    def pck_leaf(self) -> bytes:
        """The DER bytes of the platform's PCK certificate."""
        return self.pck_chain[0]


class _Reader:
    """Reads exact lengths from bytes and names the field that is cut short."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what
        self.offset = 0

    @property
    def remaining(self) -> int:
        return len(self._data) - self.offset

    def take(self, size: int, field: str) -> bytes:
        if size > self.remaining:
            raise QuoteTruncatedError(
                f"The {self._what} ends within {field}.",
                got=f"{self.remaining} bytes left at offset {self.offset}",
                expected=f"{size} bytes",
            )
        self.offset += size
        return self._data[self.offset - size : self.offset]

    def integer(self, size: int, field: str) -> int:
        return int.from_bytes(self.take(size, field), "little")


def parse_quote(raw: bytes) -> TdxQuoteV4:
    """Parse a TDX quote of version 4, strictly.

    Zero bytes after the quote's end are padding and are cut off; anything else there is refused.

    :raises QuoteMalformedError: one of its subclasses, naming the value and the rule. SGX quotes (version 3)
        and TDX quotes of version 5 are refused as :class:`QuoteVersionUnsupportedError`.
    """
    if not isinstance(raw, bytes):
        raise QuoteMalformedError("A quote must be bytes.", got=type(raw).__name__)
    if len(raw) > MAX_QUOTE_SIZE:
        raise QuoteOversizedError(
            "The quote is too long.", got=f"{len(raw)} bytes", expected=f"<= {MAX_QUOTE_SIZE} bytes"
        )
    reader = _Reader(raw, "quote")
    header = _parse_header(reader.take(HEADER_SIZE, "the header"))
    body = _parse_body(reader.take(TD_REPORT_SIZE, "the TD report"))
    signature_size = reader.integer(4, "the signature data length")
    signature_data = _Reader(reader.take(signature_size, "the signature data"), "signature data")
    end = reader.offset
    padding = raw[end:]
    if padding.count(0) != len(padding):
        raise QuoteTrailingBytesError(
            "Bytes other than zero padding follow the quote.",
            got=f"{len(padding)} bytes after offset {end}",
            expected="zero bytes or nothing",
        )
    signature = signature_data.take(64, "the quote signature")
    attestation_key = signature_data.take(64, "the attestation key")
    certification = _certification(
        signature_data, CERTIFICATION_QE_REPORT, "the QE report certification data"
    )
    qe_report = _parse_qe_report(certification.take(QE_REPORT_SIZE, "the QE report"))
    qe_report_signature = certification.take(64, "the QE report signature")
    auth_size = certification.integer(2, "the QE auth data length")
    qe_auth_data = certification.take(auth_size, "the QE auth data")
    chain = _certification(certification, CERTIFICATION_PCK_CHAIN, "the PCK certificate chain")
    pck_chain_pem = chain.take(chain.remaining, "the PCK certificate chain")
    split_pck_chain(pck_chain_pem)
    return TdxQuoteV4(
        raw=raw[:end],
        header=header,
        body=body,
        signature=signature,
        attestation_key=attestation_key,
        qe_report=qe_report,
        qe_report_signature=qe_report_signature,
        qe_auth_data=qe_auth_data,
        pck_chain_pem=pck_chain_pem,
    )


def split_pck_chain(pem: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the three DER certificates of a PCK chain in PEM: leaf, intermediate CA, root.

    :raises PckChainMalformedError: not exactly three PEM certificates, or broken base64
    """
    match = _PEM_CHAIN.fullmatch(pem)
    if match is None:
        raise PckChainMalformedError(
            "The PCK certificate chain is not in the expected form.",
            got=f"{len(pem)} bytes, {pem.count(b'-----BEGIN CERTIFICATE-----')} certificate(s)",
            expected="three PEM certificates: leaf, intermediate CA, root",
        )
    first, second, third = (_decode_pem_body(body) for body in match.groups())
    return first, second, third


def _decode_pem_body(body: bytes) -> bytes:
    text = body.replace(b"\r", b"").replace(b"\n", b"")
    try:
        der = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise PckChainMalformedError(
            "A certificate of the PCK chain is not valid base64.", cause=str(error)
        ) from error
    if base64.b64encode(der) != text:
        raise PckChainMalformedError("A certificate of the PCK chain is not canonical base64.")
    return der


def _certification(reader: _Reader, expected_type: int, field: str) -> _Reader:
    """Read certification data that must be of the given type and reach to the end of its container."""
    data_type = reader.integer(2, f"the type of {field}")
    if data_type != expected_type:
        raise CertificationDataUnsupportedError(
            f"The type of {field} is not supported.", got=data_type, expected=expected_type
        )
    size = reader.integer(4, f"the size of {field}")
    if size < reader.remaining:
        raise QuoteTrailingBytesError(
            f"Bytes follow {field} within the signature data.",
            got=f"{reader.remaining - size} bytes",
            expected="none",
        )
    return _Reader(reader.take(size, field), field.removeprefix("the "))


def _parse_header(raw: bytes) -> QuoteHeader:
    header = QuoteHeader(
        raw=raw,
        version=int.from_bytes(raw[0:2], "little"),
        attestation_key_type=int.from_bytes(raw[2:4], "little"),
        tee_type=int.from_bytes(raw[4:8], "little"),
        qe_vendor_id=raw[12:28],
        user_data=raw[28:48],
    )
    if header.version != QUOTE_VERSION:
        known = {3: "3 (SGX)", 5: "5 (TDX 1.5)"}
        raise QuoteVersionUnsupportedError(
            "Quotes of this version are not verified.",
            got=known.get(header.version, header.version),
            expected="4 (TDX)",
        )
    if header.attestation_key_type != ATTESTATION_KEY_ECDSA_P256:
        raise AttestationKeyTypeUnsupportedError(
            "The attestation key type is not supported.",
            got=header.attestation_key_type,
            expected=f"{ATTESTATION_KEY_ECDSA_P256} (ECDSA over P-256)",
        )
    if header.tee_type != TEE_TYPE_TDX:
        raise TeeTypeUnsupportedError(
            "The TEE type is not TDX.", got=hex(header.tee_type), expected=hex(TEE_TYPE_TDX)
        )
    if any(raw[8:12]):
        raise QuoteReservedSetError(
            "Reserved bytes of the header are set.", got=raw[8:12].hex(), expected="00000000"
        )
    if header.qe_vendor_id != INTEL_QE_VENDOR_ID:
        raise QeVendorUnknownError(
            "The quoting enclave is not Intel's.",
            got=header.qe_vendor_id.hex(),
            expected=INTEL_QE_VENDOR_ID.hex(),
        )
    return header


def _parse_body(raw: bytes) -> TdReport:
    return TdReport(
        raw=raw,
        tee_tcb_svn=raw[0:16],
        mr_seam=raw[16:64],
        mr_signer_seam=raw[64:112],
        seam_attributes=raw[112:120],
        td_attributes=raw[120:128],
        xfam=raw[128:136],
        mr_td=raw[136:184],
        mr_config_id=raw[184:232],
        mr_owner=raw[232:280],
        mr_owner_config=raw[280:328],
        rtmr=(raw[328:376], raw[376:424], raw[424:472], raw[472:520]),
        report_data=raw[520:584],
    )


def _parse_qe_report(raw: bytes) -> QeReport:
    return QeReport(
        raw=raw,
        cpu_svn=raw[0:16],
        misc_select=raw[16:20],
        attributes=raw[48:64],
        mr_enclave=raw[64:96],
        mr_signer=raw[128:160],
        isv_prod_id=int.from_bytes(raw[256:258], "little"),
        isv_svn=int.from_bytes(raw[258:260], "little"),
        report_data=raw[320:384],
    )
