"""One epoch of a group as a member sees it, and what becomes of it when it is past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xmtp_tee.mls.errors import SenderUnknownError
from xmtp_tee.mls.key_schedule import EpochSecrets, GroupContext
from xmtp_tee.mls.leaf_node import LeafNode
from xmtp_tee.mls.leaf_rules import Place
from xmtp_tee.mls.ratchet_tree import RatchetTree
from xmtp_tee.mls.secret_tree import RatchetType, SecretTree
from xmtp_tee.mls.tree_kem import PrivateKeys, forget
from xmtp_tee.mls.wiping import wipe


@dataclass(frozen=True)
class Epoch:
    """The current epoch, or the one that a pending commit leads to."""

    context: GroupContext
    tree: RatchetTree = field(repr=False)
    own: int
    keys: PrivateKeys = field(repr=False)
    secrets: EpochSecrets = field(repr=False)
    secret_tree: SecretTree = field(repr=False)
    interim_transcript: bytes = field(repr=False)
    confirmation_tag: bytes = field(repr=False)

    def place(self) -> Place:
        """Return the parameters that leaves must fit."""
        context = self.context
        return Place.of(context.suite, context.group_id, context.extensions)

    def retire(self, successor: Epoch | None) -> PastEpoch:
        """Return what is needed to read late messages, and wipe the rest.

        The resumption secret goes to the caller, who keeps it or wipes it.
        """
        self.secrets.wipe()
        forget(self.keys, successor.keys if successor is not None else {})
        tree = self.secret_tree
        for place in [
            p for p in tree.ratchets if p[1] is RatchetType.HANDSHAKE or p[0] == self.own
        ]:
            tree.ratchets.pop(place).wipe()
        return PastEpoch(
            self.context.epoch,
            self.context.encoded,
            dict(self.tree.members()),
            self.own,
            self.secrets.sender_data,
            tree,
        )

    def discard(self, current: Epoch) -> None:
        """Wipe an epoch that never came, because its commit lost."""
        secrets = self.secrets
        secrets.wipe()
        wipe(secrets.sender_data, secrets.resumption)
        self.secret_tree.wipe()
        forget(self.keys, current.keys)


@dataclass(frozen=True)
class PastEpoch:
    """What it takes to read application messages of a past epoch that come late."""

    epoch: int
    context: bytes = field(repr=False)
    members: Mapping[int, LeafNode] = field(repr=False)
    own: int
    sender_data: bytes = field(repr=False)
    secret_tree: SecretTree = field(repr=False)

    def leaf(self, index: int) -> LeafNode:
        """Return the leaf of a member at that time.

        :raises SenderUnknownError: there was none
        """
        found = self.members.get(index)
        if found is None:
            raise SenderUnknownError("The sender was no member", got=f"leaf {index}")
        return found

    def wipe(self) -> None:
        """Overwrite its secrets: too long past."""
        wipe(self.sender_data)
        self.secret_tree.wipe()
