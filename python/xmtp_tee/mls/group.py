"""A member of one group: typed calls in, bytes and events out, no I/O."""

from __future__ import annotations

from collections.abc import Sequence

from xmtp_tee.mls import receiving, saving
from xmtp_tee.mls.advancing import epoch_from_secret
from xmtp_tee.mls.commit_send import group_info, prepare_commit
from xmtp_tee.mls.config import Config
from xmtp_tee.mls.credentials import Credential
from xmtp_tee.mls.crypto import Entropy, SignatureKey, generate_key_pair
from xmtp_tee.mls.errors import IntentInvalidError, ProposalsPendingError, StateRolledBackError
from xmtp_tee.mls.events import CommitApplied, Event
from xmtp_tee.mls.extensions import Extensions, require_distinct
from xmtp_tee.mls.external_joining import join_externally
from xmtp_tee.mls.framing import (
    AuthenticatedContent,
    Content,
    FramedContent,
    Sender,
    SenderType,
    WireFormat,
)
from xmtp_tee.mls.intents import CommitIntent, CommitMessages
from xmtp_tee.mls.joining import Predecessor, join
from xmtp_tee.mls.key_package import KeyPackage, KeyPackageSecrets
from xmtp_tee.mls.key_schedule import GroupContext
from xmtp_tee.mls.leaf_node import Capabilities, LeafNode, LeafSource, Lifetime
from xmtp_tee.mls.leaf_rules import Place, check_leaf
from xmtp_tee.mls.membership import Membership, PendingCommit
from xmtp_tee.mls.message import decode_group_info, decode_welcome, encode_message
from xmtp_tee.mls.proposal_rules import Queued, check_fit, check_proposal
from xmtp_tee.mls.proposals import Proposal, Update
from xmtp_tee.mls.protection import make_public, seal_private, sign
from xmtp_tee.mls.psk import PskId, PskStore, PskUsage, ResumptionPskId
from xmtp_tee.mls.ratchet_tree import RatchetTree
from xmtp_tee.mls.receiving import Review
from xmtp_tee.mls.suites import HASH_SIZE, CipherSuite
from xmtp_tee.mls.tree_kem import reblind
from xmtp_tee.mls.view import GroupView
from xmtp_tee.mls.wiping import own_copy


class Group(GroupView):
    """A group as one member sees it.

    Rule 1: a call that raises has changed nothing.
    Rule 2: after a call that returned, :meth:`save` and keep the result before what was returned
    is used. A copy that was saved earlier must not be used again; ``counter`` tells.
    Rule 3: our own commit takes effect when :meth:`process` sees it come back, or by
    :meth:`confirm`; when somebody else's commit comes first, ours is dropped and its intent is
    returned, to be committed again.
    """

    __slots__ = ()

    # --- coming into being ------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        suite: CipherSuite,
        group_id: bytes,
        key: SignatureKey,
        credential: Credential,
        capabilities: Capabilities,
        lifetime: Lifetime,
        *,
        entropy: Entropy,
        config: Config | None = None,
        extensions: Extensions = (),
        leaf_extensions: Extensions = (),
    ) -> Group:
        """Return a new group with us alone in it (section 11).

        :raises LeafNodeInvalidError: we do not support our own group
        """
        config = config or Config()
        require_distinct(extensions)
        private, public = generate_key_pair(suite, entropy)
        leaf = LeafNode(
            public,
            key.public,
            credential,
            capabilities,
            LeafSource.KEY_PACKAGE,
            lifetime,
            b"",
            leaf_extensions,
        ).signed(key)
        place = Place.of(suite, group_id, extensions)
        check_leaf(leaf, 0, LeafSource.KEY_PACKAGE, place, config)
        tree = RatchetTree.of_one(leaf)
        context = GroupContext(suite, group_id, 0, tree.tree_hash(), b"", extensions)
        keys = {0: (private, public)}
        secret = own_copy(entropy(HASH_SIZE))
        epoch = epoch_from_secret(context, tree, 0, keys, secret, config)
        return cls(Membership(config, key, epoch))

    @classmethod
    def join(
        cls,
        welcome: bytes,
        keys: KeyPackageSecrets,
        key: SignatureKey,
        *,
        now: int,
        config: Config | None = None,
        tree: bytes | None = None,
        psks: PskStore | None = None,
        predecessor: Predecessor | None = None,
    ) -> Group:
        """Return the group that a welcome (an MLSMessage) leads to (section 12.4.3.1).

        Afterwards the caller deletes ``keys``, unless the key package is of last resort. Whether
        the group id is one that is known already, the caller judges.

        :raises MlsError: the rule that the welcome breaks
        """
        config = config or Config()
        if keys.package.leaf.signature_key != key.public:
            raise IntentInvalidError("The key package is another signature key's")
        # The group wipes its keys in its time; a key package of last resort must outlive that.
        own = KeyPackageSecrets(keys.package, keys.init_private, own_copy(keys.encryption_private))
        message = decode_welcome(welcome, config.max_message)
        epoch = join(message, own, tree, psks or PskStore(), config, now, predecessor)
        return cls(Membership(config, key, epoch))

    @classmethod
    def join_externally(
        cls,
        info: bytes,
        key: SignatureKey,
        credential: Credential,
        capabilities: Capabilities,
        *,
        entropy: Entropy,
        now: int,
        config: Config | None = None,
        tree: bytes | None = None,
        leaf_extensions: Extensions = (),
        psk_ids: Sequence[PskId] = (),
        psks: PskStore | None = None,
        replaces: int | None = None,
        authenticated_data: bytes = b"",
    ) -> tuple[Group, bytes]:
        """Return (the group as it is if the commit wins, the commit) of an external commit
        (section 12.4.3.2). If the commit loses, drop the group and start from a newer group info.

        ``replaces``: the leaf index of our own former self, which is removed.

        :raises MlsError: the rule that the group info breaks
        """
        config = config or Config()
        message = decode_group_info(info, config.max_message)
        template = LeafNode(
            b"",
            key.public,
            credential,
            capabilities,
            LeafSource.COMMIT,
            None,
            b"",
            leaf_extensions,
        )
        joined = join_externally(
            message,
            tree,
            template,
            key,
            psk_ids,
            psks or PskStore(),
            config,
            replaces=replaces,
            authenticated_data=authenticated_data,
            entropy=entropy,
            now=now,
        )
        commit = encode_message(make_public(joined.message, b"", None))
        return cls(Membership(config, key, joined.epoch)), commit

    @classmethod
    def restore(
        cls,
        data: bytes,
        key: SignatureKey,
        *,
        least_counter: int,
        config: Config | None = None,
    ) -> Group:
        """Return the group that :meth:`save` wrote.

        ``least_counter``: the newest counter known; an older state has used its keys already.

        :raises StateRolledBackError: it is older
        :raises StateCorruptError: it is another signature key's, or of an unknown version
        :raises MlsDecodeError: malformed
        """
        member = saving.restore(data, key, config or Config())
        if member.counter < least_counter:
            raise StateRolledBackError(
                "A saved state is older than the newest one known",
                got=member.counter,
                expected=f">= {least_counter}",
            )
        return cls(member)

    def save(self) -> bytes:
        """Return the whole state. It holds secrets: the caller seals it, and wipes it (``wiping``)."""
        return saving.save(self._member)

    # --- receiving --------------------------------------------------------------------------------

    def process(
        self,
        message: bytes,
        *,
        now: int,
        psks: PskStore | None = None,
        review: Review | None = None,
    ) -> Event:
        """Return what a message (an MLSMessage) brings.

        ``review`` sees a valid commit before it is merged, and raises to refuse it; for instance
        because somebody may not be added, or an identity must be looked up first.

        :raises MlsError: the rule that the message breaks; whatever the review raises
        """
        return receiving.process(self._member, message, psks=psks, review=review, now=now)

    # --- sending ----------------------------------------------------------------------------------

    def send(
        self,
        data: bytes,
        *,
        entropy: Entropy,
        authenticated_data: bytes = b"",
        padding: int = 0,
    ) -> bytes:
        """Return application data, encrypted for the current epoch.

        :raises GroupInactiveError: the group is over for us
        :raises ProposalsPendingError: proposals wait for a commit
        """
        member = self._member
        member.require_active()
        if member.proposals and not member.config.send_with_pending_proposals:
            raise ProposalsPendingError(
                "Proposals wait for a commit", got=len(member.proposals), expected=0
            )
        content = self._framed(data, authenticated_data)
        signed = sign(WireFormat.PRIVATE_MESSAGE, content, member.epoch.context.encoded, member.key)
        return self._seal(signed, entropy, padding)

    def propose(
        self, proposal: Proposal, *, entropy: Entropy, now: int, authenticated_data: bytes = b""
    ) -> bytes:
        """Return a proposal, which waits for somebody's commit; see :meth:`propose_update`.

        :raises MlsError: the rule that the proposal breaks
        """
        member = self._member
        member.require_active()
        content = self._framed(proposal, authenticated_data)
        private = member.config.private_handshake
        form = WireFormat.PRIVATE_MESSAGE if private else WireFormat.PUBLIC_MESSAGE
        signed = sign(form, content, member.epoch.context.encoded, member.key)
        reference = receiving.proposal_reference(signed)
        queued = Queued(proposal, content.sender, reference)
        check_proposal(queued, member.epoch.tree, member.epoch.place(), member.config)
        check_fit((queued,), member.epoch.place(), now)
        message = self._encode_handshake(signed, entropy)
        member.proposals[reference] = queued
        return message

    def propose_update(
        self,
        *,
        entropy: Entropy,
        now: int,
        leaf_extensions: Extensions | None = None,
        authenticated_data: bytes = b"",
    ) -> bytes:
        """Return a proposal of new keys for our own leaf, for another member to commit."""
        member = self._member
        member.require_active()
        epoch = member.epoch
        pair = generate_key_pair(epoch.context.suite, entropy)
        old = epoch.tree.leaf(epoch.own)
        leaf = reblind(
            old,
            encryption_key=pair[1],
            source=LeafSource.UPDATE,
            lifetime=None,
            parent_hash=b"",
            extensions=old.extensions if leaf_extensions is None else leaf_extensions,
        ).signed(member.key, epoch.context.group_id, epoch.own)
        message = self.propose(
            Update(leaf), entropy=entropy, now=now, authenticated_data=authenticated_data
        )
        member.own_updates[pair[1]] = pair
        return message

    def commit(
        self,
        intent: CommitIntent,
        *,
        entropy: Entropy,
        now: int,
        psks: PskStore | None = None,
    ) -> CommitMessages:
        """Return a commit, and the welcome for those whom it adds. It waits for its confirmation.

        :raises CommitPendingError: another commit of ours waits
        :raises MlsError: the rule that the intent breaks
        """
        return self._commit(intent, (), entropy, now, psks)

    def _commit(
        self,
        intent: CommitIntent,
        predecessor: tuple[ResumptionPskId, ...],
        entropy: Entropy,
        now: int,
        psks: PskStore | None,
    ) -> CommitMessages:
        member = self._member
        member.require_active()
        member.require_no_pending()
        prepared = prepare_commit(
            member.epoch,
            intent,
            member.proposals,
            member.key,
            member.psks(psks),
            member.config,
            predecessor=predecessor,
            entropy=entropy,
            now=now,
        )
        message = self._encode_handshake(prepared.message, entropy)
        member.pending = PendingCommit(message, intent, prepared.effect, prepared.epoch)
        welcome = None if prepared.welcome is None else encode_message(prepared.welcome)
        return CommitMessages(prepared.epoch.context.epoch, message, welcome)

    def create_successor(
        self,
        add: tuple[KeyPackage, ...],
        predecessor: ResumptionPskId,
        *,
        entropy: Entropy,
        now: int,
        psks: PskStore,
    ) -> CommitMessages:
        """Return the first commit of a reinitialised group or of a branch: everybody is welcomed
        with the predecessor's resumption secret (sections 11.2 and 11.3).

        :raises IntentInvalidError: the group is not new, or the usage is APPLICATION
        :raises MlsError: the rule that the key packages break
        """
        if self.epoch != 0 or predecessor.usage is PskUsage.APPLICATION or not add:
            raise IntentInvalidError(
                "A successor group is new and welcomes its members at once",
                got=(self.epoch, predecessor.usage.name, len(add)),
            )
        return self._commit(CommitIntent(add=add), (predecessor,), entropy, now, psks)

    def confirm(self) -> CommitApplied:
        """Go on to the epoch of our own commit: it has won.

        :raises NoCommitPendingError: none waits
        """
        return self._member.merge_own()

    def discard(self) -> CommitIntent | None:
        """Forget our own commit that waits, and return what it was for.

        WARNING: if it wins after all, the others go on without us: see :meth:`give_up`.
        """
        return self._member.discard_pending()

    def give_up(self) -> None:
        """Send and commit nothing any more: a commit of ours that was discarded has won, and its epoch's secrets
        are gone. What others still send to this epoch can be read.
        """
        self._member.give_up()

    def group_info(self, *, with_tree: bool = True, with_external_pub: bool = True) -> bytes:
        """Return the current epoch's group info (an MLSMessage), for external commits."""
        member = self._member
        member.require_active()
        return encode_message(
            group_info(
                member.epoch,
                member.key,
                with_tree=with_tree,
                with_external_pub=with_external_pub,
            )
        )

    # --- inside -----------------------------------------------------------------------------------

    def _framed(self, content: Content, authenticated_data: bytes) -> FramedContent:
        epoch = self._member.epoch
        sender = Sender(SenderType.MEMBER, epoch.own)
        context = epoch.context
        return FramedContent(context.group_id, context.epoch, sender, authenticated_data, content)

    def _encode_handshake(self, message: AuthenticatedContent, entropy: Entropy) -> bytes:
        if message.wire_format is WireFormat.PRIVATE_MESSAGE:
            return self._seal(message, entropy, 0)
        epoch = self._member.epoch
        self._member.counter += 1
        return encode_message(make_public(message, epoch.context.encoded, epoch.secrets.membership))

    def _seal(self, message: AuthenticatedContent, entropy: Entropy, padding: int) -> bytes:
        member, epoch = self._member, self._member.epoch
        sealed = seal_private(
            epoch.context.suite,
            message,
            epoch.secret_tree,
            epoch.secrets.sender_data,
            padding,
            entropy,
        )
        member.counter += 1
        return encode_message(sealed)
