"""What an enclave binds into its quote: who it is, for which chain and registry, and how recent it is.

::

    report_data[0:32]  = keccak256(abi.encode(TYPE_HASH, chainId, enclaveRegistry, authority,
                                              transportKey, blockNumber, blockHash))
    report_data[32:64] = 0
"""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.fields import address_word, require_length, require_uint, uint_word
from xmtp_tee.hashing import keccak256

BINDING_TYPE = (
    "EnclaveBinding(uint256 chainId,address enclaveRegistry,address authority,"
    "bytes32 transportKey,uint256 blockNumber,bytes32 blockHash)"
)
BINDING_TYPE_HASH = keccak256(BINDING_TYPE.encode())
REPORT_DATA_SIZE = 64


@dataclass(frozen=True, slots=True)
class EnclaveBinding:
    """The bound values; the contract EnclaveRegistry computes the same digest.

    ``chain_id`` and ``block_number`` are integers below 2**256 (2**64 for the block number, as on chain);
    addresses are 20 bytes; ``transport_key`` (X25519) and ``block_hash`` are 32 bytes.

    :raises FieldError: a field has the wrong type, length or range
    """

    chain_id: int
    enclave_registry: bytes
    authority: bytes
    transport_key: bytes
    block_number: int
    block_hash: bytes

    def __post_init__(self) -> None:
        require_uint("chain id", self.chain_id, 256)
        require_length("enclave registry", self.enclave_registry, 20)
        require_length("authority", self.authority, 20)
        require_length("transport key", self.transport_key, 32)
        require_uint("block number", self.block_number, 64)
        require_length("block hash", self.block_hash, 32)

    def digest(self) -> bytes:
        """Return the 32-byte digest that stands in ``report_data[0:32]``."""
        return keccak256(
            BINDING_TYPE_HASH
            + uint_word(self.chain_id)
            + address_word(self.enclave_registry)
            + address_word(self.authority)
            + self.transport_key
            + uint_word(self.block_number)
            + self.block_hash
        )

    def report_data(self) -> bytes:
        """Return the 64 bytes to be quoted."""
        return self.digest() + bytes(REPORT_DATA_SIZE - 32)
