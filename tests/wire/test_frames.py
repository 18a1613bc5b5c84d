"""Frames: any portions give the same bodies; what is too large or cut off is refused, typed."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.wire.errors import FrameTooLargeError, FrameTruncatedError
from xmtp_tee.wire.frames import FrameDecoder, encode_frame

LIMIT = 64
bodies = st.lists(st.binary(max_size=LIMIT), max_size=8)


def portions(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(bodies, st.lists(st.integers(0, 600), max_size=12))
def test_decoder_when_fed_in_any_portions_gives_the_same_bodies(
    sent: list[bytes], cuts: list[int]
) -> None:
    decoder = FrameDecoder(LIMIT)
    stream = b"".join(encode_frame(body, LIMIT) for body in sent)
    got = [body for portion in portions(stream, cuts) for body in decoder.feed(portion)]
    assert got == sent
    assert not decoder.pending
    decoder.eof()


@given(bodies, st.integers(LIMIT + 1, 2**32 - 1), st.lists(st.integers(0, 600), max_size=12))
def test_decoder_when_a_frame_is_too_large_gives_the_sound_ones_before_it(
    sent: list[bytes], length: int, cuts: list[int]
) -> None:
    decoder = FrameDecoder(LIMIT)
    stream = b"".join(encode_frame(body, LIMIT) for body in sent) + length.to_bytes(4, "big")
    got: list[bytes] = []

    def feed_all() -> None:
        for portion in portions(stream, cuts):
            for body in decoder.feed(portion):
                got.append(body)  # noqa: PERF402 -- what came before the error must be kept

    with pytest.raises(FrameTooLargeError, match=str(length)):
        feed_all()
    assert got == sent
    with pytest.raises(FrameTooLargeError):
        decoder.next_body()
    with pytest.raises(FrameTooLargeError):
        decoder.eof()


@pytest.mark.parametrize("size", [0, 1, LIMIT])
def test_encode_frame_within_the_limit(size: int) -> None:
    assert encode_frame(bytes(size), LIMIT) == size.to_bytes(4, "big") + bytes(size)


def test_encode_frame_above_the_limit_is_refused() -> None:
    with pytest.raises(FrameTooLargeError, match="65 bytes"):
        encode_frame(bytes(LIMIT + 1), LIMIT)


@pytest.mark.parametrize("cut", [1, 3, 4, 5])
def test_eof_inside_a_frame_is_refused(cut: int) -> None:
    decoder = FrameDecoder(LIMIT)
    assert list(decoder.feed(encode_frame(b"ab", LIMIT)[:cut])) == []
    assert decoder.pending
    with pytest.raises(FrameTruncatedError):
        decoder.eof()


def test_oversized_length_is_refused_before_its_body_is_kept() -> None:
    decoder = FrameDecoder(LIMIT)
    with pytest.raises(FrameTooLargeError):
        list(decoder.feed((LIMIT + 1).to_bytes(4, "big") + bytes(10_000)))
    list_after = decoder.feed(bytes(10_000))
    with pytest.raises(FrameTooLargeError):
        next(list_after)
    assert not decoder.pending
