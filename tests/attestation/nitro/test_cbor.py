"""Strict CBOR: one value has one encoding. Compared with cbor2, which takes more."""

from __future__ import annotations

import contextlib
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.attestation.errors import CborMalformedError
from xmtp_tee.attestation.nitro.cbor import MAX_DEPTH, Cbor, decode, encode

INTEGERS = st.integers(-(2**64), 2**64 - 1)
SCALARS = st.none() | st.booleans() | INTEGERS | st.binary(max_size=300) | st.text(max_size=40)
KEYS = INTEGERS | st.text(max_size=10)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


def depth(value: Cbor) -> int:
    """Levels of a value; a map's keys are one level below it."""
    if isinstance(value, list):
        return 1 + max((depth(item) for item in value), default=0)
    if isinstance(value, dict):
        return 1 + max((depth(item) for item in value.values()), default=0)
    return 1


SHALLOW = VALUES.filter(lambda value: depth(value) <= MAX_DEPTH)


@given(SHALLOW)
def test_encode_writes_what_cbor2_writes(value: Cbor) -> None:
    assert encode(value) == cbor2.dumps(value)


@given(SHALLOW)
def test_decode_reads_back_what_was_encoded(value: Cbor) -> None:
    assert decode(encode(value), "a value") == value


@given(
    st.binary(max_size=60)
    | SHALLOW.map(encode).flatmap(lambda raw: st.permutations(list(raw)).map(bytes))
)
def test_what_decode_takes_has_no_other_encoding_and_cbor2_reads_the_same(raw: bytes) -> None:
    try:
        value = decode(raw, "random bytes")
    except CborMalformedError:
        return
    assert encode(value) == raw
    assert cbor2.loads(raw) == value


@given(SHALLOW, st.data())
def test_one_changed_byte_never_yields_the_same_value(value: Cbor, data: st.DataObject) -> None:
    raw = encode(value)
    place = data.draw(st.integers(0, len(raw) - 1))
    bent = bytearray(raw)
    bent[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(CborMalformedError):
        # Python holds 0 and False for equal, CBOR does not.
        assert repr(decode(bytes(bent), "a bent value")) != repr(value)


@given(SHALLOW, st.integers(1, 40))
def test_every_truncation_is_refused(value: Cbor, cut: int) -> None:
    raw = encode(value)
    with pytest.raises(CborMalformedError):
        decode(raw[:-cut] if cut < len(raw) else b"", "a truncated value")


@pytest.mark.parametrize(
    ("what", "raw"),
    [
        ("nothing", ""),
        ("a byte behind the value", "0000"),
        ("23 in two bytes", "1817"),
        ("255 in three bytes", "1900ff"),
        ("65535 in five bytes", "1a0000ffff"),
        ("2^32 - 1 in nine bytes", "1b00000000ffffffff"),
        ("-24 in two bytes", "3817"),
        ("a length in two bytes that fits one", "5801ff"),
        ("a count in two bytes that fits one", "980100"),
        ("reserved additional information 28", "1c"),
        ("reserved additional information 30", "5e"),
        ("an indefinite byte string", "5f4100ff"),
        ("an indefinite text", "7f6161ff"),
        ("an indefinite array", "9f00ff"),
        ("an indefinite map where none is allowed", "bf0000ff"),
        ("a break alone", "ff"),
        ("a tag", "c000"),
        ("COSE_Sign1's tag", "d28440a04040"),
        ("undefined", "f7"),
        ("a simple value in two bytes", "f820"),
        ("null in two bytes", "f816"),
        ("a half float", "f93c00"),
        ("a double", "fb3ff0000000000000"),
        ("a map key that is a byte string", "a14000"),
        ("a map key that is null", "a1f600"),
        ("a map key that is true", "a1f500"),
        ("a map key that is an array", "a18000"),
        ("an integer key twice", "a201000100"),
        ("a text key twice", "a2616100616101"),
        ("text that is not UTF-8", "61ff"),
        ("text with a surrogate", "63eda080"),
        ("an overlong UTF-8 sequence", "62c080"),
        ("an array that is longer than the input", "9b7fffffffffffffff"),
        ("a map that is longer than the input", "bb7fffffffffffffff"),
        ("a byte string that is longer than the input", "5b7fffffffffffffff"),
        ("nesting beyond the limit", "81" * (MAX_DEPTH) + "00"),
    ],
)
def test_other_encodings_are_refused(what: str, raw: str) -> None:
    with pytest.raises(CborMalformedError):
        decode(bytes.fromhex(raw), what)


def test_an_indefinite_map_is_read_at_the_outermost_level_alone() -> None:
    def read(raw: str) -> Cbor:
        return decode(bytes.fromhex(raw), "a payload", indefinite_outer_map=True)

    assert read("bf6161016162f6ff") == {"a": 1, "b": None}
    assert read("bfff") == {}
    assert read("a1616101") == {"a": 1}
    for what in (
        "bf6161bfffff",
        "bf616101616102ff",
        "bf6161",
        "bf616101",
        "bf6161ff",
        "bf6161018000",
        "9fff",
        "bfffff",
    ):
        with pytest.raises(CborMalformedError):
            read(what)


def test_a_count_of_items_costs_no_memory_before_it_is_seen_to_fit() -> None:
    with pytest.raises(CborMalformedError, match="more items than bytes"):
        decode(bytes.fromhex("9a7fffffff"), "a list")


def test_encode_refuses_other_types_and_integers_of_more_than_64_bits() -> None:
    for value in (1.5, object(), {1.5: 0}, 2**64, -(2**64) - 1):
        with pytest.raises(TypeError):
            encode(value)  # type: ignore[arg-type]
