"""Joining by an external commit (RFC 9420, section 12.4.3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xmtp_tee.mls.advancing import (
    MAX_EPOCH,
    next_epoch,
)
from xmtp_tee.mls.applying import apply_proposals
from xmtp_tee.mls.commits import Commit
from xmtp_tee.mls.config import Config
from xmtp_tee.mls.crypto import Entropy, SignatureKey, require_encryption_key
from xmtp_tee.mls.epoch import Epoch
from xmtp_tee.mls.errors import (
    GroupInfoInvalidError,
    KeyLengthError,
    MlsCryptoError,
)
from xmtp_tee.mls.extensions import (
    external_public_key,
)
from xmtp_tee.mls.framing import (
    AuthenticatedContent,
    Authentication,
    FramedContent,
    Sender,
    SenderType,
    WireFormat,
)
from xmtp_tee.mls.joining import checked_tree
from xmtp_tee.mls.key_schedule import (
    GroupContext,
    confirmed_transcript_hash,
    external_init_send,
    interim_transcript_hash,
)
from xmtp_tee.mls.leaf_node import LeafNode, LeafSource
from xmtp_tee.mls.leaf_rules import (
    Place,
    check_credentials_supported,
    check_leaf,
)
from xmtp_tee.mls.proposal_rules import Queued
from xmtp_tee.mls.proposals import ExternalInit, PreSharedKey, Proposal, Remove
from xmtp_tee.mls.protection import sign
from xmtp_tee.mls.psk import (
    PskId,
    PskStore,
    psk_secret,
)
from xmtp_tee.mls.tree_kem import make_path, reblind
from xmtp_tee.mls.welcome import GroupInfo
from xmtp_tee.mls.wiping import wipe


@dataclass(frozen=True)
class ExternalJoin:
    """An external commit that was made, and the epoch that it leads to."""

    message: AuthenticatedContent
    epoch: Epoch


def join_externally(
    info: GroupInfo,
    tree_data: bytes | None,
    template: LeafNode,
    key: SignatureKey,
    psk_ids: Sequence[PskId],
    psks: PskStore,
    config: Config,
    *,
    replaces: int | None,
    authenticated_data: bytes,
    entropy: Entropy,
    now: int,
) -> ExternalJoin:
    """Return an external commit. ``template``: credential, capabilities and extensions of our
    leaf. ``replaces``: our own former leaf.

    :raises GroupInfoInvalidError: the group info has no usable key for external commits
    :raises MlsError: the rule that the group info or its tree breaks
    """
    context = info.context
    if context.epoch == MAX_EPOCH:
        raise GroupInfoInvalidError("A group has come to its last epoch", got=context.epoch)
    external = external_public_key(info.extensions)
    if external is None:
        raise GroupInfoInvalidError("A group info has no key for external commits")
    try:
        require_encryption_key("The key for external commits", external)
    except MlsCryptoError as error:
        raise GroupInfoInvalidError(error.message, cause=str(error)) from None
    if len(info.confirmation_tag) != len(context.tree_hash):
        raise KeyLengthError("A confirmation tag has the wrong length")
    tree = checked_tree(info, tree_data, config, now)
    kem_output, init = external_init_send(context.suite, external, entropy)
    proposals: list[Proposal] = [ExternalInit(kem_output)]
    proposals += [] if replaces is None else [Remove(replaces)]
    proposals += [PreSharedKey(psk) for psk in psk_ids]
    sender = Sender(SenderType.NEW_MEMBER_COMMIT)
    place = Place.of(context.suite, context.group_id, context.extensions)
    queue = tuple(Queued(each, sender) for each in proposals)
    applied = apply_proposals(queue, None, tree, place, config, now)
    after = applied.tree
    own = after.add(template)

    def make_leaf(encryption_key: bytes, parent_hash: bytes) -> LeafNode:
        return reblind(
            template,
            encryption_key=encryption_key,
            signature_key=key.public,
            source=LeafSource.COMMIT,
            lifetime=None,
            parent_hash=parent_hash,
        ).signed(key, context.group_id, own)

    path = make_path(context.suite, after, own, make_leaf, entropy)
    check_leaf(path.leaf, own, LeafSource.COMMIT, place, config)
    check_credentials_supported(after)
    provisional = GroupContext(
        context.suite,
        context.group_id,
        context.epoch + 1,
        after.tree_hash(),
        context.confirmed_transcript_hash,
        applied.extensions,
    )
    update = path.encrypt(context.suite, after, provisional.encoded, applied.new_leaves, entropy)
    framed = FramedContent(
        context.group_id,
        context.epoch,
        sender,
        authenticated_data,
        Commit(tuple(proposals), update),
    )
    content = sign(WireFormat.PUBLIC_MESSAGE, framed, context.encoded, key)
    interim = interim_transcript_hash(context.confirmed_transcript_hash, info.confirmation_tag)
    new_context = provisional.with_transcript(confirmed_transcript_hash(interim, content))
    psk = psk_secret(applied.psks, psks)
    epoch, joiner = next_epoch(
        new_context, after, own, path.keys, init, path.commit_secret, psk, config
    )
    wipe(joiner, psk, init, path.commit_secret)
    path.wipe_path_secrets()
    signed = Authentication(content.authentication.signature, epoch.confirmation_tag)
    return ExternalJoin(AuthenticatedContent(content.wire_format, framed, signed), epoch)
