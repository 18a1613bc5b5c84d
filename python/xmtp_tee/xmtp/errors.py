"""What can be wrong with XMTP's data.

The tree, below the base of :mod:`xmtp_tee.errors`::

    InvalidEvidenceError                    exit 2
    └── XmtpDataError                       xmtp.data
        ├── ProtobufMalformedError          xmtp.protobuf-malformed
        ├── IdentityTextInvalidError        xmtp.identity-text-invalid
        ├── IdentityUpdateInvalidError      xmtp.identity-update-invalid
        ├── IdentityUpdateRefusedError      xmtp.identity-update-refused
        ├── IdentityLogMissingError         xmtp.identity-log-missing (exit 3)
        ├── KeyPackageInvalidError          xmtp.key-package-invalid
        ├── WelcomeInvalidError             xmtp.welcome-invalid
        ├── GroupStateInvalidError          xmtp.group-state-invalid
        ├── CommitRefusedError              xmtp.commit-refused
        ├── WelcomesTooLargeError           xmtp.welcomes-too-large
        ├── ContentInvalidError             xmtp.content-invalid
        ├── DroppedCommitError              xmtp.dropped-commit
        ├── SenderUnfoundedError            xmtp.sender-unfounded
        └── StateTooLargeError              xmtp.state-too-large
"""

from xmtp_tee.errors import ExitCode, InvalidEvidenceError


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


class IdentityLogMissingError(XmtpDataError):
    """An inbox's log is needed further than it is known: nothing is known, which is no failure.

    ``inbox_id``; ``known``: the newest sequence id that is; ``needed``: the one that is asked for.
    """

    code = "xmtp.identity-log-missing"
    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, inbox_id: str, known: int, needed: int) -> None:
        super().__init__(
            "An inbox's log is not known far enough",
            got=f"{inbox_id} up to {known}",
            expected=f"up to {needed}",
        )
        self.inbox_id = inbox_id
        self.known = known
        self.needed = needed


class KeyPackageInvalidError(XmtpDataError):
    """A key package, or the leaf inside it, is not a valid one of the installation it is said to be."""

    code = "xmtp.key-package-invalid"


class WelcomeInvalidError(XmtpDataError):
    """A welcome, or a pointer to one, does not open or cannot be read."""

    code = "xmtp.welcome-invalid"


class GroupStateInvalidError(XmtpDataError):
    """A group's context lacks a part that every XMTP group has, or it cannot be read."""

    code = "xmtp.group-state-invalid"


class CommitRefusedError(XmtpDataError):
    """A commit is valid MLS, and XMTP's rules or the group's permissions forbid it."""

    code = "xmtp.commit-refused"


class WelcomesTooLargeError(XmtpDataError):
    """A commit would owe more bytes of welcomes than leave the enclave at once: bring in fewer at a time."""

    code = "xmtp.welcomes-too-large"


class ContentInvalidError(XmtpDataError):
    """A message's plaintext, or the content inside it, cannot be read."""

    code = "xmtp.content-invalid"


class DroppedCommitError(XmtpDataError):
    """A commit of our own that was dropped came back and counts: the others are in an epoch that we cannot reach.
    The conversation is over for us.
    """

    code = "xmtp.dropped-commit"


class SenderUnfoundedError(XmtpDataError):
    """A member's leaf names an inbox whose log does not have the installation: who speaks is unknown."""

    code = "xmtp.sender-unfounded"


class StateTooLargeError(XmtpDataError):
    """What would have to be kept of a conversation, an installation or a log is more than is kept."""

    code = "xmtp.state-too-large"
