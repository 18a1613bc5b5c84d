"""Processing a commit (RFC 9420, section 12.4.2): from one epoch to the next, or to an error.

Nothing here changes the epoch that it starts from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xmtp_tee.hpke import HpkeError
from xmtp_tee.mls.advancing import NO_COMMIT_SECRET, effect_of, next_epoch, provisional_context
from xmtp_tee.mls.applying import Applied, apply_proposals
from xmtp_tee.mls.commits import Commit, ProposalRef, UpdatePath
from xmtp_tee.mls.config import Config
from xmtp_tee.mls.crypto import same
from xmtp_tee.mls.epoch import Epoch
from xmtp_tee.mls.errors import (
    ConfirmationTagError,
    CredentialRefusedError,
    ExternalInitError,
    KeyRepeatedError,
    PathMissingError,
    ProposalUnknownError,
)
from xmtp_tee.mls.events import CommitEffect
from xmtp_tee.mls.framing import AuthenticatedContent, Sender, SenderType
from xmtp_tee.mls.key_schedule import (
    confirmed_transcript_hash,
    external_init_receive,
)
from xmtp_tee.mls.leaf_node import LeafNode, LeafSource
from xmtp_tee.mls.leaf_rules import Place, check_credentials_supported, check_leaf
from xmtp_tee.mls.proposal_rules import Queued
from xmtp_tee.mls.proposals import Remove
from xmtp_tee.mls.psk import PskStore, psk_secret
from xmtp_tee.mls.ratchet_tree import RatchetTree
from xmtp_tee.mls.tree_kem import (
    PrivateKeys,
    apply_path,
    decrypt_path,
    prune,
    require_path_shape,
)
from xmtp_tee.mls.tree_rules import check_distinct_keys
from xmtp_tee.mls.wiping import wipe


@dataclass(frozen=True)
class Received:
    """A commit that is valid. ``epoch`` None: it removes us."""

    effect: CommitEffect
    epoch: Epoch | None


def resolve(commit: Commit, sender: Sender, known: Mapping[bytes, Queued]) -> tuple[Queued, ...]:
    """Return a commit's proposals with their senders.

    :raises ProposalUnknownError: it refers to one that was not received
    """
    queue = []
    for item in commit.proposals:
        if isinstance(item, ProposalRef):
            found = known.get(item.reference)
            if found is None:
                raise ProposalUnknownError(
                    "A commit refers to an unknown proposal", got=item.reference.hex()
                )
            queue.append(found)
        else:
            queue.append(Queued(item, sender))
    return tuple(queue)


def receive_commit(
    epoch: Epoch,
    message: AuthenticatedContent,
    commit: Commit,
    known: Mapping[bytes, Queued],
    own_updates: Mapping[bytes, tuple[bytes, bytes]],
    psks: PskStore,
    config: Config,
    now: int,
) -> Received:
    """Return what a commit leads to. Its signature has been verified.

    ``own_updates``: the (private, public) keys of our update proposals, by public key.

    :raises MlsError: the rule that it breaks
    """
    sender = message.content.sender
    external = sender.type is SenderType.NEW_MEMBER_COMMIT
    place = epoch.place()
    queue = resolve(commit, sender, known)
    committer = None if external else sender.index
    applied = apply_proposals(queue, committer, epoch.tree, place, config, now)
    if commit.path is None and applied.path_required:
        raise PathMissingError("A commit's proposals demand an update path")
    tree = applied.tree
    nodes: list[tuple[int, int]] = []
    if commit.path is not None:
        index, nodes = _merge_path(epoch, applied, queue, commit.path, committer, place, config)
        require_path_shape(tree, nodes, commit.path, applied.new_leaves)
    else:
        index = sender.index
    effect = effect_of(epoch, message, applied, queue, index, external)
    if epoch.own in applied.removed:
        return Received(effect, None)

    provisional = provisional_context(epoch, applied, tree)
    keys = prune(tree, _with_own_update(epoch, tree, own_updates))
    commit_secret = NO_COMMIT_SECRET
    if commit.path is not None:
        new_keys, commit_secret = decrypt_path(
            place.suite,
            tree,
            nodes,
            commit.path,
            epoch.own,
            keys,
            provisional.encoded,
            applied.new_leaves,
        )
        keys = {**keys, **new_keys}
    init, fresh = _init_secret(epoch, applied)
    context = provisional.with_transcript(
        confirmed_transcript_hash(epoch.interim_transcript, message)
    )
    psk = psk_secret(applied.psks, psks)
    after, joiner = next_epoch(context, tree, epoch.own, keys, init, commit_secret, psk, config)
    wipe(joiner, psk, init if fresh else None, None if commit.path is None else commit_secret)
    if not same(after.confirmation_tag, message.confirmation_tag()):
        after.discard(epoch)
        raise ConfirmationTagError("A commit's confirmation tag is wrong")
    return Received(effect, after)


def _merge_path(
    epoch: Epoch,
    applied: Applied,
    queue: tuple[Queued, ...],
    path: UpdatePath,
    committer: int | None,
    place: Place,
    config: Config,
) -> tuple[int, list[tuple[int, int]]]:
    """Put a path into the new tree; return (the committer's leaf index, the path's nodes)."""
    tree = applied.tree
    new_place = Place.of(place.suite, place.group_id, applied.extensions)
    if committer is None:
        # The leaf comes in with its path: first it takes its place, as an add would.
        index = tree.add(path.leaf)
        check_leaf(path.leaf, index, LeafSource.COMMIT, new_place, config)
        _check_resync(epoch, queue, path.leaf, config)
        tree.put(2 * index, None)
    else:
        index, old = committer, epoch.tree.leaf(committer)
        check_leaf(path.leaf, index, LeafSource.COMMIT, new_place, config)
        if path.leaf.encryption_key == old.encryption_key:
            raise KeyRepeatedError("A committer keeps its encryption key", got=index)
        config.identities.check_successor(old, path.leaf)
    nodes = apply_path(tree, index, path)
    check_distinct_keys(tree)
    check_credentials_supported(tree)
    return index, nodes


def _check_resync(epoch: Epoch, queue: tuple[Queued, ...], leaf: LeafNode, config: Config) -> None:
    """An external commit may remove the joiner's own former leaf, and nobody else's."""
    for each in queue:
        if isinstance(each.proposal, Remove):
            old = epoch.tree.leaf(each.proposal.removed)
            try:
                config.identities.check_successor(old, leaf)
            except CredentialRefusedError as error:
                raise CredentialRefusedError(
                    "An external commit removes somebody else", cause=error.message
                ) from None


def _with_own_update(
    epoch: Epoch, tree: RatchetTree, own_updates: Mapping[bytes, tuple[bytes, bytes]]
) -> PrivateKeys:
    leaf = tree.leaf(epoch.own)
    pair = own_updates.get(leaf.encryption_key)
    return epoch.keys if pair is None else {**epoch.keys, 2 * epoch.own: pair}


def _init_secret(epoch: Epoch, applied: Applied) -> tuple[bytes, bool]:
    """Return (the init secret, whether it was made here)."""
    if applied.external_init is None:
        return epoch.secrets.init, False
    suite = epoch.context.suite
    private, _ = epoch.secrets.external_key_pair(suite)
    try:
        return external_init_receive(suite, private, applied.external_init.kem_output), True
    except HpkeError as error:
        raise ExternalInitError(
            "An external init cannot be decapsulated", cause=error.message
        ) from None
    finally:
        wipe(private)
