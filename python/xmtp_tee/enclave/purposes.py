"""One key, one type, one purpose; and what each purpose may do. Everything else is denied.

The table is the rule: code asks :func:`require_allowed` and never compares purposes itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from xmtp_tee.wire.faults import OperationNotAllowedError


class KeyType(StrEnum):
    """The algorithm of a key. Every private key has 32 bytes; X-Wing's is its seed."""

    ED25519 = "ed25519"
    X25519 = "x25519"
    XWING = "xwing"
    SECP256K1 = "secp256k1"
    AES_256_GCM = "aes-256-gcm"
    CHACHA20_POLY1305 = "chacha20-poly1305"
    HMAC_SHA256 = "hmac-sha256"
    HKDF_SHA256 = "hkdf-sha256"


class Purpose(StrEnum):
    """What a key is for, fixed at birth."""

    IDENTITY = "xmtp-identity"
    INSTALLATION = "xmtp-installation"
    PRE_KEY = "pre-key"
    WALLET = "wallet"
    KEY_AGREEMENT = "key-agreement"
    HPKE = "hpke"
    AEAD = "aead"
    MAC = "mac"
    DERIVATION = "derivation"
    AUTHORITY = "authority"
    TRANSPORT = "transport"


class KeyOperation(StrEnum):
    """What can be done with a key.

    SIGN: Ed25519ph over an application's message, under XMTP's public context.
    SIGN_IDENTITY_TEXT: an XMTP identity text, parsed and checked; EIP-191, or Ed25519ph under
    XMTP's identity context.
    SIGN_OWNER_INTENT: EIP-712 over an owner's intent at a KeyRegistry, built from own records.
    SIGN_TYPED_DATA: EIP-712 over a document that a rule of the policy describes.
    SIGN_PRE_KEY: Ed25519ph over a pre-key of the enclave's making, under the pre-key context.
    CERTIFY_AS_IDENTITY, CERTIFY_AS_PRE_KEY: stand in a bundle certificate, in that place.
    DERIVE: have further keys derived from it. AGREE: X25519 with a peer. HPKE_OPEN: RFC 9180.
    SEAL, OPEN: AEAD. MAC: make and check message authentication codes.
    ROTATE: get further versions. DELETE: be deleted, restored and destroyed.
    LIMIT: have its label and limits changed. EXPORT: go into a backup, and come back from one.
    SIGN_CERTIFICATE: sign a bundle certificate that the enclave built from its own records.
    SIGN_STATEMENT: sign a receipt, a checkpoint or a key attestation of the enclave's making.
    ATTEST: have the public half bound into a quote.
    MLS: be an XMTP installation: sign as a member of MLS groups, through the member alone.
    OPEN_CHANNEL: agree with a caller on the keys of a connection, and open what is sealed to the
    enclave.
    """

    SIGN = "sign"
    SIGN_IDENTITY_TEXT = "sign-identity-text"
    SIGN_OWNER_INTENT = "sign-owner-intent"
    SIGN_TYPED_DATA = "sign-typed-data"
    SIGN_PRE_KEY = "sign-pre-key"
    CERTIFY_AS_IDENTITY = "certify-as-identity"
    CERTIFY_AS_PRE_KEY = "certify-as-pre-key"
    DERIVE = "derive"
    AGREE = "agree"
    HPKE_OPEN = "hpke-open"
    SEAL = "seal"
    OPEN = "open"
    MAC = "mac"
    ROTATE = "rotate"
    DELETE = "delete"
    LIMIT = "limit"
    EXPORT = "export"
    SIGN_CERTIFICATE = "sign-certificate"
    SIGN_STATEMENT = "sign-statement"
    ATTEST = "attest"
    MLS = "mls"
    OPEN_CHANNEL = "open-channel"


@dataclass(frozen=True, slots=True)
class PurposeRule:
    """The types that keys of a purpose may have, the usual one first, and the operations they
    allow. ``makeable``: whether an application may have one made by purpose alone.
    """

    key_types: tuple[KeyType, ...]
    operations: frozenset[KeyOperation]
    makeable: bool = False

    @property
    def key_type(self) -> KeyType:
        """The type unless another is asked for."""
        return self.key_types[0]


_O = KeyOperation
_INSTALLATION = frozenset(
    {
        *(_O.SIGN, _O.SIGN_IDENTITY_TEXT, _O.SIGN_PRE_KEY, _O.CERTIFY_AS_IDENTITY, _O.MLS),
        *(_O.DELETE, _O.LIMIT),
    }
)
_VERSIONED = frozenset({_O.ROTATE, _O.DELETE, _O.LIMIT, _O.EXPORT})

RULES: Final = MappingProxyType(
    {
        Purpose.IDENTITY: PurposeRule((KeyType.ED25519,), _INSTALLATION | {_O.DERIVE, _O.EXPORT}),
        Purpose.INSTALLATION: PurposeRule((KeyType.ED25519,), _INSTALLATION),
        Purpose.PRE_KEY: PurposeRule(
            (KeyType.X25519,),
            frozenset({_O.CERTIFY_AS_PRE_KEY, _O.HPKE_OPEN, _O.DELETE, _O.LIMIT}),
        ),
        Purpose.WALLET: PurposeRule(
            (KeyType.SECP256K1,),
            frozenset(
                {
                    *(_O.SIGN_IDENTITY_TEXT, _O.SIGN_OWNER_INTENT, _O.SIGN_TYPED_DATA),
                    *(_O.DELETE, _O.LIMIT, _O.EXPORT),
                }
            ),
            makeable=True,
        ),
        Purpose.KEY_AGREEMENT: PurposeRule(
            (KeyType.X25519,), _VERSIONED | {_O.AGREE}, makeable=True
        ),
        Purpose.HPKE: PurposeRule(
            (KeyType.X25519, KeyType.XWING), _VERSIONED | {_O.HPKE_OPEN}, makeable=True
        ),
        Purpose.AEAD: PurposeRule(
            (KeyType.AES_256_GCM, KeyType.CHACHA20_POLY1305),
            _VERSIONED | {_O.SEAL, _O.OPEN},
            makeable=True,
        ),
        Purpose.MAC: PurposeRule((KeyType.HMAC_SHA256,), _VERSIONED | {_O.MAC}, makeable=True),
        Purpose.DERIVATION: PurposeRule(
            (KeyType.HKDF_SHA256,),
            frozenset({_O.DERIVE, _O.DELETE, _O.LIMIT, _O.EXPORT}),
            makeable=True,
        ),
        Purpose.AUTHORITY: PurposeRule(
            (KeyType.SECP256K1,),
            frozenset({_O.SIGN_CERTIFICATE, _O.SIGN_STATEMENT, _O.ATTEST}),
        ),
        Purpose.TRANSPORT: PurposeRule((KeyType.X25519,), frozenset({_O.ATTEST, _O.OPEN_CHANNEL})),
    }
)

DERIVABLE: Final = MappingProxyType(
    {
        Purpose.IDENTITY: frozenset({Purpose.INSTALLATION}),
        Purpose.DERIVATION: frozenset(
            {Purpose.KEY_AGREEMENT, Purpose.HPKE, Purpose.AEAD, Purpose.MAC, Purpose.WALLET}
        ),
    }
)
"""Which purposes may be derived from keys of a purpose."""


def allowed_operations(purpose: Purpose) -> tuple[str, ...]:
    """Return the operations that keys of ``purpose`` allow, sorted by name."""
    return _ALLOWED[purpose]


def require_allowed(purpose: Purpose, operation: KeyOperation, key_id: str) -> None:
    """Return if keys of ``purpose`` allow ``operation``.

    :raises OperationNotAllowedError: otherwise, also for a purpose that the table does not have
    """
    rule = RULES.get(purpose)
    if rule is None or operation not in rule.operations:
        raise OperationNotAllowedError(
            f"The key does not allow the operation {operation.value!r}",
            got=f"key {key_id} of the purpose {purpose}",
            expected="one of its operations: "
            + (", ".join(allowed_operations(purpose)) if rule else "none"),
        )


_ALLOWED: Final = {
    purpose: tuple(sorted(operation.value for operation in rule.operations))
    for purpose, rule in RULES.items()
}
