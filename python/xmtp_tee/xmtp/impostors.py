"""Leaves that name an inbox that does not have them: found at every commit, and listed while they can be heard.

A commit brings an installation in by its key, whatever inbox its leaf names: libxmtp compares keys alone, so a member
that refused the commit would be left behind. What such a leaf says is nobody's word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xmtp_tee.mls.events import CommitEffect
from xmtp_tee.xmtp.commit_facts import Leaves
from xmtp_tee.xmtp.commit_rules import CommitFacts, InboxAt, Participant
from xmtp_tee.xmtp.errors import IdentityLogMissingError, XmtpDataError
from xmtp_tee.xmtp.group_state import Membership
from xmtp_tee.xmtp.key_packages import participant_of

Listed = Mapping[Participant, int]
"""Impostors, each with the newest epoch in which it was a member."""


def impostors_among(
    leaves: Iterable[Participant], membership: Membership, inbox_at: InboxAt
) -> frozenset[Participant]:
    """Return the leaves that name an inbox that does not have them.

    :raises IdentityLogMissingError: a log is needed first
    """
    return frozenset(leaf for leaf in leaves if not _stands(leaf, membership, inbox_at))


def impostors_after(
    effect: CommitEffect, facts: CommitFacts, before: Leaves, listed: Listed, inbox_at: InboxAt
) -> frozenset[Participant]:
    """Return the impostors after a commit: leaves that come are judged, and those of inboxes whose logs count
    further or no more. ``before``: who was in the group; ``listed``: who was an impostor then.

    :raises IdentityLogMissingError: a log is needed first
    """
    old, new = facts.before.membership, facts.after.membership
    removed = {index for index, _ in effect.removed}
    staying = {participant_of(leaf) for index, leaf in before.items() if index not in removed}
    anew = {participant_of(leaf) for _, leaf in effect.added} | {
        leaf for leaf in staying if old.inboxes.get(leaf.inbox_id) != new.inboxes.get(leaf.inbox_id)
    }
    return impostors_among(anew, new, inbox_at) | (listed.keys() & (staying - anew))


def relisted(
    listed: Listed,
    found: Iterable[Participant],
    present: Iterable[Participant],
    epoch: int,
    past: int,
) -> Listed:
    """Return the list at a new epoch, of which these were ``found``. Who is gone stays on it while messages of its
    time can be read: ``past`` epochs.
    """
    members = set(present)
    gone = {
        leaf: last for leaf, last in listed.items() if leaf not in members and last >= epoch - past
    }
    return gone | dict.fromkeys(found, epoch)


def _stands(leaf: Participant, membership: Membership, inbox_at: InboxAt) -> bool:
    sequence = membership.inboxes.get(leaf.inbox_id)
    if sequence is None:
        return False
    try:
        return inbox_at(leaf.inbox_id, sequence).has_installation(leaf.installation)
    except IdentityLogMissingError:
        raise
    except XmtpDataError:
        return False
