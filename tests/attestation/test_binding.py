"""The binding: the digest that an enclave puts into its quote."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from eth_abi import encode
from eth_utils import keccak

from tests.attestation.support import BINDING
from xmtp_tee.attestation import EnclaveBinding
from xmtp_tee.attestation.errors import FieldError


def independent_digest(binding: EnclaveBinding) -> bytes:
    type_hash = keccak(
        text="EnclaveBinding(uint256 chainId,address enclaveRegistry,address authority,"
        "bytes32 transportKey,uint256 blockNumber,bytes32 blockHash)"
    )
    return keccak(
        encode(
            ["bytes32", "uint256", "address", "address", "bytes32", "uint256", "bytes32"],
            [
                type_hash,
                binding.chain_id,
                binding.enclave_registry,
                binding.authority,
                binding.transport_key,
                binding.block_number,
                binding.block_hash,
            ],
        )
    )


def test_digest_is_the_hash_of_the_abi_encoding() -> None:
    assert BINDING.digest() == independent_digest(BINDING)


def test_digest_has_not_changed() -> None:
    # The contracts compute the same value; a change here is a change of the protocol.
    assert (
        BINDING.digest().hex() == "ed146b65ed116a1403544df5cc0df23c8a79ec42d2d1735e93598d62169cac69"
    )


def test_report_data_is_the_digest_and_32_zero_bytes() -> None:
    assert BINDING.report_data() == BINDING.digest() + bytes(32)


@pytest.mark.parametrize("name", [field.name for field in fields(EnclaveBinding)])
def test_digest_changes_with_every_field(name: str) -> None:
    value = getattr(BINDING, name)
    other = value + 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:]
    changed = replace(BINDING, **{name: other})
    assert changed.digest() != BINDING.digest()
    assert changed.digest() == independent_digest(changed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chain_id", -1),
        ("chain_id", 1 << 256),
        ("chain_id", True),
        ("chain_id", "1"),
        ("enclave_registry", bytes(19)),
        ("enclave_registry", "0x" + "11" * 20),
        ("authority", bytes(32)),
        ("transport_key", bytes(31)),
        ("block_number", 1 << 64),
        ("block_hash", bytes(33)),
    ],
)
def test_binding_refuses_fields_of_wrong_shape(name: str, value: object) -> None:
    with pytest.raises(FieldError):
        replace(BINDING, **{name: value})  # type: ignore[arg-type]
