"""Codec, low-order keys, the tree alone: boundaries that the vectors do not reach."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mls.malice import epoch_of, five, forge_commit, forge_welcome
from tests.mls.support import Client, group_of, unhex
from xmtp_tee import mls
from xmtp_tee.mls import codec, errors, tree_rules
from xmtp_tee.mls.advancing import MAX_EPOCH
from xmtp_tee.mls.codec import Reader, decode_whole
from xmtp_tee.mls.credentials import decode_credential
from xmtp_tee.mls.crypto import require_encryption_key
from xmtp_tee.mls.framing import Sender, SenderType
from xmtp_tee.mls.message import decode_group_info, decode_key_package, decode_welcome
from xmtp_tee.mls.proposals import decode_proposal
from xmtp_tee.mls.psk import decode_psk_id
from xmtp_tee.mls.ratchet_tree import ParentNode, RatchetTree


@given(st.binary(max_size=20_000))
def test_vector_is_read_as_it_was_written(data: bytes) -> None:
    reader = Reader(codec.opaque(data))
    assert reader.opaque() == data
    reader.finish()


@pytest.mark.parametrize(
    ("length", "prefix"),
    [
        (0, "00"),
        (63, "3f"),
        (64, "4040"),
        (16383, "7fff"),
        (16384, "80004000"),
        (codec.MAX_VECTOR, "bfffffff"),
    ],
)
def test_length_has_its_shortest_form(length: int, prefix: str) -> None:
    assert codec.length_prefix(length).hex() == prefix
    assert Reader(unhex(prefix)).length() == length


def test_length_beyond_the_limit_is_not_written() -> None:
    with pytest.raises(errors.TooLargeError):
        codec.length_prefix(codec.MAX_VECTOR + 1)


@pytest.mark.parametrize("prefix", ["403f", "4000", "80003fff", "80000000", "c0", "ff"])
def test_length_in_another_form_is_refused(prefix: str) -> None:
    with pytest.raises(errors.LengthPrefixError):
        Reader(unhex(prefix) + bytes(100)).length()


@pytest.mark.parametrize("data", [b"", b"\x40", b"\x80\x00\x40", b"\x05abcd"])
def test_vector_that_is_cut_off_is_refused(data: bytes) -> None:
    with pytest.raises(errors.TruncatedError):
        Reader(data).opaque()


def test_presence_is_0_or_1() -> None:
    assert Reader(b"\0").optional(Reader.u8) is None
    assert Reader(b"\1\7").optional(Reader.u8) == 7
    with pytest.raises(errors.UnknownVariantError):
        Reader(b"\2\7").optional(Reader.u8)


def test_trailing_bytes_and_size_limit() -> None:
    assert decode_whole(Reader.u8, b"\7") == 7
    with pytest.raises(errors.TrailingBytesError):
        decode_whole(Reader.u8, b"\7\0")
    with pytest.raises(errors.TooLargeError):
        decode_whole(Reader.u8, b"\7\0", limit=1)


@pytest.mark.parametrize("number", [0, 5, 255])
def test_sender_of_another_type_is_refused(number: int) -> None:
    with pytest.raises(errors.UnknownVariantError):
        decode_whole(Sender.decode, bytes([number]))
    assert decode_whole(Sender.decode, b"\x04") == Sender(SenderType.NEW_MEMBER_COMMIT)


def test_low_order_keys_are_those_of_wycheproof(vectors_dir: Path) -> None:
    groups = json.loads((vectors_dir / "wycheproof" / "x25519_test.json").read_text())["testGroups"]
    zero = {
        test["public"]
        for group in groups
        for test in group["tests"]
        if "ZeroSharedSecret" in test["flags"]
    }
    sound = {
        test["public"]
        for group in groups
        for test in group["tests"]
        if "ZeroSharedSecret" not in test["flags"]
    }
    assert len(zero) >= 12
    for public in zero:
        with pytest.raises(errors.KeyUnusableError):
            require_encryption_key("A key", unhex(public))
    for public in sound - zero:
        require_encryption_key("A key", unhex(public))


def test_messages_of_other_kinds_are_told_apart() -> None:
    owner, _ = group_of(["owner", "second"])
    package = mls.encode_message(owner.package().package)
    assert decode_key_package(package).leaf.credential == owner.credential
    for decode in (decode_welcome, decode_group_info):
        with pytest.raises(errors.WireFormatError):
            decode(package, 1 << 20)
    with pytest.raises(errors.WireFormatError):
        decode_key_package(owner.mine.group_info())


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (b"\0\2\0\1", errors.VersionUnsupportedError),
        (b"\0\0\0\1", errors.VersionUnsupportedError),
        (b"\0\1\0\0", errors.UnknownVariantError),
        (b"\0\1\0\6", errors.UnknownVariantError),
        (b"\0\1", errors.TruncatedError),
        (b"", errors.TruncatedError),
    ],
)
def test_message_of_another_version_or_form_is_refused(
    head: bytes, error: type[mls.MlsError]
) -> None:
    owner, _ = group_of(["owner", "second"])
    with pytest.raises(error):
        owner.process(head)


def test_more_proposals_than_a_commit_may_hold() -> None:
    clients = five()()
    message = forge_commit(
        clients[1],
        [mls.PreSharedKey(mls.ExternalPskId(b"%d" % i, bytes(32))) for i in range(1025)],
        psks=mls.PskStore({b"%d" % i: bytes(32) for i in range(1025)}),
    ).message
    begin = time.process_time()
    with pytest.raises(errors.TooLargeError):
        clients[0].process(message)
    assert time.process_time() - begin < 2


def test_last_epoch_has_no_successor() -> None:
    clients = five()()
    newcomer = Client("newcomer")
    keys = newcomer.package()
    newcomer.join(
        forge_welcome(
            clients[1], keys.package, context=lambda context: replace(context, epoch=MAX_EPOCH)
        ),
        keys,
    )
    assert newcomer.mine.epoch == MAX_EPOCH
    with pytest.raises(errors.WrongEpochError):
        newcomer.commit()
    with pytest.raises(errors.GroupInfoInvalidError):
        mls.Group.join_externally(
            newcomer.mine.group_info(),
            clients[0].key,
            clients[0].credential,
            clients[0].caps,
            entropy=clients[0].entropy,
            now=0,
        )


def test_hostile_tree_takes_bounded_time() -> None:
    """Every parent claims that every leaf below it is unmerged: the dearest tree to check."""
    leaf = epoch_of(group_of(["owner"])[0]).tree.leaf(0)
    leaves = 1024
    tree = RatchetTree([None] * (2 * leaves - 1))
    for node in range(2 * leaves - 1):
        key = bytes([node & 255, node >> 8]) + bytes(29) + b"\x40"
        if node & 1:
            from xmtp_tee.mls import tree_math as at

            below = tuple(range(at.first_leaf(node), at.end_leaf(node)))
            tree.put(node, ParentNode(key, b"x" * 32, below))
        else:
            tree.put(node, replace(leaf, encryption_key=key, signature_key=key))
    begin = time.process_time()
    with pytest.raises(errors.ParentHashError):
        tree_rules.check_tree(tree)
    assert time.process_time() - begin < 10


@pytest.mark.parametrize(
    ("decode", "data"),
    [
        (decode_psk_id, b"\x00"),
        (decode_psk_id, b"\x03"),
        (decode_psk_id, b"\x02\x00"),
        (decode_psk_id, b"\x02\x04"),
        (decode_proposal, b"\x00\x08\x00\x01\x00"),
        (decode_proposal, b"\x00\x08\x00\x01\x03"),
        (decode_proposal, b"\x00\x00"),
        (decode_proposal, b"\x00\x09"),
        (decode_proposal, b"\xff\xff"),
        (decode_credential, b"\x00\x00"),
        (decode_credential, b"\x00\x03"),
    ],
)
def test_unknown_variant_is_refused(decode: Callable[[Reader], object], data: bytes) -> None:
    with pytest.raises(errors.UnknownVariantError):
        decode_whole(decode, data)


def test_signature_key_has_32_bytes() -> None:
    for length in (0, 31, 33, 64):
        with pytest.raises(errors.KeyLengthError):
            mls.SignatureKey(bytes(length))


def test_tree_that_is_full_takes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = epoch_of(five()()[0]).tree.copy()
    leaf = tree.leaf(0)
    for _ in range(3):
        tree.add(leaf)
    monkeypatch.setattr("xmtp_tee.mls.ratchet_tree.MAX_LEAVES", 8)
    with pytest.raises(errors.TooLargeError):
        tree.add(leaf)


def test_tree_knows_its_members() -> None:
    tree = epoch_of(five()()[0]).tree
    assert [index for index, _ in tree.members()] == [0, 1, 2, 3, 4]
    assert tree.leaf_or_none(5) is None
    assert tree.leaf_or_none(-1) is None
    assert tree.leaf_or_none(99) is None
    for leaf in (5, 99):
        with pytest.raises(errors.LeafIndexError):
            tree.leaf(leaf)
    twin = tree.copy()
    twin.remove(4)
    assert tree.capacity == 8
    assert twin.capacity == 4
    assert RatchetTree.decode(tree.encode()).tree_hash() == tree.tree_hash()


def test_reinitialised_group_takes_no_more_handshakes() -> None:
    clients = group_of(["owner", "second", "third"])
    made = clients[0].commit(mls.CommitIntent(reinit=mls.ReInit(b"next", 1, 3, ())))
    for client in clients:
        client.process(made.commit)
    clients[1].mine._member.standing = mls.Standing.ACTIVE
    late = clients[1].send(b"late")
    assert isinstance(clients[2].process(late), mls.ApplicationMessage)
    with pytest.raises(errors.GroupInactiveError):
        clients[2].process(clients[1].commit().commit)
    with pytest.raises(errors.GroupInactiveError):
        clients[2].process(clients[1].propose(mls.Remove(0)))
