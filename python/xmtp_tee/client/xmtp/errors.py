"""What can go wrong between this host and the XMTP network.

The tree, below the base of :mod:`xmtp_tee.errors`::

    UnavailableError                   exit 3
    └── NetworkUnavailableError        xmtp.network-unavailable
    UsageError                         exit 1
    └── NetworkRefusedError            xmtp.network-refused
"""

from xmtp_tee.errors import UnavailableError, UsageError


class NetworkUnavailableError(UnavailableError):
    """The node cannot be reached, or gave no answer that can be read."""

    code = "xmtp.network-unavailable"


class NetworkRefusedError(UsageError):
    """The node refused the request by the network's rules."""

    code = "xmtp.network-refused"
