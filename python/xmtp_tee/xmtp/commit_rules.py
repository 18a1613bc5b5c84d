"""XMTP's rules for a commit, on top of MLS's: may this actor change the group so?

The rules are libxmtp's (``ValidatedCommit``), because members that judge otherwise end in another group:

1. The sequence id of an inbox in the membership only grows.
2. Between the old and the new membership follows, from the inboxes' logs, which installations come and go.
   An installation is added only if it is among them (or in the group already), and exactly those that must
   go are removed; installations that could not be added are listed as failed.
3. A super admin may remove and add the same installation again, to mend a fork.
4. Who commits, and whoever changes its leaf, is an installation of its inbox at the new sequence id.
5. Proposals come from members. No pre-shared keys, no re-initialisation, no external commit.
6. The group's permissions allow every change, asked about who proposed it (members) or who commits (the
   rest). Super admins are never removed from the group, the last one stays, and they alone change
   permissions. The other one of a direct message may always be added.
7. Metadata fields keep their limits of size; what is immutable stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from xmtp_tee.xmtp.errors import CommitRefusedError
from xmtp_tee.xmtp.group_state import LIMITS, MINIMUM_VERSION, GroupState, Membership
from xmtp_tee.xmtp.identity_log import Inbox
from xmtp_tee.xmtp.proto.content import GroupUpdated, MetadataFieldChange
from xmtp_tee.xmtp.proto.groups import InboxRef

COMPATIBLE_VERSION: Final = (1, 10, 0)
"""The libxmtp release whose rules these are; a group that demands a newer one is not followed."""

InboxAt = Callable[[str, int], Inbox]
"""The state of an inbox after the update with this sequence id; raises when its log cannot say."""


@dataclass(frozen=True, slots=True)
class Participant:
    """A leaf: its inbox by the credential, its installation by the signature key."""

    inbox_id: str
    installation: bytes


class ProposalKind(StrEnum):
    """What a proposal does, as far as the rules tell apart."""

    ADD = "add"
    REMOVE = "remove"
    UPDATE = "update"
    GROUP_CONTEXT = "group-context"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ProposalFact:
    """A proposal in a commit. ``subject``: who is added or removed, or the new leaf of an update."""

    kind: ProposalKind
    proposer: Participant
    subject: Participant | None = None


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """What MLS has verified of a commit, before it is applied."""

    actor: Participant
    proposals: tuple[ProposalFact, ...]
    before: GroupState
    after: GroupState
    installations: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class ValidatedCommit:
    """What a commit changes, in XMTP's terms."""

    actor: Participant
    added: tuple[str, ...]
    removed: tuple[str, ...]
    fields: tuple[MetadataFieldChange, ...]
    admins_added: tuple[str, ...]
    admins_removed: tuple[str, ...]
    super_admins_added: tuple[str, ...]
    super_admins_removed: tuple[str, ...]

    @property
    def says_something(self) -> bool:
        """Whether members see the commit in the conversation."""
        return bool(
            self.added
            or self.removed
            or self.fields
            or self.admins_added
            or self.admins_removed
            or self.super_admins_added
            or self.super_admins_removed
        )

    def group_updated(self, asked_to_leave: frozenset[str] = frozenset()) -> GroupUpdated:
        """Return the message that members see; who asked to leave, left."""
        return GroupUpdated(
            initiated_by_inbox_id=self.actor.inbox_id,
            added_inboxes=_refs(self.added),
            removed_inboxes=_refs(i for i in self.removed if i not in asked_to_leave),
            metadata_field_changes=self.fields,
            left_inboxes=_refs(i for i in self.removed if i in asked_to_leave),
            added_admin_inboxes=_refs(self.admins_added),
            removed_admin_inboxes=_refs(self.admins_removed),
            added_super_admin_inboxes=_refs(self.super_admins_added),
            removed_super_admin_inboxes=_refs(self.super_admins_removed),
        )


def validate_commit(facts: CommitFacts, inbox_at: InboxAt) -> ValidatedCommit:
    """Judge a commit.

    :raises CommitRefusedError: it breaks a rule
    :raises XmtpDataError: an inbox's log cannot be read; the group must not go on without it
    """
    _require_supported(facts)
    _require_same_fixed_parts(facts.before, facts.after)
    _require_limits(facts)
    require_version(facts.after)
    validated = changes_of(facts)
    _require_members_follow_from_logs(facts, inbox_at)
    _require_installations(facts, inbox_at)
    _require_permitted(facts, validated)
    return validated


def validate_initial_membership(
    membership: Membership, leaves: tuple[Participant, ...], inbox_at: InboxAt
) -> None:
    """Judge the group that a welcome leads to: its leaves are exactly its inboxes' installations.

    :raises CommitRefusedError: a leaf is none of its inbox's installations, or one is missing and not failed
    :raises XmtpDataError: an inbox's log cannot be read
    """
    expected = {
        inbox_id: set(inbox_at(inbox_id, sequence).installations)
        for inbox_id, sequence in membership.inboxes.items()
    }
    for leaf in leaves:
        installations = expected.get(leaf.inbox_id)
        if installations is None:
            raise CommitRefusedError("A leaf's inbox does not belong", got=leaf.inbox_id[:80])
        if leaf.installation not in installations:
            raise CommitRefusedError(
                "A leaf is no installation of its inbox, or stands there twice",
                got=leaf.installation.hex(),
            )
        installations.remove(leaf.installation)
    missing = set().union(*expected.values()) - membership.failed_installations
    if missing:
        raise CommitRefusedError(
            "An installation of a member is missing from the group", got=min(missing).hex()
        )


def require_version(state: GroupState) -> None:
    """Return if a group demands no newer client than this one is.

    :raises CommitRefusedError: it does, or what it demands is no version
    """
    demanded = state.attributes.get(MINIMUM_VERSION)
    if demanded is None:
        return
    parts = demanded.split(".")
    try:
        version = (int(parts[0]), int(parts[1]), int(parts[2].partition("-")[0]))
        if len(parts) != 3:
            raise ValueError
    except (ValueError, IndexError):
        raise CommitRefusedError(
            "The group demands a version that is none", got=repr(demanded)[:40]
        ) from None
    if version > COMPATIBLE_VERSION:
        raise CommitRefusedError(
            "The group demands a newer client",
            got=demanded,
            expected="at most " + ".".join(map(str, COMPATIBLE_VERSION)),
        )


# --- what the commit is ---------------------------------------------------------------------------


def _require_supported(facts: CommitFacts) -> None:
    for proposal in facts.proposals:
        if proposal.kind is ProposalKind.OTHER:
            raise CommitRefusedError("A proposal of a kind that XMTP does not allow")
        if proposal.proposer.installation not in facts.installations:
            raise CommitRefusedError(
                "A proposal comes from no member", got=proposal.proposer.installation.hex()
            )


def _require_same_fixed_parts(before: GroupState, after: GroupState) -> None:
    for name in ("conversation_type", "creator", "dm_members"):
        if getattr(before, name) != getattr(after, name):
            raise CommitRefusedError(f"The group's {name} cannot change")


def _require_limits(facts: CommitFacts) -> None:
    for change in _field_changes(facts.before, facts.after):
        limit = LIMITS.get(change.field_name)
        size = len((change.new_value or "").encode())
        if limit is not None and size > limit:
            raise CommitRefusedError(
                f"The group's {change.field_name} is too long",
                got=f"{size} bytes",
                expected=f"at most {limit}",
            )


def changes_of(facts: CommitFacts) -> ValidatedCommit:
    """Return what a commit changes, without judging it."""
    before, after = facts.before, facts.after
    return ValidatedCommit(
        actor=facts.actor,
        added=tuple(i for i in after.membership.inboxes if i not in before.membership.inboxes),
        removed=tuple(i for i in before.membership.inboxes if i not in after.membership.inboxes),
        fields=_field_changes(before, after),
        admins_added=tuple(i for i in after.admins if i not in before.admins),
        admins_removed=tuple(i for i in before.admins if i not in after.admins),
        super_admins_added=tuple(i for i in after.super_admins if i not in before.super_admins),
        super_admins_removed=tuple(i for i in before.super_admins if i not in after.super_admins),
    )


def _field_changes(before: GroupState, after: GroupState) -> tuple[MetadataFieldChange, ...]:
    names = sorted({*before.attributes, *after.attributes})
    return tuple(
        MetadataFieldChange(
            field_name=name,
            old_value=before.attributes.get(name),
            new_value=after.attributes.get(name),
        )
        for name in names
        if before.attributes.get(name) != after.attributes.get(name)
    )


# --- members --------------------------------------------------------------------------------------


def _require_members_follow_from_logs(facts: CommitFacts, inbox_at: InboxAt) -> None:
    coming, going = _expected_installations(
        facts.before.membership, facts.after.membership, inbox_at
    )
    added = {p.subject.installation for p in _of(facts, ProposalKind.ADD) if p.subject}
    removed = {p.subject.installation for p in _of(facts, ProposalKind.REMOVE) if p.subject}
    failed = set(facts.after.membership.failed_installations)
    if facts.before.actor(facts.actor.inbox_id).is_super_admin:
        readded = added & removed
        added -= readded
        removed -= readded
        not_readded = failed & removed
        failed -= not_readded
        removed -= not_readded
    if unexpected := added - coming - facts.installations:
        raise CommitRefusedError(
            "An installation is added that no inbox's log brings in", got=min(unexpected).hex()
        )
    if difference := removed ^ (going - failed):
        raise CommitRefusedError(
            "The installations that are removed are not those that must go",
            got=min(difference).hex(),
        )


def _expected_installations(
    old: Membership, new: Membership, inbox_at: InboxAt
) -> tuple[set[bytes], set[bytes]]:
    coming: set[bytes] = set()
    going: set[bytes] = set()
    for inbox_id, sequence in new.inboxes.items():
        earlier = old.inboxes.get(inbox_id)
        if earlier == sequence:
            continue
        if earlier is not None and sequence < earlier:
            raise CommitRefusedError(
                "The sequence id of an inbox fell", got=sequence, expected=f"at least {earlier}"
            )
        now = set(inbox_at(inbox_id, sequence).installations)
        then = set(inbox_at(inbox_id, earlier).installations) if earlier else set()
        coming |= now - then
        going |= then - now
    for inbox_id, sequence in old.inboxes.items():
        if inbox_id not in new.inboxes:
            going |= set(inbox_at(inbox_id, sequence).installations)
    return coming, going


def _require_installations(facts: CommitFacts, inbox_at: InboxAt) -> None:
    changed = [p.subject for p in _of(facts, ProposalKind.UPDATE) if p.subject is not None]
    for participant in (*changed, facts.actor):
        sequence = facts.after.membership.inboxes.get(participant.inbox_id)
        if sequence is None:
            raise CommitRefusedError(
                "Who commits does not belong to the group", got=participant.inbox_id[:80]
            )
        if not inbox_at(participant.inbox_id, sequence).has_installation(participant.installation):
            raise CommitRefusedError(
                "A member's leaf is no installation of its inbox",
                got=participant.installation.hex(),
            )


def _of(facts: CommitFacts, kind: ProposalKind) -> list[ProposalFact]:
    return [proposal for proposal in facts.proposals if proposal.kind is kind]


# --- permissions ----------------------------------------------------------------------------------


def _require_permitted(facts: CommitFacts, commit: ValidatedCommit) -> None:
    before = facts.before
    rules = before.permissions
    actor = before.actor(facts.actor.inbox_id)
    for inbox_id in commit.added:
        proposer = before.actor(_proposer(facts, ProposalKind.ADD, inbox_id))
        if not rules.add_member.allows(proposer) and not _completes_dm(facts, commit, inbox_id):
            raise _forbidden("add a member")
    for inbox_id in commit.removed:
        proposer = before.actor(_proposer(facts, ProposalKind.REMOVE, inbox_id))
        if inbox_id in before.super_admins or not rules.remove_member.allows(proposer):
            raise _forbidden("remove this member")
    for change in commit.fields:
        if not rules.metadata_rule(change.field_name).allows(actor):
            raise _forbidden(f"change {change.field_name[:40]!r}")
    if commit.admins_added and not rules.add_admin.allows(actor):
        raise _forbidden("name an admin")
    if commit.admins_removed and not rules.remove_admin.allows(actor):
        raise _forbidden("dismiss an admin")
    if commit.super_admins_added and not actor.is_super_admin:
        raise _forbidden("name a super admin")
    if commit.super_admins_removed and not (actor.is_super_admin and facts.after.super_admins):
        raise _forbidden("dismiss a super admin")
    if facts.after.permissions != rules and not actor.is_super_admin:
        raise _forbidden("change the permissions")


def _proposer(facts: CommitFacts, kind: ProposalKind, inbox_id: str) -> str:
    """Who proposed that this inbox comes or goes; the one who changed the context; else who commits."""
    found = facts.actor.inbox_id
    for proposal in facts.proposals:
        if proposal.kind is kind and proposal.subject and proposal.subject.inbox_id == inbox_id:
            return proposal.proposer.inbox_id
        if proposal.kind is ProposalKind.GROUP_CONTEXT:
            found = proposal.proposer.inbox_id
    return found


def _completes_dm(facts: CommitFacts, commit: ValidatedCommit, inbox_id: str) -> bool:
    dm_members = facts.before.dm_members
    return (
        dm_members is not None
        and len(commit.added) == 1
        and inbox_id in dm_members
        and inbox_id != facts.actor.inbox_id
    )


def _forbidden(deed: str) -> CommitRefusedError:
    return CommitRefusedError(f"The group's permissions do not let this member {deed}")


def _refs(inboxes: Iterable[str]) -> tuple[InboxRef, ...]:
    return tuple(InboxRef(inbox_id=inbox_id) for inbox_id in inboxes)
