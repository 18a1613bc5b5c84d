"""What XMTP's rules are asked about a commit: taken from what MLS has verified, or from what we are about to make."""

from __future__ import annotations

from collections.abc import Mapping

from xmtp_tee.mls.events import CommitEffect
from xmtp_tee.mls.extensions import Extensions
from xmtp_tee.mls.framing import SenderType
from xmtp_tee.mls.intents import CommitIntent
from xmtp_tee.mls.leaf_node import LeafNode
from xmtp_tee.mls.proposals import Add, GroupContextExtensions, Proposal, Remove, Update
from xmtp_tee.xmtp.commit_rules import CommitFacts, Participant, ProposalFact, ProposalKind
from xmtp_tee.xmtp.errors import CommitRefusedError
from xmtp_tee.xmtp.group_terms import state_of
from xmtp_tee.xmtp.key_packages import participant_of

Leaves = Mapping[int, LeafNode]
"""A group's members by leaf index."""


def received(effect: CommitEffect, before: Leaves) -> CommitFacts:
    """Return the facts of a commit that MLS has verified. ``before``: who was in the group.

    :raises CommitRefusedError: it is external, or a proposal comes from no member
    :raises GroupStateInvalidError: the group's context is none of XMTP's after it
    """
    if effect.external:
        raise CommitRefusedError("XMTP's groups take no external commits")
    members = _participants(before)
    proposals = []
    for queued in effect.proposals:
        # Of other senders the index is no leaf: it would make them the member at that place.
        is_member = queued.sender.type is SenderType.MEMBER
        proposer = members.get(queued.sender.index) if is_member else None
        if proposer is None:
            raise CommitRefusedError("A proposal comes from no member")
        proposals.append(_fact(queued.proposal, proposer, members))
    return CommitFacts(
        actor=participant_of(effect.committer_leaf),
        proposals=tuple(proposals),
        before=state_of(effect.extensions_before),
        after=state_of(effect.extensions),
        installations=_installations(members),
    )


def planned(
    intent: CommitIntent, leaves: Leaves, own_leaf: int, context: Extensions
) -> CommitFacts:
    """Return what our own commit will be for those who judge it."""
    members = _participants(leaves)
    own = members[own_leaf]
    return CommitFacts(
        actor=own,
        proposals=(
            *(
                ProposalFact(ProposalKind.ADD, own, participant_of(package.leaf))
                for package in intent.add
            ),
            *(ProposalFact(ProposalKind.REMOVE, own, members[index]) for index in intent.remove),
            ProposalFact(ProposalKind.GROUP_CONTEXT, own),
        ),
        before=state_of(context),
        after=state_of(intent.extensions or context),
        installations=_installations(members),
    )


def _fact(
    proposal: Proposal, proposer: Participant, members: Mapping[int, Participant]
) -> ProposalFact:
    match proposal:
        case Add():
            return ProposalFact(ProposalKind.ADD, proposer, participant_of(proposal.package.leaf))
        case Remove():
            return ProposalFact(ProposalKind.REMOVE, proposer, members[proposal.removed])
        case Update():
            return ProposalFact(ProposalKind.UPDATE, proposer, participant_of(proposal.leaf))
        case GroupContextExtensions():
            return ProposalFact(ProposalKind.GROUP_CONTEXT, proposer)
        case _:
            return ProposalFact(ProposalKind.OTHER, proposer)


def _participants(leaves: Leaves) -> dict[int, Participant]:
    return {index: participant_of(leaf) for index, leaf in leaves.items()}


def _installations(members: Mapping[int, Participant]) -> frozenset[bytes]:
    return frozenset(member.installation for member in members.values())
