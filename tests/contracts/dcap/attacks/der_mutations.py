"""Bends DER: every value of a certificate or CRL moved, doubled, re-encoded or cut, lengths put right or wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

CONSTRUCTED = 0x20
OCTET_STRING = 0x04


@dataclass
class Node:
    """One DER value: either ``content``, or what it contains. ``start`` and ``stop`` are where it lay."""

    tag: int
    start: int
    stop: int
    content: bytes = b""
    children: list[Node] | None = None
    raw: bytes | None = field(default=None, repr=False)

    def encode(self) -> bytes:
        """The value with minimal lengths, unless ``raw`` replaces all of it."""
        if self.raw is not None:
            return self.raw
        if self.children is None:
            return bytes([self.tag]) + length(len(self.content)) + self.content
        body = b"".join(child.encode() for child in self.children)
        return bytes([self.tag]) + length(len(body)) + body

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children or ():
            yield from child.walk()


def length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def header(der: bytes, offset: int) -> tuple[int, int, int]:
    """Tag, start and stop of the content of the value at ``offset``; ValueError when it does not fit."""
    if offset + 2 > len(der):
        raise ValueError("truncated")
    tag, first = der[offset], der[offset + 1]
    start = offset + 2
    if first >= 0x80:
        size = first - 0x80
        if not 1 <= size <= 3 or start + size > len(der):
            raise ValueError("length")
        first = int.from_bytes(der[start : start + size], "big")
        start += size
    if start + first > len(der):
        raise ValueError("truncated")
    return tag, start, start + first


def parse(der: bytes, offset: int = 0, limit: int | None = None) -> Node:
    """Read the value at ``offset`` and all inside it, extension values in OCTET STRINGs included.

    What cannot be read as values is left as bytes; only the outermost value must fit (ValueError).
    """
    tag, start, stop = header(der[:limit], offset)
    node = Node(tag, offset, stop, der[start:stop])
    if tag & CONSTRUCTED or tag == OCTET_STRING:
        try:
            node.children = _inside(der, start, stop)
        except ValueError:
            node.children = None
        if tag == OCTET_STRING and not node.children:
            node.children = None
    return node


def _inside(der: bytes, start: int, stop: int) -> list[Node]:
    children = []
    while start < stop:
        child = parse(der, start, stop)
        children.append(child)
        start = child.stop
    return children


def flip(der: bytes, chance: random.Random) -> bytes:
    position = chance.randrange(len(der))
    bent = bytearray(der)
    bent[position] ^= 1 << chance.randrange(8)
    return bytes(bent)


def overwrite(der: bytes, chance: random.Random) -> bytes:
    position = chance.randrange(len(der))
    bent = bytearray(der)
    bent[position] = chance.randrange(256)
    return bytes(bent)


def cut_or_grow(der: bytes, chance: random.Random) -> bytes:
    """A byte too few or too many, lengths as they were."""
    position = chance.randrange(len(der) + 1)
    if position < len(der) and chance.random() < 0.5:
        return der[:position] + der[position + 1 :]
    return der[:position] + bytes([chance.choice((0, 1, 0x30, 0xFF))]) + der[position:]


def truncate(der: bytes, chance: random.Random) -> bytes:
    return der[: chance.randrange(len(der))]


def restructure(der: bytes, chance: random.Random) -> bytes:
    """One value changed with the lengths around it put right, so that only this value's own rule is broken."""
    tree = parse(der)
    parents = [node for node in tree.walk() if node.children]
    parent = chance.choice(parents)
    assert parent.children is not None
    index = chance.randrange(len(parent.children))
    child = parent.children[index]
    kind = chance.randrange(11)
    if kind == 0:
        del parent.children[index]
    elif kind == 1:
        parent.children.insert(index, child)
    elif kind == 2:
        other = chance.randrange(len(parent.children))
        parent.children[index], parent.children[other] = parent.children[other], child
    elif kind == 3:
        child.raw = bytes([chance.randrange(256)]) + child.encode()[1:]
    elif kind == 4:
        # The long form of a length that needs none, or one octet more than it needs.
        body = child.encode()
        start = header(body, 0)[1]
        size = len(body) - start
        octets = size.to_bytes((size.bit_length() + 7) // 8 or 1, "big")
        padded = octets if size < 0x80 else b"\0" + octets
        child.raw = body[:1] + bytes([0x80 | len(padded)]) + padded + body[start:]
    elif kind == 5:
        body = child.encode()
        child.raw = body[:1] + b"\x80" + body[header(body, 0)[1] :] + b"\0\0"
    elif kind == 6:
        _set(child, b"\0" + _content(child))
    elif kind == 7:
        _set(child, _content(child) + bytes([chance.choice((0, 5, 0xFF))]))
    elif kind == 8:
        _set(child, b"")
    elif kind == 9:
        _set(child, chance.randbytes(chance.randrange(1, 24)))
    else:
        # A value from elsewhere in the same file takes its place.
        child.raw = chance.choice(list(tree.walk())).encode()
    return tree.encode()


def _content(node: Node) -> bytes:
    body = node.encode()
    return body[header(body, 0)[1] :]


def _set(node: Node, content: bytes) -> None:
    node.raw = bytes([node.tag]) + length(len(content)) + content


MUTATORS = (flip, overwrite, cut_or_grow, truncate, *((restructure,) * 6))


def mutate(der: bytes, chance: random.Random) -> bytes:
    """A bent copy."""
    return chance.choice(MUTATORS)(der, chance)
