"""The compact quote: what the chain needs of a quote, without length fields and PEM chain."""

from __future__ import annotations

from xmtp_tee.attestation.dcap.errors import QuoteFormError
from xmtp_tee.attestation.quote import Quote, parse_quote

AUTH_DATA_SIZE = 32
"""The authentication data that Intel's quoting enclaves write, in bytes; the chain takes no other."""


def compact_quote(quote: bytes | Quote) -> bytes:
    """Return the compact form of an SGX v3, TDX v4 or TDX v5 quote; padding from the kernel is dropped.

    ``header 48 | body | quote signature 64 | attestation key 64 | QE report 384 | QE report signature
    64 | QE authentication data 32``: 1,040 bytes for SGX, 1,240 for TDX v4, 1,246 or 1,310 for TDX v5,
    whose body comes with its type and size. The layout is defined in
    contracts/interfaces/IDcapVerifier.sol.

    :raises QuoteMalformedError: the bytes are no such quote
    :raises QuoteFormError: its authentication data has another size than Intel's
    """
    parsed = quote if isinstance(quote, Quote) else parse_quote(quote)
    if len(parsed.qe_auth_data) != AUTH_DATA_SIZE:
        raise QuoteFormError(
            "the QE authentication data has another size than the chain takes",
            got=f"{len(parsed.qe_auth_data)} bytes",
            expected=f"{AUTH_DATA_SIZE} bytes",
        )
    return (
        parsed.signed_bytes
        + parsed.signature
        + parsed.attestation_key
        + parsed.qe_report.raw
        + parsed.qe_report_signature
        + parsed.qe_auth_data
    )
