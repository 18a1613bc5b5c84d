"""Intel's ECDSA quotes: SGX version 3, TDX versions 4 and 5. Strict parsing, no judgement.

Sources: Intel SGX ECDSA Quote Library Reference (version 3); Intel TDX DCAP Quoting Library API, appendix "Quote
Format" (versions 4 and 5). All integers are little-endian. Layout::

    version 3   header 48 | SGX report 384                            | signature data length u32 | signature data
    version 4   header 48 | TD report 584                             | signature data length u32 | signature data
    version 5   header 48 | body type u16 | body size u32 | TD report | signature data length u32 | signature data

    signature data, version 3     = quote signature 64 | attestation key 64 | certification
    signature data, versions 4, 5 = quote signature 64 | attestation key 64 | type u16 = 6 | size u32 | certification
    certification  = QE report 384 | its signature 64 | auth data u16 + bytes | type u16 = 5 | size u32 | PEM

The body type of version 5 is 2 for TD 1.0 (584 bytes) and 3 for TD 1.5 (648). The quote's signature covers
everything before the signature data length.

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
    QuoteBodyUnsupportedError,
    QuoteMalformedError,
    QuoteOversizedError,
    QuoteReservedSetError,
    QuoteTrailingBytesError,
    QuoteTruncatedError,
    QuoteVersionUnsupportedError,
    TeeTypeUnsupportedError,
)
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.reports import (
    SGX_REPORT_SIZE,
    TD_REPORT_15_SIZE,
    TD_REPORT_SIZE,
    SgxReport,
    TdReport,
    read_sgx_report,
    read_td_report,
)

HEADER_SIZE = 48
BODY_DESCRIPTOR_SIZE = 6
QE_REPORT_SIZE = SGX_REPORT_SIZE
MAX_QUOTE_SIZE = 32_768
"""A bound on what is looked at, padding included; real quotes have about 5,000 bytes, padded ones 8,000."""

QUOTE_VERSION_SGX = 3
QUOTE_VERSION_TDX = 4
QUOTE_VERSION_TDX_15 = 5
ATTESTATION_KEY_ECDSA_P256 = 2
TEE_TYPE_SGX = 0x00
TEE_TYPE_TDX = 0x81
BODY_TYPE_TD_10 = 2
BODY_TYPE_TD_15 = 3
INTEL_QE_VENDOR_ID = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
CERTIFICATION_PCK_CHAIN = 5
CERTIFICATION_QE_REPORT = 6

_TEE_TYPES = {
    QUOTE_VERSION_SGX: (TEE_TYPE_SGX, "SGX"),
    QUOTE_VERSION_TDX: (TEE_TYPE_TDX, "TDX"),
    QUOTE_VERSION_TDX_15: (TEE_TYPE_TDX, "TDX"),
}
_BODY_SIZES = {BODY_TYPE_TD_10: TD_REPORT_SIZE, BODY_TYPE_TD_15: TD_REPORT_15_SIZE}

_PEM_BLOCK = (
    rb"-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----\r?\n?"
)
# Intel's chain: leaf, intermediate CA, root, in this order; the library writes a terminating zero byte.
_PEM_CHAIN = re.compile(_PEM_BLOCK * 3 + rb"\x00?")


@dataclass(frozen=True, slots=True)
class QuoteHeader:
    """The 48 bytes at the head of a quote. ``tee_type`` is 0x81 for TDX, 0 for SGX.

    Version 3 has the SVNs of QE and PCE in bytes 8 to 11, which the others reserve; they are signed and not used:
    the QE report and the PCK certificate say the same with more authority.
    """

    raw: bytes
    version: int
    attestation_key_type: int
    tee_type: int
    qe_vendor_id: bytes
    user_data: bytes


@dataclass(frozen=True, slots=True)
class Quote:
    """A parsed quote. ``raw`` ends where the quote ends: no padding.

    ``body`` is an :class:`SgxReport` in version 3, else a :class:`TdReport`. ``body_type`` is 2 or 3 in version 5,
    else None.

    WARNING: never take a hash of ``raw`` for the quote's identity: its tail is not signed.
    """

    raw: bytes
    header: QuoteHeader
    body: TdReport | SgxReport
    signature: bytes
    attestation_key: bytes
    qe_report: SgxReport
    qe_report_signature: bytes
    qe_auth_data: bytes
    pck_chain_pem: bytes
    body_type: int | None = None

    @property
    def tee(self) -> TeeKind:
        """The kind of TEE that the body is of."""
        return TeeKind.SGX if isinstance(self.body, SgxReport) else TeeKind.TDX

    @property
    def format_name(self) -> str:
        """The quote's kind in words, as verdicts show it."""
        generation = {BODY_TYPE_TD_10: ", TD 1.0", BODY_TYPE_TD_15: ", TD 1.5"}
        suffix = "" if self.body_type is None else generation[self.body_type]
        return f"{self.tee.name} quote, version {self.header.version}{suffix}"

    @property
    def signed_bytes(self) -> bytes:
        """What the attestation key signed: header, in version 5 body type and size, and body."""
        descriptor = 0 if self.body_type is None else BODY_DESCRIPTOR_SIZE
        return self.raw[: HEADER_SIZE + descriptor + len(self.body.raw)]

    @property
    def report_data(self) -> bytes:
        """The 64 bytes that the workload bound."""
        return self.body.report_data

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


def parse_quote(raw: bytes) -> Quote:
    """Parse a quote of SGX version 3, TDX version 4 or TDX version 5, strictly.

    Zero bytes after the quote's end are padding and are cut off; anything else there is refused.

    :raises QuoteMalformedError: one of its subclasses, naming the value and the rule
    """
    if not isinstance(raw, bytes):
        raise QuoteMalformedError("A quote must be bytes.", got=type(raw).__name__)
    if len(raw) > MAX_QUOTE_SIZE:
        raise QuoteOversizedError(
            "The quote is too long.", got=f"{len(raw)} bytes", expected=f"<= {MAX_QUOTE_SIZE} bytes"
        )
    reader = _Reader(raw, "quote")
    header = _parse_header(reader.take(HEADER_SIZE, "the header"))
    body_type, body = _parse_body(reader, header.version)
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
    certification = signature_data
    if header.version != QUOTE_VERSION_SGX:
        certification = _certification(
            signature_data, CERTIFICATION_QE_REPORT, "the QE report certification data"
        )
    qe_report = read_sgx_report(certification.take(QE_REPORT_SIZE, "the QE report"))
    qe_report_signature = certification.take(64, "the QE report signature")
    auth_size = certification.integer(2, "the QE auth data length")
    qe_auth_data = certification.take(auth_size, "the QE auth data")
    chain = _certification(certification, CERTIFICATION_PCK_CHAIN, "the PCK certificate chain")
    pck_chain_pem = chain.take(chain.remaining, "the PCK certificate chain")
    split_pck_chain(pck_chain_pem)
    return Quote(
        raw=raw[:end],
        header=header,
        body=body,
        signature=signature,
        attestation_key=attestation_key,
        qe_report=qe_report,
        qe_report_signature=qe_report_signature,
        qe_auth_data=qe_auth_data,
        pck_chain_pem=pck_chain_pem,
        body_type=body_type,
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
    if header.version not in _TEE_TYPES:
        raise QuoteVersionUnsupportedError(
            "Quotes of this version are not verified.",
            got=header.version,
            expected="3 (SGX), 4 or 5 (TDX)",
        )
    if header.attestation_key_type != ATTESTATION_KEY_ECDSA_P256:
        raise AttestationKeyTypeUnsupportedError(
            "The attestation key type is not supported.",
            got=header.attestation_key_type,
            expected=f"{ATTESTATION_KEY_ECDSA_P256} (ECDSA over P-256)",
        )
    tee_type, name = _TEE_TYPES[header.version]
    if header.tee_type != tee_type:
        raise TeeTypeUnsupportedError(
            f"The TEE type of a quote of version {header.version} is not {name}.",
            got=hex(header.tee_type),
            expected=hex(tee_type),
        )
    if header.version != QUOTE_VERSION_SGX and any(raw[8:12]):
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


def _parse_body(reader: _Reader, version: int) -> tuple[int | None, TdReport | SgxReport]:
    """Read the body that follows the header, in version 5 with its type and size."""
    if version == QUOTE_VERSION_SGX:
        return None, read_sgx_report(reader.take(SGX_REPORT_SIZE, "the SGX report"))
    if version == QUOTE_VERSION_TDX:
        return None, read_td_report(reader.take(TD_REPORT_SIZE, "the TD report"))
    body_type = reader.integer(2, "the body type")
    if body_type not in _BODY_SIZES:
        raise QuoteBodyUnsupportedError(
            "The quote's body is of a type that is not verified.",
            got=body_type,
            expected=f"{BODY_TYPE_TD_10} (TD 1.0) or {BODY_TYPE_TD_15} (TD 1.5)",
        )
    size = reader.integer(4, "the body size")
    if size != _BODY_SIZES[body_type]:
        raise QuoteBodyUnsupportedError(
            "The quote's body has another size than its type.",
            got=f"{size} bytes",
            expected=f"{_BODY_SIZES[body_type]} bytes",
        )
    return body_type, read_td_report(reader.take(size, "the TD report"))
