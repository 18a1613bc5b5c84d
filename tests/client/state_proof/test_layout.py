"""Slots by the rules of Solidity's documentation, on the layout that the package carries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.client.published import KeyState
from xmtp_tee.client.state_proof.errors import LayoutUnknown, StorageWordInvalid
from xmtp_tee.client.state_proof.layout import variable
from xmtp_tee.client.state_proof.words import BundleWord, EnclaveState, EnclaveWord
from xmtp_tee.hashing import keccak256


def test_mapping_array_and_struct_follow_the_documentation() -> None:
    owner, key = bytes(12) + b"\x11" * 20, b"\x22" * 32
    bundles = variable("KeyRegistry", "_bundles")
    inner = int.from_bytes(keccak256(owner + bundles.slot.to_bytes(32, "big")), "big")
    record = int.from_bytes(keccak256(key + inner.to_bytes(32, "big")), "big")
    assert bundles.at(owner).at(key).member("preKey").slot == record
    assert bundles.at(owner).at(key).member("word").slot == record + 1
    positions = variable("KeyRegistry", "_positions")
    first = int.from_bytes(keccak256(owner + positions.slot.to_bytes(32, "big")), "big")
    assert [positions.at(owner).element(i).slot for i in (0, 9)] == [first, first + 9]


def test_packed_member_is_cut_out_of_its_word() -> None:
    record = variable("EnclavePolicy", "_workloads").at(b"\x01" * 32)
    level, added = record.member("level"), record.member("addedAt")
    assert level.slot == added.slot
    word = (1_790_000_000 << (8 * added.offset)) | (
        int(AssuranceLevel.MEMBER) << (8 * level.offset)
    )
    assert (level.read(word), added.read(word)) == (int(AssuranceLevel.MEMBER), 1_790_000_000)


def test_what_the_layout_does_not_name_is_refused() -> None:
    owner = bytes(32)
    for attempt in (
        lambda: variable("Stranger", "_bundles"),
        lambda: variable("KeyRegistry", "_strangers"),
        lambda: variable("KeyRegistry", "_bundles").at(owner).at(owner).member("stranger"),
        lambda: variable("KeyRegistry", "_bundles").member("word"),
        lambda: variable("KeyRegistry", "_positions").at(owner).at(owner),
        lambda: variable("KeyRegistry", "_positions").at(owner).element(10),
        lambda: variable("KeyRegistry", "_positions").at(owner).element(-1),
        lambda: variable("KeyRegistry", "_bundles").at(b"\x11" * 20),
    ):
        with pytest.raises(LayoutUnknown):
            attempt()


@given(st.integers(0, 2**256 - 1))
def test_any_bundle_word_is_read_or_refused(word: int) -> None:
    try:
        read = BundleWord.of(word)
    except StorageWordInvalid:
        return
    packed = int(read.authority, 16)
    for value, bits in (
        (read.expires_at, 32),
        (read.epoch, 24),
        (read.last_change, 32),
        (read.position, 4),
        (read.provenance, 2),
        (read.state, 2),
    ):
        packed = packed << bits | value
    assert packed == word


@given(st.integers(0, 2**256 - 1))
def test_any_enclave_word_is_read_or_refused(word: int) -> None:
    try:
        read = EnclaveWord.of(word)
    except StorageWordInvalid:
        return
    packed = int.from_bytes(read.platform, "big")
    for value, bits in (
        (read.block_number, 40),
        (read.expires_at, 40),
        (read.tee, 8),
        (read.state, 8),
    ):
        packed = packed << bits | value
    assert packed == word


@pytest.mark.parametrize("word", [3, 1, 1 << 96, 0b0101, (1 << 40) | 1], ids=bin)
def test_bundle_word_that_contradicts_itself_is_refused(word: int) -> None:
    with pytest.raises(StorageWordInvalid):
        BundleWord.of(word)


@pytest.mark.parametrize("word", [5, 1, 1 << 16, 0x0501], ids=hex)
def test_enclave_word_that_contradicts_itself_is_refused(word: int) -> None:
    with pytest.raises(StorageWordInvalid):
        EnclaveWord.of(word)


def test_zero_is_what_never_was() -> None:
    assert BundleWord.of(0).state is KeyState.NONE
    assert EnclaveWord.of(0).state is EnclaveState.NONE
