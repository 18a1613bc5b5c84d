"""``xmtp.identity.associations``: who belongs to an inbox, and who signed it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from xmtp_tee.xmtp.protobuf import Message, message, octets, text, uint


class IdentifierKind(IntEnum):
    """What an identifier's text is. Old clients leave it out for an Ethereum address."""

    UNSPECIFIED = 0
    ETHEREUM = 1
    PASSKEY = 2


# --- signatures -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class RecoverableEcdsaSignature(Message):
    """EIP-191: r || s || v, 65 bytes, over the identity text."""

    signature: bytes = octets(1)


@dataclass(frozen=True, kw_only=True)
class RecoverableEd25519Signature(Message):
    """Ed25519ph by an installation key: 64 bytes, and the 32 bytes of the public key."""

    signature: bytes = octets(1)
    public_key: bytes = octets(2)


@dataclass(frozen=True, kw_only=True)
class SmartContractWalletSignature(Message):
    """ERC-1271 or ERC-6492: judged on the chain that the CAIP-10 account id names."""

    account_id: str = text(1)
    block_number: int = uint(2)
    signature: bytes = octets(3)


@dataclass(frozen=True, kw_only=True)
class RecoverablePasskeySignature(Message):
    """WebAuthn."""

    public_key: bytes = octets(1)
    signature: bytes = octets(2)
    authenticator_data: bytes = octets(3)
    client_data_json: bytes = octets(4)


@dataclass(frozen=True, kw_only=True)
class Signature(Message):
    """One of the ways to sign. The delegated signature of XMTP's old network stays unread bytes."""

    erc_191: RecoverableEcdsaSignature | None = message(
        1, RecoverableEcdsaSignature, oneof="signature"
    )
    erc_6492: SmartContractWalletSignature | None = message(
        2, SmartContractWalletSignature, oneof="signature"
    )
    installation_key: RecoverableEd25519Signature | None = message(
        3, RecoverableEd25519Signature, oneof="signature"
    )
    delegated_erc_191: bytes | None = octets(4, oneof="signature")
    passkey: RecoverablePasskeySignature | None = message(
        5, RecoverablePasskeySignature, oneof="signature"
    )


# --- actions --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class PasskeyIdentifier(Message):
    """A passkey's public key."""

    key: bytes = octets(1)
    relying_party: str | None = text(2, optional=True)


@dataclass(frozen=True, kw_only=True)
class MemberIdentifier(Message):
    """A wallet, an installation or a passkey."""

    ethereum_address: str | None = text(1, oneof="kind")
    installation_public_key: bytes | None = octets(2, oneof="kind")
    passkey: PasskeyIdentifier | None = message(3, PasskeyIdentifier, oneof="kind")


@dataclass(frozen=True, kw_only=True)
class CreateInbox(Message):
    """The first action of every log."""

    initial_identifier: str = text(1)
    nonce: int = uint(2)
    initial_identifier_signature: Signature | None = message(3, Signature)
    initial_identifier_kind: int = uint(4)
    relying_party: str | None = text(5, optional=True)


@dataclass(frozen=True, kw_only=True)
class AddAssociation(Message):
    """A member brings in another; both sign."""

    new_member_identifier: MemberIdentifier | None = message(1, MemberIdentifier)
    existing_member_signature: Signature | None = message(2, Signature)
    new_member_signature: Signature | None = message(3, Signature)
    relying_party: str | None = text(4, optional=True)


@dataclass(frozen=True, kw_only=True)
class RevokeAssociation(Message):
    """The recovery identifier removes a member."""

    member_to_revoke: MemberIdentifier | None = message(1, MemberIdentifier)
    recovery_identifier_signature: Signature | None = message(2, Signature)


@dataclass(frozen=True, kw_only=True)
class ChangeRecoveryAddress(Message):
    """The recovery identifier names its successor."""

    new_recovery_identifier: str = text(1)
    existing_recovery_identifier_signature: Signature | None = message(2, Signature)
    new_recovery_identifier_kind: int = uint(3)
    relying_party: str | None = text(4, optional=True)


@dataclass(frozen=True, kw_only=True)
class IdentityAction(Message):
    """One of the four."""

    create_inbox: CreateInbox | None = message(1, CreateInbox, oneof="kind")
    add: AddAssociation | None = message(2, AddAssociation, oneof="kind")
    revoke: RevokeAssociation | None = message(3, RevokeAssociation, oneof="kind")
    change_recovery_address: ChangeRecoveryAddress | None = message(
        4, ChangeRecoveryAddress, oneof="kind"
    )


@dataclass(frozen=True, kw_only=True)
class IdentityUpdate(Message):
    """Actions that were signed together, under one text. Time in nanoseconds."""

    actions: tuple[IdentityAction, ...] = message(1, IdentityAction, repeated=True)
    client_timestamp_ns: int = uint(2)
    inbox_id: str = text(3)


@dataclass(frozen=True, kw_only=True)
class MlsCredential(Message):
    """``xmtp.identity.MlsCredential``: what stands in an XMTP member's basic credential."""

    inbox_id: str = text(1)
