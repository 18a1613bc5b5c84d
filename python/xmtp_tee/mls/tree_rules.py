"""What a ratchet tree must fulfil when it comes from somebody else (RFC 9420, sections 7.9.2 and
12.4.3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from xmtp_tee.mls import tree_math as at
from xmtp_tee.mls.crypto import require_encryption_key
from xmtp_tee.mls.errors import KeyRepeatedError, ParentHashError, UnmergedLeavesError
from xmtp_tee.mls.leaf_node import LeafNode
from xmtp_tee.mls.ratchet_tree import ParentNode, RatchetTree
from xmtp_tee.mls.tree_hashes import parent_hash


def check_tree(tree: RatchetTree) -> None:
    """Refuse a tree whose parents are not what commits have made of them.

    The leaves' own validity is judged in ``leaf_rules``.

    :raises UnmergedLeavesError: a list that no sequence of adds makes
    :raises ParentHashError: a parent that no member has put there
    :raises KeyRepeatedError: a public key that occurs twice
    """
    check_distinct_keys(tree)
    parents = {
        node: parent
        for node in range(1, len(tree.nodes), 2)
        if (parent := tree.parent(node)) is not None
    }
    unmerged = {node: frozenset(parent.unmerged_leaves) for node, parent in parents.items()}
    for node, parent in parents.items():
        require_encryption_key(f"Node {node}'s encryption key", parent.encryption_key)
        _check_unmerged(tree, node, parent, unmerged)
    for node, parent in parents.items():
        _check_parent_hash(tree, node, parent, unmerged[node])


def check_distinct_keys(tree: RatchetTree) -> None:
    """Refuse a tree in which two nodes have one encryption key, or two leaves one signature key.

    :raises KeyRepeatedError: naming the key
    """
    present = [node for node in tree.nodes if node is not None]
    _require_distinct("encryption", [node.encryption_key for node in present])
    leaves = [node.signature_key for node in present if isinstance(node, LeafNode)]
    _require_distinct("signature", leaves)


def _require_distinct(kind: str, keys: list[bytes]) -> None:
    if len(set(keys)) == len(keys):
        return
    seen: set[bytes] = set()
    for key in keys:
        if key in seen:
            raise KeyRepeatedError(f"Two nodes have the same {kind} key", got=key.hex())
        seen.add(key)


def _check_unmerged(
    tree: RatchetTree, node: int, parent: ParentNode, unmerged: Mapping[int, frozenset[int]]
) -> None:
    if any(a >= b for a, b in pairwise(parent.unmerged_leaves)):
        raise UnmergedLeavesError("Unmerged leaves are not strictly ascending", got=f"node {node}")
    for leaf in parent.unmerged_leaves:
        if not at.is_below(leaf, node) or tree.leaf_or_none(leaf) is None:
            raise UnmergedLeavesError(f"Node {node} has no such unmerged leaf below it", got=leaf)
        for between in at.ancestors(2 * leaf, tree.capacity):
            if between == node:
                break
            if between in unmerged and leaf not in unmerged[between]:
                raise UnmergedLeavesError(
                    f"Leaf {leaf} is unmerged at node {node} and not at {between} below it"
                )


def _check_parent_hash(
    tree: RatchetTree, node: int, parent: ParentNode, unmerged: frozenset[int]
) -> None:
    """One child's resolution must be one node with this parent's hash, and unmerged leaves."""
    for child, other in (
        (at.left(node), at.right(node)),
        (at.right(node), at.left(node)),
    ):
        sibling_hash = tree.hash_without(other, unmerged)
        expected = parent_hash(parent.encryption_key, parent.parent_hash, sibling_hash)
        resolution = tree.resolution(child)
        for candidate in resolution:
            found = tree.nodes[candidate]
            if found is None or found.parent_hash != expected:
                continue
            rest = {each // 2 for each in resolution if each != candidate and not each & 1}
            parents = [each for each in resolution if each != candidate and each & 1]
            here = {leaf for leaf in unmerged if at.is_below(leaf, child)}
            if not parents and rest == here:
                return
    raise ParentHashError("Nobody below a parent has its parent hash", got=f"node {node}")
