"""Every decoder on arbitrary and on damaged bytes: typed errors only, bounded time and memory."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mls.malice import five
from tests.mls.support import Client, group_of, load, unhex
from xmtp_tee import mls
from xmtp_tee.mls import errors, saving, saving_commit
from xmtp_tee.mls.codec import Reader, decode_whole
from xmtp_tee.mls.commits import Commit, UpdatePath
from xmtp_tee.mls.credentials import decode_credential
from xmtp_tee.mls.crypto import HpkeCiphertext
from xmtp_tee.mls.extensions import (
    Extension,
    RequiredCapabilities,
    decode_app_data,
    decode_extensions,
    external_public_key,
    external_senders,
)
from xmtp_tee.mls.framing import FramedContent, PrivateMessage, PublicMessage
from xmtp_tee.mls.key_package import KeyPackage, KeyPackageSecrets
from xmtp_tee.mls.key_schedule import GroupContext
from xmtp_tee.mls.leaf_node import LeafNode, decode_capabilities
from xmtp_tee.mls.message import decode_message
from xmtp_tee.mls.proposals import decode_proposal
from xmtp_tee.mls.protection import _private_content
from xmtp_tee.mls.psk import decode_psk_id
from xmtp_tee.mls.ratchet_tree import ParentNode, RatchetTree
from xmtp_tee.mls.welcome import GroupInfo, GroupSecrets, Welcome

LIMIT = 1 << 20


def whole(decode: Callable[[Reader], Any]) -> Callable[[bytes], Any]:
    return partial(decode_whole, decode)


DECODERS: dict[str, Callable[[bytes], Any]] = {
    "message": lambda data: decode_message(data, LIMIT),
    "tree": RatchetTree.decode,
    "app data": decode_app_data,
    "external senders": lambda data: external_senders((Extension(5, data),)),
    "external key": lambda data: external_public_key((Extension(4, data),)),
    "required capabilities": lambda data: RequiredCapabilities.of((Extension(3, data),)),
    "key package secrets": KeyPackageSecrets.restore,
    "saved intent": whole(saving_commit.decode_intent),
    "saved effect": whole(saving_commit.decode_effect),
    **{
        name: whole(decode)
        for name, decode in {
            "credential": decode_credential,
            "capabilities": decode_capabilities,
            "extensions": decode_extensions,
            "leaf": LeafNode.decode,
            "parent": ParentNode.decode,
            "key package": KeyPackage.decode,
            "psk": decode_psk_id,
            "proposal": decode_proposal,
            "commit": Commit.decode,
            "path": UpdatePath.decode,
            "ciphertext": HpkeCiphertext.decode,
            "content": FramedContent.decode,
            "public message": PublicMessage.decode,
            "private message": PrivateMessage.decode,
            "context": GroupContext.decode,
            "group info": GroupInfo.decode,
            "group secrets": GroupSecrets.decode,
            "welcome": Welcome.decode,
        }.items()
    },
}


@settings(max_examples=30)
@given(st.binary(max_size=400))
def test_decoders_of_arbitrary_bytes_raise_only_typed_errors(data: bytes) -> None:
    for decode in DECODERS.values():
        try:
            decode(data)
        except mls.MlsError:
            continue


@cache
def samples() -> dict[str, bytes]:
    """Sound bytes for every decoder, out of a living group."""
    clients = five()()
    owner = clients[0]
    newcomer = Client("newcomer")
    keys = newcomer.package()
    intent = mls.CommitIntent(
        add=(keys.package,), remove=(3,), extensions=(mls.Extension(0xF000, b"x"),)
    )
    made = owner.commit(intent)
    member = owner.mine._member
    assert member.pending is not None
    assert made.welcome is not None
    effect = member.pending.effect
    info = decode_message(owner.mine.group_info(), LIMIT)
    assert isinstance(info, GroupInfo)
    return {
        "message": made.welcome,
        "tree": owner.mine.tree,
        "app data": b"\x07\0\1\1x\0\2\0",
        "external senders": b"",
        "external key": b"\x20" + bytes(32),
        "required capabilities": mls.RequiredCapabilities((1,), (2,), (1,)).encode(),
        "key package secrets": keys.save(),
        "saved intent": saving_commit.encode_intent(intent),
        "saved effect": saving_commit.encode_effect(effect),
        "leaf": keys.package.leaf.encode(),
        "key package": keys.package.encode(),
        "context": member.epoch.context.encoded,
        "group info": info.encode(),
        "welcome": made.welcome[4:],
        "private message": made.commit[4:],
    }


def damage(data: bytes, generator: random.Random) -> bytes:
    """Bytes with a few bits, bytes or pieces changed."""
    buffer = bytearray(data)
    for _ in range(generator.choice((1, 1, 1, 2, 5))):
        place = generator.randrange(len(buffer) + 1)
        match generator.randrange(5):
            case 0 if place < len(buffer):
                buffer[place] ^= 1 << generator.randrange(8)
            case 1 if place < len(buffer):
                buffer[place] = generator.choice((0, 0x3F, 0x40, 0x7F, 0x80, 0xBF, 0xFF))
            case 2:
                del buffer[place : place + generator.randrange(1, 40)]
            case 3:
                buffer[place:place] = generator.randbytes(generator.randrange(1, 9))
            case _:
                start = generator.randrange(len(buffer) + 1)
                buffer[place:place] = buffer[start : start + generator.randrange(1, 80)]
    return bytes(buffer)


def fuzz_decoders(rounds: int, seed: int) -> int:
    """Damaged samples through their decoders; return how many were refused."""
    generator, refused = random.Random(seed), 0
    found = list(samples().items())
    for _ in range(rounds):
        name, data = generator.choice(found)
        begin = time.process_time()
        try:
            DECODERS[name](damage(data, generator))
        except mls.MlsError:
            refused += 1
        assert time.process_time() - begin < 1
    return refused


def fuzz_group(rounds: int, seed: int) -> int:
    """Damaged messages into a group; return how many were refused. None is ever accepted."""
    generator = random.Random(seed)
    owner, second, third = group_of(["owner", "second", "third"])
    public = mls.Config(private_handshake=False)
    third.mine._member.config = public
    messages = [
        owner.send(b"text"),
        owner.commit().commit,
        second.commit().commit,
        third.commit(mls.CommitIntent(remove=(1,))).commit,
    ]
    reader = third.mine.save()
    victim = Client("second")
    victim.group = mls.Group.restore(second.mine.save(), victim.key, least_counter=0)
    before = victim.mine.epoch_authenticator
    for _ in range(rounds):
        message = generator.choice(messages[:2] + messages[3:])
        damaged = damage(message, generator)
        if damaged == message:
            continue
        begin = time.process_time()
        with pytest.raises(mls.MlsError):
            victim.process(damaged)
        assert time.process_time() - begin < 1
    assert victim.mine.epoch_authenticator == before
    assert isinstance(victim.process(messages[0]), mls.ApplicationMessage)
    assert reader
    return rounds


def fuzz_welcomes(rounds: int, seed: int) -> None:
    generator = random.Random(seed)
    clients = five()()
    newcomer = Client("newcomer")
    keys = newcomer.package()
    made = clients[0].commit(mls.CommitIntent(add=(keys.package,)))
    assert made.welcome is not None
    for _ in range(rounds):
        damaged = damage(made.welcome, generator)
        if damaged != made.welcome:
            with pytest.raises(mls.MlsError):
                newcomer.join(damaged, keys)
    newcomer.join(made.welcome, keys)


def fuzz_states(rounds: int, seed: int) -> None:
    """A saved state is sealed by the caller; a damaged one still raises typed errors only."""
    generator = random.Random(seed)
    owner = group_of(["owner", "second"])[0]
    owner.commit()
    state = owner.mine.save()
    for _ in range(rounds):
        try:
            mls.Group.restore(damage(state, generator), owner.key, least_counter=0)
        except mls.MlsError:
            continue


def test_damaged_structures_raise_only_typed_errors() -> None:
    assert fuzz_decoders(1500, seed=1) > 500


def test_damaged_messages_are_refused_and_change_nothing() -> None:
    fuzz_group(250, seed=2)


def test_damaged_welcomes_are_refused() -> None:
    fuzz_welcomes(150, seed=3)


def test_damaged_states_raise_only_typed_errors() -> None:
    fuzz_states(150, seed=4)


def test_samples_are_sound() -> None:
    for name, data in samples().items():
        if name != "external senders":
            DECODERS[name](data)


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_200_000_damaged_inputs() -> None:
    fuzz_decoders(150_000, seed=10)
    fuzz_group(25_000, seed=11)
    fuzz_welcomes(15_000, seed=12)
    fuzz_states(10_000, seed=13)


def test_memory_of_a_refused_input_is_bounded() -> None:
    """A length that promises a gigabyte reserves nothing."""
    tracemalloc.start()
    try:
        for name, decode in DECODERS.items():
            for data in (
                b"\xbf\xff\xff\xff" + bytes(64),
                b"\x00\x01\x00\x01\xbf\xff\xff\xff" + bytes(64),
                b"\xbf\xff\xff\xff" * 200,
            ):
                with pytest.raises(mls.MlsError):
                    decode(data)
                assert tracemalloc.get_traced_memory()[1] < 8 << 20, name
                tracemalloc.reset_peak()
    finally:
        tracemalloc.stop()


def test_private_contents_raise_only_typed_errors(vectors_dir: Path) -> None:
    from xmtp_tee.mls.framing import ContentType

    generator = random.Random(5)
    vectors = load(vectors_dir, "test-vectors/messages")[:20]
    for vector in vectors:
        data = unhex(vector["commit"]) + b"\x00\x00"
        for kind in ContentType:
            try:
                decode_whole(_private_content(kind), damage(data, generator))
            except mls.MlsError:
                continue


def test_saved_state_with_a_number_out_of_range_is_refused() -> None:
    owner = group_of(["owner", "second"])[0]
    state = bytearray(owner.mine.save())
    state[10] = 9  # the standing
    with pytest.raises(errors.StateCorruptError):
        saving.restore(bytes(state), owner.key, mls.Config())
