"""A member that breaks the rules: everything it sends is right but for the one thing it forges.

It signs, encrypts and derives as the protocol demands, so a refusal can only come from the rule
that the forgery breaks, not from a signature or a tag that happens not to fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tests.mls.support import NOW, Client, group_of
from xmtp_tee import mls
from xmtp_tee.mls import advancing, tree_kem
from xmtp_tee.mls.commits import Commit, ProposalRef, UpdatePath
from xmtp_tee.mls.crypto import ref_hash
from xmtp_tee.mls.epoch import Epoch
from xmtp_tee.mls.extensions import Extension, Extensions, ExtensionType
from xmtp_tee.mls.framing import (
    AuthenticatedContent,
    Authentication,
    FramedContent,
    Sender,
    SenderType,
    WireFormat,
)
from xmtp_tee.mls.key_schedule import GroupContext, confirmed_transcript_hash
from xmtp_tee.mls.leaf_node import LeafNode, LeafSource
from xmtp_tee.mls.message import encode_message
from xmtp_tee.mls.proposals import Proposal
from xmtp_tee.mls.protection import make_public, seal_private, sign
from xmtp_tee.mls.psk import psk_secret
from xmtp_tee.mls.ratchet_tree import RatchetTree
from xmtp_tee.mls.welcome import GroupInfo, make_welcome

Edit = Callable[[Any], Any]


def same(value: Any) -> Any:
    return value


def epoch_of(client: Client) -> Epoch:
    return client.mine._member.epoch


def frame(client: Client, content: Any, **changes: Any) -> FramedContent:
    """A content from a member, for its current epoch."""
    epoch = epoch_of(client)
    framed = FramedContent(
        epoch.context.group_id,
        epoch.context.epoch,
        Sender(SenderType.MEMBER, epoch.own),
        b"",
        content,
    )
    return replace(framed, **changes)


def seal(client: Client, signed: AuthenticatedContent) -> bytes:
    """A content as a message in its form."""
    epoch = epoch_of(client)
    if signed.wire_format is WireFormat.PUBLIC_MESSAGE:
        return encode_message(make_public(signed, epoch.context.encoded, epoch.secrets.membership))
    suite, secret = epoch.context.suite, epoch.secrets.sender_data
    return encode_message(seal_private(suite, signed, epoch.secret_tree, secret, 0, client.entropy))


def forge_proposal(
    client: Client,
    proposal: Proposal,
    form: WireFormat = WireFormat.PRIVATE_MESSAGE,
    **changes: Any,
) -> tuple[bytes, bytes]:
    """(message, reference) of a proposal that nobody has checked."""
    signed = sign(
        form, frame(client, proposal, **changes), epoch_of(client).context.encoded, client.key
    )
    return seal(client, signed), ref_hash(b"Proposal Reference", signed.encode())


def forge_update(client: Client, **changes: Any) -> mls.Update:
    """An update of one's own leaf, with changes that are signed."""
    epoch = epoch_of(client)
    from xmtp_tee.mls.crypto import generate_key_pair

    fields = {
        "encryption_key": generate_key_pair(epoch.context.suite, client.entropy)[1],
        "source": LeafSource.UPDATE,
        "lifetime": None,
        "parent_hash": b"",
        "signature": b"",
        **changes,
    }
    leaf = replace(epoch.tree.leaf(epoch.own), **fields)
    return mls.Update(leaf.signed(client.key, epoch.context.group_id, epoch.own))


@dataclass
class Forged:
    """A commit that nobody has checked, and the epoch that its author would be in."""

    message: bytes
    epoch: Epoch


def forge_commit(
    client: Client,
    proposals: Sequence[Proposal] = (),
    *,
    references: Sequence[tuple[bytes, Proposal, int]] = (),
    path: bool = True,
    leaf: Edit = same,
    update_path: Edit = same,
    tag: Edit = same,
    key: mls.SignatureKey | None = None,
    form: WireFormat = WireFormat.PRIVATE_MESSAGE,
    framed: dict[str, Any] | None = None,
    psks: mls.PskStore | None = None,
    signature: Edit = same,
    raw_leaf: Edit = same,
) -> Forged:
    """A member's commit. ``leaf`` edits the path's leaf before it is signed, ``raw_leaf`` after;
    ``update_path`` the path before the commit is signed; ``tag`` the confirmation tag.
    ``references``: (reference, proposal, sender's leaf).
    """
    epoch = epoch_of(client)
    suite, own = epoch.context.suite, epoch.own
    tree, extensions, new = epoch.tree.copy(), epoch.context.extensions, set()
    everything: list[tuple[Proposal, int]] = [(each, own) for each in proposals]
    everything += [(proposal, sender) for _, proposal, sender in references]
    for proposal, sender in everything:
        match proposal:
            case mls.GroupContextExtensions(replaced):
                extensions = replaced
            case mls.Update(updated):
                tree.update(sender, updated)
            case mls.Remove(removed) if tree.leaf_or_none(removed) is not None and removed != own:
                tree.remove(removed)
    for proposal, _ in everything:
        if isinstance(proposal, mls.Add):
            new.add(2 * tree.add(proposal.package.leaf))
    psk_ids = [each.psk for each, _ in everything if isinstance(each, mls.PreSharedKey)]

    def make_leaf(public: bytes, parent_hash: bytes) -> LeafNode:
        edited = leaf(
            replace(
                tree.leaf(own),
                encryption_key=public,
                source=LeafSource.COMMIT,
                lifetime=None,
                parent_hash=parent_hash,
                signature=b"",
            )
        )
        return raw_leaf(edited.signed(client.key, epoch.context.group_id, own))

    made, update = None, None
    if path:
        made = tree_kem.make_path(suite, tree, own, make_leaf, client.entropy)
    provisional = GroupContext(
        suite,
        epoch.context.group_id,
        epoch.context.epoch + 1,
        tree.tree_hash(),
        epoch.context.confirmed_transcript_hash,
        extensions,
    )
    if made is not None:
        update = made.encrypt(suite, tree, provisional.encoded, frozenset(new), client.entropy)
        update = update_path(update)
    items = (*proposals, *(ProposalRef(reference) for reference, _, _ in references))
    content = frame(client, Commit(items, update), **(framed or {}))
    signed = sign(form, content, epoch.context.encoded, key or client.key)
    context = provisional.with_transcript(
        confirmed_transcript_hash(epoch.interim_transcript, signed)
    )
    secret = psk_secret(psk_ids, psks) if psks is not None else bytes(32)
    after, _ = advancing.next_epoch(
        context,
        tree,
        own,
        {} if made is None else dict(made.keys),
        epoch.secrets.init,
        bytes(32) if made is None else made.commit_secret,
        secret,
        client.config,
    )
    whole = AuthenticatedContent(
        form,
        content,
        Authentication(signature(signed.authentication.signature), tag(after.confirmation_tag)),
    )
    return Forged(seal(client, whole), after)


def alter_path(**changes: Callable[[UpdatePath], Any]) -> Edit:
    """An edit of an update path's fields."""
    return lambda path: replace(path, **{name: edit(path) for name, edit in changes.items()})


def forge_external_commit(
    newcomer: Client,
    inside: Client,
    proposals: Callable[[Proposal], Sequence[Any]],
    *,
    with_path: bool = True,
    removed: int | None = None,
) -> bytes:
    """An external commit with the proposals that ``proposals`` makes of the right ExternalInit."""
    from xmtp_tee.mls.key_schedule import external_init_send, interim_transcript_hash
    from xmtp_tee.mls.proposals import ExternalInit

    epoch = epoch_of(inside)
    context = epoch.context
    _, external = epoch.secrets.external_key_pair(context.suite)
    kem_output, init = external_init_send(context.suite, external, newcomer.entropy)
    items = tuple(proposals(ExternalInit(kem_output)))
    tree = epoch.tree.copy()
    if removed is not None:
        tree.remove(removed)
    new = set()
    for item in items:
        if isinstance(item, mls.Add):
            new.add(2 * tree.add(item.package.leaf))
    template = LeafNode(
        b"",
        newcomer.key.public,
        newcomer.credential,
        newcomer.caps,
        LeafSource.COMMIT,
        None,
        b"",
        (),
    )
    own = tree.add(template)
    made = tree_kem.make_path(
        context.suite,
        tree,
        own,
        lambda public, parent_hash: replace(
            template, encryption_key=public, parent_hash=parent_hash
        ).signed(newcomer.key, context.group_id, own),
        newcomer.entropy,
    )
    provisional = replace(context, epoch=context.epoch + 1, tree_hash=tree.tree_hash())
    update = made.encrypt(
        context.suite, tree, provisional.encoded, frozenset(new), newcomer.entropy
    )
    framed = FramedContent(
        context.group_id,
        context.epoch,
        Sender(SenderType.NEW_MEMBER_COMMIT),
        b"",
        Commit(items, update if with_path else None),
    )
    signed = sign(WireFormat.PUBLIC_MESSAGE, framed, context.encoded, newcomer.key)
    interim = interim_transcript_hash(context.confirmed_transcript_hash, epoch.confirmation_tag)
    after, _ = advancing.next_epoch(
        provisional.with_transcript(confirmed_transcript_hash(interim, signed)),
        tree,
        own,
        dict(made.keys),
        init,
        made.commit_secret,
        bytes(32),
        newcomer.config,
    )
    whole = Authentication(signed.authentication.signature, after.confirmation_tag)
    message = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, framed, whole)
    return encode_message(make_public(message, b"", None))


def forge_welcome(
    client: Client,
    package: mls.KeyPackage,
    *,
    before_path: Callable[[RatchetTree], None] = lambda tree: None,
    edit_tree: Callable[[RatchetTree], None] = lambda tree: None,
    context: Edit = same,
    info: Edit = same,
    signed_info: Edit = same,
    with_tree: bool = True,
    path_secret: Callable[[int, RatchetTree], bytes | None] | None = None,
    psk_ids: Sequence[Any] = (),
    psks: mls.PskStore | None = None,
    key: mls.SignatureKey | None = None,
    extensions: Extensions | None = None,
) -> bytes:
    """A welcome of one newcomer into the client's next epoch, out of a commit that adds it."""
    epoch = epoch_of(client)
    suite, own = epoch.context.suite, epoch.own
    tree = epoch.tree.copy()
    index = tree.add(package.leaf)
    before_path(tree)
    made = tree_kem.make_path(
        suite,
        tree,
        own,
        lambda public, parent_hash: replace(
            tree.leaf(own),
            encryption_key=public,
            source=LeafSource.COMMIT,
            lifetime=None,
            parent_hash=parent_hash,
            signature=b"",
        ).signed(client.key, epoch.context.group_id, own),
        client.entropy,
    )
    edit_tree(tree)
    new = context(
        GroupContext(
            suite,
            epoch.context.group_id,
            epoch.context.epoch + 1,
            tree.tree_hash(),
            b"t" * 32,
            epoch.context.extensions if extensions is None else extensions,
        )
    )
    joiner = client.entropy(32)
    secret = psk_secret(psk_ids, psks or mls.PskStore()) if psks is not None else bytes(32)
    joined = advancing.epoch_from_joiner(
        new, tree, own, dict(made.keys), joiner, secret, client.config
    )
    tree_extension = (Extension(ExtensionType.RATCHET_TREE, tree.encode()),) if with_tree else ()
    group_info = info(GroupInfo(new, tree_extension, joined.confirmation_tag, own))
    group_info = signed_info(group_info.signed(key or client.key))
    chosen = made.secret_for(index) if path_secret is None else path_secret(index, tree)
    welcome = make_welcome(
        suite, group_info, joiner, secret, tuple(psk_ids), [(package, chosen)], client.entropy
    )
    return encode_message(welcome)


def snapshot(clients: Sequence[Client]) -> Callable[[], list[Client]]:
    """Clients can be had again and again as they are now, which is quicker than a new group."""
    saved = [(client, client.mine.save(), client.entropy._drawn) for client in clients]

    def again() -> list[Client]:
        found = []
        for client, state, drawn in saved:
            twin = replace(client)
            twin.group = mls.Group.restore(state, client.key, least_counter=0, config=client.config)
            twin.entropy._drawn = drawn
            found.append(twin)
        return found

    return again


@cache
def five() -> Callable[[], list[Client]]:
    """Five clients in a group whose tree has been filled by commits of three of them."""
    clients = group_of(["owner", "mallory", "third", "fourth", "fifth"])
    for client in (clients[3], clients[0]):
        commit_now(client, mls.CommitIntent(), [c for c in clients if c is not client])
    return snapshot(clients)


def commit_now(client: Client, intent: mls.CommitIntent, others: Sequence[Client]) -> None:
    """An honest commit that everybody follows."""
    made = client.commit(intent)
    for each in (client, *others):
        each.process(made.commit)


__all__ = [
    "NOW",
    "Forged",
    "alter_path",
    "commit_now",
    "epoch_of",
    "five",
    "forge_commit",
    "forge_external_commit",
    "forge_proposal",
    "forge_update",
    "forge_welcome",
    "frame",
    "seal",
    "snapshot",
]
