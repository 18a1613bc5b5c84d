"""About the enclave itself."""

from __future__ import annotations

from xmtp_tee.wire.messages.base import Message


class Ping(Message, frozen=True, tag="ping"):
    """Ask whether the enclave answers; -> ``Pong``."""


class Describe(Message, frozen=True, tag="describe"):
    """Ask who the enclave is; -> ``EnclaveDescription``."""


class Pong(Message, frozen=True, tag="pong"):
    """The enclave answers."""
