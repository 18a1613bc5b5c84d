"""The workload id and the platform's name of a SEV-SNP guest. contracts/attestation/sevsnp has the same formulas."""

from __future__ import annotations

from xmtp_tee.attestation.fields import require_length
from xmtp_tee.attestation.sevsnp.report import REPORT_SIZE
from xmtp_tee.hashing import keccak256

SNP_WORKLOAD_TAG = keccak256(b"xmtp-tee/workload/sev-snp/v1")
CHIP_ID_SIZE = 64


def snp_workload_id(report: bytes) -> bytes:
    """Return the 32-byte workload id of a report (1,184 bytes): keccak256 over a tag and two ranges of it.

    Bytes 0x04 to 0x33: guest SVN 4, policy 8, family id 16, image id 16, VMPL 4. Bytes 0x90 to 0x13f: measurement 48,
    host data 32, id key digest 48, author key digest 48. The same in every version; what is the platform's stays out.

    :raises FieldError: the report is not 1,184 bytes
    """
    require_length("SEV-SNP report", report, REPORT_SIZE)
    return keccak256(SNP_WORKLOAD_TAG + report[0x04:0x34] + report[0x90:0x140])


def instance_of(chip_id: bytes) -> bytes:
    """Return the 16 bytes under which a chip can be denied: keccak256 of its id (64 bytes), cut.

    Zero, "not known", where the host masked the id, as some do under a VLEK.

    :raises FieldError: the chip id is not 64 bytes
    """
    require_length("chip id", chip_id, CHIP_ID_SIZE)
    return keccak256(chip_id)[:16] if any(chip_id) else bytes(16)
