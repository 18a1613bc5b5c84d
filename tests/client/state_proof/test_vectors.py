"""Headers of every fork and proofs as go-ethereum answers them (ethereum/execution-apis' conformance tests)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xmtp_tee.client.state_proof.account import prove_account, prove_word
from xmtp_tee.client.state_proof.errors import HeaderMismatch, TrieProofInvalid
from xmtp_tee.client.state_proof.header import header_from_json

VECTORS = json.loads(
    (Path(__file__).resolve().parents[2] / "vectors" / "state_proofs.json").read_text()
)
BLOCKS: dict[str, dict[str, Any]] = VECTORS["blocks"]
PROOFS: list[dict[str, Any]] = VECTORS["proofs"]


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


@pytest.mark.parametrize("fork", BLOCKS)
def test_header_of_every_fork_hashes_to_its_blocks_hash(fork: str) -> None:
    block = BLOCKS[fork]
    header = header_from_json(block["header"], raw(block["hash"]))
    assert header.number == int(block["header"]["number"], 16)
    assert header.timestamp == int(block["header"]["timestamp"], 16)
    assert header.state_root == raw(block["header"]["stateRoot"])


@pytest.mark.parametrize("fork", BLOCKS)
def test_header_without_its_last_field_is_another_block(fork: str) -> None:
    block = BLOCKS[fork]
    last = list(block["header"])[-1]
    cut = {name: value for name, value in block["header"].items() if name != last}
    with pytest.raises(HeaderMismatch):
        header_from_json(cut, raw(block["hash"]))


@pytest.mark.parametrize("vector", PROOFS, ids=lambda vector: str(vector["params"][1]))
def test_account_and_storage_are_those_of_the_answer(vector: dict[str, Any]) -> None:
    root = raw(BLOCKS[vector["block"]]["header"]["stateRoot"])
    answer = vector["result"]
    nodes = [raw(node) for node in answer["accountProof"]]
    account = prove_account(root, raw(answer["address"]), nodes)
    assert account is not None
    assert account.nonce == int(answer["nonce"], 16)
    assert account.balance == int(answer["balance"], 16)
    assert account.storage_root == raw(answer["storageHash"])
    assert account.code_hash == raw(answer["codeHash"])
    for entry in answer["storageProof"]:
        proof = [raw(node) for node in entry["proof"]]
        slot = int(entry["key"], 16)
        assert prove_word(account.storage_root, slot, proof) == int(entry["value"], 16)
        if proof:
            with pytest.raises(TrieProofInvalid):
                prove_word(account.storage_root, slot, proof[:-1])


def test_account_of_another_block_is_refused() -> None:
    answer = PROOFS[0]["result"]
    nodes = [raw(node) for node in answer["accountProof"]]
    root = raw(BLOCKS["prague"]["header"]["stateRoot"])
    with pytest.raises(TrieProofInvalid):
        prove_account(root, raw(answer["address"]), nodes)
