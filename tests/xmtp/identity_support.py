"""Members that sign, and updates made with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256

from coincurve import PrivateKey
from Crypto.Hash import SHA512
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from xmtp_tee.attestation.address import address_of_public_key
from xmtp_tee.xmtp.identity_log import signed_text
from xmtp_tee.xmtp.members import Member
from xmtp_tee.xmtp.proto.identity import (
    AddAssociation,
    ChangeRecoveryAddress,
    CreateInbox,
    IdentityAction,
    IdentityUpdate,
    RecoverableEcdsaSignature,
    RecoverableEd25519Signature,
    RevokeAssociation,
    Signature,
)
from xmtp_tee.xmtp.signatures import INSTALLATION_CONTEXT, personal_digest

NOW_NS = 1_790_000_000_000_000_000


@dataclass(frozen=True)
class WalletActor:
    """A wallet by its role's name."""

    role: str
    _key: PrivateKey = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_key", PrivateKey(sha256(self.role.encode()).digest()))

    @property
    def member(self) -> Member:
        return Member.wallet(address_of_public_key(self._key.public_key.format(compressed=False)))

    def sign(self, text: str) -> Signature:
        raw = self._key.sign_recoverable(personal_digest(text), hasher=None)
        return Signature(
            erc_191=RecoverableEcdsaSignature(signature=raw[:64] + bytes([27 + raw[64]]))
        )


@dataclass(frozen=True)
class InstallationActor:
    """An installation by its role's name."""

    role: str
    context: bytes = INSTALLATION_CONTEXT
    _key: ECC.EccKey = field(init=False, repr=False)

    def __post_init__(self) -> None:
        seed = sha256(self.role.encode()).digest()
        object.__setattr__(self, "_key", eddsa.import_private_key(seed))

    @property
    def public_key(self) -> bytes:
        return self._key.public_key().export_key(format="raw")

    @property
    def member(self) -> Member:
        return Member.installation(self.public_key)

    def sign(self, text: str) -> Signature:
        raw = eddsa.new(self._key, "rfc8032", context=self.context).sign(SHA512.new(text.encode()))
        return Signature(
            installation_key=RecoverableEd25519Signature(signature=raw, public_key=self.public_key)
        )


Actor = WalletActor | InstallationActor


def create(
    nonce: int = 1, *, by: Actor, signed: Actor | None = None
) -> tuple[IdentityAction, list[Actor]]:
    action = CreateInbox(initial_identifier=by.member.value, nonce=nonce)
    return IdentityAction(create_inbox=action), [signed or by]


def add(
    member: Actor, *, by: Actor, joined: Actor | None = None
) -> tuple[IdentityAction, list[Actor]]:
    action = AddAssociation(new_member_identifier=member.member.to_message())
    return IdentityAction(add=action), [by, joined or member]


def revoke(member: Actor, *, by: Actor) -> tuple[IdentityAction, list[Actor]]:
    action = RevokeAssociation(member_to_revoke=member.member.to_message())
    return IdentityAction(revoke=action), [by]


def change_recovery(member: Actor, *, by: Actor) -> tuple[IdentityAction, list[Actor]]:
    action = ChangeRecoveryAddress(new_recovery_identifier=member.member.value)
    return IdentityAction(change_recovery_address=action), [by]


def update(
    inbox_id: str, *actions: tuple[IdentityAction, list[Actor]], time_ns: int = NOW_NS
) -> IdentityUpdate:
    """An update whose every signature is over its own text."""
    unsigned = IdentityUpdate(
        actions=tuple(action for action, _ in actions),
        client_timestamp_ns=time_ns,
        inbox_id=inbox_id,
    )
    text = signed_text(unsigned).render()
    return replace(
        unsigned,
        actions=tuple(
            with_signatures(action, [signer.sign(text) for signer in signers])
            for action, signers in actions
        ),
    )


def with_signatures(action: IdentityAction, signatures: list[Signature]) -> IdentityAction:
    if action.create_inbox is not None:
        return IdentityAction(
            create_inbox=replace(action.create_inbox, initial_identifier_signature=signatures[0])
        )
    if action.add is not None:
        return IdentityAction(
            add=replace(
                action.add,
                existing_member_signature=signatures[0],
                new_member_signature=signatures[1],
            )
        )
    if action.revoke is not None:
        return IdentityAction(
            revoke=replace(action.revoke, recovery_identifier_signature=signatures[0])
        )
    assert action.change_recovery_address is not None
    return IdentityAction(
        change_recovery_address=replace(
            action.change_recovery_address, existing_recovery_identifier_signature=signatures[0]
        )
    )
