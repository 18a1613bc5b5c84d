"""From the bytes of a message to an event (RFC 9420, sections 6, 12.1.8 and 12.4.2).

A message that is refused changes nothing: no key is used up, no proposal kept, no epoch entered.
"""

from __future__ import annotations

from collections.abc import Callable

from xmtp_tee.mls.commit_receive import receive_commit
from xmtp_tee.mls.commits import Commit
from xmtp_tee.mls.crypto import ref_hash
from xmtp_tee.mls.epoch import Epoch, PastEpoch
from xmtp_tee.mls.errors import (
    ExternalSenderUnknownError,
    OwnMessageError,
    PathMissingError,
    ProposalSenderError,
    SenderUnknownError,
    TooLargeError,
    WireFormatError,
    WrongEpochError,
    WrongGroupError,
)
from xmtp_tee.mls.events import (
    ApplicationMessage,
    CommitApplied,
    CommitEffect,
    Event,
    ProposalReceived,
)
from xmtp_tee.mls.extensions import external_senders
from xmtp_tee.mls.framing import (
    AuthenticatedContent,
    ContentType,
    FramedContent,
    PrivateMessage,
    PublicMessage,
    SenderType,
)
from xmtp_tee.mls.leaf_node import LeafNode
from xmtp_tee.mls.membership import Membership, Standing
from xmtp_tee.mls.message import decode_message
from xmtp_tee.mls.proposal_rules import Queued, check_proposal
from xmtp_tee.mls.proposals import Add, Proposal, encode_proposal
from xmtp_tee.mls.protection import open_private, open_public, verify_content
from xmtp_tee.mls.psk import PskStore

Review = Callable[[CommitEffect], None]
"""Looks at a valid commit before it is merged, and raises to refuse it."""


def process(
    member: Membership, data: bytes, *, psks: PskStore | None, review: Review | None, now: int
) -> Event:
    """Return what a message brings; see ``Group.process``."""
    if member.pending is not None and data == member.pending.commit:
        return member.merge_own()
    message = decode_message(data, member.config.max_message)
    if not isinstance(message, PublicMessage | PrivateMessage):
        raise WireFormatError("Not a message of a group", got=type(message).__name__)
    group_id = message.group_id if isinstance(message, PrivateMessage) else message.content.group_id
    if group_id != member.epoch.context.group_id:
        raise WrongGroupError("A message of another group", got=group_id.hex()[:64])
    if isinstance(message, PrivateMessage):
        return _process_private(member, message, psks, review, now)
    return _process_public(member, message, psks, review, now)


def _process_private(
    member: Membership,
    message: PrivateMessage,
    psks: PskStore | None,
    review: Review | None,
    now: int,
) -> Event:
    epoch = _epoch_of(member, message)
    if isinstance(epoch, Epoch):
        context, sender_data = epoch.context.encoded, epoch.secrets.sender_data
    else:
        context, sender_data = epoch.context, epoch.sender_data
    tree = epoch.secret_tree
    suite = member.epoch.context.suite
    opened = open_private(suite, message, tree, sender_data, epoch.own)
    index = opened.content.content.sender.index
    try:
        leaf = epoch.leaf(index) if isinstance(epoch, PastEpoch) else _member(epoch, index)
        verify_content(opened.content, context, leaf.signature_key)
        content = opened.content.content
        if isinstance(content.content, bytes):
            event: Event = ApplicationMessage(
                content.epoch,
                index,
                leaf,
                opened.generation,
                content.authenticated_data,
                content.content,
            )
        else:
            event = _handshake(member, opened.content, psks, review, now)
    except Exception:
        tree.discard(opened.advance)
        raise
    if (opened.advance.leaf, opened.advance.kind) in tree.ratchets:
        tree.consume(opened.advance)
    else:  # The epoch is past by this very commit, and its handshake ratchets are gone.
        tree.discard(opened.advance)
    member.counter += 1
    return event


def _epoch_of(member: Membership, message: PrivateMessage) -> Epoch | PastEpoch:
    current = member.epoch
    # Where we were removed, the epoch that was current is past, and no other one follows.
    if message.epoch == current.context.epoch and member.standing is not Standing.REMOVED:
        return current
    if message.content_type is ContentType.APPLICATION:
        for past in member.past:
            if past.epoch == message.epoch:
                return past
    raise WrongEpochError(
        "A message of an epoch that is not current",
        got=message.epoch,
        expected=current.context.epoch,
    )


def _member(epoch: Epoch, index: int) -> LeafNode:
    leaf = epoch.tree.leaf_or_none(index)
    if leaf is None:
        raise SenderUnknownError("The sender is no member", got=f"leaf {index}")
    return leaf


def _process_public(
    member: Membership,
    message: PublicMessage,
    psks: PskStore | None,
    review: Review | None,
    now: int,
) -> Event:
    member.require_active_for_reading()
    epoch, framed = member.epoch, message.content
    if framed.epoch != epoch.context.epoch:
        raise WrongEpochError(
            "A message of an epoch that is not current",
            got=framed.epoch,
            expected=epoch.context.epoch,
        )
    kind = framed.sender.type
    if kind is SenderType.MEMBER and not member.config.accept_public_handshake:
        raise WireFormatError("A member's handshake in clear is not accepted here")
    if kind is SenderType.NEW_MEMBER_PROPOSAL and not member.config.accept_newcomers_proposals:
        raise ProposalSenderError("A newcomer's proposal is not accepted here")
    content = open_public(message, epoch.context.encoded, epoch.secrets.membership)
    verify_content(content, epoch.context.encoded, _signature_key(member, framed))
    if kind is SenderType.MEMBER and framed.sender.index == epoch.own:
        raise OwnMessageError("The message is our own")
    event = _handshake(member, content, psks, review, now)
    member.counter += 1
    return event


def _signature_key(member: Membership, framed: FramedContent) -> bytes:
    """Return the key that must have signed a public message (section 6.1).

    :raises ProposalSenderError, ExternalSenderUnknownError, SenderUnknownError: nobody's could
    """
    epoch, sender, content = member.epoch, framed.sender, framed.content
    match sender.type:
        case SenderType.MEMBER:
            return _member(epoch, sender.index).signature_key
        case SenderType.EXTERNAL:
            senders = external_senders(epoch.context.extensions)
            if sender.index >= len(senders):
                raise ExternalSenderUnknownError("No such external sender", got=sender.index)
            return senders[sender.index].signature_key
        case SenderType.NEW_MEMBER_PROPOSAL:
            if not isinstance(content, Add):
                raise ProposalSenderError("A newcomer may propose its own add only")
            return content.package.leaf.signature_key
        case SenderType.NEW_MEMBER_COMMIT:
            if not isinstance(content, Commit):
                raise ProposalSenderError("A newcomer's commit is no commit")
            if content.path is None:
                raise PathMissingError("An external commit has no update path")
            return content.path.leaf.signature_key


def _handshake(
    member: Membership,
    message: AuthenticatedContent,
    psks: PskStore | None,
    review: Review | None,
    now: int,
) -> ProposalReceived | CommitApplied:
    content = message.content.content
    member.require_active()
    if isinstance(content, Commit):
        return _commit(member, message, content, psks, review, now)
    if isinstance(content, bytes):
        raise WireFormatError("Application data is no handshake")
    return _proposal(member, message, content)


def _proposal(
    member: Membership, message: AuthenticatedContent, proposal: Proposal
) -> ProposalReceived:
    framed, config = message.content, member.config
    if len(member.proposals) >= config.max_kept_proposals:
        raise TooLargeError("Too many proposals in an epoch", got=len(member.proposals))
    kept = (each.proposal for each in member.proposals.values())
    size = sum(len(encode_proposal(each)) for each in (proposal, *kept))
    if size > config.max_kept_bytes:
        raise TooLargeError(
            "The proposals of an epoch are too long",
            got=size,
            expected=f"<= {config.max_kept_bytes}",
        )
    reference = proposal_reference(message)
    queued = Queued(proposal, framed.sender, reference)
    epoch = member.epoch
    check_proposal(queued, epoch.tree, epoch.place(), config)
    member.proposals[reference] = queued
    return ProposalReceived(
        framed.epoch, framed.sender, reference, proposal, framed.authenticated_data
    )


def proposal_reference(message: AuthenticatedContent) -> bytes:
    """Return ProposalRef (32 bytes; section 5.2)."""
    return ref_hash(b"Proposal Reference", message.encode())


def _commit(
    member: Membership,
    message: AuthenticatedContent,
    commit: Commit,
    psks: PskStore | None,
    review: Review | None,
    now: int,
) -> CommitApplied:
    if message.content.sender.type not in (SenderType.MEMBER, SenderType.NEW_MEMBER_COMMIT):
        raise ProposalSenderError("A commit's sender is neither member nor newcomer")
    received = receive_commit(
        member.epoch,
        message,
        commit,
        member.proposals,
        member.own_updates,
        member.psks(psks),
        member.config,
        now,
    )
    if review is not None:
        try:
            review(received.effect)
        except Exception:
            if received.epoch is not None:
                received.epoch.discard(member.epoch)
            raise
    return member.merge(received.effect, received.epoch)
