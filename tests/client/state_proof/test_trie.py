"""Merkle-Patricia proofs: presence and absence as py-trie makes them; whatever is bent is refused."""

from __future__ import annotations

import contextlib

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from xmtp_tee.client.state_proof.account import prove_account, prove_word
from xmtp_tee.client.state_proof.errors import RlpInvalid, StateProofInvalid, TrieProofInvalid
from xmtp_tee.client.state_proof.trie import EMPTY_ROOT, prove
from xmtp_tee.hashing import keccak256

# Few nibbles, and keys that begin others: long shared paths make extensions, keys that end early make branches
# with a value, short values make embedded nodes.
keys = st.lists(st.sampled_from(b"\x00\x01\x10\x11\xff"), min_size=1, max_size=3).map(bytes)
entries = st.dictionaries(keys, st.binary(min_size=1, max_size=40), max_size=14)


def built(pairs: dict[bytes, bytes]) -> HexaryTrie:
    trie = HexaryTrie({})
    for key, value in pairs.items():
        trie[key] = value
    return trie


def proof_of(trie: HexaryTrie, key: bytes) -> list[bytes]:
    """The nodes on the way that a hash names: the root, and every one of at least 32 bytes."""
    nodes = [rlp.encode(node) for node in trie.get_proof(key)]
    return [node for index, node in enumerate(nodes) if index == 0 or len(node) >= 32]


@given(entries, keys)
def test_presence_and_absence_are_those_of_py_trie(pairs: dict[bytes, bytes], key: bytes) -> None:
    trie = built(pairs)
    nodes = [] if not pairs else proof_of(trie, key)
    assert prove(trie.root_hash, key, nodes) == pairs.get(key)


@given(entries.filter(bool), keys, st.data())
def test_tampered_proof_proves_nothing_else(
    pairs: dict[bytes, bytes], key: bytes, data: st.DataObject
) -> None:
    trie = built(pairs)
    nodes = proof_of(trie, key)
    index = data.draw(st.integers(0, len(nodes) - 1))
    place = data.draw(st.integers(0, len(nodes[index]) - 1))
    bit = data.draw(st.integers(0, 7))
    bent = bytearray(nodes[index])
    bent[place] ^= 1 << bit
    with pytest.raises(TrieProofInvalid):
        prove(trie.root_hash, key, [*nodes[:index], bytes(bent), *nodes[index + 1 :]])


@given(entries.filter(bool), keys, st.data())
def test_missing_swapped_or_added_nodes_are_refused(
    pairs: dict[bytes, bytes], key: bytes, data: st.DataObject
) -> None:
    trie = built(pairs)
    nodes = proof_of(trie, key)
    gone = data.draw(st.integers(0, len(nodes) - 1))
    for bent in (nodes[:gone] + nodes[gone + 1 :], [*nodes, nodes[gone]], [nodes[gone], *nodes]):
        with pytest.raises(TrieProofInvalid):
            prove(trie.root_hash, key, bent)
    if len(nodes) > 1:
        with pytest.raises(TrieProofInvalid):
            prove(trie.root_hash, key, nodes[::-1])


@given(entries.filter(bool), keys, keys)
def test_proof_of_one_key_never_lies_about_another(
    pairs: dict[bytes, bytes], key: bytes, other: bytes
) -> None:
    trie = built(pairs)
    try:
        shown = prove(trie.root_hash, other, proof_of(trie, key))
    except TrieProofInvalid:
        return
    assert shown == pairs.get(other)


@given(st.lists(st.binary(max_size=60), max_size=4), st.binary(min_size=32, max_size=32))
def test_arbitrary_nodes_are_refused_by_type(nodes: list[bytes], root: bytes) -> None:
    with pytest.raises(TrieProofInvalid):
        prove(root, b"key", nodes)


@given(st.binary(max_size=100))
def test_arbitrary_node_with_the_right_hash_is_refused_or_answered(node: bytes) -> None:
    """Whoever chooses the root may choose the value; it must not crash."""
    with contextlib.suppress(StateProofInvalid):
        prove(keccak256(node), b"\x12\x34", [node])


def test_empty_trie_holds_nothing() -> None:
    assert prove(EMPTY_ROOT, b"key", []) is None
    assert prove(EMPTY_ROOT, b"key", [b"\x80"]) is None
    with pytest.raises(TrieProofInvalid):
        prove(EMPTY_ROOT, b"key", [b"\xc0"])


def leaf(path: bytes, value: bytes) -> bytes:
    return rlp.encode([path, value])


@pytest.mark.parametrize(
    ("node", "what"),
    [
        (leaf(b"\x40\x12\x34", b"v"), "an unknown flag"),
        (leaf(b"\x21", b"v")[:-1] + b"\x80", "an empty leaf"),
        (leaf(b"\x25\x12\x34", b"v"), "padding that is not zero"),
        (leaf(b"", b"v"), "no path"),
        (rlp.encode([b"\x00", bytes(32)]), "an empty extension"),
        (rlp.encode([b"\x00\x12", b"short"]), "a reference that is no hash"),
        (rlp.encode([b"a", b"b", b"c"]), "three items"),
        (rlp.encode(b"string"), "no list"),
        (rlp.encode([[b"a"], b"v"]), "a path that is a list"),
        (rlp.encode([b"\x20\x12\x34", [b"v"]]), "a value that is a list"),
        (
            rlp.encode([b"\x00\x12", [b"\x20\x34", b"v"]]),
            "an extension to a leaf",
        ),
        (
            rlp.encode([b"\x00\x12", [b"\x20\x34", b"v" * 40]]),
            "an embedded node as long as a hash",
        ),
    ],
)
def test_node_that_no_trie_has_is_refused(node: bytes, what: str) -> None:
    key = b"\x12\x34" if what != "an empty leaf" else b"\x1a"
    with pytest.raises(TrieProofInvalid):
        prove(keccak256(node), key, [node])


def account_trie(fields: list[object]) -> tuple[bytes, list[bytes]]:
    address = b"\x11" * 20
    trie = built({keccak256(address): rlp.encode(fields)})
    return trie.root_hash, proof_of(trie, keccak256(address))


def test_account_is_read_and_a_stranger_is_absent() -> None:
    root, nodes = account_trie([7, 9, EMPTY_ROOT, b"\x22" * 32])
    account = prove_account(root, b"\x11" * 20, nodes)
    assert account is not None
    assert (account.nonce, account.balance) == (7, 9)
    assert (account.storage_root, account.code_hash) == (EMPTY_ROOT, b"\x22" * 32)
    assert prove_account(root, b"\x12" * 20, nodes) is None


@pytest.mark.parametrize(
    "fields",
    [
        [7, 9, EMPTY_ROOT],
        [7, 9, EMPTY_ROOT, b"\x22" * 32, b""],
        [7, 9, b"\x22" * 31, b"\x22" * 32],
        [7, 9, EMPTY_ROOT, b""],
        [7, 9, [EMPTY_ROOT], b"\x22" * 32],
        [b"\x00\x01", 9, EMPTY_ROOT, b"\x22" * 32],
    ],
    ids=str,
)
def test_malformed_account_is_refused(fields: list[object]) -> None:
    root, nodes = account_trie(fields)
    with pytest.raises((TrieProofInvalid, RlpInvalid)):
        prove_account(root, b"\x11" * 20, nodes)


@given(
    st.dictionaries(st.integers(0, 50), st.integers(1, 2**256 - 1), max_size=20), st.integers(0, 50)
)
def test_storage_word_is_proven_and_an_unset_one_is_zero(words: dict[int, int], slot: int) -> None:
    trie = built(
        {keccak256(key.to_bytes(32, "big")): rlp.encode(value) for key, value in words.items()}
    )
    key = keccak256(slot.to_bytes(32, "big"))
    nodes = proof_of(trie, key) if words else []
    assert prove_word(trie.root_hash, slot, nodes) == words.get(slot, 0)


def test_overlong_storage_word_is_refused() -> None:
    key = keccak256(bytes(32))
    trie = built({key: rlp.encode(2**256)})
    with pytest.raises(TrieProofInvalid):
        prove_word(trie.root_hash, 0, proof_of(trie, key))
