"""Gas of P384.verify, SHA-384 and RSA-PSS: whole transactions by their receipts, on an anvil of its own (osaka).

    python benchmarks/p384.py [--signatures N] [--output FILE]

Prints JSON: p384_verify (average, least, most of N random signatures, at least 12, from a fixed seed), its split into
intrinsic gas, calldata and execution, EIP-7623's floor, the longest witness that the contract takes, sha384_per_block
and rsa_pss_4096. The bars are in tests/contracts/crypto.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ROOT = Path(__file__).absolute().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "python")]

from tests.contracts.crypto import p384_support as support  # noqa: E402
from tests.contracts.crypto.p384_forgery import write  # noqa: E402
from tests.contracts.crypto.test_p384 import longest_program  # noqa: E402
from tests.support.chain import Anvil, Chain, artifact  # noqa: E402
from xmtp_tee.attestation.p384.witness import _nonce_point, make_witness  # noqa: E402

INTRINSIC = 21_000


def calldata_gas(data: bytes) -> tuple[int, int]:
    """Return what calldata costs, and the least that EIP-7623 lets a transaction with it cost."""
    zeros = data.count(0)
    tokens = zeros + 4 * (len(data) - zeros)
    return 4 * tokens, INTRINSIC + 10 * tokens


def spend(chain: Chain, function: Any) -> dict[str, int]:
    sent = function.transact({"from": chain.accounts[0], "gas": 4_000_000})
    used = chain.web3.eth.wait_for_transaction_receipt(sent)["gasUsed"]
    data = bytes(chain.web3.eth.get_transaction(sent)["input"])
    calldata, floor = calldata_gas(data)
    return {
        "transaction": used,
        "intrinsic": INTRINSIC,
        "calldata": calldata,
        "execution": used - INTRINSIC - calldata,
        "floor": floor,
        "calldata_bytes": len(data),
    }


def measure(count: int) -> dict[str, Any]:
    rng = random.Random(384)  # noqa: S311 - the same signatures each time
    with Anvil() as anvil:
        chain = Chain(anvil)
        verifier = support.deploy(chain)
        spent = []
        for _ in range(count):
            signature = support.random_signature(rng)
            call = support.call(verifier, signature, make_witness(*signature))
            chain.call(call)  # raises when it is refused
            spent.append(spend(chain, call))
        forged = write(0, _nonce_point(*signature), signature.key, (0, 0), longest_program())
        longest = spend(chain, support.call(verifier, signature, forged))
        harness = chain.deploy("CryptoHarness")
        few, _ = chain.call(harness.functions.sha384Gas(bytes(128)))
        many, _ = chain.call(harness.functions.sha384Gas(bytes(128 * 33)))
        rsa_pss = spend(chain, _rsa_call(harness))
    return {
        "rsa_pss_4096": rsa_pss,
        "p384_verify": {
            "average": sum(s["transaction"] for s in spent) // count,
            "least": min(s["transaction"] for s in spent),
            "most": max(s["transaction"] for s in spent),
            "signatures": count,
            "split_average": {key: sum(s[key] for s in spent) // count for key in spent[0]},
        },
        "p384_longest_witness": longest,
        "p384_code_bytes": len(artifact("P384")["deployedBytecode"]["object"]) // 2 - 1,
        "sha384_per_block": (many - few) // 32,
    }


def _rsa_call(harness: Any) -> Any:
    """Return the verification of a fresh RSASSA-PSS signature: a digest of 48 bytes, a key of 4096 bits."""
    key = rsa.generate_private_key(65_537, 4_096)
    message = b"message"
    signature = key.sign(message, padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384())
    modulus = key.public_key().public_numbers().n.to_bytes(512, "big")
    digest = int.from_bytes(hashlib.sha384(message).digest(), "big")
    return harness.functions.rsaPssDigest(modulus, support.uint384(digest), signature)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--signatures", type=int, default=12)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if arguments.signatures < 12:
        parser.error("the bar speaks of at least 12 signatures")
    text = json.dumps(measure(arguments.signatures), indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
