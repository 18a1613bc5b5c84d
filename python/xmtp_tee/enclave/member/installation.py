"""What is kept of an installation: its inbox, its conversations, the key of its history. One sealed document."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from xmtp_tee.wire.store_faults import StoreTamperedError
from xmtp_tee.xmtp.errors import ProtobufMalformedError, StateTooLargeError
from xmtp_tee.xmtp.protobuf import Message, message, octets, text, uint

MAX_GROUPS: Final = 10_000
"""Conversations of an installation: each takes at most 47 bytes of its record."""

_VERSION: Final = 1


@dataclass(frozen=True)
class Installation:
    """An installation's own record. ``groups``: (group id, the node's id to read on from)."""

    inbox_id: str
    history_key: bytes = field(repr=False)
    groups: tuple[tuple[bytes, int], ...] = ()

    def cursor_of(self, group_id: bytes) -> int:
        """Return the node's id before which nothing of a group can be read."""
        return dict(self.groups).get(group_id, 0)

    def with_group(self, group_id: bytes, cursor: int) -> Installation:
        """Return the record with one more conversation, or with its new place to read on from.

        :raises StateTooLargeError: there are MAX_GROUPS already
        """
        others = tuple(each for each in self.groups if each[0] != group_id)
        if len(others) >= MAX_GROUPS:
            raise StateTooLargeError("An installation has too many conversations", got=len(others))
        return replace(self, groups=(*others, (group_id, cursor)))


@dataclass(frozen=True, kw_only=True)
class _Group(Message):
    group_id: bytes = octets(1)
    cursor: int = uint(2)


@dataclass(frozen=True, kw_only=True)
class _Installation(Message):
    version: int = uint(1)
    inbox_id: str = text(2)
    history_key: bytes = octets(3)
    groups: tuple[_Group, ...] = message(4, _Group, repeated=True)


def encode_installation(installation: Installation) -> bytes:
    """Return the bytes to be sealed."""
    return _Installation(
        version=_VERSION,
        inbox_id=installation.inbox_id,
        history_key=installation.history_key,
        groups=tuple(
            _Group(group_id=group_id, cursor=cursor) for group_id, cursor in installation.groups
        ),
    ).encode()


def decode_installation(data: bytes) -> Installation:
    """Read what :func:`encode_installation` wrote.

    :raises StoreTamperedError: of an unknown version; the seal has vouched for the rest
    """
    try:
        saved = _Installation.decode(data)
    except ProtobufMalformedError as error:
        raise StoreTamperedError("An installation's record cannot be read") from error
    if saved.version != _VERSION:
        raise StoreTamperedError(
            "An installation's record is of another version", got=saved.version, expected=_VERSION
        )
    return Installation(
        inbox_id=saved.inbox_id,
        history_key=saved.history_key,
        groups=tuple((each.group_id, each.cursor) for each in saved.groups),
    )
