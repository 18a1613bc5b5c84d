"""The answers to the last page of a conversation's messages, kept until the next page is read.

A message's key is gone once its state is saved. A host that dies before it has written the answer down asks
again, and gets the same answer out of this. It lies in a document of its own, written in the same change of
the store as the conversation's state, so both are of one moment whatever is rolled back or torn.

Content is not in it: a message is kept as it was sealed for the host's database (``history``), and opened anew
for whoever is allowed to ask.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Final, TypeAlias

import msgspec

from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.store_faults import StoreTamperedError

Answer: TypeAlias = wire.XmtpEvent | wire.XmtpRefused

_VERSION: Final = 1


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """``digest``: SHA-256 of the message."""

    message_id: int
    digest: bytes
    answer: Answer


class LastPage(msgspec.Struct, frozen=True, array_like=True):
    """What was said of the messages of the last page, in their order."""

    version: int
    answers: tuple[_Kept, ...]

    @classmethod
    def of(cls, messages: Sequence[wire.XmtpIncoming], answers: Sequence[Answer]) -> LastPage:
        """Return the page of these messages, and of the answers to the first of them."""
        return cls(
            _VERSION,
            tuple(
                _Kept(each.message_id, _digest(each), _without_content(answer))
                for each, answer in zip(messages, answers, strict=False)
            ),
        )

    def repeated(
        self, messages: Sequence[wire.XmtpIncoming], content_of: Callable[[bytes], bytes]
    ) -> tuple[Answer, ...]:
        """Return the answers to as many of the first messages as were in the page, one behind the other.

        ``content_of``: opens a sealed message.
        """
        ids = [each.message_id for each in self.answers]
        if messages[0].message_id not in ids:
            return ()
        behind = self.answers[ids.index(messages[0].message_id) :]
        pairs = zip(behind, messages, strict=False)
        return tuple(
            _with_content(kept.answer, content_of)
            for kept, _ in takewhile(lambda pair: _is_of(*pair), pairs)
        )

    def encode(self) -> bytes:
        """Return the bytes to be sealed."""
        return _encoder.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> LastPage:
        """Read what :meth:`encode` wrote.

        :raises StoreTamperedError: of an unknown version; the seal has vouched for the rest
        """
        try:
            page = _decoder.decode(data)
        except msgspec.DecodeError as error:
            raise StoreTamperedError("A conversation's last page cannot be read") from error
        if page.version != _VERSION:
            raise StoreTamperedError(
                "A conversation's last page is of another version",
                got=page.version,
                expected=_VERSION,
            )
        return page


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(LastPage)


def _digest(message: wire.XmtpIncoming) -> bytes:
    return hashlib.sha256(message.message).digest()


def _is_of(kept: _Kept, message: wire.XmtpIncoming) -> bool:
    return (kept.message_id, kept.digest) == (message.message_id, _digest(message))


def _without_content(answer: Answer) -> Answer:
    if isinstance(answer, wire.XmtpEvent) and answer.sealed:
        return msgspec.structs.replace(answer, content=b"")
    return answer


def _with_content(answer: Answer, content_of: Callable[[bytes], bytes]) -> Answer:
    if isinstance(answer, wire.XmtpEvent) and answer.sealed:
        return msgspec.structs.replace(answer, content=content_of(answer.sealed))
    return answer
