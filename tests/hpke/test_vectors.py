"""HPKE against the published vectors: RFC 9180, draft-ietf-hpke-pq, X-Wing, Wycheproof."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from xmtp_tee import hpke
from xmtp_tee.hpke import dhkem, kdf, xwing

Vector = dict[str, Any]
unhex = bytes.fromhex


def load(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def wycheproof(folder: Path, name: str) -> list[Vector]:
    """Every test, with its group's fields in it."""
    groups = load(folder, f"wycheproof/{name}.json")["testGroups"]
    return [{**group, **test} for group in groups for test in group["tests"]]


def replay(entropy: bytes) -> Callable[[int], bytes]:
    def draw(length: int) -> bytes:
        assert length == len(entropy)
        return entropy

    return draw


def psk_of(vector: Vector) -> hpke.PreSharedKey | None:
    if vector["mode"] == 0:
        return None
    return hpke.PreSharedKey(unhex(vector["psk"]), unhex(vector["psk_id"]))


def test_rfc_9180_vectors_of_base_and_psk_mode(vectors_dir: Path) -> None:
    applying = [
        vector
        for vector in load(vectors_dir, "hpke/rfc9180-test-vectors.json")
        if (vector["kem_id"], vector["kdf_id"]) == (0x20, 1)
        and vector["aead_id"] in (1, 2, 3)
        and vector["mode"] in (0, 1)
    ]
    messages = 0
    for vector in applying:
        suite = hpke.Suite(hpke.Kem(vector["kem_id"]), hpke.Aead(vector["aead_id"]))
        private, public = hpke.derive_key_pair(suite, unhex(vector["ikmR"]))
        assert (private.hex(), public.hex()) == (vector["skRm"], vector["pkRm"])
        info, psk = unhex(vector["info"]), psk_of(vector)
        encapsulated, sender = hpke.setup_sender(
            suite, public, info, entropy=replay(unhex(vector["ikmE"])), psk=psk
        )
        assert encapsulated.hex() == vector["enc"]
        recipient = hpke.setup_recipient(suite, encapsulated, private, info, psk=psk)
        for each in vector["encryptions"]:
            aad, plaintext = unhex(each["aad"]), unhex(each["pt"])
            ciphertext = sender.seal(aad, plaintext)
            assert ciphertext.hex() == each["ct"]
            assert recipient.open(aad, ciphertext) == plaintext
            messages += 1
        for each in vector["exports"]:
            for context in (sender, recipient):
                exported = context.export(unhex(each["exporter_context"]), each["L"])
                assert exported.hex() == each["exported_value"]
    assert len(applying) == 6
    assert messages == 6 * 257


def test_hpke_pq_vector_of_x_wing(vectors_dir: Path) -> None:
    applying = [
        vector
        for vector in load(vectors_dir, "hpke/hpke-pq-test-vectors.json")
        if (vector["kem_id"], vector["kdf_id"]) == (0x647A, 1)
    ]
    assert len(applying) == 1
    (vector,) = applying
    suite = hpke.Suite(hpke.Kem.XWING, hpke.Aead(vector["aead_id"]))
    private, public = hpke.derive_key_pair(suite, unhex(vector["ikmR"]))
    assert (private.hex(), public.hex()) == (vector["skRm"], vector["pkRm"])
    recipient = hpke.setup_recipient(suite, unhex(vector["enc"]), private, unhex(vector["info"]))
    assert len(vector["encryptions"]) > 1
    for each in vector["encryptions"]:
        assert recipient.open(unhex(each["aad"]), unhex(each["ct"])) == unhex(each["pt"])
    for each in vector["exports"]:
        exported = recipient.export(unhex(each["exporter_context"]), each["L"])
        assert exported.hex() == each["exported_value"]


def test_x_wing_vectors(vectors_dir: Path) -> None:
    vectors = load(vectors_dir, "xwing/draft-connolly-xwing-test-vectors.json")
    assert len(vectors) == 3
    for vector in vectors:
        assert xwing.public_key(unhex(vector["sk"])).hex() == vector["pk"]
        assert xwing.decapsulate(unhex(vector["ct"]), unhex(vector["sk"])).hex() == vector["ss"]
        # The second half of eseed is the ephemeral X25519 key, which is all that entropy makes here.
        _, ciphertext = xwing.encapsulate(unhex(vector["pk"]), unhex(vector["eseed"])[32:])
        assert ciphertext[-32:].hex() == vector["ct"][-64:]


def test_wycheproof_x25519(vectors_dir: Path) -> None:
    refused = 0
    for test in wycheproof(vectors_dir, "x25519_test"):
        private, public = unhex(test["private"]), unhex(test["public"])
        if "ZeroSharedSecret" in test["flags"]:
            with pytest.raises(hpke.HpkePublicKeyInvalidError, match="low order"):
                dhkem.encapsulate(public, bytes(32))
            with pytest.raises(hpke.HpkeEncapsulationInvalidError, match="low order"):
                dhkem.decapsulate(public, private, None)
            refused += 1
        else:
            own = dhkem.load_private(private).public_key().public_bytes_raw()
            expected = dhkem._extract_and_expand(unhex(test["shared"]), public + own)
            assert dhkem.decapsulate(public, private, None) == expected
    assert refused > 20


def test_wycheproof_hkdf_sha256(vectors_dir: Path) -> None:
    refused = 0
    for test in wycheproof(vectors_dir, "hkdf_sha256_test"):
        prk = kdf.extract(unhex(test["salt"]), unhex(test["ikm"]))
        if test["result"] == "invalid":
            with pytest.raises(hpke.HpkeExportLengthError):
                kdf.expand(prk, unhex(test["info"]), test["size"])
            refused += 1
        else:
            assert kdf.expand(prk, unhex(test["info"]), test["size"]).hex() == test["okm"]
    assert refused > 0


def test_wycheproof_ml_kem_768_public_keys_inside_x_wing(vectors_dir: Path) -> None:
    point = xwing.public_key(bytes(32))[-32:]
    refused = 0
    for test in wycheproof(vectors_dir, "mlkem_768_encaps_test"):
        public = unhex(test["ek"]) + point
        if test["result"] == "invalid":
            with pytest.raises(hpke.HpkePublicKeyInvalidError):
                xwing.encapsulate(public, bytes(range(32)))
            refused += 1
        else:
            xwing.encapsulate(public, bytes(range(32)))
    assert refused > 10


@pytest.mark.parametrize(
    ("name", "aeads"),
    [
        ("aes_gcm_test", {128: hpke.Aead.AES_128_GCM, 256: hpke.Aead.AES_256_GCM}),
        ("chacha20_poly1305_test", {256: hpke.Aead.CHACHA20_POLY1305}),
    ],
)
def test_wycheproof_aead(vectors_dir: Path, name: str, aeads: dict[int, hpke.Aead]) -> None:
    checked = {"valid": 0, "invalid": 0}
    for test in wycheproof(vectors_dir, name):
        if test["keySize"] not in aeads or test["ivSize"] != 96 or test["tagSize"] != 128:
            continue
        cipher = aeads[test["keySize"]].cipher(unhex(test["key"]))
        nonce, aad = unhex(test["iv"]), unhex(test["aad"])
        message, sealed = unhex(test["msg"]), unhex(test["ct"] + test["tag"])
        checked[test["result"]] += 1
        if test["result"] == "valid":
            assert cipher.encrypt(nonce, message, aad) == sealed
            assert cipher.decrypt(nonce, sealed, aad) == message
        else:
            with pytest.raises(InvalidTag):
                cipher.decrypt(nonce, sealed, aad)
    assert checked["valid"] > 30
    assert checked["invalid"] > 20
