"""Fetches headers and proofs from a node, and believes none of them before they lead to the trusted block hash."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import RequestRefused
from xmtp_tee.client.state_proof.account import Account, prove_account, prove_word
from xmtp_tee.client.state_proof.errors import HeaderMismatch, StateProofInvalid
from xmtp_tee.client.state_proof.header import Header, header_from_json, header_from_rlp

# Nodes bound the keys of one eth_getProof; geth answers 1,024.
_KEYS_PER_REQUEST = 256


class StateReader:
    """Reads storage words at one block, named by a hash (32 bytes) that the caller trusts."""

    def __init__(self, chain: Chain, trusted_hash: bytes) -> None:
        if len(trusted_hash) != 32:
            raise HeaderMismatch(
                "a block hash is 32 bytes", got=f"{len(trusted_hash)} bytes", expected="32 bytes"
            )
        self._chain = chain
        self._hash = trusted_hash

    @cached_property
    def header(self) -> Header:
        """The trusted block's header.

        :raises HeaderMismatch: the node does not know the block, or shows another one
        """
        name = "0x" + self._hash.hex()
        block = self._chain.request("eth_getBlockByHash", name, False)
        if not isinstance(block, dict):
            raise HeaderMismatch("the node does not know the trusted block", got=name)
        try:
            return header_from_json(block, self._hash)
        except HeaderMismatch:
            raw = self._raw_header(name)
            if raw is None:
                raise
        return header_from_rlp(raw, self._hash)

    def words(self, address: bytes, slots: Iterable[int]) -> dict[int, int]:
        """Return the storage words of a contract (20 bytes) at these slots; 0 for one that provably is not there.

        :raises StateProofInvalid: the node shows no proof, or there provably is no contract
        """
        wanted = list(dict.fromkeys(slots))
        found: dict[int, int] = {}
        for start in range(0, max(len(wanted), 1), _KEYS_PER_REQUEST):
            found |= self._page(address, wanted[start : start + _KEYS_PER_REQUEST])
        return found

    def _page(self, address: bytes, slots: Sequence[int]) -> dict[int, int]:
        answer = self._proof(address, slots)
        account = self._account(address, _nodes(_member(answer, "accountProof")))
        entries = _member(answer, "storageProof")
        if not isinstance(entries, list) or len(entries) != len(slots):
            raise StateProofInvalid("the node's storage proofs are not those asked for")
        return {
            slot: prove_word(account.storage_root, slot, _nodes(_member(entry, "proof")))
            for slot, entry in zip(slots, entries, strict=True)
        }

    def _account(self, address: bytes, nodes: Sequence[bytes]) -> Account:
        account = prove_account(self.header.state_root, address, nodes)
        if account is None:
            raise StateProofInvalid(
                "there provably is no account at the trusted block", got=checksum_address(address)
            )
        return account

    def _proof(self, address: bytes, slots: Sequence[int]) -> object:
        keys = [f"0x{slot:064x}" for slot in slots]
        where = checksum_address(address)
        by_hash = {"blockHash": "0x" + self._hash.hex()}
        try:
            return self._chain.request("eth_getProof", where, keys, by_hash)
        except RequestRefused:
            # A node without EIP-1898 takes a number only. What it then shows is checked all the same.
            return self._chain.request("eth_getProof", where, keys, hex(self.header.number))

    def _raw_header(self, name: str) -> bytes | None:
        """The header as RLP, from a node that has it: with fields that this version does not know."""
        try:
            raw = self._chain.request("debug_getRawHeader", name)
        except RequestRefused:
            return None
        return _bytes(raw)


def _member(value: object, name: str) -> object:
    if not isinstance(value, dict) or name not in value:
        raise StateProofInvalid("the node's answer is no proof", got=str(value)[:40], expected=name)
    return value[name]


def _nodes(value: object) -> list[bytes]:
    if not isinstance(value, list):
        raise StateProofInvalid("the node's proof is no list", got=type(value).__name__)
    return [_bytes(node) for node in value]


def _bytes(value: object) -> bytes:
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            pass
    raise StateProofInvalid("the node's proof is not in hex", got=str(value)[:40])
