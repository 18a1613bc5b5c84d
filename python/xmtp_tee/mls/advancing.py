"""From a commit to the epoch that it leads to: what committing and processing share (RFC 9420,
sections 8 and 12.4).
"""

from __future__ import annotations

from typing import Final

from xmtp_tee.mls.applying import Applied
from xmtp_tee.mls.config import Config
from xmtp_tee.mls.epoch import Epoch
from xmtp_tee.mls.errors import (
    WrongEpochError,
)
from xmtp_tee.mls.events import CommitEffect
from xmtp_tee.mls.framing import AuthenticatedContent
from xmtp_tee.mls.key_schedule import (
    GroupContext,
    derive_epoch,
    epoch_secret,
    interim_transcript_hash,
    joiner_secret,
)
from xmtp_tee.mls.proposal_rules import Queued
from xmtp_tee.mls.ratchet_tree import RatchetTree
from xmtp_tee.mls.secret_tree import SecretTree
from xmtp_tee.mls.suites import HASH_SIZE
from xmtp_tee.mls.tree_kem import (
    PrivateKeys,
)

MAX_EPOCH: Final = (1 << 64) - 1
NO_COMMIT_SECRET: Final = HASH_SIZE * b"\x00"


def provisional_context(epoch: Epoch, applied: Applied, tree: RatchetTree) -> GroupContext:
    """Return the next epoch's context, still with the old transcript hash (section 12.4.1).

    :raises WrongEpochError: there is none after 2**64 - 1
    """
    old = epoch.context
    if old.epoch == MAX_EPOCH:
        raise WrongEpochError("A group has come to its last epoch", got=old.epoch)
    return GroupContext(
        old.suite,
        old.group_id,
        old.epoch + 1,
        tree.tree_hash(),
        old.confirmed_transcript_hash,
        applied.extensions,
    )


def next_epoch(
    context: GroupContext,
    tree: RatchetTree,
    own: int,
    keys: PrivateKeys,
    init: bytes,
    commit_secret: bytes,
    psk: bytes,
    config: Config,
) -> tuple[Epoch, bytes]:
    """Return (the epoch that a commit leads to, its joiner secret)."""
    joiner = joiner_secret(init, commit_secret, context)
    return epoch_from_joiner(context, tree, own, keys, joiner, psk, config), joiner


def epoch_from_joiner(
    context: GroupContext,
    tree: RatchetTree,
    own: int,
    keys: PrivateKeys,
    joiner: bytes,
    psk: bytes,
    config: Config,
) -> Epoch:
    """Return the epoch of a joiner secret."""
    return epoch_from_secret(context, tree, own, keys, epoch_secret(joiner, psk, context), config)


def epoch_from_secret(
    context: GroupContext,
    tree: RatchetTree,
    own: int,
    keys: PrivateKeys,
    secret: bytes,
    config: Config,
) -> Epoch:
    """Return the epoch of an epoch secret, which is wiped."""
    secrets, encryption = derive_epoch(secret)
    tag = secrets.confirmation_tag(context.confirmed_transcript_hash)
    return Epoch(
        context,
        tree,
        own,
        keys,
        secrets,
        SecretTree(context.suite, tree.capacity, encryption, config.max_ahead, config.max_skipped),
        interim_transcript_hash(context.confirmed_transcript_hash, tag),
        tag,
    )


def effect_of(
    epoch: Epoch,
    message: AuthenticatedContent,
    applied: Applied,
    queue: tuple[Queued, ...],
    committer: int,
    external: bool,
) -> CommitEffect:
    """Return the description of what a commit changes."""
    before, after = epoch.tree, applied.tree
    changed = [*applied.updated, *(() if external else (committer,))]
    joined = [(index, package.leaf) for index, package in applied.added]
    if external:
        joined.append((committer, after.leaf(committer)))
    return CommitEffect(
        epoch=epoch.context.epoch + 1,
        committer=committer,
        committer_leaf=(after if external else before).leaf(committer),
        external=external,
        proposals=queue,
        added=tuple(joined),
        removed=tuple((index, before.leaf(index)) for index in applied.removed),
        updated=tuple(
            (index, before.leaf(index), after.leaf(index))
            for index in changed
            if before.leaf(index) is not after.leaf(index)
        ),
        extensions_before=epoch.context.extensions,
        extensions=applied.extensions,
        psks=applied.psks,
        reinit=applied.reinit,
        authenticated_data=message.content.authenticated_data,
    )
