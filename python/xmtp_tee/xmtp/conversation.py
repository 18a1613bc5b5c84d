"""A member of an XMTP conversation: an MLS group under XMTP's rules. No I/O; time and randomness come in.

Rule 1: a call that raises has changed nothing.
Rule 2: after a call that returned, :meth:`Conversation.save` and keep the result before what was returned is
used: MLS keys are used once.
Rule 3: our own commit is judged by XMTP's rules before it leaves, because peers would refuse it (renewing our keys
changes nothing that they judge); it takes effect when it comes back from the node, and welcomes are released then.
When another commit wins, ours is gone, and the event says so. When one of ours wins that was dropped, the
conversation is over for us: whoever went on in it would commit to epochs that nobody else is in.
Rule 4: a message that needs an inbox's log raises ``IdentityLogMissingError``. Fetch it and try again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import MappingProxyType

from xmtp_tee.mls.crypto import Entropy, SignatureKey
from xmtp_tee.mls.errors import OwnMessageError
from xmtp_tee.mls.events import ApplicationMessage, CommitApplied, CommitEffect
from xmtp_tee.mls.extensions import Extensions
from xmtp_tee.mls.group import Group
from xmtp_tee.mls.intents import CommitIntent
from xmtp_tee.mls.leaf_node import Lifetime
from xmtp_tee.mls.membership import Standing
from xmtp_tee.mls.wiping import wipe
from xmtp_tee.xmtp.commit_facts import planned, received
from xmtp_tee.xmtp.commit_rules import (
    InboxAt,
    Participant,
    ValidatedCommit,
    changes_of,
    require_version,
    validate_commit,
    validate_initial_membership,
)
from xmtp_tee.xmtp.content import Envelope, open_envelope, seal_envelope
from xmtp_tee.xmtp.conversation_events import (
    ConversationEvent,
    GroupChanged,
    MessageReceived,
    MessageRefused,
    NewMembers,
    Nothing,
    Welcoming,
)
from xmtp_tee.xmtp.conversation_state import SavedConversation, decode, encode
from xmtp_tee.xmtp.errors import (
    CommitRefusedError,
    ContentInvalidError,
    DroppedCommitError,
    SenderUnfoundedError,
    WelcomeInvalidError,
    WelcomesTooLargeError,
)
from xmtp_tee.xmtp.group_state import MAX_NUMBER, GroupState
from xmtp_tee.xmtp.group_terms import (
    CONFIG,
    GROUP_ID_SIZE,
    MAX_GROUP_ID_SIZE,
    first_state,
    new_context,
    state_of,
    with_state,
)
from xmtp_tee.xmtp.impostors import Listed, impostors_after, impostors_among, relisted
from xmtp_tee.xmtp.key_packages import (
    CAPABILITIES,
    LIFETIME_SECONDS,
    SUITE,
    InstallationKeyPackage,
    PeerKeyPackage,
    credential_of,
    leaf_extensions,
    participant_of,
)
from xmtp_tee.xmtp.member_changes import plan
from xmtp_tee.xmtp.outgoing_welcomes import owed_to
from xmtp_tee.xmtp.permissions import ALL_MEMBERS, Permissions


class Conversation:
    """A conversation as one installation sees it."""

    def __init__(
        self,
        group: Group,
        *,
        welcoming: tuple[Welcoming, ...] = (),
        renew_first: bool = False,
        impostors: Listed = MappingProxyType({}),
        dropped: frozenset[bytes] = frozenset(),
    ) -> None:
        self._group = group
        self._welcoming = welcoming
        self._renew_first = renew_first
        self._impostors = impostors
        self._dropped = dropped

    def __repr__(self) -> str:
        return f"<Conversation {self.id.hex()} at epoch {self._group.epoch}>"

    # --- coming into being ------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        key: SignatureKey,
        inbox_id: str,
        sequence_id: int,
        now: int,
        *,
        entropy: Entropy,
        dm_with: str | None = None,
        permissions: Permissions = ALL_MEMBERS,
        attributes: dict[str, str] | None = None,
    ) -> Conversation:
        """Create a conversation with us alone in it; others come by :meth:`change_members`.

        ``sequence_id``: up to which update our own inbox's log counts.
        """
        state = first_state(
            inbox_id,
            sequence_id,
            entropy(32),
            dm_with=dm_with,
            permissions=permissions,
            attributes=attributes or {},
        )
        group = Group.create(
            SUITE,
            entropy(GROUP_ID_SIZE),
            key,
            credential_of(inbox_id),
            CAPABILITIES,
            Lifetime(now - 3600, now + LIFETIME_SECONDS),
            entropy=entropy,
            config=CONFIG,
            extensions=new_context(state),
            leaf_extensions=leaf_extensions(inbox_id),
        )
        return cls(group)

    @classmethod
    def join(
        cls,
        welcome: bytes,
        package: InstallationKeyPackage,
        key: SignatureKey,
        inbox_at: InboxAt,
        now: int,
    ) -> Conversation:
        """Join by an opened welcome (an MLSMessage), if its group is what its inboxes' logs say.

        :raises MlsError: the welcome or its group breaks a rule of MLS
        :raises CommitRefusedError, GroupStateInvalidError: it breaks one of XMTP
        :raises WelcomeInvalidError: the group's id or epoch is none that the network has
        :raises IdentityLogMissingError: a log is needed first
        """
        group = Group.join(welcome, package.secrets, key, now=now, config=CONFIG)
        if not 0 < len(group.group_id) <= MAX_GROUP_ID_SIZE:
            raise WelcomeInvalidError(
                "A group's id has the wrong size",
                got=len(group.group_id),
                expected=f"1 to {MAX_GROUP_ID_SIZE} bytes",
            )
        if group.epoch > MAX_NUMBER:
            raise WelcomeInvalidError(
                "A group's epoch is too great", got=group.epoch, expected=f"<= {MAX_NUMBER}"
            )
        state = state_of(group.extensions)
        # We would refuse its commits, so we would be left behind by the first.
        require_version(state)
        leaves = tuple(participant_of(leaf) for leaf in group.members.values())
        validate_initial_membership(state.membership, leaves, inbox_at)
        # The welcome's key package is of last resort, so others may hold the same leaf key: renew it.
        return cls(group, renew_first=True)

    @classmethod
    def restore(cls, data: bytes, key: SignatureKey, *, least_counter: int) -> Conversation:
        """Return the conversation that :meth:`save` wrote.

        :raises MlsError: it is older than the newest known, another installation's, or damaged
        """
        saved = decode(data)
        try:
            group = Group.restore(saved.group, key, least_counter=least_counter, config=CONFIG)
        finally:
            wipe(saved.group)
        return cls(
            group,
            welcoming=saved.welcoming,
            renew_first=saved.renew_first,
            impostors=saved.impostors,
            dropped=saved.dropped,
        )

    def save(self) -> bytes:
        """Return the whole state. It holds secrets: the caller seals it, and wipes it (``mls.wiping``).

        :raises StateTooLargeError: more than MAX_STATE bytes. What made it so large is to be refused: go on from
            the state that was saved before
        """
        group = self._group.save()
        try:
            return encode(
                SavedConversation(
                    group, self._welcoming, self._renew_first, self._impostors, self._dropped
                )
            )
        finally:
            wipe(group)

    # --- looking ----------------------------------------------------------------------------------

    @property
    def id(self) -> bytes:
        """The group's id."""
        return self._group.group_id

    @property
    def counter(self) -> int:
        """Grows with every change; an older state must not be used again."""
        return self._group.counter

    @property
    def epoch(self) -> int:
        """The current epoch."""
        return self._group.epoch

    @property
    def state(self) -> GroupState:
        """What the members agree on: name, permissions, who belongs."""
        return state_of(self._group.extensions)

    @property
    def members(self) -> tuple[Participant, ...]:
        """The installations in the group, by leaf."""
        return tuple(participant_of(leaf) for leaf in self._group.members.values())

    @property
    def impostors(self) -> frozenset[Participant]:
        """The leaves, here or lately gone, that name an inbox that does not have them. Their messages are
        refused.
        """
        return frozenset(self._impostors)

    @property
    def is_active(self) -> bool:
        """Whether we can take part: we are in it, and the others have not gone on without us."""
        return self._group.standing is Standing.ACTIVE

    @property
    def was_removed(self) -> bool:
        """Whether a member's commit has removed us."""
        return self._group.standing is Standing.REMOVED

    @property
    def renew_first(self) -> bool:
        """Whether :meth:`renew` should be committed before the first message of ours."""
        return self._renew_first

    @property
    def has_pending_commit(self) -> bool:
        """Whether a commit of ours waits for its return."""
        return self._group.pending_commit is not None

    # --- receiving --------------------------------------------------------------------------------

    def process(self, message: bytes, inbox_at: InboxAt, now: int) -> ConversationEvent:
        """Read the next message of the group's topic.

        A member's message that cannot be shown is an event too, :class:`MessageRefused`: its key is used up. So is
        a commit of ours that was dropped and comes back: the conversation is over for us.

        :raises IdentityLogMissingError: a log is needed first
        :raises MlsError, XmtpDataError: the message breaks a rule; the group goes on without it
        """
        reviewed: list[tuple[ValidatedCommit, frozenset[Participant]]] = []
        before = self._group.members

        def review(effect: CommitEffect) -> None:
            facts = received(effect, before)
            commit = validate_commit(facts, inbox_at)
            impostors = impostors_after(effect, facts, before, self._impostors, inbox_at)
            reviewed.append((commit, impostors))

        try:
            event = self._group.process(message, now=now, review=review)
        except OwnMessageError:
            return self._fallen_behind() if _digest(message) in self._dropped else Nothing()
        if isinstance(event, CommitApplied):
            self._dropped = frozenset()
        match event:
            case ApplicationMessage():
                return self._received(event)
            case CommitApplied(own=True):
                # It was judged when it was made.
                commit = changes_of(received(event.effect, before))
                welcomes, self._welcoming = self._welcoming, ()
                self._renew_first = False
                self._list_impostors(self.impostors & set(self.members))
                return GroupChanged(commit, True, False, False, welcomes)
            case CommitApplied():
                [(commit, impostors)] = reviewed
                self._list_impostors(impostors)
                lost = event.lost is not None
                if lost:
                    self._welcoming = ()
                return GroupChanged(commit, False, event.removed_us, lost)
            case _:
                return Nothing()

    def _fallen_behind(self) -> ConversationEvent:
        """The others go on by a commit of ours that was dropped; its secrets are gone."""
        self._group.give_up()
        self._welcoming = ()
        return MessageRefused(
            DroppedCommitError(
                "A commit of ours that was dropped has come back", got=f"epoch {self.epoch}"
            )
        )

    def _received(self, event: ApplicationMessage) -> ConversationEvent:
        sender = participant_of(event.leaf)
        if sender in self._impostors:
            return MessageRefused(
                SenderUnfoundedError(
                    "The sender's leaf names an inbox whose log does not have it",
                    got=f"{sender.installation.hex()} as {sender.inbox_id[:80]}",
                )
            )
        try:
            envelope = open_envelope(event.data)
        except ContentInvalidError as error:
            return MessageRefused(error)
        if envelope is None:
            return Nothing()
        return MessageReceived(sender, envelope.message_id(self.id), envelope.content)

    def _list_impostors(self, found: Iterable[Participant]) -> None:
        """Note who they are now."""
        self._impostors = relisted(
            self._impostors, found, self.members, self.epoch, CONFIG.max_past_epochs
        )

    # --- sending ----------------------------------------------------------------------------------

    def send(
        self, content: bytes, idempotency_key: str, *, entropy: Entropy
    ) -> tuple[bytes, bytes]:
        """Return (what goes to the node, the message's id) for encoded content.

        :raises GroupInactiveError: we are no member any more
        """
        message = self._group.send(seal_envelope(content, idempotency_key), entropy=entropy)
        return message, Envelope(content, idempotency_key).message_id(self.id)

    def renew(self, now: int, *, entropy: Entropy) -> bytes:
        """Return a commit that renews our own keys."""
        return self._group.commit(CommitIntent(with_pending=False), entropy=entropy, now=now).commit

    def change_members(
        self,
        now: int,
        *,
        entropy: Entropy,
        inbox_at: InboxAt,
        add: Sequence[NewMembers] = (),
        remove: Sequence[str] = (),
    ) -> bytes | None:
        """Return a commit that brings inboxes in, takes them out, and follows the logs of those that stay; None if
        nothing would change.

        ``add`` holds inboxes that stay, too: up to where their logs count from now on, and the key packages of their
        new installations.

        :raises CommitRefusedError: the group's rules do not allow it, or the group would be too large
        :raises WelcomesTooLargeError: too many newcomers at once
        :raises IdentityLogMissingError: a log is needed first
        """
        state, leaves = self.state, self._group.members
        members = {index: participant_of(leaf) for index, leaf in leaves.items()}
        change = plan(state.membership, members, add, remove, inbox_at)
        if change is None:
            return None
        intent = CommitIntent(
            add=tuple(package.package for package in change.packages),
            remove=change.removed,
            extensions=self._with(replace(state, membership=change.membership)),
            with_pending=False,
        )
        return self._commit(intent, now, change.packages, inbox_at, entropy=entropy)

    def change_state(
        self,
        change: Callable[[GroupState], GroupState],
        now: int,
        *,
        inbox_at: InboxAt,
        entropy: Entropy,
    ) -> bytes:
        """Return a commit that changes metadata, admins or permissions.

        :raises CommitRefusedError: the group's rules do not allow it
        :raises IdentityLogMissingError: a log is needed first
        """
        intent = CommitIntent(extensions=self._with(change(self.state)), with_pending=False)
        return self._commit(intent, now, (), inbox_at, entropy=entropy)

    def discard_commit(self) -> None:
        """Forget our own commit that waits, and the welcomes that it owed.

        WARNING: if it comes back as the one that wins, its epoch is out of our reach, and the conversation is over
        for us. Only its hash is kept.
        """
        if self._group.pending_commit is not None:
            self._dropped |= {_digest(self._group.pending_commit)}
        self._group.discard()
        self._welcoming = ()

    def _commit(
        self,
        intent: CommitIntent,
        now: int,
        packages: Sequence[PeerKeyPackage],
        inbox_at: InboxAt,
        *,
        entropy: Entropy,
    ) -> bytes:
        group = self._group
        facts = planned(intent, group.members, group.own_leaf, group.extensions)
        validate_commit(facts, inbox_at)
        added = [package.participant for package in packages]
        if impostors := impostors_among(added, facts.after.membership, inbox_at):
            raise CommitRefusedError(
                "A key package names an inbox that does not have its installation",
                got=min(each.installation for each in impostors).hex(),
            )
        made = group.commit(intent, entropy=entropy, now=now)
        try:
            self._welcoming = owed_to(packages, made.welcome or b"")
        except WelcomesTooLargeError:
            group.discard()
            raise
        return made.commit

    def _with(self, state: GroupState) -> Extensions:
        return with_state(self._group.extensions, state)


def _digest(commit: bytes) -> bytes:
    return hashlib.sha256(commit).digest()
