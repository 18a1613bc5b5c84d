"""The secret tree and its ratchets: one key per message (RFC 9420, sections 9 to 9.2).

A key is deleted as soon as it has been used. Keys of messages that have not come yet are kept, up
to a limit; further ahead than another limit nothing is derived.

Looking a key up changes nothing: a forged message must not use up the key of the genuine one. The
caller first opens and verifies, then calls :meth:`SecretTree.consume`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from xmtp_tee.mls import tree_math as at
from xmtp_tee.mls.crypto import derive_tree_secret, expand_with_label
from xmtp_tee.mls.errors import GenerationTooFarError, LeafIndexError, MessageReplayedError
from xmtp_tee.mls.suites import HASH_SIZE, NONCE_SIZE, CipherSuite
from xmtp_tee.mls.wiping import wipe, wipe_all


class RatchetType(IntEnum):
    """Proposals and commits have one ratchet, application data another."""

    HANDSHAKE = 0
    APPLICATION = 1


MessageKey = tuple[bytes, bytes]
"""(AEAD key, nonce) of one message."""


@dataclass
class Ratchet:
    """A sender's hash ratchet: the next generation's secret, and keys that were skipped."""

    secret: bytes = field(repr=False)
    generation: int = 0
    skipped: dict[int, MessageKey] = field(default_factory=dict, repr=False)

    def step(self, suite: CipherSuite) -> MessageKey:
        """Return the key of the current generation and go on to the next."""
        key = derive_tree_secret(self.secret, b"key", self.generation, suite.key_size)
        nonce = derive_tree_secret(self.secret, b"nonce", self.generation, NONCE_SIZE)
        new = derive_tree_secret(self.secret, b"secret", self.generation, HASH_SIZE)
        self.secret = new
        self.generation += 1
        return key, nonce

    def wipe(self) -> None:
        """Overwrite everything."""
        wipe(self.secret)
        for key, nonce in self.skipped.values():
            wipe(key, nonce)


@dataclass(frozen=True)
class Advance:
    """A key that was looked up, and what becomes of its ratchet when it is consumed."""

    leaf: int
    kind: RatchetType
    generation: int
    key: MessageKey = field(repr=False)
    passed: tuple[MessageKey, ...] = field(repr=False)
    next_secret: bytes | None = field(repr=False)


class SecretTree:
    """All senders' ratchets of one epoch, derived when they are first needed."""

    def __init__(
        self,
        suite: CipherSuite,
        capacity: int,
        encryption_secret: bytes,
        max_ahead: int,
        max_skipped: int,
    ) -> None:
        self._suite = suite
        self._capacity = capacity
        self._max_ahead = max_ahead
        self._max_skipped = max_skipped
        self.nodes: dict[int, bytes] = {at.root(capacity): encryption_secret}
        self.ratchets: dict[tuple[int, RatchetType], Ratchet] = {}

    def __repr__(self) -> str:
        return f"<SecretTree of {self._capacity}, {len(self.ratchets)} ratchets>"

    @property
    def capacity(self) -> int:
        """The number of leaves."""
        return self._capacity

    def _ratchet(self, leaf: int, kind: RatchetType) -> Ratchet:
        found = self.ratchets.get((leaf, kind))
        if found is None:
            self._derive_leaf(leaf)
            found = self.ratchets[leaf, kind]
        return found

    def _derive_leaf(self, leaf: int) -> None:
        """Derive a leaf's two ratchets and delete the secrets on the way."""
        if not 0 <= leaf < self._capacity:
            raise LeafIndexError("The sender is outside the tree", got=leaf)
        node = 2 * leaf
        below = []
        while node not in self.nodes:
            below.append(node)
            node = at.parent(node)
        for child in reversed(below):
            secret = self.nodes.pop(node)
            for each, label in ((at.left(node), b"left"), (at.right(node), b"right")):
                self.nodes[each] = expand_with_label(secret, b"tree", label, HASH_SIZE)
            wipe(secret)
            node = child
        secret = self.nodes.pop(2 * leaf)
        for kind, label in (
            (RatchetType.HANDSHAKE, b"handshake"),
            (RatchetType.APPLICATION, b"application"),
        ):
            self.ratchets[leaf, kind] = Ratchet(expand_with_label(secret, label, b"", HASH_SIZE))
        wipe(secret)

    def next_key(self, leaf: int, kind: RatchetType) -> tuple[int, MessageKey]:
        """Return (generation, key) for our own next message, and forget it."""
        ratchet = self._ratchet(leaf, kind)
        generation, old = ratchet.generation, ratchet.secret
        key = ratchet.step(self._suite)
        wipe(old)
        return generation, key

    def look_up(self, leaf: int, kind: RatchetType, generation: int) -> Advance:
        """Return the key of a message, and change nothing.

        :raises LeafIndexError: no such leaf
        :raises MessageReplayedError: the key has been used, or dropped because of the limit
        :raises GenerationTooFarError: further ahead than the limit
        """
        ratchet = self._ratchet(leaf, kind)
        if generation < ratchet.generation:
            kept = ratchet.skipped.get(generation)
            if kept is None:
                raise MessageReplayedError(
                    "A message's key has been used or dropped", got=f"generation {generation}"
                )
            return Advance(leaf, kind, generation, kept, (), None)
        if generation - ratchet.generation > self._max_ahead:
            raise GenerationTooFarError(
                "A message is too far ahead",
                got=generation,
                expected=f"<= {ratchet.generation + self._max_ahead}",
            )
        trial = Ratchet(ratchet.secret, ratchet.generation)
        passed = []
        for _ in range(generation - ratchet.generation):
            previous = trial.secret
            passed.append(trial.step(self._suite))
            if previous is not ratchet.secret:
                wipe(previous)
        previous = trial.secret
        key = trial.step(self._suite)
        if previous is not ratchet.secret:
            wipe(previous)
        return Advance(leaf, kind, generation, key, tuple(passed), trial.secret)

    def consume(self, advance: Advance) -> None:
        """Delete a key that has been used; keep those that were passed, up to the limit of all senders."""
        ratchet = self.ratchets[advance.leaf, advance.kind]
        if advance.next_secret is None:
            ratchet.skipped.pop(advance.generation, None)
        else:
            for offset, key in enumerate(advance.passed):
                ratchet.skipped[ratchet.generation + offset] = key
            wipe(ratchet.secret)
            ratchet.secret = advance.next_secret
            ratchet.generation = advance.generation + 1
            if advance.passed:
                self._drop_oldest()
        wipe(*advance.key)

    def _drop_oldest(self) -> None:
        """Drop keys over the limit from whoever has skipped most: nobody crowds the others out."""
        ratchets = self.ratchets.values()
        for _ in range(sum(len(each.skipped) for each in ratchets) - self._max_skipped):
            skipped = max((each.skipped for each in ratchets), key=len)
            wipe(*skipped.pop(min(skipped)))

    def discard(self, advance: Advance) -> None:
        """Overwrite what was derived for a message that turned out to be forged."""
        if advance.next_secret is not None:
            wipe(advance.next_secret, *advance.key)
            for key, nonce in advance.passed:
                wipe(key, nonce)

    def wipe(self) -> None:
        """Overwrite everything: the epoch is over."""
        wipe_all(self.nodes.values())
        for ratchet in self.ratchets.values():
            ratchet.wipe()
        self.nodes.clear()
        self.ratchets.clear()
