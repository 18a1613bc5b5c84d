"""What can go wrong between this host and the XMTP network.

The tree, below the base of :mod:`xmtp_tee.errors`::

    UnavailableError                   exit 3
    └── NetworkUnavailableError        xmtp.network-unavailable
    UsageError                         exit 1
    ├── NetworkRefusedError            xmtp.network-refused
    ├── InboxForeignError              xmtp.inbox-foreign
    ├── ConversationError              xmtp.conversation
    └── DatabaseError                  xmtp.database
    InvalidEvidenceError               exit 2
    ├── LogTooShortError               xmtp.log-too-short
    └── MemberRefusedError             xmtp.member-refused
"""

from typing import Final

from xmtp_tee.errors import InvalidEvidenceError, UnavailableError, UsageError
from xmtp_tee.wire.errors import FrameTooLargeError, MessageFieldInvalidError
from xmtp_tee.wire.faults import EnclaveInternalError


class NetworkUnavailableError(UnavailableError):
    """The node cannot be reached, or gave no answer that can be read."""

    code = "xmtp.network-unavailable"


class NetworkRefusedError(UsageError):
    """The node refused the request by the network's rules."""

    code = "xmtp.network-refused"


class ConversationError(UsageError):
    """The conversation does not allow it: there is none, we are no member, or others keep overtaking us."""

    code = "xmtp.conversation"


class InboxForeignError(UsageError):
    """The wallet belongs to an inbox that another wallet created: its keys here cannot be installations of it."""

    code = "xmtp.inbox-foreign"


class DatabaseError(UsageError):
    """The client's database cannot be used."""

    code = "xmtp.database"


class MemberRefusedError(InvalidEvidenceError):
    """The enclave refused what the network brought, or what was asked, by the rules of MLS or XMTP."""

    code = "xmtp.member-refused"


class LogTooShortError(InvalidEvidenceError):
    """The node does not have an inbox's log as far as a welcome or a commit says it goes."""

    code = "xmtp.log-too-short"


ONE_ITEMS_FAULT: Final = (
    MemberRefusedError,
    LogTooShortError,
    FrameTooLargeError,
    MessageFieldInvalidError,
    EnclaveInternalError,
)
"""What one welcome or message of a stranger's can cause. It is skipped, and what comes after it is read."""
