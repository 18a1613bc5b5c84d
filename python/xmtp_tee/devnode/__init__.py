"""A local XMTP network for development and tests: one node, in memory, on the loopback interface.

It is no production node: it keeps nothing, knows no rate limit, no TLS, no payer and no other node, and it
answers whoever can reach it. What it does check is what decides whether a client works: identity updates by
the inbox's log, 10 installations and 256 updates an inbox, and that a message names its group.

    with DevNode() as node:
        connect(node.url)

grpcio is in the extra ``devnode``.
"""

from xmtp_tee.devnode.node import DevNode

__all__ = ["DevNode"]
