"""A conversation's saved state: the MLS group's, and what our pending commit owes. Secret; sealed by the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from xmtp_tee.xmtp.commit_rules import Participant
from xmtp_tee.xmtp.conversation_events import Welcoming
from xmtp_tee.xmtp.errors import (
    GroupStateInvalidError,
    ProtobufMalformedError,
    StateTooLargeError,
)
from xmtp_tee.xmtp.protobuf import Message, boolean, message, octets, prefix_of, text, uint

MAX_STATE: Final = 4 << 20
"""Bytes of a saved conversation."""

_VERSION: Final = 1
_GROUP: Final = 2
"""The number of the group's field."""


@dataclass(frozen=True, slots=True)
class SavedConversation:
    """What is saved. ``impostors``: with the newest epoch in which each was a member.
    ``dropped``: hashes of commits of ours, of this epoch.
    """

    group: bytes = field(repr=False)
    welcoming: tuple[Welcoming, ...]
    renew_first: bool
    impostors: Mapping[Participant, int]
    dropped: frozenset[bytes]


@dataclass(frozen=True, kw_only=True)
class _Welcoming(Message):
    installation: bytes = octets(1)
    wrapper_key: bytes = octets(2)
    wrapper_algorithm: int = uint(3)
    reads_pointers: bool = boolean(4)


@dataclass(frozen=True, kw_only=True)
class _Impostor(Message):
    inbox_id: str = text(1)
    installation: bytes = octets(2)
    epoch: int = uint(3)


@dataclass(frozen=True, kw_only=True)
class _Saved(Message):
    version: int = uint(1)
    group: bytes = octets(_GROUP)
    renew_first: bool = boolean(3)
    welcome: bytes = octets(4)
    welcoming: tuple[_Welcoming, ...] = message(5, _Welcoming, repeated=True)
    impostors: tuple[_Impostor, ...] = message(6, _Impostor, repeated=True)
    dropped: tuple[bytes, ...] = octets(7, repeated=True)


def encode(saved: SavedConversation) -> bytes:
    """Return the bytes: one object, the caller's to wipe. One commit makes one welcome, so it is saved once.

    :raises StateTooLargeError: more than MAX_STATE
    """
    rest = _Saved(
        version=_VERSION,
        renew_first=saved.renew_first,
        welcome=saved.welcoming[0].welcome if saved.welcoming else b"",
        welcoming=tuple(
            _Welcoming(
                installation=each.installation,
                wrapper_key=each.wrapper_key,
                wrapper_algorithm=each.wrapper_algorithm,
                reads_pointers=each.reads_pointers,
            )
            for each in saved.welcoming
        ),
        impostors=tuple(
            _Impostor(inbox_id=each.inbox_id, installation=each.installation, epoch=epoch)
            for each, epoch in saved.impostors.items()
        ),
        dropped=tuple(sorted(saved.dropped)),
    ).encode()
    prefix = prefix_of(_GROUP, len(saved.group))
    size = len(rest) + len(prefix) + len(saved.group)
    if size > MAX_STATE:
        raise StateTooLargeError(
            "A conversation's state would be too large",
            got=f"{size} bytes",
            expected=f"at most {MAX_STATE}",
        )
    # The group's state is long and secret, so it is copied once, and not by the encoder.
    return b"".join((rest, prefix, saved.group))


def decode(data: bytes) -> SavedConversation:
    """Return what :func:`encode` wrote. Its ``group`` is the caller's to wipe.

    :raises GroupStateInvalidError: damaged, or of an unknown version
    """
    try:
        saved = _Saved.decode(data)
    except ProtobufMalformedError as error:
        raise GroupStateInvalidError("A saved conversation cannot be read") from error
    if saved.version != _VERSION:
        raise GroupStateInvalidError(
            "A conversation was saved in an unknown version", got=saved.version, expected=_VERSION
        )
    return SavedConversation(
        saved.group,
        tuple(
            Welcoming(
                each.installation,
                each.wrapper_key,
                each.wrapper_algorithm,
                each.reads_pointers,
                saved.welcome,
            )
            for each in saved.welcoming
        ),
        saved.renew_first,
        {Participant(each.inbox_id, each.installation): each.epoch for each in saved.impostors},
        frozenset(saved.dropped),
    )
