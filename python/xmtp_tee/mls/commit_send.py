"""Creating a commit (RFC 9420, section 12.4.1). Nothing here changes the epoch it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xmtp_tee.mls.advancing import (
    NO_COMMIT_SECRET,
    effect_of,
    next_epoch,
    provisional_context,
)
from xmtp_tee.mls.applying import Applied, apply_proposals
from xmtp_tee.mls.codec import opaque
from xmtp_tee.mls.commits import Commit, ProposalOrRef, ProposalRef
from xmtp_tee.mls.config import Config
from xmtp_tee.mls.crypto import Entropy, SignatureKey
from xmtp_tee.mls.epoch import Epoch
from xmtp_tee.mls.errors import IntentInvalidError, MlsError
from xmtp_tee.mls.events import CommitEffect
from xmtp_tee.mls.extensions import Extension, Extensions, ExtensionType
from xmtp_tee.mls.framing import (
    AuthenticatedContent,
    Authentication,
    FramedContent,
    Sender,
    SenderType,
    WireFormat,
)
from xmtp_tee.mls.intents import CommitIntent
from xmtp_tee.mls.key_schedule import confirmed_transcript_hash
from xmtp_tee.mls.leaf_node import LeafNode, LeafSource
from xmtp_tee.mls.proposal_rules import Queued
from xmtp_tee.mls.proposals import (
    Add,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)
from xmtp_tee.mls.protection import sign
from xmtp_tee.mls.psk import PskStore, ResumptionPskId, psk_secret
from xmtp_tee.mls.tree_kem import NewPath, PrivateKeys, make_path, prune, reblind
from xmtp_tee.mls.welcome import GroupInfo, Welcome, make_welcome
from xmtp_tee.mls.wiping import wipe


@dataclass(frozen=True)
class Prepared:
    """A commit that was made and is not merged: it may still lose."""

    message: AuthenticatedContent
    welcome: Welcome | None
    effect: CommitEffect
    epoch: Epoch


def proposals_of(intent: CommitIntent) -> list[Proposal]:
    """Return an intent's proposals, those that change the group context first."""
    proposals: list[Proposal] = []
    if intent.extensions is not None:
        proposals.append(GroupContextExtensions(intent.extensions))
    proposals += intent.app_data
    proposals += [Remove(leaf) for leaf in intent.remove]
    proposals += [Add(package) for package in intent.add]
    proposals += [PreSharedKey(psk) for psk in intent.psks]
    if intent.reinit is not None:
        proposals.append(intent.reinit)
    return proposals


def choose_pending(
    pending: Mapping[bytes, Queued], own: int, by_value: list[Proposal], psks: PskStore
) -> list[Queued]:
    """Return the received proposals that can go beside an intent's, in the order of arrival.

    Left out are our own updates and removals of ourselves (another member must commit those), a
    second proposal for one leaf (a removal wins over an update, and the latest update over earlier
    ones), a client or a key that comes twice, a key that is not held here, second extensions, and
    reinitialisations.
    """
    if any(isinstance(each, ReInit) for each in by_value):
        return []
    removed = {each.removed for each in by_value if isinstance(each, Remove)}
    clients = {each.package.leaf.signature_key for each in by_value if isinstance(each, Add)}
    seen = {each.psk.encode() for each in by_value if isinstance(each, PreSharedKey)}
    replaced = any(isinstance(each, GroupContextExtensions) for each in by_value)
    removed_later = {
        each.proposal.removed for each in pending.values() if isinstance(each.proposal, Remove)
    }
    last_update = {
        each.sender.index: reference
        for reference, each in pending.items()
        if isinstance(each.proposal, Update)
    }
    chosen = []
    for reference, queued in pending.items():
        match queued.proposal:
            case Update():
                leaf = queued.sender.index
                stale = last_update[leaf] != reference
                keep = not (leaf == own or leaf in removed or leaf in removed_later or stale)
            case Remove(leaf):
                keep = leaf != own and leaf not in removed
                removed.add(leaf)
            case Add(package):
                keep = package.leaf.signature_key not in clients
                clients.add(package.leaf.signature_key)
            case PreSharedKey(psk):
                keep = psk.encode() not in seen and psks.holds(psk)
                seen.add(psk.encode())
            case GroupContextExtensions():
                keep, replaced = not replaced, True
            case ReInit():
                keep = False
            case _:
                keep = True
        if keep:
            chosen.append(queued)
    return chosen


def prepare_commit(
    epoch: Epoch,
    intent: CommitIntent,
    pending: Mapping[bytes, Queued],
    key: SignatureKey,
    psks: PskStore,
    config: Config,
    *,
    predecessor: tuple[ResumptionPskId, ...] = (),
    entropy: Entropy,
    now: int,
) -> Prepared:
    """Return a commit and the epoch that it leads to.

    ``predecessor``: the key of the group that this one succeeds, in its first commit alone.

    :raises IntentInvalidError: a commit without path where one is demanded
    :raises MlsError: the rule that the intent breaks
    """
    place, own = epoch.place(), epoch.own
    by_value = proposals_of(intent)
    sender = Sender(SenderType.MEMBER, own)
    chosen = choose_pending(pending, own, by_value, psks) if intent.with_pending else []
    # Those by value go first: the extensions must stand before updates of application data.
    queue = tuple(Queued(each, sender) for each in by_value)
    queue, applied = _apply_what_fits(queue, chosen, epoch, config, now)
    # The one place for such a key: nobody but us, its creator, is in the group yet (section 11.2).
    applied = replace(applied, psks=(*applied.psks, *predecessor))
    queue = (*queue, *(Queued(PreSharedKey(psk), sender) for psk in predecessor))
    with_path = intent.path or applied.path_required
    if intent.reinit is not None:
        with_path = False
    if intent.leaf_extensions is not None and not with_path:
        raise IntentInvalidError("New leaf extensions need an update path")
    items: tuple[ProposalOrRef, ...] = tuple(
        each.proposal if each.reference is None else ProposalRef(each.reference) for each in queue
    )
    path = None
    if with_path:
        path = _own_path(epoch, applied, intent.leaf_extensions, key, entropy)
    provisional = provisional_context(epoch, applied, applied.tree)
    update = None
    if path is not None:
        update = path.encrypt(
            place.suite, applied.tree, provisional.encoded, applied.new_leaves, entropy
        )
    content = _sign_commit(epoch, Commit(items, update), intent, key, config)
    after, joiner, psk = _advance(epoch, applied, content, path, psks, config)
    message = AuthenticatedContent(
        content.wire_format,
        content.content,
        Authentication(content.authentication.signature, after.confirmation_tag),
    )
    welcome = _welcome(after, applied, path, joiner, psk, key, intent, entropy)
    wipe(joiner, psk)
    if path is not None:
        path.wipe_path_secrets()
        wipe(path.commit_secret)
    effect = effect_of(epoch, message, applied, queue, own, external=False)
    return Prepared(message, welcome, effect, after)


def _apply_what_fits(
    queue: tuple[Queued, ...], chosen: list[Queued], epoch: Epoch, config: Config, now: int
) -> tuple[tuple[Queued, ...], Applied]:
    """Return (proposals, what they do) of a queue and of as many of ``chosen`` as go with it.

    Somebody else's proposal that cannot be committed must not keep us from committing.
    """
    place, own = epoch.place(), epoch.own
    try:
        whole = (*queue, *chosen)
        return whole, apply_proposals(whole, own, epoch.tree, place, config, now)
    except MlsError:
        applied = apply_proposals(queue, own, epoch.tree, place, config, now)
    for each in chosen:
        try:
            applied = apply_proposals((*queue, each), own, epoch.tree, place, config, now)
        except MlsError:
            continue
        queue = (*queue, each)
    return queue, applied


def _own_path(
    epoch: Epoch,
    applied: Applied,
    leaf_extensions: Extensions | None,
    key: SignatureKey,
    entropy: Entropy,
) -> NewPath:
    old = applied.tree.leaf(epoch.own)
    group_id = epoch.context.group_id

    def make_leaf(encryption_key: bytes, parent_hash: bytes) -> LeafNode:
        return reblind(
            old,
            encryption_key=encryption_key,
            signature_key=key.public,
            source=LeafSource.COMMIT,
            lifetime=None,
            parent_hash=parent_hash,
            extensions=old.extensions if leaf_extensions is None else leaf_extensions,
        ).signed(key, group_id, epoch.own)

    return make_path(epoch.context.suite, applied.tree, epoch.own, make_leaf, entropy)


def _sign_commit(
    epoch: Epoch, commit: Commit, intent: CommitIntent, key: SignatureKey, config: Config
) -> AuthenticatedContent:
    content = FramedContent(
        epoch.context.group_id,
        epoch.context.epoch,
        Sender(SenderType.MEMBER, epoch.own),
        intent.authenticated_data,
        commit,
    )
    form = WireFormat.PRIVATE_MESSAGE if config.private_handshake else WireFormat.PUBLIC_MESSAGE
    return sign(form, content, epoch.context.encoded, key)


def _advance(
    epoch: Epoch,
    applied: Applied,
    content: AuthenticatedContent,
    path: NewPath | None,
    psks: PskStore,
    config: Config,
) -> tuple[Epoch, bytes, bytes]:
    """Return (the new epoch, joiner secret, psk secret)."""
    tree = applied.tree
    context = provisional_context(epoch, applied, tree).with_transcript(
        confirmed_transcript_hash(epoch.interim_transcript, content)
    )
    new_keys: PrivateKeys = {} if path is None else path.keys
    commit_secret = NO_COMMIT_SECRET if path is None else path.commit_secret
    keys = prune(tree, {**epoch.keys, **new_keys})
    psk = psk_secret(applied.psks, psks)
    after, joiner = next_epoch(
        context, tree, epoch.own, keys, epoch.secrets.init, commit_secret, psk, config
    )
    return after, joiner, psk


def _welcome(
    after: Epoch,
    applied: Applied,
    path: NewPath | None,
    joiner: bytes,
    psk: bytes,
    key: SignatureKey,
    intent: CommitIntent,
    entropy: Entropy,
) -> Welcome | None:
    if not applied.added:
        return None
    info = group_info(after, key, with_tree=intent.tree_in_welcome, with_external_pub=False)
    newcomers = [
        (package, None if path is None else path.secret_for(index))
        for index, package in applied.added
    ]
    return make_welcome(after.context.suite, info, joiner, psk, applied.psks, newcomers, entropy)


def group_info(
    epoch: Epoch, key: SignatureKey, *, with_tree: bool, with_external_pub: bool
) -> GroupInfo:
    """Return an epoch's group info, signed by us."""
    extensions: Extensions = ()
    if with_tree:
        extensions += (Extension(ExtensionType.RATCHET_TREE, epoch.tree.encode()),)
    if with_external_pub:
        private, public = epoch.secrets.external_key_pair(epoch.context.suite)
        wipe(private)
        extensions += (Extension(ExtensionType.EXTERNAL_PUB, opaque(public)),)
    info = GroupInfo(epoch.context, extensions, epoch.confirmation_tag, epoch.own)
    return info.signed(key)
