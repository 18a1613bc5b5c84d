"""All that a member keeps of a group between two calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from xmtp_tee.mls.config import Config
from xmtp_tee.mls.crypto import SignatureKey
from xmtp_tee.mls.epoch import Epoch, PastEpoch
from xmtp_tee.mls.errors import CommitPendingError, GroupInactiveError, NoCommitPendingError
from xmtp_tee.mls.events import CommitApplied, CommitEffect
from xmtp_tee.mls.intents import CommitIntent
from xmtp_tee.mls.proposal_rules import Queued
from xmtp_tee.mls.psk import PskStore
from xmtp_tee.mls.wiping import wipe


class Standing(IntEnum):
    """Whether the group is in use."""

    ACTIVE = 1
    REMOVED = 2
    """We were removed: nothing can be read or sent any more."""
    REINITIALISED = 3
    """A successor group follows; nothing is sent or committed here any more."""
    LEFT_BEHIND = 4
    """The others have gone on to an epoch that we cannot reach; nothing is sent or committed here any more."""


@dataclass(frozen=True)
class PendingCommit:
    """Our own commit, until it has won or lost."""

    commit: bytes
    intent: CommitIntent
    effect: CommitEffect
    epoch: Epoch = field(repr=False)


@dataclass
class Membership:
    """A member's state. ``counter`` grows with every change, so an older copy can be told."""

    config: Config
    key: SignatureKey
    epoch: Epoch = field(repr=False)
    standing: Standing = Standing.ACTIVE
    counter: int = 1
    past: list[PastEpoch] = field(default_factory=list, repr=False)
    proposals: dict[bytes, Queued] = field(default_factory=dict, repr=False)
    own_updates: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict, repr=False)
    """(private, public) keys of our update proposals, by public key."""
    pending: PendingCommit | None = field(default=None, repr=False)
    resumption: dict[int, bytes] = field(default_factory=dict, repr=False)
    """Past epochs' resumption secrets, by epoch."""

    def require_active(self) -> None:
        """Refuse work in a group that is over.

        :raises GroupInactiveError: saying why
        """
        if self.standing is not Standing.ACTIVE:
            raise GroupInactiveError("The group is over for us", got=self.standing.name)

    def require_active_for_reading(self) -> None:
        """Refuse to read the current epoch of a group that we were removed from.

        :raises GroupInactiveError: we were
        """
        if self.standing is Standing.REMOVED:
            raise GroupInactiveError("We were removed from the group")

    def require_no_pending(self) -> None:
        """Refuse a second commit of our own.

        :raises CommitPendingError: one is waiting
        """
        if self.pending is not None:
            raise CommitPendingError("Our own commit waits for its confirmation")

    def require_pending(self) -> PendingCommit:
        """Return our commit that waits.

        :raises NoCommitPendingError: none does
        """
        if self.pending is None:
            raise NoCommitPendingError("No commit of our own is waiting")
        return self.pending

    def psks(self, extra: PskStore | None) -> PskStore:
        """Return the pre-shared keys at hand with this group's own resumption secrets."""
        context = self.epoch.context
        secrets = {**self.resumption, context.epoch: self.epoch.secrets.resumption}
        return (extra or PskStore()).with_resumption(
            {(context.group_id, epoch): secret for epoch, secret in secrets.items()}
        )

    def merge_own(self) -> CommitApplied:
        """Go on to the epoch of our own commit, which has won."""
        pending = self.require_pending()
        self.pending = None
        self._advance(pending.epoch, pending.effect)
        return CommitApplied(pending.effect, own=True, removed_us=False, lost=None)

    def discard_pending(self) -> CommitIntent | None:
        """Forget our own commit, and return what it was for."""
        pending, self.pending = self.pending, None
        if pending is None:
            return None
        pending.epoch.discard(self.epoch)
        self.counter += 1
        return pending.intent

    def give_up(self) -> None:
        """Note that the others have gone on without us; without effect in a group that is over."""
        if self.standing is Standing.ACTIVE:
            self.discard_pending()
            self.standing = Standing.LEFT_BEHIND
            self.counter += 1

    def merge(self, effect: CommitEffect, epoch: Epoch | None) -> CommitApplied:
        """Go on to the epoch of somebody else's commit; ``epoch`` None: it removes us."""
        lost = self.discard_pending()
        if epoch is None:
            self._remove_us()
        else:
            self._advance(epoch, effect)
        return CommitApplied(effect, own=False, removed_us=epoch is None, lost=lost)

    def _advance(self, new: Epoch, effect: CommitEffect) -> None:
        old = self.epoch
        self.past.append(old.retire(new))
        while len(self.past) > self.config.max_past_epochs:
            self.past.pop(0).wipe()
        self.resumption[old.context.epoch] = old.secrets.resumption
        while len(self.resumption) > self.config.max_resumption_epochs:
            wipe(self.resumption.pop(min(self.resumption)))
        self.epoch = new
        self._forget_proposals()
        if effect.reinit is not None:
            self.standing = Standing.REINITIALISED
        self.counter += 1

    def _remove_us(self) -> None:
        self.past.append(self.epoch.retire(None))
        while len(self.past) > self.config.max_past_epochs:
            self.past.pop(0).wipe()
        wipe(self.epoch.secrets.resumption, *self.resumption.values())
        self.resumption.clear()
        self._forget_proposals()
        self.standing = Standing.REMOVED
        self.counter += 1

    def _forget_proposals(self) -> None:
        kept = {id(private) for private, _ in self.epoch.keys.values()}
        wipe(*(private for private, _ in self.own_updates.values() if id(private) not in kept))
        self.proposals.clear()
        self.own_updates.clear()
