"""MLSMessage, the outermost form (RFC 9420, section 6)."""

from __future__ import annotations

from xmtp_tee.mls.codec import Reader, decode_whole, u16
from xmtp_tee.mls.errors import UnknownVariantError, VersionUnsupportedError, WireFormatError
from xmtp_tee.mls.framing import PrivateMessage, PublicMessage, WireFormat
from xmtp_tee.mls.key_package import KeyPackage
from xmtp_tee.mls.suites import MLS10
from xmtp_tee.mls.welcome import GroupInfo, Welcome

Message = PublicMessage | PrivateMessage | Welcome | GroupInfo | KeyPackage

_FORMATS: dict[type, WireFormat] = {
    PublicMessage: WireFormat.PUBLIC_MESSAGE,
    PrivateMessage: WireFormat.PRIVATE_MESSAGE,
    Welcome: WireFormat.WELCOME,
    GroupInfo: WireFormat.GROUP_INFO,
    KeyPackage: WireFormat.KEY_PACKAGE,
}


def encode_message(message: Message) -> bytes:
    """Return a message with its version and wire format in front."""
    return u16(MLS10) + u16(_FORMATS[type(message)]) + message.encode()


def decode_message(data: bytes, limit: int) -> Message:
    """Return the message that is all of ``data``.

    :raises MlsDecodeError: malformed, of another version, or longer than ``limit``
    """
    return decode_whole(_decode, data, limit)


def _decode(reader: Reader) -> Message:
    version = reader.u16()
    if version != MLS10:
        raise VersionUnsupportedError("A message's version", got=version, expected=MLS10)
    match reader.u16():
        case WireFormat.PUBLIC_MESSAGE:
            return PublicMessage.decode(reader)
        case WireFormat.PRIVATE_MESSAGE:
            return PrivateMessage.decode(reader)
        case WireFormat.WELCOME:
            return Welcome.decode(reader)
        case WireFormat.GROUP_INFO:
            return GroupInfo.decode(reader)
        case WireFormat.KEY_PACKAGE:
            return KeyPackage.decode(reader)
        case other:
            raise UnknownVariantError("The wire format is unknown", got=f"{other:#06x}")


def decode_welcome(data: bytes, limit: int) -> Welcome:
    """Return a welcome; raises as decode_message, and WireFormatError for another message."""
    message = decode_message(data, limit)
    if not isinstance(message, Welcome):
        raise WireFormatError("Not a welcome", got=type(message).__name__)
    return message


def decode_group_info(data: bytes, limit: int) -> GroupInfo:
    """Return a group info; raises as decode_message, and WireFormatError for another message."""
    message = decode_message(data, limit)
    if not isinstance(message, GroupInfo):
        raise WireFormatError("Not a group info", got=type(message).__name__)
    return message


def decode_key_package(data: bytes, limit: int = 1 << 16) -> KeyPackage:
    """Return a key package; raises as decode_message, and WireFormatError for another message."""
    message = decode_message(data, limit)
    if not isinstance(message, KeyPackage):
        raise WireFormatError("Not a key package", got=type(message).__name__)
    return message
