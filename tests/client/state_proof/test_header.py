"""A header is believed only if it hashes to the trusted hash."""

from __future__ import annotations

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.client.state_proof.errors import HeaderMismatch
from xmtp_tee.client.state_proof.header import header_from_json, header_from_rlp
from xmtp_tee.hashing import keccak256

# Ethereum mainnet's first block, from its genesis file.
GENESIS_HASH = "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
GENESIS: dict[str, object] = {
    "parentHash": "0x" + "00" * 32,
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x" + "00" * 20,
    "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
    "transactionsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "receiptsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x400000000",
    "number": "0x0",
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
    "timestamp": "0x0",
    "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
    "mixHash": "0x" + "00" * 32,
    "nonce": "0x0000000000000042",
}
TRUSTED = bytes.fromhex(GENESIS_HASH[2:])


def test_mainnet_genesis_hashes_to_its_known_hash() -> None:
    header = header_from_json(GENESIS, TRUSTED)
    assert header.number == 0
    assert "0x" + header.state_root.hex() == GENESIS["stateRoot"]


@given(st.sampled_from(sorted(GENESIS)))
def test_any_changed_field_is_refused(name: str) -> None:
    text = str(GENESIS[name])
    flipped = text[:-1] + ("1" if text[-1] != "1" else "2")
    with pytest.raises(HeaderMismatch):
        header_from_json(GENESIS | {name: flipped}, TRUSTED)


@pytest.mark.parametrize("name", sorted(GENESIS))
def test_missing_or_malformed_field_is_refused(name: str) -> None:
    without = {key: value for key, value in GENESIS.items() if key != name}
    for bent in (without, GENESIS | {name: "0xzz"}, GENESIS | {name: 7}, GENESIS | {name: "12"}):
        with pytest.raises(HeaderMismatch):
            header_from_json(bent, TRUSTED)


def test_appended_field_is_part_of_the_hash() -> None:
    with pytest.raises(HeaderMismatch):
        header_from_json(GENESIS | {"baseFeePerGas": "0x7"}, TRUSTED)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x80", rlp.encode([b"a"] * 3), rlp.encode([b""] * 15), rlp.encode([bytes(32)] * 15)],
    ids=repr,
)
def test_bytes_with_the_right_hash_that_are_no_header_are_refused(raw: bytes) -> None:
    with pytest.raises(HeaderMismatch):
        header_from_rlp(raw, keccak256(raw))
