"""contracts/crypto/Sha384.sol against hashlib."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.chain import Chain, Reverted

BLOCK_GAS = 27_000
"""The bar: gas of one more block of 128 bytes."""


@pytest.fixture(scope="module")
def harness(chain: Chain) -> Any:
    return chain.deploy("CryptoHarness")


def number(digest: bytes) -> tuple[int, int]:
    """Return a digest as the contract gives it: the upper 128 bits, the lower 256."""
    return int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:], "big")


def message(length: int) -> bytes:
    """Return bytes of which no two near ones are equal."""
    return bytes((7 * index + 13 * length + (index >> 5)) % 256 for index in range(length))


def test_every_length_to_300_bytes_hashes_as_hashlib_does(chain: Chain, harness: Any) -> None:
    messages = [message(length) for length in range(301)]
    calls = (harness.functions.sha384(data) for data in messages)
    for data, outcome in zip(messages, chain.outcomes(calls), strict=True):
        assert outcome == hashlib.sha384(data).digest().rjust(64, b"\0"), len(data)


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b"),
        (b"abc", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"),
        (
            b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039",
        ),
    ],
)  # fmt: skip
def test_nist_examples(chain: Chain, harness: Any, text: bytes, digest: str) -> None:
    assert chain.call(harness.functions.sha384(text)) == number(bytes.fromhex(digest))


@pytest.mark.parametrize("fill", [b"\x00", b"\xff", b"\x80", b"\x01"])
def test_carries_of_extreme_words_stay_in_their_lane(
    chain: Chain, harness: Any, fill: bytes
) -> None:
    for length in (111, 112, 127, 128, 129, 240, 1_000):
        data = fill * length
        assert chain.call(harness.functions.sha384(data)) == number(hashlib.sha384(data).digest())


@given(data=st.binary(max_size=1_200), cut=st.tuples(st.integers(0, 1_200), st.integers(0, 1_200)))
def test_any_part_of_any_message_hashes_as_hashlib_does(
    chain: Chain, harness: Any, data: bytes, cut: tuple[int, int]
) -> None:
    start, end = sorted(min(position, len(data)) for position in cut)
    got = chain.call(harness.functions.sha384Slice(data, start, end))
    assert got == number(hashlib.sha384(data[start:end]).digest())


@pytest.mark.parametrize(
    ("start", "end"), [(2, 1), (0, 6), (6, 6), (2**256 - 1, 0), (0, 2**256 - 1)]
)
def test_part_outside_the_data_is_refused(chain: Chain, harness: Any, start: int, end: int) -> None:
    with pytest.raises(Reverted) as refusal:
        chain.call(harness.functions.sha384Slice(b"12345", start, end))
    assert refusal.value.name == "SliceOutOfBounds"
    assert refusal.value.arguments == (start, end, 5)


def test_block_costs_no_more_than_the_bar_and_memory_stays_tidy(chain: Chain, harness: Any) -> None:
    few, tidy = chain.call(harness.functions.sha384Gas(message(128)))
    many, still_tidy = chain.call(harness.functions.sha384Gas(message(128 * 11)))
    assert tidy
    assert still_tidy
    print(few, (many - few) / 10)
    assert (many - few) / 10 <= BLOCK_GAS
    # One whole block and one of padding, with everything that is done once.
    assert few <= 2 * BLOCK_GAS
