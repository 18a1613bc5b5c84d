"""What the local node refuses.

The tree, below the base of :mod:`xmtp_tee.errors`::

    UsageError                        exit 1
    └── RequestRefusedError           devnode.request-refused
        ├── InboxLogFullError         devnode.inbox-log-full
        └── TooManyInstallationsError devnode.too-many-installations
    UnavailableError                  exit 3
    └── DevNodeStartError             devnode.start
"""

from xmtp_tee.errors import UnavailableError, UsageError


class RequestRefusedError(UsageError):
    """The request does not fit the network's rules; gRPC says INVALID_ARGUMENT."""

    code = "devnode.request-refused"


class InboxLogFullError(RequestRefusedError):
    """The inbox has had its 256 updates."""

    code = "devnode.inbox-log-full"


class TooManyInstallationsError(RequestRefusedError):
    """The inbox has its 10 installations."""

    code = "devnode.too-many-installations"


class DevNodeStartError(UnavailableError):
    """The node could not listen."""

    code = "devnode.start"
