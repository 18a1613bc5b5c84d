"""A keyed hash tree over the facts of a store: which rows there are, in which version.

::

    root (in the sealed header) --> inner node: up to 256 children --> inner node --> leaf: entries

An entry is 32 bytes: the 16-byte place of a fact (a keyed hash of its kind and key, so that nobody can
choose where it lies) and its 16-byte value. The first two bytes of the place name the leaf. A child
stands in its parent by the keyed digest (BLAKE2b, 128 bits) of its path and body; a node that the host
changes, withholds, moves or puts back to an older version has another digest. A fact is absent only if
the leaf that would hold it is proven to lack it, so what the tree answers is authentic AND complete.

A look-up reads three nodes, an update writes three for each leaf it touches; nothing here grows with
the store but the leaves: 15 facts each at a million.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from xmtp_tee.wire.store_faults import StoreTamperedError

DIGEST_SIZE: Final = 16
ENTRY_SIZE: Final = 2 * DIGEST_SIZE
CHILD_SIZE: Final = 1 + DIGEST_SIZE
DEPTH: Final = 2
"""Levels above the leaves; a path is as many bytes as its node is deep."""

NO_NODE: Final = bytes(DIGEST_SIZE)
"""The digest of a node that is not there: an empty subtree."""

_CACHED_NODES: Final = 4096


class NodeSource(Protocol):
    """Where the bodies of nodes lie. It is not trusted."""

    def node(self, path: bytes) -> bytes | None:
        """Return the body of the node at ``path`` (0 to 2 bytes), or None."""


Mac = Callable[[bytes, bytes], bytes]
"""``mac(label, data)``: a keyed 16-byte digest; labels separate its uses."""


class Tree:
    """The tree under one root. Reading changes nothing but a bounded cache of verified nodes."""

    def __init__(self, source: NodeSource, mac: Mac, root: bytes) -> None:
        """``root``: the digest of the root node, from the sealed header."""
        self._source = source
        self._mac = mac
        self.root = root
        # By digest, not by path: what is in here is right for ever, whatever the root is.
        self._cache: OrderedDict[bytes, bytes] = OrderedDict()

    def place(self, kind: bytes, key: bytes) -> bytes:
        """Return the 16-byte place of a fact. ``kind``: one byte."""
        return self._mac(b"tree place", kind + key)

    def value(self, place: bytes) -> bytes | None:
        """Return the 16-byte value at ``place``, or None if there is provably none.

        :raises StoreTamperedError: if a node on the way is not the one that it must be
        """
        digest = self.root
        for depth in range(DEPTH):
            body = self._body(place[:depth], digest)
            digest = _child(body, place[depth : depth + 1])
        return _entry(self._body(place[:DEPTH], digest), place)

    def updated(
        self, changes: Mapping[bytes, bytes | None]
    ) -> tuple[bytes, dict[bytes, bytes], dict[bytes, bytes]]:
        """Return the root after ``changes`` (place -> value, None to remove), the bodies of the
        nodes that must be written, by path, and the same by digest for :meth:`adopt`.

        Nothing here has changed before :meth:`adopt`.
        """
        written: dict[bytes, bytes] = {}
        known: dict[bytes, bytes] = {}
        root = self._update(b"", self.root, changes, written, known)
        return root, written, known

    def adopt(self, root: bytes, known: Mapping[bytes, bytes]) -> None:
        """Go over to the root that :meth:`updated` returned, now that its nodes are on disk."""
        self.root = root
        for digest, body in known.items():
            self._remember(digest, body)

    def count(self) -> int:
        """Return how many facts there are, having verified every node. Linear in their number."""
        total, waiting = 0, [(b"", self.root)]
        while waiting:
            path, digest = waiting.pop()
            body = self._body(path, digest)
            if len(path) == DEPTH:
                total += len(body) // ENTRY_SIZE
            else:
                children = _items(body, 1, CHILD_SIZE).items()
                waiting += [(path + step, child) for step, child in children if child]
        return total

    def _update(
        self,
        path: bytes,
        digest: bytes,
        changes: Mapping[bytes, bytes | None],
        written: dict[bytes, bytes],
        known: dict[bytes, bytes],
    ) -> bytes:
        body = self._body(path, digest)
        if len(path) == DEPTH:
            items = _items(body, DIGEST_SIZE, ENTRY_SIZE)
            merged = items | dict(changes)
        else:
            items = _items(body, 1, CHILD_SIZE)
            merged = dict(items)
            groups: dict[bytes, dict[bytes, bytes | None]] = {}
            for place, value in changes.items():
                groups.setdefault(place[len(path) : len(path) + 1], {})[place] = value
            for step, group in groups.items():
                child = self._update(path + step, items.get(step) or NO_NODE, group, written, known)
                merged[step] = None if child == NO_NODE else child
        new = b"".join(key + value for key, value in sorted(merged.items()) if value is not None)
        written[path] = new
        if not new:
            return NO_NODE
        made = self._digest(path, new)
        known[made] = new
        return made

    def _digest(self, path: bytes, body: bytes) -> bytes:
        return self._mac(b"tree node", bytes([len(path)]) + path + body)

    def _body(self, path: bytes, digest: bytes) -> bytes:
        if digest == NO_NODE:
            return b""
        if (body := self._cache.get(digest)) is not None:
            self._cache.move_to_end(digest)
            return body
        found = self._source.node(path)
        if found is None or self._digest(path, found) != digest:
            raise StoreTamperedError(
                "The store's index of what it holds is not what it was",
                got=f"node {path.hex() or 'root'}: {'absent' if found is None else 'another'}",
                cause="rows were changed, added, removed, or put back to an older state",
            )
        self._remember(digest, found)
        return found

    def _remember(self, digest: bytes, body: bytes) -> None:
        self._cache[digest] = body
        if len(self._cache) > _CACHED_NODES:
            self._cache.popitem(last=False)


def _child(body: bytes, step: bytes) -> bytes:
    """Return the digest of an inner node's child, or NO_NODE."""
    # The steps alone: a byte of a digest would be taken for a step eight times in a full node.
    number = body[::CHILD_SIZE].find(step)
    return NO_NODE if number == -1 else body[number * CHILD_SIZE + 1 : (number + 1) * CHILD_SIZE]


def _entry(body: bytes, place: bytes) -> bytes | None:
    """Return the value of a leaf's entry, or None."""
    at = body.find(place)
    while at != -1 and at % ENTRY_SIZE:
        # The bytes of the place, but across two entries.
        at = body.find(place, at + 1)
    return None if at == -1 else body[at + DIGEST_SIZE : at + ENTRY_SIZE]


def _items(body: bytes, key_size: int, stride: int) -> dict[bytes, bytes | None]:
    return {
        body[at : at + key_size]: body[at + key_size : at + stride]
        for at in range(0, len(body), stride)
    }
