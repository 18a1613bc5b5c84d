"""The decoders against hostile bytes: nothing escapes but typed errors. Seeds are kept.

The normal dose is small. ``HYPOTHESIS_PROFILE=ci``, and ``proof``, take 200,000 inputs, which is
seconds: the generator is a mutator of valid messages, not hypothesis.
"""

from __future__ import annotations

import os
import random
from typing import get_args

import msgspec
import pytest

from tests.wire.examples import example
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.channel import Channel
from xmtp_tee.wire.codec import (
    ClientMessageDecoder,
    ServerMessageDecoder,
    decode_operation,
    decode_result,
)
from xmtp_tee.wire.errors import ChannelError, WireError
from xmtp_tee.wire.frames import encode_frame
from xmtp_tee.wire.limits import MAX_REPLY_BODY

SEEDS = (0, 1, 0x5EED)
KINDS = [*get_args(wire.Operation), *get_args(wire.Result), wire.Hello, wire.Request, wire.Reply]
KINDS += [wire.Failure, wire.Welcome, wire.Challenge, wire.Proof]
CORPUS = [msgspec.msgpack.encode(example(kind)) for kind in KINDS]
INTERESTING = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xC0, 0xC1, 0xC4, 0xC6, 0xC7, 0xCB, 0xCF]
INTERESTING += [0xD3, 0xD9, 0xDB, 0xDD, 0xDF, 0xFF]


def mutated(rng: random.Random) -> bytes:
    """Return a message with one to four wounds."""
    data = bytearray(rng.choice(CORPUS))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[at % len(data)] = rng.choice(INTERESTING)
            case 2:
                del data[at : at + rng.randrange(1, 9)]
            case 3:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
            case 4:
                other = rng.choice(CORPUS)
                begin = rng.randrange(len(other))
                data[at:at] = other[begin : begin + rng.randrange(1, 40)]
            case _:
                data[at:at] = bytes([rng.choice(INTERESTING)]) * rng.randrange(1, 300)
    return bytes(data)


def feed(body: bytes) -> int:
    """Give the bytes to every decoder; return how many took them."""
    taken, longest = 0, 0
    raw = msgspec.Raw(body)
    for decode in (
        lambda: decode_operation(wire.Request(1, raw)),
        lambda: decode_result(wire.Reply(1, raw)),
        lambda: list(ClientMessageDecoder().feed(encode_frame(body, MAX_REPLY_BODY))),
        lambda: list(ServerMessageDecoder().feed(encode_frame(body, MAX_REPLY_BODY))),
    ):
        try:
            decode()
            taken += 1
        except WireError as error:
            longest = max(longest, len(str(error)))
    assert longest < 8000
    return taken


def run(seed: int, inputs: int) -> None:
    rng = random.Random(seed)
    taken = sum(feed(mutated(rng)) for _ in range(inputs))
    # The mutator is useless if nothing gets through, or everything.
    assert inputs * 0.01 < taken < inputs * 3


@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_messages_raise_only_wire_errors(seed: int) -> None:
    normal = os.environ.get("HYPOTHESIS_PROFILE", "default") == "default"
    run(seed, 1_500 if normal else 70_000)


@pytest.mark.proof
def test_mutated_messages_raise_only_wire_errors_at_length() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    run(seed, 200_000)


def test_protected_frames_open_only_as_they_were_sealed_and_in_order() -> None:
    rng = random.Random(7)
    for _ in range(300):
        client, enclave = (Channel(b"s" * 32, b"t" * 32, enclave=side) for side in (False, True))
        bodies = [rng.randbytes(rng.randrange(0, 60)) for _ in range(rng.randrange(1, 4))]
        frames = [client.seal(body) for body in bodies]
        place = rng.randrange(len(frames))
        for frame, body in zip(frames[:place], bodies, strict=False):
            assert enclave.open(frame) == body
        bent = bytearray(frames[place])
        match rng.randrange(4):
            case 0:
                bent[rng.randrange(len(bent))] ^= 1 << rng.randrange(8)
            case 1:
                del bent[-rng.randrange(1, len(bent) + 1) :]
            case 2:
                bent += b"\x00"
            case _:
                bent = bytearray(client.seal(b"another"))
        with pytest.raises(ChannelError):
            enclave.open(bytes(bent))
        with pytest.raises(ChannelError):
            client.open(frames[0])
