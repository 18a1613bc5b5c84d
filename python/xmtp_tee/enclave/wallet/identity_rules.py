"""Whether an XMTP identity text may be signed.

The host chooses the text. So it is taken apart by its exact grammar (``xmtp.identity_text``), and each
part must be what this key may agree to; nothing else is ever signed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from xmtp_tee.policy.document import WalletRules
from xmtp_tee.wire.refusals import SigningRefusedError
from xmtp_tee.xmtp.errors import IdentityTextInvalidError
from xmtp_tee.xmtp.identity_text import ActionKind, IdentityText, TextAction, parse
from xmtp_tee.xmtp.members import Member, MemberKind, inbox_id

_NAMES: Final = {
    (ActionKind.CREATE_INBOX, MemberKind.ETHEREUM): "create-inbox",
    (ActionKind.ADD_MEMBER, MemberKind.INSTALLATION): "add-installation",
    (ActionKind.ADD_MEMBER, MemberKind.ETHEREUM): "link-address",
    (ActionKind.ADD_MEMBER, MemberKind.PASSKEY): "link-passkey",
    (ActionKind.REVOKE_MEMBER, MemberKind.INSTALLATION): "revoke-installation",
    (ActionKind.REVOKE_MEMBER, MemberKind.ETHEREUM): "unlink-address",
    (ActionKind.REVOKE_MEMBER, MemberKind.PASSKEY): "unlink-passkey",
    (ActionKind.CHANGE_RECOVERY, MemberKind.ETHEREUM): "change-recovery",
    (ActionKind.CHANGE_RECOVERY, MemberKind.PASSKEY): "change-recovery",
}


@dataclass(frozen=True, slots=True)
class Signer:
    """Who is asked to sign. ``owner``: the wallet's address, 20 bytes. ``installation``: the public
    key of an installation that signs for itself, or None for the wallet. ``granted``: the
    installations that this key has agreed to and that are not revoked; ``updates``: how many texts
    it has signed. ``held``: the installations that live in the enclave for this owner.
    """

    owner: bytes
    installation: bytes | None
    granted: tuple[bytes, ...]
    updates: int
    held: Collection[bytes]


def judge(text: str, nonce: int, now: int, signer: Signer, rules: WalletRules) -> tuple[bytes, ...]:
    """Return the installations that are granted after signing ``text``; or refuse it.

    ``nonce``: of the inbox. ``now``: unix seconds.

    :raises SigningRefusedError: naming the first thing that the rules do not allow
    """
    try:
        parsed = parse(text)
    except IdentityTextInvalidError as error:
        raise SigningRefusedError(
            "The text is not an XMTP identity text", got=error.got, cause=error.message
        ) from None
    _require_inbox(parsed, nonce, signer, rules)
    if abs(parsed.time - now) > rules.clock_window:
        raise SigningRefusedError(
            "The text's time is not now",
            got=parsed.time,
            expected=f"{now} (unix seconds), give or take {rules.clock_window}",
        )
    granted = signer.granted
    for action in parsed.actions:
        granted = _after(action, granted, parsed, signer, rules)
    if signer.installation is not None and not any(_adds(a, signer) for a in parsed.actions):
        raise SigningRefusedError(
            "An installation signs only for its own admission",
            expected=f"Grant messaging access to app (ID: {signer.installation.hex()})",
        )
    if len(granted) > rules.maximum_installations:
        raise SigningRefusedError(
            "The wallet would have more installations than it may",
            got=len(granted),
            expected=f"at most {rules.maximum_installations}",
        )
    if signer.updates >= rules.maximum_identity_updates:
        raise SigningRefusedError(
            "The key has signed as many identity updates as it may",
            got=signer.updates,
            expected=f"fewer than {rules.maximum_identity_updates}; an inbox has 256 in its life",
        )
    return granted


def _require_inbox(parsed: IdentityText, nonce: int, signer: Signer, rules: WalletRules) -> None:
    own = inbox_id(Member.wallet(signer.owner), nonce)
    if parsed.inbox_id != own and parsed.inbox_id not in rules.inboxes:
        raise SigningRefusedError(
            "The text is about another inbox",
            got=parsed.inbox_id,
            expected=f"{own}, of 0x{signer.owner.hex()} and nonce {nonce}",
        )


def _after(
    action: TextAction,
    granted: tuple[bytes, ...],
    parsed: IdentityText,
    signer: Signer,
    rules: WalletRules,
) -> tuple[bytes, ...]:
    """Return the installations granted after ``action``, which must be allowed."""
    name = _NAMES.get((action.kind, action.member.kind))
    if name is None or name not in rules.identity_actions:
        raise SigningRefusedError(
            "The policy does not allow the action",
            got=f"{name or action.kind}: {action.member.value}",
            expected="one of " + ", ".join(rules.identity_actions),
            next_command="xmtp-tee policy show",
        )
    if action.kind is ActionKind.CREATE_INBOX:
        if action.member != Member.wallet(signer.owner):
            raise SigningRefusedError(
                "The inbox would be another wallet's",
                got=action.member.value,
                expected=f"0x{signer.owner.hex()}",
            )
        if parsed.inbox_id in rules.inboxes:
            raise SigningRefusedError("A foreign inbox is joined, not created", got=parsed.inbox_id)
    if action.member.kind is not MemberKind.INSTALLATION:
        return granted
    installation = bytes.fromhex(action.member.value)
    if action.kind is ActionKind.REVOKE_MEMBER:
        return tuple(each for each in granted if each != installation)
    if installation not in signer.held and action.member.value not in rules.installations:
        raise SigningRefusedError(
            "The installation does not live in this enclave",
            got=action.member.value,
            expected="one of the owner's, or one that the policy lists",
        )
    return granted if installation in granted else (*granted, installation)


def _adds(action: TextAction, signer: Signer) -> bool:
    return (
        action.kind is ActionKind.ADD_MEMBER
        and signer.installation is not None
        and action.member == Member.installation(signer.installation)
    )
