"""What can go wrong between this host and the XMTP network.

The tree, below the base of :mod:`xmtp_tee.errors`::

    UnavailableError                   exit 3
    └── NetworkUnavailableError        xmtp.network-unavailable
    UsageError                         exit 1
    ├── NetworkRefusedError            xmtp.network-refused
    ├── ConversationError              xmtp.conversation
    └── DatabaseError                  xmtp.database
    InvalidEvidenceError               exit 2
    └── MemberRefusedError             xmtp.member-refused
"""

from xmtp_tee.errors import InvalidEvidenceError, UnavailableError, UsageError


class NetworkUnavailableError(UnavailableError):
    """The node cannot be reached, or gave no answer that can be read."""

    code = "xmtp.network-unavailable"


class NetworkRefusedError(UsageError):
    """The node refused the request by the network's rules."""

    code = "xmtp.network-refused"


class ConversationError(UsageError):
    """The conversation does not allow it: there is none, we are no member, or others keep overtaking us."""

    code = "xmtp.conversation"


class DatabaseError(UsageError):
    """The client's database cannot be used."""

    code = "xmtp.database"


class MemberRefusedError(InvalidEvidenceError):
    """The enclave refused what the network brought, or what was asked, by the rules of MLS or XMTP."""

    code = "xmtp.member-refused"
