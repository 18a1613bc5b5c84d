"""Evidence for the router contract: the TEE's kind, the form, the platform, the compact quote.

The forms are defined in contracts/interfaces/IDcapVerifier.sol.
"""

from __future__ import annotations

from xmtp_tee.attestation.dcap.compact import compact_quote
from xmtp_tee.attestation.dcap.pck import PckCertificate, parse_pck_certificate
from xmtp_tee.attestation.quote import Quote, parse_quote, split_pck_chain
from xmtp_tee.attestation.reports import TdReport
from xmtp_tee.hashing import keccak256

FORM_KNOWN_PLATFORM = 0
FORM_NEW_PLATFORM = 1


def quote_pck_leaf(quote: bytes | Quote) -> bytes:
    """Return the PCK certificate, DER, that the quote carries.

    :raises QuoteMalformedError: the bytes are no quote with a PCK chain
    """
    return split_pck_chain(_parsed(quote).pck_chain_pem)[0]


def known_platform_evidence(quote: bytes | Quote, pck: PckCertificate | None = None) -> bytes:
    """Return evidence for a platform that the chain knows (1,170 to 1,440 bytes).

    Known is a platform that is recorded there (:func:`platform_handle`), or whose PCK certificate was
    submitted by itself. ``pck`` defaults to the certificate in the quote; give it when the issuing CA
    has another index on chain than the first byte of its key id.

    :raises QuoteMalformedError: the bytes are no quote that the chain verifies
    :raises QuoteFormError: the chain does not take the quote's form
    :raises PckCertificateError: its certificate is no PCK certificate
    """
    parsed = _parsed(quote)
    platform = _pck(parsed, pck)
    head = bytes([parsed.tee, FORM_KNOWN_PLATFORM])
    return head + platform.x + platform.y + platform.packed + compact_quote(parsed)


def new_platform_evidence(quote: bytes | Quote) -> bytes:
    """Return evidence that brings the platform's PCK certificate along (2,300 to 2,600 bytes).

    :raises QuoteMalformedError: the bytes are no quote that the chain verifies
    :raises QuoteFormError: the chain does not take the quote's form
    :raises PckCertificateError: its certificate is no PCK certificate
    """
    parsed = _parsed(quote)
    leaf = quote_pck_leaf(parsed)
    parse_pck_certificate(leaf)
    head = bytes([parsed.tee, FORM_NEW_PLATFORM]) + len(leaf).to_bytes(2, "big")
    return head + leaf + compact_quote(parsed)


def platform_handle(quote: bytes | Quote, pck: PckCertificate | None = None) -> bytes:
    """Return the handle, 20 bytes, under which the chain records the quote's platform.

    The first 20 bytes of keccak256(abi.encode(tee, pckId, environment id)); contracts/interfaces/IDcapVerifier.sol
    defines the environment.

    :raises QuoteMalformedError: the bytes are no quote that the chain verifies
    :raises PckCertificateError: its certificate is no PCK certificate
    """
    parsed = _parsed(quote)
    certificate = _pck(parsed, pck)
    body, qe = parsed.body, parsed.qe_report
    seam_signer, tee_tcb_svn = bytes(32), bytes(16)
    if isinstance(body, TdReport):
        seam_signer, tee_tcb_svn = keccak256(body.mr_signer_seam), body.tee_tcb_svn
    environment = (
        qe.mr_signer
        + qe.attributes.ljust(32, b"\0")
        + qe.misc_select.ljust(32, b"\0")
        + qe.isv_prod_id.to_bytes(32, "big")
        + qe.isv_svn.to_bytes(32, "big")
        + seam_signer
        + certificate.component_svns.ljust(32, b"\0")
        + tee_tcb_svn.ljust(32, b"\0")
    )
    tee = int(parsed.tee).to_bytes(32, "big")
    return keccak256(tee + certificate.pck_id + keccak256(environment))[:20]


def _parsed(quote: bytes | Quote) -> Quote:
    return quote if isinstance(quote, Quote) else parse_quote(quote)


def _pck(quote: Quote, pck: PckCertificate | None) -> PckCertificate:
    return parse_pck_certificate(quote_pck_leaf(quote)) if pck is None else pck
