"""From who comes and who goes to the parts of a commit: the new membership, whom to add, which leaves to remove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from xmtp_tee.xmtp.commit_rules import InboxAt, Participant
from xmtp_tee.xmtp.conversation_events import NewMembers
from xmtp_tee.xmtp.errors import CommitRefusedError
from xmtp_tee.xmtp.group_state import MAX_MEMBERS, Membership
from xmtp_tee.xmtp.key_packages import PeerKeyPackage


@dataclass(frozen=True, slots=True)
class MemberChange:
    """``removed``: leaf indices."""

    membership: Membership
    packages: tuple[PeerKeyPackage, ...]
    removed: tuple[int, ...]


def plan(
    old: Membership,
    members: Mapping[int, Participant],
    add: Sequence[NewMembers],
    remove: Sequence[str],
    inbox_at: InboxAt,
) -> MemberChange | None:
    """Return what to commit, or None if nothing would change. ``members``: by leaf index.

    :raises CommitRefusedError: who is removed does not belong, or the group would be too large
    :raises IdentityLogMissingError: a log is needed first
    """
    inboxes = dict(old.inboxes)
    failed = set(old.failed_installations)
    for inbox_id in remove:
        if inboxes.pop(inbox_id, None) is None:
            raise CommitRefusedError("Who is removed does not belong", got=inbox_id[:80])
    for newcomers in add:
        inboxes[newcomers.inbox_id] = newcomers.sequence_id
        failed |= set(newcomers.failed)
    if len(inboxes) > MAX_MEMBERS:
        raise CommitRefusedError("The group would be too large", got=len(inboxes))
    gone = _gone(old, inboxes, inbox_at)
    present = {member.installation for member in members.values()}
    packages = tuple(
        package
        for newcomers in add
        for package in newcomers.packages
        if package.participant.installation not in present
    )
    # Who must go and is not here cannot be removed: it stays listed, or peers would miss its removal.
    failed -= {package.participant.installation for package in packages} | (gone & present)
    failed |= gone - present
    membership = Membership(MappingProxyType(inboxes), frozenset(failed))
    removed = tuple(index for index, member in members.items() if member.installation in gone)
    if membership == old and not packages and not removed:
        return None
    return MemberChange(membership, packages, removed)


def _gone(old: Membership, new: Mapping[str, int], inbox_at: InboxAt) -> set[bytes]:
    """The installations that must leave, by the logs."""
    gone: set[bytes] = set()
    for inbox_id, sequence in old.inboxes.items():
        if new.get(inbox_id) == sequence:
            continue
        then = set(inbox_at(inbox_id, sequence).installations)
        if inbox_id in new:
            then -= set(inbox_at(inbox_id, new[inbox_id]).installations)
        gone |= then
    return gone
