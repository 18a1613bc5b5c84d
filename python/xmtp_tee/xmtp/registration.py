"""Identity updates of our own: made, then signed by the wallet and by the installation that it brings in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from xmtp_tee.xmtp.identity_log import signed_text
from xmtp_tee.xmtp.identity_text import IdentityText
from xmtp_tee.xmtp.members import Member, inbox_id
from xmtp_tee.xmtp.proto.identity import (
    AddAssociation,
    CreateInbox,
    IdentifierKind,
    IdentityAction,
    IdentityUpdate,
    RecoverableEcdsaSignature,
    RecoverableEd25519Signature,
    RevokeAssociation,
    Signature,
)

DEFAULT_NONCE = 1
"""The nonce that the official SDKs create a wallet's inbox with."""


@dataclass(frozen=True)
class UnsignedUpdate:
    """An identity update and the text that its signers sign."""

    update: IdentityUpdate

    @property
    def text(self) -> IdentityText:
        """What is signed."""
        return signed_text(self.update)


def register_installation(
    wallet: bytes,
    installation: bytes,
    now_ns: int,
    *,
    existing_inbox: str | None,
    nonce: int = DEFAULT_NONCE,
) -> UnsignedUpdate:
    """Bring an installation (32-byte Ed25519 key) into a wallet's inbox, which is created if it is new."""
    member = Member.wallet(wallet)
    actions: list[IdentityAction] = []
    if existing_inbox is None:
        actions.append(
            IdentityAction(
                create_inbox=CreateInbox(
                    initial_identifier=member.value,
                    nonce=nonce,
                    initial_identifier_kind=IdentifierKind.ETHEREUM,
                )
            )
        )
    actions.append(
        IdentityAction(
            add=AddAssociation(new_member_identifier=Member.installation(installation).to_message())
        )
    )
    return UnsignedUpdate(
        IdentityUpdate(
            actions=tuple(actions),
            client_timestamp_ns=now_ns,
            inbox_id=existing_inbox or inbox_id(member, nonce),
        )
    )


def revoke_installations(
    inbox: str, installations: tuple[bytes, ...], now_ns: int
) -> UnsignedUpdate:
    """Revoke installations of an inbox; the recovery wallet signs."""
    return UnsignedUpdate(
        IdentityUpdate(
            actions=tuple(
                IdentityAction(
                    revoke=RevokeAssociation(member_to_revoke=Member.installation(key).to_message())
                )
                for key in installations
            ),
            client_timestamp_ns=now_ns,
            inbox_id=inbox,
        )
    )


def with_signatures(
    unsigned: UnsignedUpdate,
    *,
    wallet_signature: bytes,
    installation: tuple[bytes, bytes] | None = None,
) -> IdentityUpdate:
    """Put the signatures into an update.

    ``wallet_signature``: EIP-191, 65 bytes. ``installation``: public key and Ed25519ph signature of the
    installation that is brought in.
    """
    wallet = Signature(erc_191=RecoverableEcdsaSignature(signature=wallet_signature))
    joining = None
    if installation is not None:
        key, signature = installation
        joining = Signature(
            installation_key=RecoverableEd25519Signature(signature=signature, public_key=key)
        )
    return replace(
        unsigned.update,
        actions=tuple(_signed(action, wallet, joining) for action in unsigned.update.actions),
    )


def _signed(action: IdentityAction, wallet: Signature, joining: Signature | None) -> IdentityAction:
    if action.create_inbox is not None:
        return IdentityAction(
            create_inbox=replace(action.create_inbox, initial_identifier_signature=wallet)
        )
    if action.add is not None:
        return IdentityAction(
            add=replace(action.add, existing_member_signature=wallet, new_member_signature=joining)
        )
    if action.revoke is not None:
        return IdentityAction(revoke=replace(action.revoke, recovery_identifier_signature=wallet))
    return action
