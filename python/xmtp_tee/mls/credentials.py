"""Credentials (RFC 9420, section 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from xmtp_tee.mls.codec import Reader, opaque, u16, vector
from xmtp_tee.mls.errors import UnknownVariantError


class CredentialType(IntEnum):
    """The credential types whose form is known."""

    BASIC = 0x0001
    X509 = 0x0002


@dataclass(frozen=True)
class BasicCredential:
    """An identity in the application's own form; XMTP's is the protobuf MlsCredential."""

    identity: bytes

    @property
    def type(self) -> CredentialType:
        """The credential's type."""
        return CredentialType.BASIC

    def encode(self) -> bytes:
        """Return the bytes."""
        return u16(CredentialType.BASIC) + opaque(self.identity)


@dataclass(frozen=True)
class X509Credential:
    """A chain of DER certificates, the end entity's first. It is read here, and judged nowhere."""

    certificates: tuple[bytes, ...]

    @property
    def type(self) -> CredentialType:
        """The credential's type."""
        return CredentialType.X509

    def encode(self) -> bytes:
        """Return the bytes."""
        return u16(CredentialType.X509) + vector(map(opaque, self.certificates))


Credential = BasicCredential | X509Credential


def decode_credential(reader: Reader) -> Credential:
    """Read a credential.

    :raises UnknownVariantError: of a type whose form is not known
    """
    match reader.u16():
        case CredentialType.BASIC:
            return BasicCredential(reader.opaque())
        case CredentialType.X509:
            return X509Credential(reader.vector(Reader.opaque))
        case other:
            raise UnknownVariantError("The credential's type is unknown", got=f"{other:#06x}")
