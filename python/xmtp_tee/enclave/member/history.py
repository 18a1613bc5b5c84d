"""Messages sealed for the host's database, which holds ciphertext only.

ChaCha20-Poly1305 under a key of the installation that never leaves; the group id is associated data, so no
message can be shown in another conversation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from xmtp_tee.wire.refusals import CiphertextInvalidError
from xmtp_tee.xmtp.commit_rules import Participant
from xmtp_tee.xmtp.protobuf import Message, octets, text, uint

_LABEL: Final = b"xmtp-tee/history/v1"
_NONCE: Final = 12


@dataclass(frozen=True, slots=True)
class HistoryMessage:
    """A message as it was received or sent. ``sent_ns``: the node's time, or ours for our own."""

    message_id: bytes
    sender: Participant
    sent_ns: int
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class _Saved(Message):
    message_id: bytes = octets(1)
    inbox_id: str = text(2)
    installation: bytes = octets(3)
    sent_ns: int = uint(4)
    content: bytes = octets(5)


def seal_message(key: bytes, group_id: bytes, message: HistoryMessage, nonce: bytes) -> bytes:
    """Return a message sealed for the host. ``nonce``: 12 fresh random bytes."""
    saved = _Saved(
        message_id=message.message_id,
        inbox_id=message.sender.inbox_id,
        installation=message.sender.installation,
        sent_ns=message.sent_ns,
        content=message.content,
    )
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, saved.encode(), _LABEL + group_id)


def open_message(key: bytes, group_id: bytes, sealed: bytes) -> HistoryMessage:
    """Open what :func:`seal_message` gave.

    :raises CiphertextInvalidError: it is of another installation or conversation, or damaged
    """
    try:
        plain = ChaCha20Poly1305(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], _LABEL + group_id)
    except (InvalidTag, ValueError) as error:
        raise CiphertextInvalidError("A sealed message does not open here") from error
    saved = _Saved.decode(plain)
    return HistoryMessage(
        saved.message_id,
        Participant(saved.inbox_id, saved.installation),
        saved.sent_ns,
        saved.content,
    )
