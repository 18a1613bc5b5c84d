"""What comes out of a message that was processed."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.mls.extensions import Extensions
from xmtp_tee.mls.framing import Sender
from xmtp_tee.mls.intents import CommitIntent
from xmtp_tee.mls.leaf_node import LeafNode
from xmtp_tee.mls.proposal_rules import Queued
from xmtp_tee.mls.proposals import Proposal, ReInit
from xmtp_tee.mls.psk import PskId


@dataclass(frozen=True)
class ApplicationMessage:
    """Application data from a member, of the current epoch or of a past one."""

    epoch: int
    sender: int
    leaf: LeafNode
    generation: int
    authenticated_data: bytes
    data: bytes


@dataclass(frozen=True)
class ProposalReceived:
    """A proposal that waits for a commit."""

    epoch: int
    sender: Sender
    reference: bytes
    proposal: Proposal
    authenticated_data: bytes


@dataclass(frozen=True)
class CommitEffect:
    """What a commit changes. Reviews see it before it is merged."""

    epoch: int
    """The new epoch."""
    committer: int
    committer_leaf: LeafNode
    """The committer's leaf as it was before; an external committer's new one."""
    external: bool
    proposals: tuple[Queued, ...]
    added: tuple[tuple[int, LeafNode], ...]
    removed: tuple[tuple[int, LeafNode], ...]
    updated: tuple[tuple[int, LeafNode, LeafNode], ...]
    """(leaf index, old, new) of members whose leaves change, the committer's included."""
    extensions_before: Extensions
    extensions: Extensions
    psks: tuple[PskId, ...]
    reinit: ReInit | None
    authenticated_data: bytes


@dataclass(frozen=True)
class CommitApplied:
    """A commit that was merged."""

    effect: CommitEffect
    own: bool
    """Whether it is our own commit that came back."""
    removed_us: bool
    lost: CommitIntent | None
    """The intent of our own pending commit that this one has overtaken: commit it again."""


Event = ApplicationMessage | ProposalReceived | CommitApplied
