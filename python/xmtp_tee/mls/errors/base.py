"""The root of MLS's errors."""

from xmtp_tee.errors import InvalidEvidenceError


class MlsError(InvalidEvidenceError):
    """A message, a structure or an operation of MLS is refused."""

    code = "mls.error"
