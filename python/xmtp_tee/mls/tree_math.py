"""Indices of a complete binary tree in an array (RFC 9420, Appendix C).

Leaves have even indices: leaf i is node 2i. A node's level is the number of its trailing one bits.
The number of leaves is a power of two.
"""

from __future__ import annotations

from collections.abc import Iterator


def level(node: int) -> int:
    """Return how far a node is above the leaves."""
    return (~node & (node + 1)).bit_length() - 1


def root(leaves: int) -> int:
    """Return the root of a tree of ``leaves`` leaves."""
    return leaves - 1


def left(node: int) -> int:
    """Return a parent's left child."""
    return node ^ (1 << (level(node) - 1))


def right(node: int) -> int:
    """Return a parent's right child."""
    return node ^ (3 << (level(node) - 1))


def parent(node: int) -> int:
    """Return a node's parent; the caller knows that it is not the root."""
    height = level(node)
    return (node | (1 << height)) & ~(1 << (height + 1))


def sibling(node: int) -> int:
    """Return the other child of a node's parent."""
    return node ^ (2 << level(node))


def ancestors(node: int, leaves: int) -> Iterator[int]:
    """Yield a node's parent, its parent, up to the root: a leaf's direct path."""
    top = root(leaves)
    while node != top:
        node = parent(node)
        yield node


def first_leaf(node: int) -> int:
    """Return the index of the first leaf below a node."""
    return (node - (1 << level(node)) + 1) // 2


def end_leaf(node: int) -> int:
    """Return the index after the last leaf below a node."""
    return (node + (1 << level(node)) + 1) // 2


def is_below(leaf: int, node: int) -> bool:
    """Return whether a leaf lies below a node, or is it."""
    return first_leaf(node) <= leaf < end_leaf(node)


def capacity_for(leaves: int) -> int:
    """Return the least power of two that is not below ``leaves`` (at least 1)."""
    return 1 << max(0, leaves - 1).bit_length()
