"""Recovering an authority, an owner or an approver from a signature: Wycheproof's secp256k1 vectors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from xmtp_tee.attestation.address import address_of_public_key
from xmtp_tee.attestation.certificate import recover_authority
from xmtp_tee.attestation.errors import SignatureMalformedError

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def recovers(digest: bytes, signature: bytes, expected: bytes) -> bool:
    for v in (27, 28):
        try:
            if recover_authority(digest, signature + bytes([v])) == expected:
                return True
        except SignatureMalformedError:
            continue
    return False


def test_only_valid_low_s_signatures_recover_to_their_key(vectors_dir: Path) -> None:
    name = "ecdsa_secp256k1_sha256_p1363_test.json"
    document = json.loads((vectors_dir / "wycheproof" / name).read_text())
    counted = {True: 0, False: 0}
    for group in document["testGroups"]:
        expected = address_of_public_key(bytes.fromhex(group["publicKey"]["uncompressed"]))
        for test in group["tests"]:
            digest = hashlib.sha256(bytes.fromhex(test["msg"])).digest()
            signature = bytes.fromhex(test["sig"])
            low = len(signature) == 64 and int.from_bytes(signature[32:], "big") <= ORDER // 2
            # A small r may stand for r + n, which Ethereum's v cannot say.
            if test["result"] == "valid" and low and "ArithmeticError" not in test["flags"]:
                wanted = recovers(digest, signature, expected)
                if not wanted and int.from_bytes(signature[:32], "big") < 1 << 129:
                    continue
                assert wanted, test["tcId"]
                counted[True] += 1
            elif test["result"] != "valid" or not low:
                assert not recovers(digest, signature, expected), test["tcId"]
                counted[False] += 1
    assert min(counted.values()) > 20
