"""How far an enclave's store has come, signed by its authority: for clients, and for a contract.

Both are EIP-712: the first under the enclave's own domain (``statements``), the second under that of a
FreshnessAnchor contract. The chain is a keyed hash over all states of the store (``enclave.integrity``);
nobody outside can compute it, and everybody can compare it.
"""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.fields import address_word, require_length, require_uint, uint_word
from xmtp_tee.attestation.statements import enclave_digest
from xmtp_tee.hashing import keccak256

FRESHNESS_TYPE = "Freshness(bytes16 storeId,uint64 epoch,bytes32 chain,uint64 since,bytes32 sinceChain,bytes32 nonce)"
ANCHOR_TYPE = "Anchor(address authority,uint64 epoch,bytes24 chain)"
ANCHOR_DOMAIN_NAME = "XMTP TEE FreshnessAnchor"
ANCHOR_CHAIN_SIZE = 24
"""Bytes of the chain that the contract keeps: with the epoch they fill one word."""

_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


@dataclass(frozen=True, slots=True)
class FreshnessStatement:
    """The store is at ``epoch`` with ``chain``; at ``since`` it was at ``since_chain``. ``nonce``: the
    asker's 32 bytes.
    """

    store_id: bytes
    epoch: int
    chain: bytes
    since: int
    since_chain: bytes
    nonce: bytes

    def digest(self) -> bytes:
        """Return what the authority signs."""
        require_length("store id", self.store_id, 16)
        for name in ("chain", "since_chain", "nonce"):
            require_length(name, getattr(self, name), 32)
        for name in ("epoch", "since"):
            require_uint(name, getattr(self, name), 64)
        return enclave_digest(
            keccak256(
                keccak256(FRESHNESS_TYPE.encode())
                + self.store_id.ljust(32, b"\x00")
                + uint_word(self.epoch)
                + self.chain
                + uint_word(self.since)
                + self.since_chain
                + self.nonce
            )
        )


def anchor_digest(
    chain_id: int, contract: bytes, authority: bytes, epoch: int, chain: bytes
) -> bytes:
    """Return what the authority signs for ``FreshnessAnchor.anchor``. ``chain``: 24 bytes."""
    require_uint("chain id", chain_id, 256)
    require_length("contract", contract, 20)
    require_length("authority", authority, 20)
    require_uint("epoch", epoch, 64)
    require_length("chain", chain, ANCHOR_CHAIN_SIZE)
    domain = keccak256(
        keccak256(_DOMAIN_TYPE.encode())
        + keccak256(ANCHOR_DOMAIN_NAME.encode())
        + keccak256(b"1")
        + uint_word(chain_id)
        + address_word(contract)
    )
    struct = keccak256(
        keccak256(ANCHOR_TYPE.encode())
        + address_word(authority)
        + uint_word(epoch)
        + chain.ljust(32, b"\x00")
    )
    return keccak256(b"\x19\x01" + domain + struct)
