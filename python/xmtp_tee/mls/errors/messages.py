"""Why a message is not processed (RFC 9420, sections 6 and 9)."""

from xmtp_tee.mls.errors.base import MlsError


class MessageInvalidError(MlsError):
    """A message is not processed."""

    code = "mls.message"


class WrongGroupError(MessageInvalidError):
    """A message belongs to another group."""

    code = "mls.wrong-group"


class WrongEpochError(MessageInvalidError):
    """A message belongs to an epoch that is not current, or is past and forgotten."""

    code = "mls.wrong-epoch"


class WireFormatError(MessageInvalidError):
    """This content may not travel in this form."""

    code = "mls.wire-format"


class SenderUnknownError(MessageInvalidError):
    """The sender is no member, or may not send this."""

    code = "mls.sender"


class OwnMessageError(MessageInvalidError):
    """The message is our own; its key was deleted when it was sent."""

    code = "mls.own-message"


class MessageReplayedError(MessageInvalidError):
    """The message's key has been used or dropped: it was received before, or is too old."""

    code = "mls.replayed"


class GenerationTooFarError(MessageInvalidError):
    """The message is further ahead than the limit allows to skip."""

    code = "mls.generation-too-far"
