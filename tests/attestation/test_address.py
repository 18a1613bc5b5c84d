"""Addresses: EIP-55 text, and the address of a public key."""

from __future__ import annotations

import coincurve
import pytest
from eth_utils import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.attestation import address_of_public_key, checksum_address, parse_address
from xmtp_tee.attestation.errors import FieldError

# The examples of EIP-55.
EIP_55 = (
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
)


@pytest.mark.parametrize("text", EIP_55)
def test_parse_address_reads_the_examples_of_eip_55_and_prints_them_again(text: str) -> None:
    assert checksum_address(parse_address(text)) == text


@given(st.binary(min_size=20, max_size=20))
def test_checksum_address_agrees_with_an_independent_implementation(address: bytes) -> None:
    assert checksum_address(address) == to_checksum_address(address)


def test_parse_address_accepts_text_without_a_checksum() -> None:
    assert parse_address(EIP_55[0].lower()) == parse_address(EIP_55[0])
    assert parse_address("0x" + EIP_55[0][2:].upper()) == parse_address(EIP_55[0])


def test_parse_address_refuses_a_wrong_checksum() -> None:
    wrong = EIP_55[0].replace("aA", "Aa")
    with pytest.raises(FieldError, match="EIP-55") as refusal:
        parse_address(wrong)
    assert refusal.value.got == wrong
    assert refusal.value.expected == EIP_55[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        EIP_55[0][2:],
        EIP_55[0] + "0",
        EIP_55[0][:-1],
        EIP_55[0].replace("5", "g"),
        " " + EIP_55[0],
        EIP_55[0] + "\n",
        None,
        12,
        b"\x01" * 20,
    ],
)
def test_parse_address_refuses_what_is_no_address(text: object) -> None:
    with pytest.raises(FieldError):
        parse_address(text)


def test_address_of_public_key_takes_both_uncompressed_forms() -> None:
    # Private key 1: the generator; its address is public knowledge.
    key = coincurve.PrivateKey((1).to_bytes(32, "big")).public_key.format(compressed=False)
    expected = parse_address("0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf")
    assert address_of_public_key(key) == expected
    assert address_of_public_key(key[1:]) == expected


@pytest.mark.parametrize("size", [0, 33, 63, 66])
def test_address_of_public_key_refuses_other_lengths(size: int) -> None:
    with pytest.raises(FieldError):
        address_of_public_key(bytes(size))


def test_checksum_address_refuses_other_lengths() -> None:
    with pytest.raises(FieldError):
        checksum_address(bytes(21))
