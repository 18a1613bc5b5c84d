"""What can go wrong with the bytes between an application and the enclave.

The tree::

    WireError (exit 3: nothing is known, because the two ends do not understand each other)
    ├── FrameTooLargeError          wire.frame-too-large
    ├── FrameTruncatedError         wire.frame-truncated
    ├── MessageMalformedError       wire.message-malformed
    ├── MessageTypeUnknownError     wire.message-type-unknown
    ├── MessageFieldInvalidError    wire.message-field-invalid
    ├── MessageUnexpectedError      wire.message-unexpected
    ├── ChannelError                wire.channel
    └── ProtocolVersionError        wire.protocol-version
"""

from xmtp_tee.errors import UnavailableError


class WireError(UnavailableError):
    """The two ends do not understand each other."""

    code = "wire.error"


class FrameTooLargeError(WireError):
    """A frame announces, or would carry, more bytes than the limit. The connection is over."""

    code = "wire.frame-too-large"


class FrameTruncatedError(WireError):
    """The connection ended inside a frame."""

    code = "wire.frame-truncated"


class MessageMalformedError(WireError):
    """A frame's body is not one MessagePack message of the expected shape."""

    code = "wire.message-malformed"


class MessageTypeUnknownError(WireError):
    """A message, an operation or a result has a type that this side does not know."""

    code = "wire.message-type-unknown"


class MessageFieldInvalidError(WireError):
    """A message of a known type has a missing, superfluous or wrong field."""

    code = "wire.message-field-invalid"


class MessageUnexpectedError(WireError):
    """A well-formed message came at the wrong time: a request before the hello, a reply nobody
    waits for.
    """

    code = "wire.message-unexpected"


class ProtocolVersionError(WireError):
    """The other side speaks another version of the protocol."""

    code = "wire.protocol-version"


class ChannelError(WireError):
    """A frame of a protected connection is not the one that the other side sent."""

    code = "wire.channel"
