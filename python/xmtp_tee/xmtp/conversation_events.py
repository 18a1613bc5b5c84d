"""What comes out of a conversation, and what goes into changing its members."""

from __future__ import annotations

from dataclasses import dataclass, field

from xmtp_tee.xmtp.commit_rules import Participant, ValidatedCommit
from xmtp_tee.xmtp.errors import XmtpDataError
from xmtp_tee.xmtp.key_packages import PeerKeyPackage


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """An application message of a member."""

    sender: Participant
    message_id: bytes
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """A message that is not shown, although the state has changed: a member's, which was genuine MLS, so that its
    key is used up; or a commit of ours that was dropped, and has won.
    """

    error: XmtpDataError


@dataclass(frozen=True, slots=True)
class GroupChanged:
    """A commit that was applied. ``lost``: a commit of our own that it has overtaken is gone."""

    commit: ValidatedCommit
    own: bool
    removed_us: bool
    lost: bool
    welcomes: tuple[Welcoming, ...] = ()


@dataclass(frozen=True, slots=True)
class Welcoming:
    """A welcome that our own commit, which has won, owes to an installation. ``wrapper_key``: the public key
    that it is wrapped to, by which the installation finds the key package that was used.
    """

    installation: bytes
    wrapper_key: bytes
    wrapper_algorithm: int
    reads_pointers: bool
    welcome: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Nothing:
    """A message that brings nothing to show: our own one that comes back, a proposal, or what a user's own
    devices tell each other.
    """


ConversationEvent = MessageReceived | MessageRefused | GroupChanged | Nothing


@dataclass(frozen=True, slots=True)
class NewMembers:
    """Whom to bring in, or whose new installations: the inbox, up to which update its log counts, the key
    packages of its installations, and those for which there is none that can be used.
    """

    inbox_id: str
    sequence_id: int
    packages: tuple[PeerKeyPackage, ...]
    failed: tuple[bytes, ...] = ()
