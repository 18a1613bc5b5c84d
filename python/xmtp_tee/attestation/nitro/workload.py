"""The workload id and the platform's name of a Nitro enclave. contracts/attestation/nitro has the same formulas."""

from __future__ import annotations

from xmtp_tee.attestation.fields import require_length
from xmtp_tee.attestation.nitro.document import (
    CODE_PCRS,
    IMAGE_SIGNER_PCR,
    PCR_SIZE,
    NitroDocument,
)
from xmtp_tee.hashing import keccak256

NITRO_WORKLOAD_TAG = keccak256(b"xmtp-tee/workload/nitro/v1")


def nitro_workload_id(pcr0: bytes, pcr1: bytes, pcr2: bytes, pcr8: bytes) -> bytes:
    """Return the 32-byte workload id: keccak256(tag || PCR0 || PCR1 || PCR2 || PCR8), 48 bytes each.

    PCR0 measures the image, PCR1 kernel and boot ramdisk, PCR2 the application, PCR8 the certificate that signed the
    image (zero for an image that is not signed). The role and the instance, PCR3 and PCR4, are no code.

    :raises FieldError: a register is not 48 bytes
    """
    registers = {"PCR0": pcr0, "PCR1": pcr1, "PCR2": pcr2, "PCR8": pcr8}
    for name, register in registers.items():
        require_length(name, register, PCR_SIZE)
    return keccak256(NITRO_WORKLOAD_TAG + pcr0 + pcr1 + pcr2 + pcr8)


def workload_of(document: NitroDocument) -> bytes:
    """Return the workload id of a parsed document. It means nothing before the document is verified."""
    pcr0, pcr1, pcr2 = (document.pcrs[index] for index in CODE_PCRS)
    return nitro_workload_id(pcr0, pcr1, pcr2, document.pcrs[IMAGE_SIGNER_PCR])


def instance_of(document: NitroDocument) -> bytes:
    """Return the 16 bytes under which the EC2 instance can be denied: keccak256 of its id, cut.

    Not the enclave's module id, which changes with every start.
    """
    return keccak256(document.instance_id.encode())[:16]
