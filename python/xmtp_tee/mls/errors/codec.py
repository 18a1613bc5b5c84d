"""What can be wrong with the bytes of a structure (RFC 9420, section 2.1)."""

from xmtp_tee.mls.errors.base import MlsError


class MlsDecodeError(MlsError):
    """Bytes are not the structure that they should be."""

    code = "mls.decode"


class TruncatedError(MlsDecodeError):
    """A structure ends before its last field."""

    code = "mls.truncated"


class TrailingBytesError(MlsDecodeError):
    """Bytes follow after a structure's last field."""

    code = "mls.trailing-bytes"


class LengthPrefixError(MlsDecodeError):
    """A vector's length is not in its shortest form, or has the forbidden prefix 11."""

    code = "mls.length-prefix"


class UnknownVariantError(MlsDecodeError):
    """A tag selects no known variant, so what follows cannot be read."""

    code = "mls.unknown-variant"


class TooLargeError(MlsDecodeError):
    """A message, a tree or a list is larger than the limit."""

    code = "mls.too-large"


class PaddingError(MlsDecodeError):
    """A private message's padding is not all zero."""

    code = "mls.padding"


class TreeShapeError(MlsDecodeError):
    """A ratchet tree is empty, ends with a blank, or has a leaf where a parent belongs."""

    code = "mls.tree-shape"


class VersionUnsupportedError(MlsDecodeError):
    """The protocol version is not mls10."""

    code = "mls.version"


class CipherSuiteUnsupportedError(MlsDecodeError):
    """The cipher suite is not 0x0001 or 0x0003, or not the group's."""

    code = "mls.cipher-suite"
