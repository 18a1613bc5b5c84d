"""Proofs of presence and absence in a Merkle-Patricia trie (yellow paper, appendix D). No I/O.

A proof is the list of the nodes on the path from the root, each as RLP, without those that are embedded in
their parent. It must be exactly that: every node is used, in order, and nothing follows.
"""

from __future__ import annotations

from collections.abc import Sequence

from xmtp_tee.client.state_proof.errors import RlpInvalid, TrieProofInvalid
from xmtp_tee.client.state_proof.rlp import Item, decode_list, encode
from xmtp_tee.hashing import keccak256

EMPTY_NODE = b"\x80"
EMPTY_ROOT = keccak256(EMPTY_NODE)
_BRANCH, _SHORT = 17, 2


def prove(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes | None:
    """Return the value under ``key``, or None where the nodes prove that there is none.

    ``root`` is 32 bytes, ``key`` the trie's own key (for state and storage a Keccak-256).

    :raises TrieProofInvalid: the nodes prove neither
    """
    if root == EMPTY_ROOT:
        # Nodes differ in how they show the empty trie: by no node, or by its one empty node.
        if [bytes(node) for node in nodes] in ([], [EMPTY_NODE]):
            return None
        raise TrieProofInvalid("nodes follow the root of the empty trie", got=f"{len(nodes)} nodes")
    walk = _Walk(nodes)
    value = walk.find(root, _nibbles(key))
    if walk.unused:
        raise TrieProofInvalid("nodes follow the end of the path", got=f"{walk.unused} nodes")
    return value


class _Walk:
    """One way from the root; each hash takes the next node of the proof."""

    def __init__(self, nodes: Sequence[bytes]) -> None:
        self._nodes = nodes
        self._next = 0

    @property
    def unused(self) -> int:
        return len(self._nodes) - self._next

    def find(self, root: bytes, path: bytes) -> bytes | None:
        node = self._open(root)
        while True:
            if len(node) == _BRANCH:
                if not path:
                    return _value(node[16], may_be_empty=True)
                child, path = node[path[0]], path[1:]
                if child == b"":
                    return None
                node = self._open(child)
                continue
            is_leaf, part = _decode_path(node[0])
            if is_leaf:
                return _value(node[1], may_be_empty=False) if part == path else None
            if path[: len(part)] != part:
                # The child that hangs here holds other keys only; its hash has nothing to say of this one.
                return None
            path = path[len(part) :]
            node = self._open(node[1])
            if len(node) != _BRANCH:
                raise TrieProofInvalid("an extension leads to a node that is no branch")

    def _open(self, reference: Item) -> list[Item]:
        """Return the node behind a reference: its hash, or, when it is shorter than that, itself."""
        if isinstance(reference, list):
            if len(encode(reference)) >= 32:
                raise TrieProofInvalid(
                    "an embedded node is as long as a hash", expected="< 32 bytes"
                )
            return _shaped(reference)
        if len(reference) != 32:
            raise TrieProofInvalid(
                "a reference is no hash", got=f"{len(reference)} bytes", expected=32
            )
        if not self.unused:
            raise TrieProofInvalid("the proof ends on the way", expected="0x" + reference.hex())
        encoded = self._nodes[self._next]
        self._next += 1
        found = keccak256(encoded)
        if found != reference:
            raise TrieProofInvalid(
                "a node has another hash than its parent says",
                got="0x" + found.hex(),
                expected="0x" + reference.hex(),
            )
        try:
            return _shaped(decode_list(encoded))
        except RlpInvalid as error:
            raise TrieProofInvalid("a node is not canonical RLP", cause=str(error)) from error


def _shaped(node: list[Item]) -> list[Item]:
    if len(node) not in {_BRANCH, _SHORT}:
        raise TrieProofInvalid(
            "a node has a wrong size", got=f"{len(node)} items", expected="17 or 2"
        )
    return node


def _value(item: Item, *, may_be_empty: bool) -> bytes | None:
    if not isinstance(item, bytes):
        raise TrieProofInvalid("a value is a list", expected="bytes")
    if not item and not may_be_empty:
        raise TrieProofInvalid("a leaf holds nothing", expected="at least a byte")
    return item or None


def _nibbles(data: bytes) -> bytes:
    return bytes(nibble for byte in data for nibble in (byte >> 4, byte & 15))


def _decode_path(item: Item) -> tuple[bool, bytes]:
    """Read the hex-prefix encoding (appendix C): a flag nibble, padding for an even path, the path."""
    if not isinstance(item, bytes) or not item:
        raise TrieProofInvalid("a node has no path", expected="bytes")
    nibbles = _nibbles(item)
    flag = nibbles[0]
    if flag > 3 or (not flag & 1 and nibbles[1]):
        raise TrieProofInvalid("a path's flag is malformed", got="0x" + item[:1].hex())
    is_leaf, path = flag >= 2, nibbles[1 if flag & 1 else 2 :]
    if not is_leaf and not path:
        raise TrieProofInvalid("an extension is empty", expected="at least a nibble")
    return is_leaf, path
