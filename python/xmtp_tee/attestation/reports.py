"""The report bodies of a quote: a TD's, an SGX enclave's. Exact sizes, no judgement.

Sources: Intel TDX DCAP Quoting Library API, appendix "Quote Format" (TD Quote Body 1.0 and 1.5); Intel SGX ECDSA
Quote Library Reference, "Enclave Report Body". All integers are little-endian.
"""

from __future__ import annotations

from dataclasses import dataclass

TD_REPORT_SIZE = 584
"""The TD report of TD 1.0."""
TD_REPORT_15_SIZE = 648
"""The TD report of TD 1.5: that of TD 1.0, then TEE_TCB_SVN_2 (16) and MRSERVICETD (48)."""
SGX_REPORT_SIZE = 384


@dataclass(frozen=True, slots=True)
class TdReport:
    """A TD report body in ``raw``: 584 bytes (TD 1.0) or 648 (TD 1.5).

    Measurements are 48 bytes (SHA-384), attribute fields 8, TCB SVNs 16, ``report_data`` 64. ``tee_tcb_svn_2``
    and ``mr_service_td`` are None for TD 1.0. ``tee_tcb_svn`` is that of the TDX module which started the TD;
    ``tee_tcb_svn_2`` that of the module which runs now.
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
    tee_tcb_svn_2: bytes | None = None
    mr_service_td: bytes | None = None


@dataclass(frozen=True, slots=True)
class SgxReport:
    """An SGX enclave's report body, 384 bytes in ``raw``; the quoting enclave's report has the same form.

    ``cpu_svn`` is 16 bytes, ``misc_select`` 4, ``attributes`` 16 (flags 8, XFRM 8), the measurements 32 (SHA-256),
    ``report_data`` 64.
    """

    raw: bytes
    cpu_svn: bytes
    misc_select: bytes
    attributes: bytes
    mr_enclave: bytes
    mr_signer: bytes
    isv_prod_id: int
    isv_svn: int
    report_data: bytes


def read_td_report(raw: bytes) -> TdReport:
    """Return the fields of a TD report of 584 or 648 bytes."""
    extended = len(raw) == TD_REPORT_15_SIZE
    if not extended and len(raw) != TD_REPORT_SIZE:
        raise ValueError(f"a TD report of {len(raw)} bytes")
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
        tee_tcb_svn_2=raw[584:600] if extended else None,
        mr_service_td=raw[600:648] if extended else None,
    )


def read_sgx_report(raw: bytes) -> SgxReport:
    """Return the fields of an SGX report of 384 bytes."""
    if len(raw) != SGX_REPORT_SIZE:
        raise ValueError(f"an SGX report of {len(raw)} bytes")
    return SgxReport(
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
