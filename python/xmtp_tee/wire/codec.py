"""Between bodies and messages: MessagePack by msgspec, with typed errors for everything that is
wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar, get_args

import msgspec

from xmtp_tee.wire.channel import TAG_SIZE
from xmtp_tee.wire.errors import (
    MessageFieldInvalidError,
    MessageMalformedError,
    MessageTypeUnknownError,
    WireError,
)
from xmtp_tee.wire.frames import HEADER_SIZE, FrameDecoder, encode_frame, require_length
from xmtp_tee.wire.limits import MAX_REPLY_BODY, MAX_REQUEST_BODY
from xmtp_tee.wire.messages import (
    ClientMessage,
    Message,
    Operation,
    Reply,
    Request,
    Result,
    ServerMessage,
)

T = TypeVar("T")


class _Tag(msgspec.Struct):
    type: str


_encoder = msgspec.msgpack.Encoder()
_tag_decoder = msgspec.msgpack.Decoder(_Tag)


class _Union(Generic[T]):
    """A decoder of one union of messages that tells an unknown type from a wrong field."""

    def __init__(self, union: object, what: str) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(union)
        self._tags = {member.__struct_config__.tag for member in get_args(union)}
        self._what = what

    def decode(self, body: bytes | msgspec.Raw) -> T:
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise self._diagnose(body, error) from None
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, OverflowError):
            raise self._malformed(body) from None

    def _diagnose(self, body: bytes | msgspec.Raw, error: msgspec.ValidationError) -> WireError:
        try:
            tag = _tag_decoder.decode(body).type
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, OverflowError):
            return self._malformed(body)
        if tag not in self._tags:
            return MessageTypeUnknownError(
                f"The {self._what} has an unknown type",
                got=repr(tag[:64]),
                expected="one of " + ", ".join(sorted(map(str, self._tags))),
            )
        return MessageFieldInvalidError(
            f"The {self._what} {tag!r} is invalid", got=str(error)[:200]
        )

    def _malformed(self, body: bytes | msgspec.Raw) -> MessageMalformedError:
        return MessageMalformedError(
            f"The {self._what} is malformed",
            got=f"{len(memoryview(body))} bytes that are no such MessagePack map",
            expected="a MessagePack map with a field 'type'",
        )


_client_messages: _Union[ClientMessage] = _Union(ClientMessage, "message")
_server_messages: _Union[ServerMessage] = _Union(ServerMessage, "message")
_operations: _Union[Operation] = _Union(Operation, "operation")
_results: _Union[Result] = _Union(Result, "result")


def encode_request(message: ClientMessage, seal: Callable[[bytes], bytes] | None = None) -> bytes:
    """Return the frame of a message to the enclave. ``seal``: of a protected connection.

    :raises FrameTooLargeError: if it is longer than ``MAX_REQUEST_BODY``.
    """
    body = _encoder.encode(message)
    if seal is None:
        return encode_frame(body, MAX_REQUEST_BODY)
    # Asked before it is sealed: a message that is sealed and not sent would put the channel out of step.
    require_length(len(body) + TAG_SIZE, MAX_REQUEST_BODY)
    return encode_frame(seal(body), MAX_REQUEST_BODY)


def encode(message: ServerMessage) -> bytes:
    """Return the frame of a message from the enclave.

    :raises FrameTooLargeError: if it is longer than ``MAX_REPLY_BODY``.
    """
    return encode_frame(_encoder.encode(message), MAX_REPLY_BODY)


def protected(frame: bytes, seal: Callable[[bytes], bytes]) -> bytes:
    """Return a frame from the enclave as it travels on a protected connection.

    :raises FrameTooLargeError: if it is longer than ``MAX_REPLY_BODY`` then.
    """
    return encode_frame(seal(frame[HEADER_SIZE:]), MAX_REPLY_BODY)


def encode_body(message: Message) -> bytes:
    """Return an operation or a result as it travels inside its envelope."""
    return _encoder.encode(message)


def request(
    request_id: int,
    operation: Operation,
    idempotency_key: str | None = None,
    receipt: bool = False,
) -> Request:
    """Return the envelope of ``operation``."""
    return Request(
        id=request_id,
        operation=msgspec.Raw(_encoder.encode(operation)),
        idempotency_key=idempotency_key,
        receipt=receipt,
    )


def reply(request_id: int, result: Result) -> Reply:
    """Return the envelope of ``result``."""
    return Reply(id=request_id, result=msgspec.Raw(_encoder.encode(result)))


def decode_operation(message: Request) -> Operation:
    """Return a request's operation.

    :raises WireError: MessageTypeUnknownError, MessageFieldInvalidError or MessageMalformedError.
    """
    return _operations.decode(message.operation)


def decode_result(message: Reply) -> Result:
    """Return a reply's result; raises as :func:`decode_operation` does."""
    return _results.decode(message.result)


class _MessageDecoder(Generic[T]):
    def __init__(self, union: _Union[T], limit: int) -> None:
        self._frames = FrameDecoder(limit)
        self._open: Callable[[bytes], bytes] | None = None
        self._union = union
        self._failure: WireError | None = None

    @property
    def pending(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._frames.pending

    @property
    def buffered(self) -> int:
        """Bytes that are held back until the rest comes, or until they are asked for."""
        return self._frames.buffered

    def feed(self, data: bytes) -> Iterator[T]:
        """Take ``data`` in at once, and return an iterator over the messages that are complete.

        The iterator raises a WireError in its turn, after the sound messages in front; then for
        ever.
        """
        self._frames.feed(data)
        return iter(self.next_message, None)

    def next_message(self) -> T | None:
        """Return the next complete message, or None when more bytes are needed."""
        if self._failure is not None:
            raise self._failure
        body = self._frames.next_body()
        if body is None:
            return None
        try:
            return self._union.decode(body if self._open is None else self._open(body))
        except WireError as error:
            self._failure = error
            raise

    def protect(self, open_: Callable[[bytes], bytes]) -> None:
        """Have every further frame opened by ``open_`` first (see ``wire.channel``)."""
        self._open = open_

    def eof(self) -> None:
        """Tell that no more bytes come.

        :raises FrameTruncatedError: if a frame has begun and not ended.
        """
        if self._failure is not None:
            raise self._failure
        self._frames.eof()


class ClientMessageDecoder(_MessageDecoder[ClientMessage]):
    """What the enclave reads: bytes in, ``Hello`` and ``Request`` out."""

    def __init__(self, limit: int = MAX_REQUEST_BODY) -> None:
        super().__init__(_client_messages, limit)


class ServerMessageDecoder(_MessageDecoder[ServerMessage]):
    """What the client reads: bytes in, ``Welcome``, ``Reply`` and ``Failure`` out."""

    def __init__(self, limit: int = MAX_REPLY_BODY) -> None:
        super().__init__(_server_messages, limit)
