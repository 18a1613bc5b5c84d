"""The strict reader of DER, for Intel's SGX extension."""

from __future__ import annotations

from xmtp_tee.attestation import der
from xmtp_tee.attestation.dcap.errors import PckCertificateError
from xmtp_tee.attestation.der import (
    ENUMERATED,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
)
from xmtp_tee.errors import InvalidEvidenceError

__all__ = ["ENUMERATED", "INTEGER", "OBJECT_IDENTIFIER", "OCTET_STRING", "SEQUENCE", "Der"]


class Der(der.Der):
    """The values of one container; what is wrong is a :class:`PckCertificateError`."""

    def __init__(
        self,
        data: bytes,
        what: str = "the SGX extension",
        error: type[InvalidEvidenceError] = PckCertificateError,
    ) -> None:
        super().__init__(data, what, error)
