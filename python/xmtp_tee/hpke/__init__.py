"""Hybrid public key encryption: RFC 9180, modes base and PSK, without any I/O.

WARNING: this is hazardous material. A context seals messages in order and its two ends must not be
cloned; ``info`` separates the uses of one key; nothing here authenticates the sender.

X25519, ML-KEM-768 and the AEADs are OpenSSL's, through ``cryptography``; the key schedule, the
contexts, the exporter, DeriveKeyPair and X-Wing's combiner are here, because ``cryptography`` has
one-shot encryption only and MLS and XMTP need the rest.

Randomness is passed in as a callable (WARNING: OpenSSL draws ML-KEM's own). Keys are raw bytes: a
private key has 32, a public key 32 or 1,216 (X-Wing). Errors: :mod:`xmtp_tee.hpke.errors`.
"""

from xmtp_tee.hpke.context import RecipientContext, SenderContext
from xmtp_tee.hpke.errors import (
    HpkeEncapsulationInvalidError,
    HpkeError,
    HpkeExportLengthError,
    HpkeMessageLimitError,
    HpkeOpenError,
    HpkePrivateKeyInvalidError,
    HpkePskInvalidError,
    HpkePublicKeyInvalidError,
)
from xmtp_tee.hpke.kem import derive_key_pair, public_key
from xmtp_tee.hpke.setup import (
    Entropy,
    PreSharedKey,
    open_,
    seal,
    setup_recipient,
    setup_sender,
)
from xmtp_tee.hpke.suites import (
    X25519_AES_128_GCM,
    X25519_AES_256_GCM,
    X25519_CHACHA20_POLY1305,
    XWING_CHACHA20_POLY1305,
    XWING_OBSOLETE_CHACHA20_POLY1305,
    Aead,
    Kem,
    Suite,
)

__all__ = [
    "X25519_AES_128_GCM",
    "X25519_AES_256_GCM",
    "X25519_CHACHA20_POLY1305",
    "XWING_CHACHA20_POLY1305",
    "XWING_OBSOLETE_CHACHA20_POLY1305",
    "Aead",
    "Entropy",
    "HpkeEncapsulationInvalidError",
    "HpkeError",
    "HpkeExportLengthError",
    "HpkeMessageLimitError",
    "HpkeOpenError",
    "HpkePrivateKeyInvalidError",
    "HpkePskInvalidError",
    "HpkePublicKeyInvalidError",
    "Kem",
    "PreSharedKey",
    "RecipientContext",
    "SenderContext",
    "Suite",
    "derive_key_pair",
    "open_",
    "public_key",
    "seal",
    "setup_recipient",
    "setup_sender",
]
