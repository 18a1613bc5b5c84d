"""The compact quote: what the chain needs of a quote, without length fields and PEM chain."""

from __future__ import annotations

from xmtp_tee.attestation.quote import TdxQuoteV4, parse_quote


def compact_quote(quote: bytes | TdxQuoteV4) -> bytes:
    """Return the compact form of a TDX v4 quote; zero padding from the kernel is dropped.

    ``header 48 | TD report 584 | quote signature 64 | attestation key 64 | QE report 384
    | QE report signature 64 | QE authentication data``: 1,240 bytes with the usual 32 bytes of
    authentication data. The layout is defined in contracts/attestation/dcap/TdxQuote.sol.

    :raises QuoteMalformedError: the bytes are no TDX v4 quote
    """
    parsed = quote if isinstance(quote, TdxQuoteV4) else parse_quote(quote)
    return (
        parsed.header.raw
        + parsed.body.raw
        + parsed.signature
        + parsed.attestation_key
        + parsed.qe_report.raw
        + parsed.qe_report_signature
        + parsed.qe_auth_data
    )
