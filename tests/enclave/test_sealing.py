"""Sealing: what was changed, moved or sealed elsewhere does not open."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.enclave.support import FixedDriver
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.enclave.errors import StoreSealedElsewhereError
from xmtp_tee.enclave.records import pack
from xmtp_tee.enclave.sealing import (
    OVERHEAD,
    Sealer,
    new_store_key,
    provider_of,
    unwrap_store_key,
    wrap_store_key,
)
from xmtp_tee.wire.store_faults import StoreIncompleteError, StoreTamperedError

STORE = b"S" * 16
ROOT = bytearray(b"R" * 32)
KEY = bytearray(range(32))


def sealer() -> Sealer:
    return Sealer(KEY, STORE)


@given(st.binary(max_size=100), st.binary(max_size=50))
def test_sealed_text_opens_under_its_data(text: bytes, data: bytes) -> None:
    sealed = sealer().seal("record", text, data)
    assert len(sealed) == len(text) + OVERHEAD
    assert sealer().open("record", sealed, data) == text


def test_same_text_is_sealed_differently_each_time() -> None:
    assert sealer().seal("record", b"x", b"") != sealer().seal("record", b"x", b"")


@given(st.integers(0, 8 * (32 + OVERHEAD) - 1))
def test_any_flipped_bit_is_refused(bit: int) -> None:
    sealed = bytearray(sealer().seal("secret", bytes(32), b"data"))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(StoreTamperedError):
        sealer().open("secret", bytes(sealed), b"data")


@pytest.mark.parametrize("length", [0, 1, OVERHEAD - 1, OVERHEAD, OVERHEAD + 31])
def test_truncated_text_is_refused(length: int) -> None:
    sealed = sealer().seal("secret", bytes(32), b"data")
    with pytest.raises(StoreTamperedError):
        sealer().open("secret", sealed[:length], b"data")


def test_other_data_other_kind_other_store_and_other_key_are_refused() -> None:
    sealed = sealer().seal("record", b"text", b"data")
    for opener, kind, data in (
        (sealer(), "record", b"Data"),
        (sealer(), "secret", b"data"),
        (Sealer(KEY, b"T" * 16), "record", b"data"),
        (Sealer(bytearray(32), STORE), "record", b"data"),
    ):
        with pytest.raises(StoreTamperedError):
            opener.open(kind, sealed, data)


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_packing_is_unambiguous(one: list[bytes], two: list[bytes]) -> None:
    assert (pack(*one) == pack(*two)) == (one == two)


def test_wrapped_store_key_opens_under_the_same_root() -> None:
    wrap = wrap_store_key(KEY, ROOT, STORE, "tdx/simulated")
    assert unwrap_store_key([wrap], ROOT, STORE, "tdx/simulated") == KEY


def test_wrap_under_another_root_is_told_from_a_damaged_one() -> None:
    wrap = wrap_store_key(KEY, ROOT, STORE, "tdx/simulated")
    with pytest.raises(StoreSealedElsewhereError, match="another seal root"):
        unwrap_store_key([wrap], bytearray(b"Q" * 32), STORE, "tdx/simulated")
    damaged = wrap.wrapped[:-1] + bytes([wrap.wrapped[-1] ^ 1])
    with pytest.raises(StoreTamperedError):
        unwrap_store_key([replace(wrap, wrapped=damaged)], ROOT, STORE, "tdx/simulated")


def test_wrap_of_another_provider_store_or_way_is_refused() -> None:
    wrap = wrap_store_key(KEY, ROOT, STORE, "tdx/simulated")
    with pytest.raises(StoreSealedElsewhereError, match="tdx/simulated"):
        unwrap_store_key([wrap], ROOT, STORE, "tdx/member")
    relabelled = replace(wrap, provider="tdx/member")
    with pytest.raises(StoreSealedElsewhereError):
        unwrap_store_key([relabelled], ROOT, STORE, "tdx/member")
    with pytest.raises(StoreSealedElsewhereError):
        unwrap_store_key([wrap], ROOT, b"T" * 16, "tdx/simulated")
    with pytest.raises(StoreTamperedError):
        unwrap_store_key([replace(wrap, name="platform/")], ROOT, STORE, "tdx/simulated")
    with pytest.raises(StoreIncompleteError):
        unwrap_store_key([replace(wrap, name="recovery/")], ROOT, STORE, "tdx/simulated")


def test_wrap_of_another_platform_beside_ones_own_does_no_harm() -> None:
    """Several enclaves over one store: each finds its own wrap."""
    wraps = [wrap_store_key(KEY, bytearray(root), STORE, "p") for root in (b"Q" * 32, b"R" * 32)]
    assert unwrap_store_key(wraps, ROOT, STORE, "p") == KEY


def test_short_seal_root_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        wrap_store_key(KEY, bytearray(15), STORE, "tdx/simulated")


def test_simulated_store_never_belongs_to_hardware() -> None:
    simulated = provider_of(FixedDriver())
    hardware = provider_of(FixedDriver(assurance=AssuranceLevel.MEMBER))
    assert simulated != hardware


def test_repr_of_sealer_and_wrap_shows_no_key() -> None:
    key = new_store_key()
    shown = repr(Sealer(key, STORE)) + repr(wrap_store_key(key, ROOT, STORE, "p"))
    assert key.hex() not in shown
    assert repr(bytes(key)) not in shown
