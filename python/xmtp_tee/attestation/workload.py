"""The workload id: one hash for the code that runs and the attributes that protect it."""

from __future__ import annotations

from xmtp_tee.attestation.fields import require_length
from xmtp_tee.attestation.quote import TD_REPORT_SIZE, TdxQuoteV4
from xmtp_tee.hashing import keccak256

TDX_WORKLOAD_TAG = keccak256(b"xmtp-tee/workload/tdx/v1")


def tdx_workload_id(td_report: bytes) -> bytes:
    """Return the 32-byte workload id of a TD report body (TD 1.0, 584 bytes).

    It covers bytes 120 to 519: TDATTRIBUTES, XFAM, MRTD, MRCONFIGID, MROWNER, MROWNERCONFIG, RTMR0 to RTMR3.

    :raises FieldError: the body is not 584 bytes
    """
    require_length("TD report", td_report, TD_REPORT_SIZE)
    return keccak256(TDX_WORKLOAD_TAG + td_report[120:520])


def workload_id(quote: TdxQuoteV4) -> bytes:
    """Return the 32-byte workload id of a parsed quote. It means nothing before the quote is verified."""
    return tdx_workload_id(quote.body.raw)
