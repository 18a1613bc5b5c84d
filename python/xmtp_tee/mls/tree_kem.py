"""TreeKEM: making, applying and decrypting update paths (RFC 9420, sections 7.4 to 7.6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from xmtp_tee import hpke
from xmtp_tee.mls import tree_math as at
from xmtp_tee.mls.commits import UpdatePath, UpdatePathNode
from xmtp_tee.mls.crypto import (
    Entropy,
    decrypt_with_label,
    derive_secret,
    encrypt_with_label,
    generate_key_pair,
    require_encryption_key,
)
from xmtp_tee.mls.errors import (
    KeyRepeatedError,
    ParentHashError,
    PathSecretError,
    PathShapeError,
)
from xmtp_tee.mls.leaf_node import LeafNode, LeafSource
from xmtp_tee.mls.ratchet_tree import ParentNode, RatchetTree
from xmtp_tee.mls.suites import HASH_SIZE, CipherSuite
from xmtp_tee.mls.tree_hashes import parent_hash
from xmtp_tee.mls.wiping import own_copy, wipe

PrivateKeys = dict[int, tuple[bytes, bytes]]
"""The (private, public) keys of the nodes that a member holds: its leaf and parents above it."""

_LABEL: Final = b"UpdatePathNode"


def node_key_pair(suite: CipherSuite, path_secret: bytes) -> tuple[bytes, bytes]:
    """Return the (private, public) key that a path secret stands for."""
    node_secret = derive_secret(path_secret, b"node")
    pair = hpke.derive_key_pair(suite.hpke, node_secret)
    wipe(node_secret)
    return pair


@dataclass(frozen=True)
class NewPath:
    """A path that has been put into a tree and is not encrypted yet. Everything in it is secret
    but the leaf.
    """

    leaf: LeafNode
    nodes: tuple[tuple[int, int], ...]
    path_secrets: tuple[bytes, ...]
    keys: PrivateKeys
    commit_secret: bytes

    def encrypt(
        self,
        suite: CipherSuite,
        tree: RatchetTree,
        context: bytes,
        new_leaves: frozenset[int],
        entropy: Entropy,
    ) -> UpdatePath:
        """Return the path with each secret encrypted to those below the other child, but for
        those whom this commit adds: the welcome has theirs.
        """
        nodes = []
        for (node, other), secret in zip(self.nodes, self.path_secrets, strict=True):
            encrypted = tuple(
                encrypt_with_label(suite, found.encryption_key, _LABEL, context, secret, entropy)
                for each in tree.resolution(other)
                if each not in new_leaves and (found := tree.nodes[each]) is not None
            )
            nodes.append(UpdatePathNode(self.keys[node][1], encrypted))
        return UpdatePath(self.leaf, tuple(nodes))

    def secret_for(self, leaf: int) -> bytes | None:
        """Return the path secret at the lowest parent above both ends, for a welcome."""
        for (node, _), secret in zip(self.nodes, self.path_secrets, strict=True):
            if at.is_below(leaf, node):
                return secret
        return None

    def wipe_path_secrets(self) -> None:
        """Overwrite what only this commit needed."""
        wipe(*self.path_secrets)


def make_path(
    suite: CipherSuite,
    tree: RatchetTree,
    own: int,
    make_leaf: Callable[[bytes, bytes], LeafNode],
    entropy: Entropy,
) -> NewPath:
    """Put new keys on the path above ``own`` into ``tree`` and return them.

    ``make_leaf`` gets (encryption key, parent hash) and returns the signed leaf.
    """
    leaf_private, leaf_public = generate_key_pair(suite, entropy)
    nodes = tuple(tree.filtered_path(own))
    keys: PrivateKeys = {2 * own: (leaf_private, leaf_public)}
    # A copy of our own: path secrets are wiped, and the source's object is the source's.
    secrets, secret = [], own_copy(entropy(HASH_SIZE))
    for node, _ in nodes:
        secrets.append(secret)
        keys[node] = node_key_pair(suite, secret)
        secret = derive_secret(secret, b"path")
    hash_above = _put_path(tree, own, [(node, other, keys[node][1]) for node, other in nodes])
    leaf = make_leaf(leaf_public, hash_above)
    tree.put(2 * own, leaf)
    return NewPath(leaf, nodes, tuple(secrets), keys, secret)


def apply_path(tree: RatchetTree, sender: int, path: UpdatePath) -> list[tuple[int, int]]:
    """Put a received path's public keys into ``tree`` and return its (parent, other child) list.

    :raises PathShapeError: another number of nodes than the sender's filtered path has
    :raises KeyRepeatedError: a key that is in the tree already
    :raises ParentHashError: the leaf does not commit to the path
    """
    nodes = tree.filtered_path(sender)
    if len(nodes) != len(path.nodes):
        raise PathShapeError(
            "An update path has the wrong length", got=len(path.nodes), expected=len(nodes)
        )
    known = {node.encryption_key for node in tree.nodes if node is not None}
    for key in (path.leaf.encryption_key, *(node.encryption_key for node in path.nodes)):
        require_encryption_key("An update path's key", key)
        if key in known:
            raise KeyRepeatedError("An update path's key is in the tree already", got=key.hex())
        known.add(key)
    placed = [
        (node, other, sent.encryption_key)
        for (node, other), sent in zip(nodes, path.nodes, strict=True)
    ]
    expected = _put_path(tree, sender, placed)
    if path.leaf.source is not LeafSource.COMMIT or path.leaf.parent_hash != expected:
        raise ParentHashError("A committer's leaf does not commit to its path")
    tree.put(2 * sender, path.leaf)
    return nodes


def _put_path(tree: RatchetTree, leaf: int, path: list[tuple[int, int, bytes]]) -> bytes:
    """Put public keys above a leaf, from the root down, and return the leaf's parent hash."""
    tree.blank_path(leaf)
    above = b""
    for node, other, key in reversed(path):
        tree.put(node, ParentNode(key, above, ()))
        above = parent_hash(key, above, tree.hash_at(other))
    return above


def require_path_shape(
    tree: RatchetTree,
    nodes: list[tuple[int, int]],
    path: UpdatePath,
    new_leaves: frozenset[int],
) -> None:
    """Refuse a path that has not one ciphertext for everybody who needs one.

    :raises PathShapeError: naming the node
    """
    for (node, other), sent in zip(nodes, path.nodes, strict=True):
        needed = sum(each not in new_leaves for each in tree.resolution(other))
        if len(sent.encrypted) != needed:
            raise PathShapeError(
                f"Node {node} of an update path has the wrong number of ciphertexts",
                got=len(sent.encrypted),
                expected=needed,
            )


def decrypt_path(
    suite: CipherSuite,
    tree: RatchetTree,
    nodes: list[tuple[int, int]],
    path: UpdatePath,
    own: int,
    keys: PrivateKeys,
    context: bytes,
    new_leaves: frozenset[int],
) -> tuple[PrivateKeys, bytes]:
    """Return (the new keys of the nodes above us, the commit secret) of a received path.

    :raises DecryptionError: our ciphertext is not for our key, in this context
    :raises PathSecretError: the secret does not lead to the public keys beside it
    """
    place = next(i for i, (_, other) in enumerate(nodes) if at.is_below(own, other))
    other = nodes[place][1]
    needed = [each for each in tree.resolution(other) if each not in new_leaves]
    held = next((i for i, each in enumerate(needed) if each in keys), None)
    if held is None:
        raise PathSecretError("No ciphertext of the update path is for a key held here")
    private, public = keys[needed[held]]
    secret = decrypt_with_label(
        suite, private, public, _LABEL, context, path.nodes[place].encrypted[held]
    )
    return derive_path(
        suite,
        secret,
        [(node, path.nodes[place + i].encryption_key) for i, (node, _) in enumerate(nodes[place:])],
    )


def derive_path(
    suite: CipherSuite, secret: bytes, nodes: list[tuple[int, bytes]]
) -> tuple[PrivateKeys, bytes]:
    """Return (keys, commit secret) of a path secret, which is wiped.

    ``nodes``: (parent, public key) from the one that the secret belongs to, up to the root.

    :raises PathSecretError: a public key is not the one that the secret leads to
    """
    if len(secret) != HASH_SIZE:
        raise PathSecretError("A path secret has the wrong length", got=len(secret), expected=32)
    keys: PrivateKeys = {}
    for node, public in nodes:
        keys[node] = node_key_pair(suite, secret)
        if keys[node][1] != public:
            wipe(*(private for private, _ in keys.values()))
            raise PathSecretError("A path secret does not lead to its public key", got=node)
        secret, old = derive_secret(secret, b"path"), secret
        wipe(old)
    return keys, secret


def prune(tree: RatchetTree, keys: PrivateKeys) -> PrivateKeys:
    """Return the keys that still belong to their nodes in ``tree``."""
    return {
        node: pair
        for node, pair in keys.items()
        if node < len(tree.nodes)
        and (found := tree.nodes[node]) is not None
        and found.encryption_key == pair[1]
    }


def forget(old: PrivateKeys, new: PrivateKeys) -> None:
    """Wipe the private keys of ``old`` that are not in ``new``."""
    kept = {id(private) for private, _ in new.values()}
    wipe(*(private for private, _ in old.values() if id(private) not in kept))


def reblind(leaf: LeafNode, **changes: object) -> LeafNode:
    """Return a leaf with other fields and without a signature."""
    return replace(leaf, signature=b"", **changes)  # type: ignore[arg-type]
