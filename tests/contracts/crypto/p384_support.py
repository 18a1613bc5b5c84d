"""What the tests of P384 share: deployment, calls, signatures, Wycheproof's vectors."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.support.chain import ROOT, TRANSACTION_GAS_LIMIT, Chain, Reverted
from xmtp_tee.attestation.p384 import curve, tables
from xmtp_tee.attestation.p384.curve import Point

WYCHEPROOF = ("ecdsa_secp384r1_sha384_test.json", "ecdsa_secp384r1_sha384_p1363_test.json")


class Signature(NamedTuple):
    """What P384.verify is asked about."""

    digest: int
    r: int
    s: int
    key: Point


class Vector(NamedTuple):
    """A test of Wycheproof's that an ABI call can express."""

    name: str
    signature: Signature
    valid: bool


def uint384(value: int) -> tuple[int, int]:
    """Return an integer as the ABI's Uint384."""
    return value >> 256, value % 2**256


def call(verifier: Any, signature: Signature, witness: bytes) -> Any:
    """Return the prepared call of P384.verify."""
    digest, r, s, key = signature
    return verifier.functions.verify(*map(uint384, (digest, r, s, key.x, key.y)), witness)


def deploy_code(chain: Chain, runtime: bytes) -> str:
    """Deploy raw runtime code and return its address."""
    sent = chain.web3.eth.send_transaction(
        {
            "from": chain.accounts[0],
            "data": tables.creation_code(runtime),
            "gas": TRANSACTION_GAS_LIMIT,
        }
    )
    receipt = chain.web3.eth.wait_for_transaction_receipt(sent)
    assert receipt["status"] == 1
    address = receipt["contractAddress"]
    assert address is not None
    return str(address)


def deploy(chain: Chain) -> Any:
    """Deploy both tables and P384."""
    low, high = tables.low_table(), tables.high_table()
    verifier = chain.deploy("P384", deploy_code(chain, low), deploy_code(chain, high))
    chain.know("IP384")
    return verifier


def outcomes(chain: Chain, calls: Iterable[Any]) -> Iterator[bytes | Reverted]:
    """Ask few at a time: with witnesses, more would be larger than a request of anvil's may be."""
    rest = iter(calls)
    while group := list(itertools.islice(rest, 8)):
        yield from chain.outcomes(group)


def random_signature(rng: random.Random) -> Signature:
    """Return a valid signature of a random digest by a random key."""
    secret, nonce = rng.randrange(1, curve.N), rng.randrange(1, curve.N)
    return sign(rng.randrange(2**384), secret, nonce)


def sign(digest: int, secret: int, nonce: int) -> Signature:
    """Return the ECDSA signature with this nonce."""
    key, point = curve.multiply(secret, curve.G), curve.multiply(nonce, curve.G)
    assert key is not None
    assert point is not None
    r = point.x % curve.N
    s = pow(nonce, -1, curve.N) * (digest + r * secret) % curve.N
    return Signature(digest, r, s, key)


def wycheproof() -> Iterator[Vector]:
    """Yield the vectors whose signature is two integers below 2^384, or skip the test."""
    folder = (
        Path(os.environ.get("XMTP_TEE_VECTORS", ROOT / ".." / "shared" / "vectors")) / "wycheproof"
    )
    if not folder.is_dir():
        pytest.skip(f"no vectors at {folder}; set XMTP_TEE_VECTORS")
    for name in WYCHEPROOF:
        for group in json.loads((folder / name).read_text())["testGroups"]:
            key = Point(int(group["publicKey"]["wx"], 16), int(group["publicKey"]["wy"], 16))
            for test in group["tests"]:
                pair = _integers(bytes.fromhex(test["sig"]), p1363="p1363" in name)
                if pair is None or not all(0 <= number < 2**384 for number in pair):
                    assert test["result"] != "valid"
                    continue
                digest = hashlib.sha384(bytes.fromhex(test["msg"])).digest()
                signature = Signature(int.from_bytes(digest, "big"), *pair, key)
                yield Vector(
                    f"{name}:{test['tcId']} {test['comment']}", signature, test["result"] == "valid"
                )


def _integers(raw: bytes, *, p1363: bool) -> tuple[int, int] | None:
    if p1363:
        if len(raw) != 96:
            return None
        return int.from_bytes(raw[:48], "big"), int.from_bytes(raw[48:], "big")
    try:
        return decode_dss_signature(raw)
    except ValueError:
        return None
