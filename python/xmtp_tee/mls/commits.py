"""The content of a commit (RFC 9420, sections 7.6 and 12.4)."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.mls.codec import Reader, opaque, optional, vector
from xmtp_tee.mls.crypto import HpkeCiphertext
from xmtp_tee.mls.errors import UnknownVariantError
from xmtp_tee.mls.leaf_node import LeafNode
from xmtp_tee.mls.proposals import Proposal, decode_proposal, encode_proposal


@dataclass(frozen=True)
class ProposalRef:
    """Names a proposal that was sent before, by its hash."""

    reference: bytes


ProposalOrRef = Proposal | ProposalRef


def _encode_proposal_or_ref(item: ProposalOrRef) -> bytes:
    if isinstance(item, ProposalRef):
        return b"\x02" + opaque(item.reference)
    return b"\x01" + encode_proposal(item)


def _decode_proposal_or_ref(reader: Reader) -> ProposalOrRef:
    match reader.u8():
        case 1:
            return decode_proposal(reader)
        case 2:
            return ProposalRef(reader.opaque())
        case other:
            raise UnknownVariantError("A proposal comes by value (1) or reference (2)", got=other)


@dataclass(frozen=True)
class UpdatePathNode:
    """A new public key of a parent, and the path secret for the others below it."""

    encryption_key: bytes
    encrypted: tuple[HpkeCiphertext, ...]

    @classmethod
    def decode(cls, reader: Reader) -> UpdatePathNode:
        """Read one."""
        return cls(reader.opaque(), reader.vector(HpkeCiphertext.decode))

    def encode(self) -> bytes:
        """Return the bytes."""
        return opaque(self.encryption_key) + vector(each.encode() for each in self.encrypted)


@dataclass(frozen=True)
class UpdatePath:
    """The committer's new leaf, and its filtered direct path from the bottom to the root."""

    leaf: LeafNode
    nodes: tuple[UpdatePathNode, ...]

    @classmethod
    def decode(cls, reader: Reader) -> UpdatePath:
        """Read one."""
        return cls(LeafNode.decode(reader), reader.vector(UpdatePathNode.decode))

    def encode(self) -> bytes:
        """Return the bytes."""
        return self.leaf.encoded + vector(node.encode() for node in self.nodes)


@dataclass(frozen=True)
class Commit:
    """A list of proposals, and the update path that makes the new epoch secret."""

    proposals: tuple[ProposalOrRef, ...]
    path: UpdatePath | None

    @classmethod
    def decode(cls, reader: Reader) -> Commit:
        """Read one."""
        return cls(reader.vector(_decode_proposal_or_ref), reader.optional(UpdatePath.decode))

    def encode(self) -> bytes:
        """Return the bytes."""
        path = None if self.path is None else self.path.encode()
        return vector(map(_encode_proposal_or_ref, self.proposals)) + optional(path)
