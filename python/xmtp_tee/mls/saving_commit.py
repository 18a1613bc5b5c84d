"""The parts of a saved state that describe our own pending commit: its intent and its effect."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.mls.codec import Reader, opaque, optional, u8, u32, vector
from xmtp_tee.mls.errors import StateCorruptError
from xmtp_tee.mls.events import CommitEffect
from xmtp_tee.mls.extensions import Extensions, decode_extensions, encode_extensions
from xmtp_tee.mls.framing import Sender
from xmtp_tee.mls.intents import CommitIntent
from xmtp_tee.mls.key_package import KeyPackage
from xmtp_tee.mls.key_schedule import GroupContext
from xmtp_tee.mls.proposal_rules import Queued
from xmtp_tee.mls.proposals import (
    AppDataUpdate,
    PreSharedKey,
    ReInit,
    decode_proposal,
    encode_proposal,
)
from xmtp_tee.mls.psk import decode_psk_id
from xmtp_tee.mls.ratchet_tree import RatchetTree


def _optional_extensions(extensions: Extensions | None) -> bytes:
    return optional(None if extensions is None else encode_extensions(extensions))


def encode_intent(intent: CommitIntent) -> bytes:
    """Return an intent's bytes."""
    return b"".join(
        (
            vector(package.encoded for package in intent.add),
            vector(map(u32, intent.remove)),
            _optional_extensions(intent.extensions),
            vector(encode_proposal(update) for update in intent.app_data),
            vector(psk.encode() for psk in intent.psks),
            optional(None if intent.reinit is None else encode_proposal(intent.reinit)),
            u8(intent.with_pending | intent.path << 1 | intent.tree_in_welcome << 2),
            _optional_extensions(intent.leaf_extensions),
            opaque(intent.authenticated_data),
        )
    )


def decode_intent(reader: Reader) -> CommitIntent:
    """Read an intent."""
    add, remove = reader.vector(KeyPackage.decode), reader.vector(Reader.u32)
    extensions = reader.optional(decode_extensions)
    app_data = []
    for each in reader.vector(decode_proposal):
        if not isinstance(each, AppDataUpdate):
            raise StateCorruptError("A saved intent's update of application data")
        app_data.append(each)
    psks = reader.vector(decode_psk_id)
    reinit = reader.optional(decode_proposal)
    if reinit is not None and not isinstance(reinit, ReInit):
        raise StateCorruptError("A saved intent's reinitialisation")
    flags = reader.u8()
    return CommitIntent(
        add=add,
        remove=remove,
        extensions=extensions,
        app_data=tuple(app_data),
        psks=psks,
        reinit=reinit,
        with_pending=bool(flags & 1),
        path=bool(flags & 2),
        leaf_extensions=reader.optional(decode_extensions),
        authenticated_data=reader.opaque(),
        tree_in_welcome=bool(flags & 4),
    )


@dataclass(frozen=True)
class SavedEffect:
    """An effect without what the trees before and after it tell."""

    proposals: tuple[Queued, ...]
    added: tuple[int, ...]
    removed: tuple[int, ...]
    updated: tuple[int, ...]
    authenticated_data: bytes

    def effect(
        self,
        before: GroupContext,
        old: RatchetTree,
        after: GroupContext,
        new: RatchetTree,
        committer: int,
    ) -> CommitEffect:
        """Return the effect of our own commit."""
        proposals = [each.proposal for each in self.proposals]
        return CommitEffect(
            epoch=after.epoch,
            committer=committer,
            committer_leaf=old.leaf(committer),
            external=False,
            proposals=self.proposals,
            added=tuple((index, new.leaf(index)) for index in self.added),
            removed=tuple((index, old.leaf(index)) for index in self.removed),
            updated=tuple((index, old.leaf(index), new.leaf(index)) for index in self.updated),
            extensions_before=before.extensions,
            extensions=after.extensions,
            psks=tuple(each.psk for each in proposals if isinstance(each, PreSharedKey)),
            reinit=next((each for each in proposals if isinstance(each, ReInit)), None),
            authenticated_data=self.authenticated_data,
        )


def encode_effect(effect: CommitEffect) -> bytes:
    """Return the bytes of what is saved of an effect."""
    return b"".join(
        (
            vector(
                optional(None if each.reference is None else opaque(each.reference))
                + each.sender.encode()
                + encode_proposal(each.proposal)
                for each in effect.proposals
            ),
            vector(u32(index) for index, _ in effect.added),
            vector(u32(index) for index, _ in effect.removed),
            vector(u32(index) for index, _, _ in effect.updated),
            opaque(effect.authenticated_data),
        )
    )


def decode_effect(reader: Reader) -> SavedEffect:
    """Read what was saved of an effect."""
    return SavedEffect(
        reader.vector(_decode_queued),
        reader.vector(Reader.u32),
        reader.vector(Reader.u32),
        reader.vector(Reader.u32),
        reader.opaque(),
    )


def _decode_queued(reader: Reader) -> Queued:
    reference, sender = reader.optional(Reader.opaque), Sender.decode(reader)
    return Queued(decode_proposal(reader), sender, reference)
