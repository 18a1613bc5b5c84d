"""Published vectors, driven through the enclave's operations."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.enclave.operating import Desk, hkdf, joined
from xmtp_tee.policy.document import KeyRules
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.refusals import CiphertextInvalidError, PublicKeyInvalidError


def groups(vectors: Path, name: str) -> list[dict[str, Any]]:
    return json.loads((vectors / "wycheproof" / name).read_text())["testGroups"]  # type: ignore[no-any-return]


def dose(tests: list[Any], normal: int) -> list[Any]:
    """All of them in CI and proof; otherwise every so-many-th."""
    if os.environ.get("HYPOTHESIS_PROFILE", "default") != "default":
        return tests
    return tests[:: max(1, len(tests) // normal)]


@pytest.mark.parametrize(
    ("name", "key_type"),
    [("aes_gcm_test.json", "aes-256-gcm"), ("chacha20_poly1305_test.json", "chacha20-poly1305")],
)
def test_wycheproof_aead(desk: Desk, vectors_dir: Path, name: str, key_type: str) -> None:
    tests = [
        test
        for group in groups(vectors_dir, name)
        if (group["keySize"], group["ivSize"], group["tagSize"]) == (256, 96, 128)
        for test in group["tests"]
    ]
    assert len(tests) > 50
    for test in dose(tests, 60):
        key, iv, aad, msg, ct, tag = (
            bytes.fromhex(test[field]) for field in ("key", "iv", "aad", "msg", "ct", "tag")
        )
        made = desk.make("aead", key, key_type=key_type)
        operation = wire.AeadOpen(key_id=made.id, nonce=iv, ciphertext=ct + tag, aad=aad)
        if test["result"] != "valid":
            with pytest.raises(CiphertextInvalidError):
                desk.ask(operation, wire.Plaintext)
            continue
        assert desk.ask(operation, wire.Plaintext).plaintext == msg, test["tcId"]
        desk.random.then(iv)
        seal = wire.AeadSeal(key_id=made.id, plaintext=msg, aad=aad)
        sealed = desk.ask(seal, wire.Ciphertext)
        assert (sealed.nonce, sealed.ciphertext) == (iv, ct + tag), test["tcId"]


def test_wycheproof_x25519(desk: Desk, vectors_dir: Path) -> None:
    desk.change(keys=KeyRules(release_shared_secrets=True))
    tests = [test for group in groups(vectors_dir, "x25519_test.json") for test in group["tests"]]
    special = [t for t in tests if "Normal" not in t["flags"]]
    seen = {"agreed": 0, "refused": 0}
    for test in dose(special, 120) + dose([t for t in tests if t not in special], 20):
        key = desk.make("key-agreement", bytes.fromhex(test["private"]), releases=True)
        peer, raw = bytes.fromhex(test["public"]), bytes.fromhex(test["shared"])
        operation = wire.SharedSecret(key_id=key.id, peer=peer, label="v", use="bytes")
        if not any(raw):
            with pytest.raises(PublicKeyInvalidError):
                desk.ask(operation, wire.SecretBytes)
            seen["refused"] += 1
            continue
        info = joined(b"xmtp-tee/shared-secret/v1", b"bytes", b"v", *sorted((peer, key.public_key)))
        made = desk.ask(operation, wire.SecretBytes)
        assert made.secret == hkdf(raw, b"", info, 32), test["tcId"]
        seen["agreed"] += 1
    assert min(seen.values()) > 5


def hpke_vectors(path: Path, kems: dict[int, str]) -> list[tuple[dict[str, Any], str]]:
    found = json.loads(path.read_text())
    return [
        (vector, kems[vector["kem_id"]])
        for vector in found
        if vector["mode"] == 0
        and vector["kem_id"] in kems
        and vector["kdf_id"] == 1
        and vector["aead_id"] in (1, 2, 3)
    ]


def test_rfc_9180_and_x_wing_vectors_open_through_a_context(desk: Desk, vectors_dir: Path) -> None:
    found = hpke_vectors(vectors_dir / "hpke" / "rfc9180-test-vectors.json", {0x20: "x25519"})
    assert len(found) == 3
    more = hpke_vectors(vectors_dir / "hpke" / "hpke-pq-test-vectors.json", {0x647A: "xwing"})
    assert len(more) == 1
    for vector, key_type in found + more:
        key = desk.make("hpke", bytes.fromhex(vector["skRm"]), key_type=key_type)
        assert key.public_key.hex() == vector["pkRm"]
        begun = wire.HpkeSetupRecipient(
            key_id=key.id,
            encapsulated=bytes.fromhex(vector["enc"]),
            info=bytes.fromhex(vector["info"]),
            kem=vector["kem_id"],
            aead=vector["aead_id"],
        )
        handle = desk.ask(begun, wire.Handle).id
        for message in vector["encryptions"]:
            operation = wire.HpkeOpenNext(
                handle=handle,
                ciphertext=bytes.fromhex(message["ct"]),
                aad=bytes.fromhex(message["aad"]),
            )
            assert desk.ask(operation, wire.Plaintext).plaintext.hex() == message["pt"]


def test_rfc_9180_sender_is_the_vectors(desk: Desk, vectors_dir: Path) -> None:
    found = hpke_vectors(vectors_dir / "hpke" / "rfc9180-test-vectors.json", {0x20: "x25519"})
    for vector, _ in found:
        desk.random.then(bytes.fromhex(vector["ikmE"]))
        begun = desk.ask(
            wire.HpkeSetupSender(
                recipient=bytes.fromhex(vector["pkRm"]),
                info=bytes.fromhex(vector["info"]),
                aead=vector["aead_id"],
            ),
            wire.HpkeSender,
        )
        assert begun.encapsulated.hex() == vector["enc"]
        first = vector["encryptions"][0]
        operation = wire.HpkeSealNext(
            handle=begun.handle.id,
            plaintext=bytes.fromhex(first["pt"]),
            aad=bytes.fromhex(first["aad"]),
        )
        assert desk.ask(operation, wire.Ciphertext).ciphertext.hex() == first["ct"]


def test_rfc_4231_codes(desk: Desk) -> None:
    """HMAC-SHA256 with keys of 32 bytes: what RFC 2104 makes of RFC 4231's shorter ones (zero-padded)."""
    for key, message, expected in (
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
    ):
        made = desk.make("mac", key.ljust(32, b"\x00"))
        operation = wire.ComputeMac(key_id=made.id, message=message)
        assert desk.ask(operation, wire.Mac).mac.hex() == expected
