"""An inbox's log of identity updates, and who belongs to the inbox because of it.

The rules are XIP-46's, decided as libxmtp decides them:

1. The first action creates the inbox, signed by its first member, who becomes the recovery identifier too.
2. A member, or the recovery identifier, brings in another; both sign. An installation brings in no
   installation.
3. The recovery identifier alone revokes and names its successor. With a wallet go the installations that it
   brought in.
4. A signature acts once. A smart contract wallet keeps its chain.

An update is taken whole or not at all, and a log with one wrong update is wrong: who reads a log otherwise
than its peers do ends in another group than they.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from xmtp_tee.xmtp.errors import IdentityUpdateInvalidError, IdentityUpdateRefusedError
from xmtp_tee.xmtp.identity_text import ActionKind, IdentityText, TextAction
from xmtp_tee.xmtp.members import Member, MemberKind, inbox_id
from xmtp_tee.xmtp.proto.identity import (
    AddAssociation,
    ChangeRecoveryAddress,
    CreateInbox,
    IdentityAction,
    IdentityUpdate,
    RevokeAssociation,
)
from xmtp_tee.xmtp.signatures import (
    SignatureKind,
    VerifiedSignature,
    WalletJudge,
    verify_signature,
)


@dataclass(frozen=True, slots=True)
class Membership:
    """How a member came in. ``added_by`` is nobody for the first; ``added_at_ns`` is the client's clock."""

    added_by: Member | None = None
    added_at_ns: int | None = None
    chain_id: int | None = None


@dataclass(frozen=True, slots=True)
class Inbox:
    """The state after some updates."""

    id: str
    recovery: Member
    members: dict[Member, Membership] = field(default_factory=dict)
    seen: frozenset[bytes] = frozenset()

    @property
    def installations(self) -> tuple[bytes, ...]:
        """The installations' public keys, oldest first by their clients' clocks."""
        found = [
            (membership.added_at_ns or 0, bytes.fromhex(member.value))
            for member, membership in self.members.items()
            if member.kind is MemberKind.INSTALLATION
        ]
        return tuple(key for _, key in sorted(found))

    @property
    def identifiers(self) -> tuple[Member, ...]:
        """The wallets and passkeys, in the order in which they came in."""
        return tuple(m for m in self.members if m.kind is not MemberKind.INSTALLATION)

    @property
    def wallets(self) -> tuple[bytes, ...]:
        """The wallets' addresses (20 bytes), in the order in which they came in."""
        return tuple(
            bytes.fromhex(m.value[2:]) for m in self.members if m.kind is MemberKind.ETHEREUM
        )

    def has_installation(self, key: bytes) -> bool:
        """Whether this installation belongs to the inbox now."""
        return Member.installation(key) in self.members


def apply(inbox: Inbox | None, update: IdentityUpdate, judge: WalletJudge | None = None) -> Inbox:
    """Return the state after one more update; ``inbox`` is None before the first.

    :raises IdentityUpdateInvalidError: a part is missing, or a signature is wrong
    :raises IdentityUpdateRefusedError: a rule is broken
    """
    text = signed_text(update).render()
    seen: list[bytes] = []
    for action in update.actions:
        inbox, signatures = _apply_action(inbox, action, text, update.client_timestamp_ns, judge)
        seen += [signature.raw for signature in signatures]
    if inbox is None:
        raise IdentityUpdateRefusedError("The update has no action, and the inbox does not exist")
    if inbox.id != update.inbox_id:
        raise IdentityUpdateRefusedError(
            "The update is for another inbox", got=update.inbox_id[:80], expected=inbox.id
        )
    return replace(inbox, seen=inbox.seen | frozenset(seen))


def signed_text(update: IdentityUpdate) -> IdentityText:
    """Return the text that the signers of an update signed.

    :raises IdentityUpdateInvalidError: an action is none of the four
    """
    return IdentityText(
        update.inbox_id,
        update.client_timestamp_ns // 1_000_000_000,
        tuple(_text_action(action) for action in update.actions),
    )


def _text_action(action: IdentityAction) -> TextAction:
    if action.create_inbox is not None:
        return TextAction(ActionKind.CREATE_INBOX, _first_member(action.create_inbox))
    if action.add is not None:
        return TextAction(
            ActionKind.ADD_MEMBER, Member.of_message(action.add.new_member_identifier)
        )
    if action.revoke is not None:
        return TextAction(
            ActionKind.REVOKE_MEMBER, Member.of_message(action.revoke.member_to_revoke)
        )
    if action.change_recovery_address is not None:
        return TextAction(ActionKind.CHANGE_RECOVERY, _new_recovery(action.change_recovery_address))
    raise IdentityUpdateInvalidError("An action is none that is known")


def _apply_action(
    inbox: Inbox | None,
    action: IdentityAction,
    text: str,
    time_ns: int,
    judge: WalletJudge | None,
) -> tuple[Inbox, tuple[VerifiedSignature, ...]]:
    if action.create_inbox is not None:
        if inbox is not None:
            raise IdentityUpdateRefusedError("The inbox exists already", got=inbox.id)
        return _create(action.create_inbox, text, judge)
    if inbox is None:
        raise IdentityUpdateRefusedError("The inbox does not exist: no action created it")
    if action.add is not None:
        return _add(inbox, action.add, text, time_ns, judge)
    if action.revoke is not None:
        return _revoke(inbox, action.revoke, text, judge)
    if action.change_recovery_address is not None:
        return _change_recovery(inbox, action.change_recovery_address, text, judge)
    raise IdentityUpdateInvalidError("An action is none that is known")


def _create(
    action: CreateInbox, text: str, judge: WalletJudge | None
) -> tuple[Inbox, tuple[VerifiedSignature, ...]]:
    member = _first_member(action)
    signature = verify_signature(text, action.initial_identifier_signature, judge)
    _require_signer(signature, member, "create the inbox")
    _require_kind(member, signature)
    created = Inbox(
        inbox_id(member, action.nonce), member, {member: Membership(chain_id=signature.chain_id)}
    )
    return created, (signature,)


def _add(
    inbox: Inbox, action: AddAssociation, text: str, time_ns: int, judge: WalletJudge | None
) -> tuple[Inbox, tuple[VerifiedSignature, ...]]:
    member = Member.of_message(action.new_member_identifier)
    new = verify_signature(text, action.new_member_signature, judge)
    existing = verify_signature(text, action.existing_member_signature, judge)
    _require_unseen(inbox, existing, new)
    _require_signer(new, member, "join")
    if existing.signer == member:
        raise IdentityUpdateRefusedError("A member cannot bring in itself", got=member.value)
    _require_kind(member, new)
    if existing.signer not in inbox.members and existing.signer != inbox.recovery:
        raise IdentityUpdateRefusedError(
            "Who brings in a member must belong to the inbox", got=existing.signer.value
        )
    _require_chain(inbox, existing)
    _require_kind(existing.signer, existing)
    if member.kind is MemberKind.INSTALLATION and existing.signer.kind is MemberKind.INSTALLATION:
        raise IdentityUpdateRefusedError(
            "An installation cannot bring in an installation", got=existing.signer.value
        )
    membership = Membership(existing.signer, time_ns, new.chain_id)
    return replace(inbox, members={**inbox.members, member: membership}), (existing, new)


def _revoke(
    inbox: Inbox, action: RevokeAssociation, text: str, judge: WalletJudge | None
) -> tuple[Inbox, tuple[VerifiedSignature, ...]]:
    member = Member.of_message(action.member_to_revoke)
    signature = verify_signature(text, action.recovery_identifier_signature, judge)
    _require_recovery(inbox, signature, "revoke a member")
    kept = {
        present: membership
        for present, membership in inbox.members.items()
        if present != member
        and not (present.kind is MemberKind.INSTALLATION and membership.added_by == member)
    }
    return replace(inbox, members=kept), (signature,)


def _change_recovery(
    inbox: Inbox, action: ChangeRecoveryAddress, text: str, judge: WalletJudge | None
) -> tuple[Inbox, tuple[VerifiedSignature, ...]]:
    signature = verify_signature(text, action.existing_recovery_identifier_signature, judge)
    _require_recovery(inbox, signature, "name its successor")
    return replace(inbox, recovery=_new_recovery(action)), (signature,)


def _first_member(action: CreateInbox) -> Member:
    return Member.of_text(action.initial_identifier, action.initial_identifier_kind)


def _new_recovery(action: ChangeRecoveryAddress) -> Member:
    return Member.of_text(action.new_recovery_identifier, action.new_recovery_identifier_kind)


def _require_signer(signature: VerifiedSignature, member: Member, deed: str) -> None:
    if signature.signer != member:
        raise IdentityUpdateRefusedError(
            f"Another than the member signed to {deed}",
            got=signature.signer.value,
            expected=member.value[:140],
        )


def _require_recovery(inbox: Inbox, signature: VerifiedSignature, deed: str) -> None:
    _require_unseen(inbox, signature)
    _require_chain(inbox, signature)
    if signature.signer != inbox.recovery:
        raise IdentityUpdateRefusedError(
            f"Only the recovery identifier may {deed}",
            got=signature.signer.value,
            expected=inbox.recovery.value[:140],
        )
    _require_kind(signature.signer, signature)


def _require_unseen(inbox: Inbox, *signatures: VerifiedSignature) -> None:
    for signature in signatures:
        if signature.raw in inbox.seen:
            raise IdentityUpdateRefusedError(
                "A signature acts once, and this one has acted", got=signature.raw.hex()[:24] + "…"
            )


def _require_chain(inbox: Inbox, signature: VerifiedSignature) -> None:
    membership = inbox.members.get(signature.signer)
    if membership is not None and membership.chain_id != signature.chain_id:
        raise IdentityUpdateRefusedError(
            "The wallet signed on another chain than it joined on",
            got=signature.chain_id,
            expected=membership.chain_id,
        )


_KINDS = {
    MemberKind.ETHEREUM: (SignatureKind.ERC_191, SignatureKind.ERC_1271),
    MemberKind.INSTALLATION: (SignatureKind.INSTALLATION_KEY,),
    MemberKind.PASSKEY: (SignatureKind.P256,),
}


def _require_kind(member: Member, signature: VerifiedSignature) -> None:
    if signature.kind not in _KINDS[member.kind]:
        raise IdentityUpdateRefusedError(
            "A member of this kind does not sign so", got=f"{member.kind} by {signature.kind}"
        )
