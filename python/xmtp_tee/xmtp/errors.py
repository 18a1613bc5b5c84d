"""What can be wrong with XMTP's data.

The tree, below the base of :mod:`xmtp_tee.errors`::

    InvalidEvidenceError                    exit 2
    └── XmtpDataError                       xmtp.data
        ├── ProtobufMalformedError          xmtp.protobuf-malformed
        ├── IdentityTextInvalidError        xmtp.identity-text-invalid
        ├── IdentityUpdateInvalidError      xmtp.identity-update-invalid
        └── IdentityUpdateRefusedError      xmtp.identity-update-refused
"""

from xmtp_tee.errors import InvalidEvidenceError


class XmtpDataError(InvalidEvidenceError):
    """Data of the XMTP network does not say what it must."""

    code = "xmtp.data"


class ProtobufMalformedError(XmtpDataError):
    """The bytes are not a protobuf message of the expected type."""

    code = "xmtp.protobuf-malformed"


class IdentityTextInvalidError(XmtpDataError):
    """A text is not one of those that XMTP has a member sign."""

    code = "xmtp.identity-text-invalid"


class IdentityUpdateInvalidError(XmtpDataError):
    """An identity update lacks a part, or one of its signatures is not its signer's."""

    code = "xmtp.identity-update-invalid"


class IdentityUpdateRefusedError(XmtpDataError):
    """An identity update is well signed, and the inbox's log does not allow it."""

    code = "xmtp.identity-update-refused"
