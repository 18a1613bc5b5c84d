"""The workload id: one hash for the code that runs and the attributes that protect it.

Defined in contracts/interfaces/IDcapVerifier.sol; each kind of body has a tag of its own.
"""

from __future__ import annotations

from xmtp_tee.attestation.fields import require_length
from xmtp_tee.attestation.quote import Quote
from xmtp_tee.attestation.reports import (
    SGX_REPORT_SIZE,
    TD_REPORT_15_SIZE,
    TD_REPORT_SIZE,
    SgxReport,
)
from xmtp_tee.hashing import keccak256

TDX_WORKLOAD_TAG = keccak256(b"xmtp-tee/workload/tdx/v1")
TDX_15_WORKLOAD_TAG = keccak256(b"xmtp-tee/workload/tdx-1.5/v1")
SGX_WORKLOAD_TAG = keccak256(b"xmtp-tee/workload/sgx/v1")


def tdx_workload_id(td_report: bytes) -> bytes:
    """Return the 32-byte workload id of a TD report body (TD 1.0, 584 bytes).

    It covers bytes 120 to 519: TDATTRIBUTES, XFAM, MRTD, MRCONFIGID, MROWNER, MROWNERCONFIG, RTMR0 to RTMR3.

    :raises FieldError: the body is not 584 bytes
    """
    require_length("TD report", td_report, TD_REPORT_SIZE)
    return keccak256(TDX_WORKLOAD_TAG + td_report[120:520])


def tdx_15_workload_id(td_report: bytes) -> bytes:
    """Return the 32-byte workload id of a TD report body of TD 1.5 (648 bytes).

    It covers what :func:`tdx_workload_id` covers, and MRSERVICETD, bytes 600 to 647.

    :raises FieldError: the body is not 648 bytes
    """
    require_length("TD report", td_report, TD_REPORT_15_SIZE)
    return keccak256(TDX_15_WORKLOAD_TAG + td_report[120:520] + td_report[600:648])


def sgx_workload_id(report: bytes) -> bytes:
    """Return the 32-byte workload id of an SGX report body (384 bytes).

    It covers bytes 16 to 319, everything but CPUSVN and the report data: MISCSELECT, ISVEXTPRODID, ATTRIBUTES,
    MRENCLAVE, MRSIGNER, CONFIGID, ISVPRODID, ISVSVN, CONFIGSVN, ISVFAMILYID, and the reserved bytes between them.

    :raises FieldError: the body is not 384 bytes
    """
    require_length("SGX report", report, SGX_REPORT_SIZE)
    return keccak256(SGX_WORKLOAD_TAG + report[16:320])


def workload_id(quote: Quote) -> bytes:
    """Return the 32-byte workload id of a parsed quote. It means nothing before the quote is verified."""
    body = quote.body
    if isinstance(body, SgxReport):
        return sgx_workload_id(body.raw)
    if body.mr_service_td is not None:
        return tdx_15_workload_id(body.raw)
    return tdx_workload_id(body.raw)
