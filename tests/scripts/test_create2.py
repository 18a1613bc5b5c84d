"""scripts/_create2.py: addresses from code and salt, and the proxy's own transaction."""

from __future__ import annotations

import pytest
import rlp
from eth_account import Account
from eth_utils import keccak, to_canonical_address, to_checksum_address

from scripts._create2 import (
    DEPLOYER,
    DEPLOYER_CODE,
    DEPLOYER_FUNDS,
    DEPLOYER_SENDER,
    DEPLOYER_TRANSACTION,
    create2_address,
)


def test_the_proxys_transaction_makes_the_proxy_at_its_address() -> None:
    sender = Account.recover_transaction(DEPLOYER_TRANSACTION)
    assert sender == DEPLOYER_SENDER
    made = keccak(rlp.encode([to_canonical_address(sender), 0]))[12:]
    assert to_checksum_address(made) == DEPLOYER


def test_the_proxys_transaction_carries_its_code_and_the_funds_that_are_named() -> None:
    fields = rlp.decode(bytes.fromhex(DEPLOYER_TRANSACTION[2:]))
    gas_price, gas = (int.from_bytes(field) for field in fields[1:3])
    assert gas_price * gas == DEPLOYER_FUNDS
    assert fields[5].endswith(DEPLOYER_CODE)


def test_an_address_follows_from_salt_and_code_alone() -> None:
    salt, code = bytes(32), b"\x60\x00"
    address = create2_address(salt, code)
    assert address == create2_address(salt, code)
    assert address != create2_address(bytes(31) + b"\x01", code)
    assert address != create2_address(salt, code + b"\x00")
    expected = keccak(b"\xff" + bytes.fromhex(DEPLOYER[2:]) + salt + keccak(code))[12:]
    assert address == to_checksum_address(expected)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_salt_has_32_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="32"):
        create2_address(bytes(size), b"")
