"""Who can belong to an inbox, and the inbox id that follows from its first member."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from xmtp_tee.xmtp.errors import IdentityUpdateInvalidError
from xmtp_tee.xmtp.proto.identity import IdentifierKind, MemberIdentifier, PasskeyIdentifier

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


class MemberKind(StrEnum):
    """A wallet, an installation (an Ed25519 key) or a passkey."""

    ETHEREUM = "ethereum"
    INSTALLATION = "installation"
    PASSKEY = "passkey"


@dataclass(frozen=True, slots=True)
class Member:
    """A member by its text: ``0x`` and 40 hex digits for a wallet, hex of the public key for the others.

    A wallet's text is compared as it stands: the network signs it as it stands, and only lower case can ever
    match a signer.
    """

    kind: MemberKind
    value: str

    @classmethod
    def wallet(cls, address: bytes) -> Member:
        """The wallet with this 20-byte address."""
        return cls(MemberKind.ETHEREUM, "0x" + address.hex())

    @classmethod
    def installation(cls, key: bytes) -> Member:
        """The installation with this 32-byte Ed25519 public key."""
        return cls(MemberKind.INSTALLATION, key.hex())

    @classmethod
    def of_message(cls, identifier: MemberIdentifier | None) -> Member:
        """The member that a protobuf identifier names.

        :raises IdentityUpdateInvalidError: it names none
        """
        if identifier is not None:
            if identifier.ethereum_address is not None:
                return cls(MemberKind.ETHEREUM, identifier.ethereum_address)
            if identifier.installation_public_key is not None:
                return cls.installation(identifier.installation_public_key)
            if identifier.passkey is not None:
                return cls(MemberKind.PASSKEY, identifier.passkey.key.hex())
        raise IdentityUpdateInvalidError("An identity update names no member where it must")

    @classmethod
    def of_text(cls, identifier: str, kind: int) -> Member:
        """The member that an identifier's text and kind name; no kind means a wallet.

        :raises IdentityUpdateInvalidError: an unknown kind
        """
        if kind in (IdentifierKind.UNSPECIFIED, IdentifierKind.ETHEREUM):
            return cls(MemberKind.ETHEREUM, identifier)
        if kind == IdentifierKind.PASSKEY:
            return cls(MemberKind.PASSKEY, identifier)
        raise IdentityUpdateInvalidError("An unknown kind of identifier", got=kind)

    def to_message(self) -> MemberIdentifier:
        """The protobuf identifier."""
        match self.kind:
            case MemberKind.ETHEREUM:
                return MemberIdentifier(ethereum_address=self.value)
            case MemberKind.INSTALLATION:
                return MemberIdentifier(installation_public_key=bytes.fromhex(self.value))
            case MemberKind.PASSKEY:
                return MemberIdentifier(passkey=PasskeyIdentifier(key=bytes.fromhex(self.value)))


def inbox_id(member: Member, nonce: int) -> str:
    """Return the id of the inbox that this member creates: hex of SHA-256 over its text and the nonce.

    :raises IdentityUpdateInvalidError: an installation, or a wallet whose text is no address
    """
    if member.kind is MemberKind.INSTALLATION:
        raise IdentityUpdateInvalidError("An installation creates no inbox", got=member.value)
    if member.kind is MemberKind.ETHEREUM and not _ADDRESS.fullmatch(member.value):
        raise IdentityUpdateInvalidError("Not an address", got=repr(member.value)[:80])
    return hashlib.sha256(f"{member.value}{nonce}".encode()).hexdigest()


def nonce_of(member: Member, inbox: str) -> int | None:
    """Return the nonce by which this member created an inbox: small numbers are what clients use. None if the
    inbox is not of the member's creation.
    """
    return next((nonce for nonce in range(8) if inbox_id(member, nonce) == inbox), None)
