"""Tree hashes and parent hashes (RFC 9420, sections 7.8 and 7.9): what is hashed."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from xmtp_tee.mls.codec import opaque, u32
from xmtp_tee.mls.crypto import hash_of


class Encoded(Protocol):
    """A node that knows its bytes."""

    @property
    def encoded(self) -> bytes:
        """The bytes."""


def leaf_hash(index: int, leaf: Encoded) -> bytes:
    """Return the tree hash of a leaf."""
    return hash_of(b"\x01" + u32(index) + b"\x01" + leaf.encoded)


@lru_cache(maxsize=4096)
def blank_leaf_hash(index: int) -> bytes:
    """Return the tree hash of a blank leaf."""
    return hash_of(b"\x01" + u32(index) + b"\x00")


def parent_node_hash(parent: Encoded | None, left: bytes, right: bytes) -> bytes:
    """Return the tree hash of a parent with the hashes of its subtrees."""
    node = b"\x02\x00" if parent is None else b"\x02\x01" + parent.encoded
    return hash_of(b"".join((node, opaque(left), opaque(right))))


def parent_hash(encryption_key: bytes, above: bytes, sibling_hash: bytes) -> bytes:
    """Return the hash that a node on an update path keeps of its parent.

    ``above`` is the parent's own parent hash; ``sibling_hash`` the original tree hash of the
    parent's other child.
    """
    return hash_of(b"".join(map(opaque, (encryption_key, above, sibling_hash))))
