"""An account under a state root, and a storage word under the account. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xmtp_tee.client.state_proof.errors import TrieProofInvalid
from xmtp_tee.client.state_proof.rlp import decode, decode_list, decode_uint
from xmtp_tee.client.state_proof.trie import prove
from xmtp_tee.hashing import keccak256


@dataclass(frozen=True, slots=True)
class Account:
    """A proven account. ``storage_root`` and ``code_hash`` are 32 bytes."""

    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes


def prove_account(state_root: bytes, address: bytes, nodes: Sequence[bytes]) -> Account | None:
    """Return the account of ``address`` (20 bytes), or None where there provably is none.

    :raises TrieProofInvalid: the nodes prove neither
    """
    value = prove(state_root, keccak256(address), nodes)
    if value is None:
        return None
    fields = decode_list(value)
    if len(fields) != 4:
        raise TrieProofInvalid(
            "an account has another size", got=f"{len(fields)} items", expected=4
        )
    root, code = fields[2], fields[3]
    if not isinstance(root, bytes) or not isinstance(code, bytes) or {len(root), len(code)} != {32}:
        raise TrieProofInvalid("an account's storage root or code hash is no hash")
    return Account(decode_uint(fields[0]), decode_uint(fields[1]), root, code)


def prove_word(storage_root: bytes, slot: int, nodes: Sequence[bytes]) -> int:
    """Return the storage word at ``slot``; a word that provably is not there is 0.

    :raises TrieProofInvalid: the nodes prove neither presence nor absence, or the word is malformed
    """
    value = prove(storage_root, keccak256(slot.to_bytes(32, "big")), nodes)
    if value is None:
        return 0
    # No chain's trie holds a word that is zero; anvil's does, of each word that was read. It means the same.
    word = decode_uint(decode(value))
    if word >> 256:
        raise TrieProofInvalid("a storage word is too long", got=f"{word.bit_length()} bits")
    return word
