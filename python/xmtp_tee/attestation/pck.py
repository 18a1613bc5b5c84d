"""The SGX extension of a PCK certificate: which platform this is.

Source: Intel SGX PCK Certificate and Certificate Revocation List Profile Specification, section 1.3.5.
"""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.certificates import SGX_EXTENSION, Certificate
from xmtp_tee.attestation.errors import PlatformMismatchError, QuoteNotGenuineError

_SGX_TYPES = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class PckFacts:
    """``ppid`` is 16 bytes, ``fmspc`` 6, ``pce_id`` 2, ``cpu_svn`` 16."""

    ppid: bytes
    fmspc: bytes
    pce_id: bytes
    pce_svn: int
    cpu_svn: bytes


def read_pck_extension(leaf: Certificate) -> PckFacts:
    """Read the extension of a PCK certificate.

    :raises QuoteNotGenuineError: an item is missing or malformed
    :raises PlatformMismatchError: CPUSVN is not the component SVNs, so that verifiers could disagree
    """
    import dcap_qvl

    try:
        extension = dcap_qvl.parse_pck_extension_from_pem(leaf.pem.encode())
        components = [
            extension.get_value(f"{SGX_EXTENSION.dotted_string}.2.{index}")
            for index in range(1, 17)
        ]
    except ValueError as error:
        raise QuoteNotGenuineError(
            "The PCK certificate's SGX extension cannot be read.", cause=str(error)[:200]
        ) from error
    facts = PckFacts(
        ppid=bytes(extension.ppid),
        fmspc=bytes(extension.fmspc),
        pce_id=bytes(extension.pce_id),
        pce_svn=extension.pce_svn,
        cpu_svn=bytes(extension.cpu_svn),
    )
    if (len(facts.ppid), len(facts.fmspc), len(facts.pce_id)) != (16, 6, 2):
        raise QuoteNotGenuineError(
            "An item of the PCK certificate's SGX extension has no valid length."
        )
    if extension.sgx_type not in _SGX_TYPES:
        raise QuoteNotGenuineError(
            "The PCK certificate's SGX type is unknown.",
            got=extension.sgx_type,
            expected="0 standard, 1 scalable, 2 scalable with integrity",
        )
    # dcap-qvl judges by CPUSVN, the contract by the components; Intel's platforms have both equal.
    svns = [int.from_bytes(c, "big") if c else -1 for c in components]
    if svns != list(facts.cpu_svn):
        raise PlatformMismatchError(
            "The PCK certificate's CPUSVN differs from its component SVNs.",
            got=facts.cpu_svn.hex(),
            expected=", ".join(map(str, svns)),
        )
    return facts
