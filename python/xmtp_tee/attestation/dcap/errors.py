"""Errors of the encoders."""

from __future__ import annotations

from xmtp_tee.errors import InvalidEvidenceError, XmtpTeeError


class QuoteFormError(InvalidEvidenceError):
    """The quote has not the form that the chain verifies."""

    code = "dcap.quote-form"


class PckCertificateError(InvalidEvidenceError):
    """The certificate is no PCK certificate as Intel's profile defines it."""

    code = "dcap.pck-certificate"


class CollateralFormError(InvalidEvidenceError):
    """The JSON text cannot be rebuilt to the byte from its compact form, so the chain would refuse it."""

    code = "dcap.collateral-form"


class CollateralMissingError(XmtpTeeError):
    """A certificate, a list or a text that the chain needs is not in the collateral."""

    code = "dcap.collateral-missing"
