"""Strict RLP: one encoding per value, equal to an independent implementation's."""

from __future__ import annotations

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.client.state_proof.errors import RlpInvalid
from xmtp_tee.client.state_proof.rlp import (
    decode,
    decode_list,
    decode_uint,
    encode,
    encode_uint,
)

items = st.recursive(
    st.binary(max_size=70), lambda inner: st.lists(inner, max_size=5), max_leaves=12
)


@given(items)
def test_encoding_is_the_library_s_and_decodes_to_the_same(item: object) -> None:
    encoded = encode(item)  # type: ignore[arg-type]
    assert encoded == rlp.encode(item)
    assert decode(encoded) == item


@given(st.binary(max_size=80))
def test_any_bytes_decode_to_what_encodes_to_them_or_are_refused(data: bytes) -> None:
    try:
        item = decode(data)
    except RlpInvalid:
        with pytest.raises(rlp.exceptions.DecodingError):
            rlp.decode(data, strict=True)
        return
    assert encode(item) == data
    assert rlp.decode(data, strict=True) == item


@given(st.integers(0, 2**256 - 1))
def test_integer_is_big_endian_without_leading_zeros(value: int) -> None:
    assert encode_uint(value) == rlp.encode(value)
    assert decode_uint(decode(encode_uint(value))) == value


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "nothing"),
        (b"\x81\x05", "a single byte with a prefix"),
        (b"\x82\x01", "a truncated string"),
        (b"\xb8\x01\x05", "a long form for a short string"),
        (b"\xb9\x00\x38" + bytes(56), "a length with a leading zero"),
        (b"\xb8", "a truncated length"),
        (b"\xc2\x01", "a truncated list"),
        (b"\xc1\x82\x01\x02", "a member that overruns its list"),
        (b"\xf8\x01\x05", "a long form for a short list"),
        (b"\x80\x80", "bytes that follow"),
        (b"\xc1" * 40 + b"\xc0", "malformed nesting"),
    ],
)
def test_non_canonical_bytes_are_refused(data: bytes, what: str) -> None:
    with pytest.raises(RlpInvalid):
        decode(data)


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    nested: list[object] = []
    for _ in range(300):
        nested = [nested]
    with pytest.raises(RlpInvalid, match="deeply"):
        decode(rlp.encode(nested))


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(RlpInvalid):
        decode_list(b"\x80")
    with pytest.raises(RlpInvalid):
        decode_uint([])
    with pytest.raises(RlpInvalid, match="leading zero"):
        decode_uint(b"\x00\x01")
