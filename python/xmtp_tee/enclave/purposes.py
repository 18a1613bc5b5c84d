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
    """The algorithm of a key."""

    ED25519 = "ed25519"
    X25519 = "x25519"
    SECP256K1 = "secp256k1"


class Purpose(StrEnum):
    """What a key is for, fixed at birth."""

    IDENTITY = "xmtp-identity"
    PRE_KEY = "pre-key"
    AUTHORITY = "authority"
    TRANSPORT = "transport"


class KeyOperation(StrEnum):
    """What can be done with a key.

    SIGN: Ed25519ph over an application's message, under XMTP's public context.
    SIGN_PRE_KEY: Ed25519ph over a pre-key of the enclave's making, under the pre-key context.
    CERTIFY_AS_IDENTITY, CERTIFY_AS_PRE_KEY: stand in a bundle certificate, in that place.
    SIGN_CERTIFICATE: sign a bundle certificate that the enclave built from its own records.
    ATTEST: have the public half bound into a quote.
    """

    SIGN = "sign"
    SIGN_PRE_KEY = "sign-pre-key"
    CERTIFY_AS_IDENTITY = "certify-as-identity"
    CERTIFY_AS_PRE_KEY = "certify-as-pre-key"
    SIGN_CERTIFICATE = "sign-certificate"
    ATTEST = "attest"


@dataclass(frozen=True, slots=True)
class PurposeRule:
    """The type that keys of a purpose have, and the operations they allow."""

    key_type: KeyType
    operations: frozenset[KeyOperation]


RULES: Final = MappingProxyType(
    {
        Purpose.IDENTITY: PurposeRule(
            KeyType.ED25519,
            frozenset(
                {
                    KeyOperation.SIGN,
                    KeyOperation.SIGN_PRE_KEY,
                    KeyOperation.CERTIFY_AS_IDENTITY,
                }
            ),
        ),
        Purpose.PRE_KEY: PurposeRule(KeyType.X25519, frozenset({KeyOperation.CERTIFY_AS_PRE_KEY})),
        Purpose.AUTHORITY: PurposeRule(
            KeyType.SECP256K1, frozenset({KeyOperation.SIGN_CERTIFICATE, KeyOperation.ATTEST})
        ),
        Purpose.TRANSPORT: PurposeRule(KeyType.X25519, frozenset({KeyOperation.ATTEST})),
    }
)


def allowed_operations(purpose: Purpose) -> tuple[str, ...]:
    """Return the operations that keys of ``purpose`` allow, sorted by name."""
    return tuple(sorted(operation.value for operation in RULES[purpose].operations))


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
