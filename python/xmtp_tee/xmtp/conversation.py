"""A member of an XMTP conversation: an MLS group under XMTP's rules. No I/O; time and randomness come in.

Rule 1: a call that raises has changed nothing.
Rule 2: after a call that returned, :meth:`Conversation.save` and keep the result before what was returned is
used: MLS keys are used once.
Rule 3: our own commit is judged by XMTP's rules before it leaves, because peers would refuse it; it takes effect
when it comes back from the node, and welcomes are released then. When another commit wins, ours is gone, and
the event says so. When one of ours wins that was dropped, the conversation is over for us: whoever went on
in it would commit to epochs that nobody else is in.
Rule 4: a message that needs an inbox's log raises ``IdentityLogMissingError``. Fetch it and try again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from xmtp_tee.mls.config import Config
from xmtp_tee.mls.crypto import SignatureKey
from xmtp_tee.mls.errors import OwnMessageError
from xmtp_tee.mls.events import ApplicationMessage, CommitApplied, CommitEffect
from xmtp_tee.mls.extensions import Extension, Extensions, RequiredCapabilities
from xmtp_tee.mls.framing import SenderType
from xmtp_tee.mls.group import Group
from xmtp_tee.mls.intents import CommitIntent
from xmtp_tee.mls.leaf_node import LeafNode, Lifetime
from xmtp_tee.mls.membership import Standing
from xmtp_tee.mls.proposals import Add, GroupContextExtensions, Remove, Update
from xmtp_tee.mls.wiping import wipe
from xmtp_tee.xmtp.commit_rules import (
    CommitFacts,
    InboxAt,
    Participant,
    ProposalFact,
    ProposalKind,
    ValidatedCommit,
    changes_of,
    impostors_among,
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
from xmtp_tee.xmtp.group_state import (
    MAX_MEMBERS,
    MAX_NUMBER,
    ExtensionType,
    GroupState,
    Membership,
)
from xmtp_tee.xmtp.key_packages import (
    CAPABILITIES,
    LIFETIME_SECONDS,
    SUITE,
    InstallationKeyPackage,
    PeerKeyPackage,
    XmtpIdentities,
    credential_of,
    leaf_extensions,
    participant_of,
)
from xmtp_tee.xmtp.outgoing_welcomes import require_size
from xmtp_tee.xmtp.permissions import ALL_MEMBERS, DIRECT_MESSAGE, Permissions
from xmtp_tee.xmtp.proto.groups import ConversationType

Entropy = Callable[[int], bytes]

GROUP_ID_SIZE: Final = 16
MAX_GROUP_ID_SIZE: Final = 32
"""Bytes of the longest id that a group of others may have."""

_REQUIRED_EXTENSIONS: Final = (
    ExtensionType.GROUP_MEMBERSHIP,
    ExtensionType.MUTABLE_METADATA,
    ExtensionType.GROUP_PERMISSIONS,
    ExtensionType.IMMUTABLE_METADATA,
    ExtensionType.LAST_RESORT,
    ExtensionType.APPLICATION_ID,
)
_GROUP_CONTEXT_EXTENSIONS: Final = 7
_BASIC: Final = 1
# XMTP's members commit what they propose. A proposal that stands alone neither stops us nor goes into our commits.
CONFIG: Final = Config(
    identities=XmtpIdentities(),
    accept_newcomers_proposals=False,
    # The whole state must fit one sealed document, whatever members send.
    max_skipped=512,
    max_kept_proposals=64,
    max_kept_bytes=64 << 10,
    send_with_pending_proposals=True,
)


class Conversation:
    """A conversation as one installation sees it."""

    def __init__(
        self,
        group: Group,
        *,
        welcoming: tuple[Welcoming, ...] = (),
        renew_first: bool = False,
        impostors: Mapping[Participant, int] = MappingProxyType({}),
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
        named = {
            "group_name": "",
            "description": "",
            "group_image_url_square": "",
            "_commit_log_signer": entropy(32).hex(),
            **({} if dm_with else {"app_data": ""}),
        }
        state = GroupState(
            conversation_type=ConversationType.DM if dm_with else ConversationType.GROUP,
            creator=inbox_id,
            dm_members=(inbox_id, dm_with) if dm_with else None,
            membership=Membership(MappingProxyType({inbox_id: sequence_id})),
            permissions=DIRECT_MESSAGE if dm_with else permissions,
            attributes=MappingProxyType(named),
            super_admins=() if dm_with else (inbox_id,),
        )
        for name, value in (attributes or {}).items():
            state = state.with_attribute(name, value)
        group = Group.create(
            SUITE,
            entropy(GROUP_ID_SIZE),
            key,
            credential_of(inbox_id),
            CAPABILITIES,
            Lifetime(now - 3600, now + LIFETIME_SECONDS),
            entropy=entropy,
            config=CONFIG,
            extensions=(
                *_extensions(state),
                _required_capabilities(),
            ),
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
        state = GroupState.decode(_by_type(group.extensions))
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
        return GroupState.decode(_by_type(self._group.extensions))

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
            facts = _facts(effect, before)
            commit = validate_commit(facts, inbox_at)
            reviewed.append((commit, self._judged(effect, facts, inbox_at)))

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
                commit = changes_of(_facts(event.effect, before))
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

    def _judged(
        self, effect: CommitEffect, facts: CommitFacts, inbox_at: InboxAt
    ) -> frozenset[Participant]:
        """Return the impostors after a commit: leaves that come are judged, and those of inboxes whose logs
        count further or no more.
        """
        old, new = facts.before.membership, facts.after.membership
        removed = {index for index, _ in effect.removed}
        staying = {
            participant_of(leaf)
            for index, leaf in self._group.members.items()
            if index not in removed
        }
        anew = {participant_of(leaf) for _, leaf in effect.added} | {
            leaf
            for leaf in staying
            if old.inboxes.get(leaf.inbox_id) != new.inboxes.get(leaf.inbox_id)
        }
        return impostors_among(anew, new, inbox_at) | (self.impostors & (staying - anew))

    def _list_impostors(self, found: frozenset[Participant]) -> None:
        """Note who they are now. Who is gone stays listed while messages of its time can be read."""
        present, readable = set(self.members), self.epoch - CONFIG.max_past_epochs
        gone = {
            leaf: epoch
            for leaf, epoch in self._impostors.items()
            if leaf not in present and epoch >= readable
        }
        self._impostors = gone | dict.fromkeys(found, self.epoch)

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
        state = self.state
        inboxes = dict(state.membership.inboxes)
        failed = set(state.membership.failed_installations)
        for inbox_id in remove:
            if inboxes.pop(inbox_id, None) is None:
                raise CommitRefusedError("Who is removed does not belong", got=inbox_id[:80])
        for newcomers in add:
            inboxes[newcomers.inbox_id] = newcomers.sequence_id
            failed |= set(newcomers.failed)
        if len(inboxes) > MAX_MEMBERS:
            raise CommitRefusedError("The group would be too large", got=len(inboxes))
        gone = self._gone(state.membership, inboxes, inbox_at)
        present = {participant_of(leaf).installation for leaf in self._group.members.values()}
        packages = [
            package
            for newcomers in add
            for package in newcomers.packages
            if package.participant.installation not in present
        ]
        # Who must go and is not here cannot be removed: it stays listed, or peers would miss its removal.
        failed -= {package.participant.installation for package in packages} | (gone & present)
        failed |= gone - present
        membership = Membership(MappingProxyType(inboxes), frozenset(failed))
        removed = tuple(
            index
            for index, leaf in self._group.members.items()
            if participant_of(leaf).installation in gone
        )
        if membership == state.membership and not packages and not removed:
            return None
        intent = CommitIntent(
            add=tuple(package.package for package in packages),
            remove=removed,
            extensions=self._with(replace(state, membership=membership)),
            with_pending=False,
        )
        return self._commit(intent, now, packages, inbox_at, entropy=entropy)

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
        planned = self._planned(intent)
        validate_commit(planned, inbox_at)
        added = [package.participant for package in packages]
        if impostors := impostors_among(added, planned.after.membership, inbox_at):
            raise CommitRefusedError(
                "A key package names an inbox that does not have its installation",
                got=min(each.installation for each in impostors).hex(),
            )
        made = self._group.commit(intent, entropy=entropy, now=now)
        welcome = made.welcome or b""
        owed = tuple(
            Welcoming(
                package.participant.installation,
                package.wrapper_key,
                int(package.wrapper_algorithm),
                package.reads_pointers,
                welcome,
            )
            for package in packages
        )
        try:
            require_size(owed)
        except WelcomesTooLargeError:
            self._group.discard()
            raise
        self._welcoming = owed
        return made.commit

    def _planned(self, intent: CommitIntent) -> CommitFacts:
        """What our own commit will be for those who judge it."""
        members = {index: participant_of(leaf) for index, leaf in self._group.members.items()}
        own = members[self._group.own_leaf]
        extensions = self._group.extensions
        return CommitFacts(
            actor=own,
            proposals=(
                *(
                    ProposalFact(ProposalKind.ADD, own, participant_of(package.leaf))
                    for package in intent.add
                ),
                *(
                    ProposalFact(ProposalKind.REMOVE, own, members[index])
                    for index in intent.remove
                ),
                ProposalFact(ProposalKind.GROUP_CONTEXT, own),
            ),
            before=GroupState.decode(_by_type(extensions)),
            after=GroupState.decode(_by_type(intent.extensions or extensions)),
            installations=frozenset(member.installation for member in members.values()),
        )

    def _gone(self, old: Membership, new: dict[str, int], inbox_at: InboxAt) -> set[bytes]:
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

    def _with(self, state: GroupState) -> Extensions:
        changed = state.encode()
        return tuple(
            Extension(extension.type, changed.get(extension.type, extension.data))
            for extension in self._group.extensions
        )


def _facts(effect: CommitEffect, before: dict[int, LeafNode]) -> CommitFacts:
    if effect.external:
        raise CommitRefusedError("XMTP's groups take no external commits")
    members = {index: participant_of(leaf) for index, leaf in before.items()}
    proposals = []
    for queued in effect.proposals:
        # Of other senders the index is no leaf: it would make them the member at that place.
        is_member = queued.sender.type is SenderType.MEMBER
        proposer = members.get(queued.sender.index) if is_member else None
        if proposer is None:
            raise CommitRefusedError("A proposal comes from no member")
        proposal = queued.proposal
        match proposal:
            case Add():
                fact = ProposalFact(
                    ProposalKind.ADD, proposer, participant_of(proposal.package.leaf)
                )
            case Remove():
                fact = ProposalFact(ProposalKind.REMOVE, proposer, members[proposal.removed])
            case Update():
                fact = ProposalFact(ProposalKind.UPDATE, proposer, participant_of(proposal.leaf))
            case GroupContextExtensions():
                fact = ProposalFact(ProposalKind.GROUP_CONTEXT, proposer)
            case _:
                fact = ProposalFact(ProposalKind.OTHER, proposer)
        proposals.append(fact)
    return CommitFacts(
        actor=participant_of(effect.committer_leaf),
        proposals=tuple(proposals),
        before=GroupState.decode(_by_type(effect.extensions_before)),
        after=GroupState.decode(_by_type(effect.extensions)),
        installations=frozenset(member.installation for member in members.values()),
    )


def _digest(commit: bytes) -> bytes:
    return hashlib.sha256(commit).digest()


def _by_type(extensions: Extensions) -> dict[int, bytes]:
    return {extension.type: extension.data for extension in extensions}


def _extensions(state: GroupState) -> tuple[Extension, ...]:
    return tuple(Extension(kind, data) for kind, data in state.encode().items())


def _required_capabilities() -> Extension:
    required = RequiredCapabilities(
        extensions=tuple(int(kind) for kind in _REQUIRED_EXTENSIONS),
        proposals=(_GROUP_CONTEXT_EXTENSIONS,),
        credentials=(_BASIC,),
    )
    return required.extension()
