"""The ratchet tree: public keys of all members and of the groups they form (RFC 9420, section 7).

Nodes are immutable and shared; a tree is a list of them, so a copy costs little, and a commit is
tried on a copy. The tree is kept full: the number of leaves is a power of two (section 7.7).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from xmtp_tee.mls import tree_math as at
from xmtp_tee.mls.codec import Reader, decode_whole, opaque, u32, vector
from xmtp_tee.mls.errors import LeafIndexError, TooLargeError, TreeShapeError, TruncatedError
from xmtp_tee.mls.leaf_node import LeafNode
from xmtp_tee.mls.tree_hashes import blank_leaf_hash, leaf_hash, parent_node_hash

MAX_LEAVES: Final = 1 << 14
"""The largest tree that is accepted."""


@dataclass(frozen=True)
class ParentNode:
    """A parent's public key, its parent hash, and the leaves that do not know its private key."""

    encryption_key: bytes
    parent_hash: bytes
    unmerged_leaves: tuple[int, ...]

    @classmethod
    def decode(cls, reader: Reader) -> ParentNode:
        """Read one."""
        encryption_key, parent_hash, leaves = reader.opaque(), reader.opaque(), reader.opaque()
        if len(leaves) % 4:
            raise TruncatedError("A list of 4-byte integers is cut off", got=len(leaves))
        unmerged = tuple(int.from_bytes(leaves[i : i + 4], "big") for i in range(0, len(leaves), 4))
        return cls(encryption_key, parent_hash, unmerged)

    @cached_property
    def encoded(self) -> bytes:
        """The bytes."""
        return b"".join(
            (
                opaque(self.encryption_key),
                opaque(self.parent_hash),
                vector(map(u32, self.unmerged_leaves)),
            )
        )


Node = LeafNode | ParentNode


class RatchetTree:
    """A tree of at least one leaf. Nodes are numbered as in ``tree_math``; None is blank."""

    __slots__ = ("_hashes", "nodes")

    def __init__(self, nodes: list[Node | None], hashes: list[bytes | None] | None = None) -> None:
        self.nodes = nodes
        self._hashes: list[bytes | None] = hashes or [None] * len(nodes)

    @classmethod
    def of_one(cls, leaf: LeafNode) -> RatchetTree:
        """Return the tree of a new group."""
        return cls([leaf])

    def copy(self) -> RatchetTree:
        """Return a tree that can be changed without changing this one."""
        return RatchetTree(self.nodes.copy(), self._hashes.copy())

    # --- the wire ---------------------------------------------------------------------------------

    @classmethod
    def decode(cls, data: bytes) -> RatchetTree:
        """Return the tree of the ratchet_tree extension's data (section 12.4.3.3).

        :raises TreeShapeError: empty, a blank at the end, or a leaf where a parent belongs
        :raises TooLargeError: more than ``MAX_LEAVES`` leaves
        """
        reader = Reader(decode_whole(Reader.opaque, data))
        nodes: list[Node | None] = []
        while reader.remaining:
            nodes.append(_decode_node(reader, len(nodes)))
            if len(nodes) >= 2 * MAX_LEAVES:
                raise TooLargeError("A tree has too many nodes", expected=f"< {2 * MAX_LEAVES}")
        if not nodes or nodes[-1] is None:
            raise TreeShapeError("A tree is empty, or ends with a blank", got=len(nodes))
        full = 2 * at.capacity_for(len(nodes) // 2 + 1) - 1
        return cls(nodes + [None] * (full - len(nodes)))

    def encode(self) -> bytes:
        """Return the ratchet_tree extension's data: without the blanks at the end."""
        nodes = self.nodes
        end = len(nodes)
        while nodes[end - 1] is None:
            end -= 1
        parts = [
            b"\x00" if node is None else (b"\x01\x02" if i & 1 else b"\x01\x01") + node.encoded
            for i, node in enumerate(nodes[:end])
        ]
        return vector(parts)

    # --- looking ----------------------------------------------------------------------------------

    @property
    def capacity(self) -> int:
        """The number of leaves, blank ones included."""
        return (len(self.nodes) + 1) // 2

    def leaf_or_none(self, index: int) -> LeafNode | None:
        """Return a leaf; None when it is blank or outside the tree."""
        node = self.nodes[2 * index] if 0 <= index < self.capacity else None
        return node if isinstance(node, LeafNode) else None

    def leaf(self, index: int) -> LeafNode:
        """Return a member's leaf.

        :raises LeafIndexError: blank, or outside the tree
        """
        node = self.leaf_or_none(index)
        if node is None:
            raise LeafIndexError("No member has this leaf", got=index)
        return node

    def parent(self, node: int) -> ParentNode | None:
        """Return a parent node; None when it is blank."""
        found = self.nodes[node]
        return found if isinstance(found, ParentNode) else None

    def members(self) -> Iterator[tuple[int, LeafNode]]:
        """Yield (leaf index, leaf) of all members."""
        for index, node in enumerate(self.nodes[::2]):
            if isinstance(node, LeafNode):
                yield index, node

    def resolution(self, node: int) -> list[int]:
        """Return the nodes whose keys together cover everybody below ``node`` (section 4.1.1)."""
        found = self.nodes[node]
        if isinstance(found, ParentNode):
            return [node, *(2 * leaf for leaf in found.unmerged_leaves)]
        if found is not None:
            return [node]
        if not node & 1:
            return []
        return self.resolution(at.left(node)) + self.resolution(at.right(node))

    def _has_resolution(self, node: int) -> bool:
        begin, end = 2 * at.first_leaf(node), 2 * at.end_leaf(node)
        return any(each is not None for each in self.nodes[begin : end - 1])

    def filtered_path(self, leaf: int) -> list[tuple[int, int]]:
        """Return (parent, its child off the path) from the leaf up (section 4.1.2): those parents
        whose other child has somebody below it.
        """
        path, below = [], 2 * leaf
        for node in at.ancestors(2 * leaf, self.capacity):
            other = at.sibling(below)
            if self._has_resolution(other):
                path.append((node, other))
            below = node
        return path

    # --- changing ---------------------------------------------------------------------------------

    def put(self, index: int, node: Node | None) -> None:
        """Set a node, and forget the hashes that depend on it."""
        self.nodes[index] = node
        self._hashes[index] = None
        for above in at.ancestors(index, self.capacity):
            self._hashes[above] = None

    def blank_path(self, leaf: int) -> None:
        """Blank all parents above a leaf."""
        for node in at.ancestors(2 * leaf, self.capacity):
            self.nodes[node] = None
            self._hashes[node] = None

    def add(self, leaf: LeafNode) -> int:
        """Put a leaf at the leftmost free place and return its index (section 7.7).

        :raises TooLargeError: the tree would have more than ``MAX_LEAVES`` leaves
        """
        index = self._free_leaf()
        if index == self.capacity:
            if self.capacity >= MAX_LEAVES:
                raise TooLargeError("The tree is full", got=self.capacity, expected=MAX_LEAVES)
            self.nodes += [None] * (len(self.nodes) + 1)
            self._hashes += [None] * (len(self._hashes) + 1)
        for node in at.ancestors(2 * index, self.capacity):
            parent = self.parent(node)
            if parent is not None:
                unmerged = tuple(sorted((*parent.unmerged_leaves, index)))
                self.nodes[node] = replace(parent, unmerged_leaves=unmerged)
        self.put(2 * index, leaf)
        return index

    def _free_leaf(self) -> int:
        leaves = self.nodes[::2]
        return leaves.index(None) if None in leaves else len(leaves)

    def update(self, index: int, leaf: LeafNode) -> None:
        """Replace a leaf and blank the parents above it (section 12.1.2)."""
        self.blank_path(index)
        self.put(2 * index, leaf)

    def remove(self, index: int) -> None:
        """Blank a leaf and the parents above it; halve the tree while its right half is empty."""
        self.blank_path(index)
        self.put(2 * index, None)
        while len(self.nodes) > 1 and not self._has_resolution(at.right(at.root(self.capacity))):
            half = len(self.nodes) // 2
            del self.nodes[half:]
            del self._hashes[half:]

    # --- hashes (section 7.8) ---------------------------------------------------------------------

    def tree_hash(self) -> bytes:
        """Return the tree hash (32 bytes)."""
        return self.hash_at(at.root(self.capacity))

    def hash_at(self, node: int) -> bytes:
        """Return the hash of the subtree below a node."""
        known = self._hashes[node]
        if known is not None:
            return known
        found = self.nodes[node]
        if not node & 1:
            value = blank_leaf_hash(node // 2) if found is None else leaf_hash(node // 2, found)
        else:
            value = parent_node_hash(
                found, self.hash_at(at.left(node)), self.hash_at(at.right(node))
            )
        self._hashes[node] = value
        return value

    def hash_without(self, node: int, leaves: frozenset[int]) -> bytes:
        """Return the hash of a subtree as it was before ``leaves`` were added (section 7.9)."""
        return self._hash_without(node, leaves, tuple(leaves))

    def _hash_without(self, node: int, leaves: frozenset[int], near: tuple[int, ...]) -> bytes:
        """``near``: those of ``leaves`` that may be below the node."""
        first, end = at.first_leaf(node), at.end_leaf(node)
        below = tuple(leaf for leaf in near if first <= leaf < end)
        if not below:
            return self.hash_at(node)
        if not node & 1:
            return blank_leaf_hash(node // 2)
        parent = self.parent(node)
        if parent is not None:
            kept = tuple(leaf for leaf in parent.unmerged_leaves if leaf not in leaves)
            parent = replace(parent, unmerged_leaves=kept)
        return parent_node_hash(
            parent,
            self._hash_without(at.left(node), leaves, below),
            self._hash_without(at.right(node), leaves, below),
        )


def _decode_node(reader: Reader, index: int) -> Node | None:
    present = reader.u8()
    if present == 0:
        return None
    kind = reader.u8()
    if present != 1 or kind != (2 if index & 1 else 1):
        raise TreeShapeError("A node's type does not fit its place", got=(present, kind))
    return ParentNode.decode(reader) if index & 1 else LeafNode.decode(reader)
