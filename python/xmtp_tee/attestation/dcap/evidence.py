"""Evidence for the router contract: the TEE's kind, the form, the platform, the compact quote.

The forms are defined in contracts/interfaces/IDcapVerifier.sol.
"""

from __future__ import annotations

from xmtp_tee.attestation.dcap.compact import compact_quote
from xmtp_tee.attestation.dcap.pck import PckCertificate, parse_pck_certificate
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.quote import TdxQuoteV4, parse_quote, split_pck_chain

FORM_KNOWN_PLATFORM = 0
FORM_NEW_PLATFORM = 1


def quote_pck_leaf(quote: bytes | TdxQuoteV4) -> bytes:
    """Return the PCK certificate, DER, that the quote carries.

    :raises QuoteMalformedError: the bytes are no TDX v4 quote with a PCK chain
    """
    parsed = quote if isinstance(quote, TdxQuoteV4) else parse_quote(quote)
    return split_pck_chain(parsed.pck_chain_pem)[0]


def known_platform_evidence(quote: bytes | TdxQuoteV4, pck: PckCertificate | None = None) -> bytes:
    """Return evidence for a platform whose PCK certificate the chain knows (about 1,340 bytes).

    ``pck`` defaults to the certificate in the quote; give it when the issuing CA has another index on
    chain than the first byte of its key id.

    :raises QuoteMalformedError: the bytes are no TDX v4 quote
    :raises PckCertificateError: its certificate is no PCK certificate
    """
    parsed = quote if isinstance(quote, TdxQuoteV4) else parse_quote(quote)
    platform = parse_pck_certificate(quote_pck_leaf(parsed)) if pck is None else pck
    head = bytes([TeeKind.TDX, FORM_KNOWN_PLATFORM])
    return head + platform.pck_id + platform.x + platform.y + compact_quote(parsed)


def new_platform_evidence(quote: bytes | TdxQuoteV4) -> bytes:
    """Return evidence that brings the platform's PCK certificate along (about 2,500 bytes).

    :raises QuoteMalformedError: the bytes are no TDX v4 quote
    :raises PckCertificateError: its certificate is no PCK certificate
    """
    parsed = quote if isinstance(quote, TdxQuoteV4) else parse_quote(quote)
    leaf = quote_pck_leaf(parsed)
    parse_pck_certificate(leaf)
    head = bytes([TeeKind.TDX, FORM_NEW_PLATFORM]) + len(leaf).to_bytes(2, "big")
    return head + leaf + compact_quote(parsed)
