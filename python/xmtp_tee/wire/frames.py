"""Frames: a 4-byte big-endian length, then that many bytes. A pure state machine, fed in any
portions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from xmtp_tee.wire.errors import FrameTooLargeError, FrameTruncatedError, WireError

HEADER_SIZE: Final = 4


def encode_frame(body: bytes, limit: int) -> bytes:
    """Return ``body`` with its length in front.

    :raises FrameTooLargeError: if the body is longer than ``limit`` bytes.
    """
    require_length(len(body), limit)
    return len(body).to_bytes(HEADER_SIZE, "big") + body


class FrameDecoder:
    """Cuts a stream of bytes into frame bodies.

    A length above ``limit`` is refused as soon as its four bytes are there: nothing of the body is
    kept. After an error the decoder is out of step for good and raises the same error again.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._failure: WireError | None = None

    @property
    def pending(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._buffer)

    @property
    def buffered(self) -> int:
        """Bytes that are held back."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take ``data`` in at once, and return an iterator over the bodies that are complete.

        The iterator raises FrameTooLargeError in its turn, after the sound frames in front.
        """
        if self._failure is None:
            self._buffer += data
        return iter(self.next_body, None)

    def next_body(self) -> bytes | None:
        """Return the next complete body, or None when more bytes are needed."""
        if self._failure is not None:
            raise self._failure
        if len(self._buffer) < HEADER_SIZE:
            return None
        length = int.from_bytes(self._buffer[:HEADER_SIZE], "big")
        try:
            require_length(length, self._limit)
        except WireError as error:
            self._failure = error
            self._buffer.clear()
            raise
        end = HEADER_SIZE + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[HEADER_SIZE:end])
        del self._buffer[:end]
        return body

    def eof(self) -> None:
        """Tell that no more bytes come.

        :raises FrameTruncatedError: if a frame has begun and not ended.
        """
        if self._failure is not None:
            raise self._failure
        if self._buffer:
            self._failure = FrameTruncatedError(
                "The connection ended inside a frame",
                got=f"{len(self._buffer)} bytes of an incomplete frame",
            )
            raise self._failure


def require_length(length: int, limit: int) -> None:
    """Return if a body of this length may be sent.

    :raises FrameTooLargeError: if it is longer than ``limit`` bytes.
    """
    if length > limit:
        raise FrameTooLargeError(
            "The frame is too large", got=f"{length} bytes", expected=f"at most {limit} bytes"
        )
