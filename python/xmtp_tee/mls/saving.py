"""A member's state as bytes, versioned. They hold secrets: the caller seals them.

Nodes that several trees share are written once. Hashes are not written: they are computed again.
"""

from __future__ import annotations

from array import array
from typing import Final

from xmtp_tee.mls import saving_commit
from xmtp_tee.mls.codec import (
    Parts,
    Reader,
    decode_whole,
    opaque,
    opaque_part,
    u8,
    u16,
    u32,
    u64,
    vector,
    vector_of_parts,
)
from xmtp_tee.mls.config import Config
from xmtp_tee.mls.crypto import SignatureKey
from xmtp_tee.mls.epoch import Epoch, PastEpoch
from xmtp_tee.mls.errors import StateCorruptError
from xmtp_tee.mls.framing import Sender
from xmtp_tee.mls.key_schedule import EpochSecrets, GroupContext
from xmtp_tee.mls.leaf_node import LeafNode
from xmtp_tee.mls.membership import Membership, PendingCommit, Standing
from xmtp_tee.mls.proposal_rules import Queued
from xmtp_tee.mls.proposals import decode_proposal, encode_proposal
from xmtp_tee.mls.ratchet_tree import Node, ParentNode, RatchetTree
from xmtp_tee.mls.secret_tree import MessageKey, Ratchet, RatchetType, SecretTree
from xmtp_tee.mls.tree_kem import PrivateKeys

VERSION: Final = 1


class _Pool:
    """Numbers nodes; 0 is blank."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._numbers: dict[int, int] = {}

    def number(self, node: Node | None) -> int:
        if node is None:
            return 0
        found = self._numbers.get(id(node))
        if found is None:
            self.nodes.append(node)
            found = self._numbers[id(node)] = len(self.nodes)
        return found

    def encode(self) -> bytes:
        return vector(
            (b"\x01" if isinstance(node, LeafNode) else b"\x02") + node.encoded
            for node in self.nodes
        )


def _decode_node(reader: Reader) -> Node:
    match reader.u8():
        case 1:
            return LeafNode.decode(reader)
        case 2:
            return ParentNode.decode(reader)
        case other:
            raise StateCorruptError("A saved node's type", got=other)


def save(member: Membership) -> bytes:
    """Return a member's state: one object, the caller's to wipe, and the only copy of its secrets."""
    pool = _Pool()
    epoch = _encode_epoch(member.epoch, pool)
    past = vector_of_parts(_encode_past(each, pool) for each in member.past)
    pending = [b"\x00"]
    if member.pending is not None:
        pending = [
            b"\x01",
            opaque(member.pending.commit),
            saving_commit.encode_intent(member.pending.intent),
            saving_commit.encode_effect(member.pending.effect),
            *_encode_epoch(member.pending.epoch, pool),
        ]
    return b"".join(
        (
            u16(VERSION),
            u64(member.counter),
            u8(member.standing),
            opaque(member.key.public),
            pool.encode(),
            *epoch,
            *past,
            vector(
                opaque(reference) + queued.sender.encode() + encode_proposal(queued.proposal)
                for reference, queued in member.proposals.items()
            ),
            *vector_of_parts(
                opaque_part(a) + opaque_part(b) for a, b in member.own_updates.values()
            ),
            *pending,
            *vector_of_parts(
                [u64(number), *opaque_part(key)] for number, key in member.resumption.items()
            ),
        )
    )


def restore(data: bytes, key: SignatureKey, config: Config) -> Membership:
    """Return the state that :func:`save` wrote.

    :raises StateCorruptError: another version, or another signature key's
    :raises MlsDecodeError: malformed
    """
    try:
        return decode_whole(lambda reader: _decode(reader, key, config), data)
    except (IndexError, ValueError, KeyError):
        raise StateCorruptError("A saved state contradicts itself") from None


def _decode(reader: Reader, key: SignatureKey, config: Config) -> Membership:
    version = reader.u16()
    if version != VERSION:
        raise StateCorruptError("Saved in an unknown version", got=version, expected=VERSION)
    counter, standing, public = reader.u64(), Standing(reader.u8()), reader.opaque()
    if public != key.public:
        raise StateCorruptError("Another signature key's state", got=public.hex())
    nodes: list[Node | None] = [None, *reader.vector(_decode_node)]
    epoch = _decode_epoch(reader, nodes, config)
    past = reader.vector(lambda each: _decode_past(each, nodes, epoch, config))
    proposals = reader.vector(_decode_queued)
    updates = reader.vector(lambda each: (each.opaque(), each.opaque()))
    pending = reader.optional(lambda each: _decode_pending(each, nodes, epoch, config))
    resumption = reader.vector(lambda each: (each.u64(), each.opaque()))
    return Membership(
        config,
        key,
        epoch,
        standing,
        counter,
        list(past),
        {each.reference: each for each in proposals if each.reference is not None},
        {pair[1]: pair for pair in updates},
        pending,
        dict(resumption),
    )


def _decode_queued(reader: Reader) -> Queued:
    reference, sender = reader.opaque(), Sender.decode(reader)
    return Queued(decode_proposal(reader), sender, reference)


def _decode_pending(
    reader: Reader, nodes: list[Node | None], current: Epoch, config: Config
) -> PendingCommit:
    commit, intent = reader.opaque(), saving_commit.decode_intent(reader)
    saved = saving_commit.decode_effect(reader)
    epoch = _decode_epoch(reader, nodes, config)
    effect = saved.effect(current.context, current.tree, epoch.context, epoch.tree, current.own)
    return PendingCommit(commit, intent, effect, epoch)


# --- an epoch -------------------------------------------------------------------------------------

_SECRETS: Final = (
    "sender_data",
    "exporter",
    "external",
    "confirmation",
    "membership",
    "resumption",
    "authenticator",
    "init",
)


def _encode_epoch(epoch: Epoch, pool: _Pool) -> Parts:
    numbers = array("I", map(pool.number, epoch.tree.nodes))
    return [
        opaque(epoch.context.encoded),
        vector(map(u32, numbers)),
        u32(epoch.own),
        *vector_of_parts(
            [u32(node), *opaque_part(private), opaque(public)]
            for node, (private, public) in epoch.keys.items()
        ),
        *(part for name in _SECRETS for part in opaque_part(getattr(epoch.secrets, name))),
        *_encode_secret_tree(epoch.secret_tree),
        opaque(epoch.interim_transcript),
        opaque(epoch.confirmation_tag),
    ]


def _decode_epoch(reader: Reader, nodes: list[Node | None], config: Config) -> Epoch:
    context = decode_whole(GroupContext.decode, reader.opaque())
    tree = RatchetTree([nodes[number] for number in reader.vector(Reader.u32)])
    own = reader.u32()
    keys: PrivateKeys = {
        node: (private, public)
        for node, private, public in reader.vector(lambda r: (r.u32(), r.opaque(), r.opaque()))
    }
    secrets = EpochSecrets(*(reader.opaque() for _ in _SECRETS))
    secret_tree = _decode_secret_tree(reader, context, config)
    return Epoch(context, tree, own, keys, secrets, secret_tree, reader.opaque(), reader.opaque())


def _encode_past(past: PastEpoch, pool: _Pool) -> Parts:
    return [
        u64(past.epoch),
        opaque(past.context),
        vector(u32(i) + u32(pool.number(leaf)) for i, leaf in past.members.items()),
        u32(past.own),
        *opaque_part(past.sender_data),
        *_encode_secret_tree(past.secret_tree),
    ]


def _decode_past(
    reader: Reader, nodes: list[Node | None], current: Epoch, config: Config
) -> PastEpoch:
    epoch, context = reader.u64(), reader.opaque()
    members = {}
    for index, number in reader.vector(lambda r: (r.u32(), r.u32())):
        leaf = nodes[number]
        if not isinstance(leaf, LeafNode):
            raise StateCorruptError("A past member is no leaf", got=index)
        members[index] = leaf
    own, sender_data = reader.u32(), reader.opaque()
    tree = _decode_secret_tree(reader, current.context, config)
    return PastEpoch(epoch, context, members, own, sender_data, tree)


def _encode_secret_tree(tree: SecretTree) -> Parts:
    return [
        u32(tree.capacity),
        *vector_of_parts([u32(node), *opaque_part(secret)] for node, secret in tree.nodes.items()),
        *vector_of_parts(
            [
                u32(leaf),
                u8(kind),
                *opaque_part(ratchet.secret),
                u32(ratchet.generation),
                *vector_of_parts(
                    [u32(generation), *opaque_part(key), *opaque_part(nonce)]
                    for generation, (key, nonce) in ratchet.skipped.items()
                ),
            ]
            for (leaf, kind), ratchet in tree.ratchets.items()
        ),
    ]


def _decode_secret_tree(reader: Reader, context: GroupContext, config: Config) -> SecretTree:
    tree = SecretTree(context.suite, reader.u32(), b"", config.max_ahead, config.max_skipped)
    tree.nodes = dict(reader.vector(lambda r: (r.u32(), r.opaque())))
    for _ in reader.vector(lambda r: _decode_ratchet(r, tree)):
        pass
    return tree


def _decode_ratchet(reader: Reader, tree: SecretTree) -> None:
    place = reader.u32(), RatchetType(reader.u8())
    secret, generation = reader.opaque(), reader.u32()
    skipped: dict[int, MessageKey] = {
        number: (key, nonce)
        for number, key, nonce in reader.vector(lambda r: (r.u32(), r.opaque(), r.opaque()))
    }
    tree.ratchets[place] = Ratchet(secret, generation, skipped)
