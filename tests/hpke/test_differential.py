"""HPKE against two independent implementations: ``cryptography``'s one-shot, and pyhpke."""

from __future__ import annotations

import os

import pyhpke
import pytest
from cryptography.hazmat.primitives import hpke as peer
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from xmtp_tee import hpke
from xmtp_tee.hpke import xwing

X25519_SUITES = [
    hpke.X25519_AES_128_GCM,
    hpke.X25519_AES_256_GCM,
    hpke.X25519_CHACHA20_POLY1305,
]
texts = st.binary(max_size=300)


def peer_suite(suite: hpke.Suite) -> peer.Suite:
    kem = peer.KEM.MLKEM768_X25519 if suite.kem is hpke.Kem.XWING else peer.KEM.X25519
    return peer.Suite(kem, peer.KDF.HKDF_SHA256, getattr(peer.AEAD, suite.aead.name))


def pyhpke_suite(suite: hpke.Suite) -> pyhpke.CipherSuite:
    return pyhpke.CipherSuite.new(
        pyhpke.KEMId.DHKEM_X25519_HKDF_SHA256,
        pyhpke.KDFId.HKDF_SHA256,
        getattr(pyhpke.AEADId, suite.aead.name.replace("AES_", "AES")),
    )


@settings(max_examples=20)
@given(st.sampled_from(X25519_SUITES), st.binary(min_size=32, max_size=64), texts, texts)
def test_cryptography_opens_and_seals_the_same(
    suite: hpke.Suite, ikm: bytes, info: bytes, plaintext: bytes
) -> None:
    private, public = hpke.derive_key_pair(suite, ikm)
    theirs = X25519PrivateKey.from_private_bytes(private)
    encapsulated, sealed = hpke.seal(suite, public, info, b"", plaintext, entropy=os.urandom)
    assert peer_suite(suite).decrypt(encapsulated + sealed, theirs, info) == plaintext
    answer = peer_suite(suite).encrypt(plaintext, theirs.public_key(), info)
    assert hpke.open_(suite, answer[:32], private, info, b"", answer[32:]) == plaintext


@settings(max_examples=10)
@given(st.binary(min_size=32, max_size=32), texts, texts)
def test_cryptography_opens_and_seals_x_wing_the_same(
    seed: bytes, info: bytes, plaintext: bytes
) -> None:
    suite = hpke.XWING_CHACHA20_POLY1305
    public = hpke.public_key(suite, seed)
    theirs = peer.MLKEM768X25519PrivateKey(*xwing.expand_seed(seed))
    encapsulated, sealed = hpke.seal(suite, public, info, b"", plaintext, entropy=os.urandom)
    assert peer_suite(suite).decrypt(encapsulated + sealed, theirs, info) == plaintext
    answer = peer_suite(suite).encrypt(plaintext, theirs.public_key(), info)
    assert hpke.open_(suite, answer[:1120], seed, info, b"", answer[1120:]) == plaintext


@pytest.mark.parametrize("suite", X25519_SUITES, ids=lambda s: s.aead.name)
@pytest.mark.parametrize("with_psk", [False, True], ids=["base", "psk"])
def test_pyhpke_contexts_seal_open_and_export_the_same(suite: hpke.Suite, with_psk: bool) -> None:
    psk = hpke.PreSharedKey(b"k" * 32, b"the id") if with_psk else None
    extra = {"psk": b"k" * 32, "psk_id": b"the id"} if with_psk else {}
    theirs = pyhpke_suite(suite)
    pair = theirs.kem.derive_key_pair(b"i" * 32)
    private, public = hpke.derive_key_pair(suite, b"i" * 32)
    assert private == pair.private_key.to_private_bytes()
    assert public == pair.public_key.to_public_bytes()

    encapsulated, sender = hpke.setup_sender(suite, public, b"info", entropy=os.urandom, psk=psk)
    reader = theirs.create_recipient_context(encapsulated, pair.private_key, info=b"info", **extra)
    for i in range(3):
        assert reader.open(sender.seal(b"aad", b"%d" % i), b"aad") == b"%d" % i
    assert reader.export(b"context", 77) == sender.export(b"context", 77)

    encapsulated, writer = theirs.create_sender_context(pair.public_key, info=b"info", **extra)
    recipient = hpke.setup_recipient(suite, encapsulated, private, b"info", psk=psk)
    for i in range(3):
        assert recipient.open(b"aad", writer.seal(b"%d" % i, b"aad")) == b"%d" % i
    assert writer.export(b"", 32) == recipient.export(b"", 32)
