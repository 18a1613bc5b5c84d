"""Why a request is refused that is well formed; a part of ``xmtp_tee.wire.faults``.

The tree::

    RequestRefusedError (exit 1)        enclave.request-refused
    ├── KeyExpiredError                 enclave.key-expired
    ├── KeyDeletedError                 enclave.key-deleted
    ├── KeyDestroyedError               enclave.key-destroyed
    ├── KeyNotDeletedError              enclave.key-not-deleted
    ├── KeyVersionError                 enclave.key-version
    ├── KeyLimitError                   enclave.key-limit
    ├── WaitingTimeError                enclave.waiting-time
    ├── LimitsInvalidError              enclave.limits-invalid
    ├── PurposeInvalidError             enclave.purpose-invalid
    ├── PublicKeyInvalidError           enclave.public-key-invalid
    ├── DerivationRefusedError          enclave.derivation-refused
    ├── IdempotencyConflictError        enclave.idempotency-conflict
    ├── HandleNotFoundError             enclave.handle-not-found
    ├── HandleKindError                 enclave.handle-kind
    ├── BatchInvalidError               enclave.batch-invalid
    ├── TypedDataInvalidError           enclave.typed-data-invalid
    ├── PolicyInvalidError              enclave.policy-invalid
    ├── XmtpNotFoundError               enclave.xmtp-not-found
    └── PolicyVersionError              enclave.policy-version
    RateLimitedError (exit 3)           enclave.rate-limited
    HandleLimitError (exit 3)           enclave.handle-limit
    AuditUnavailableError (exit 3)      enclave.audit-unavailable
    CiphertextInvalidError (exit 2)     enclave.ciphertext-invalid
    MacInvalidError (exit 2)            enclave.mac-invalid
    AuditTamperedError (exit 2)         enclave.audit-tampered
    ReceiptInvalidError (exit 2)        enclave.receipt-invalid
    CallerRefusedError (exit 4)         enclave.caller-refused
    ├── CallerUnknownError              enclave.caller-unknown
    ├── CallerProofError                enclave.caller-proof
    ├── CallerLimitError                enclave.caller-limit
    └── CallerNotAllowedError           enclave.caller-not-allowed
    SigningRefusedError (exit 4)        enclave.signing-refused
    ReleaseRefusedError (exit 4)        enclave.release-refused
    PolicyApprovalError (exit 4)        enclave.policy-approval
"""

from __future__ import annotations

from xmtp_tee.errors import (
    InvalidEvidenceError,
    RefusedByPolicyError,
    UnavailableError,
    UsageError,
)


class RequestRefusedError(UsageError):
    """The request is understood and cannot be granted."""

    code = "enclave.request-refused"


class KeyExpiredError(RequestRefusedError):
    """The key is past the expiry of its limits."""

    code = "enclave.key-expired"


class KeyDeletedError(RequestRefusedError):
    """The key is deleted and waits for its destruction; it can be restored until then."""

    code = "enclave.key-deleted"


class KeyDestroyedError(RequestRefusedError):
    """The key's private half is gone for ever."""

    code = "enclave.key-destroyed"


class KeyNotDeletedError(RequestRefusedError):
    """Only a deleted key can be restored or destroyed."""

    code = "enclave.key-not-deleted"


class KeyVersionError(RequestRefusedError):
    """The key has no such version, or the version lies below the key's minimum version."""

    code = "enclave.key-version"


class KeyLimitError(RequestRefusedError):
    """The key has been used as often as its limits allow, or keeps as many versions as it may."""

    code = "enclave.key-limit"


class WaitingTimeError(RequestRefusedError):
    """A waiting time before destruction is too short, or is not over yet."""

    code = "enclave.waiting-time"


class LimitsInvalidError(RequestRefusedError):
    """The limits for a key contradict each other or lie in the past."""

    code = "enclave.limits-invalid"


class PurposeInvalidError(RequestRefusedError):
    """No key can be made in this way for this purpose, with this type or these properties."""

    code = "enclave.purpose-invalid"


class PublicKeyInvalidError(RequestRefusedError):
    """The other side's public key is malformed, of low order, or the key's own."""

    code = "enclave.public-key-invalid"


class DerivationRefusedError(RequestRefusedError):
    """As many keys are derived from the key as there may be."""

    code = "enclave.derivation-refused"


class IdempotencyConflictError(RequestRefusedError):
    """The idempotency key was used for another request."""

    code = "enclave.idempotency-conflict"


class HandleNotFoundError(RequestRefusedError):
    """No handle of this caller has this id: it was closed, has expired, or the enclave restarted."""

    code = "enclave.handle-not-found"


class HandleKindError(RequestRefusedError):
    """The handle is for another use."""

    code = "enclave.handle-kind"


class BatchInvalidError(RequestRefusedError):
    """A batch is empty, too long, or holds a batch."""

    code = "enclave.batch-invalid"


class TypedDataInvalidError(RequestRefusedError):
    """The document is not EIP-712 typed data, or its values do not fit its types."""

    code = "enclave.typed-data-invalid"


class PolicyInvalidError(RequestRefusedError):
    """The policy document is malformed or contradicts itself."""

    code = "enclave.policy-invalid"


class PolicyVersionError(RequestRefusedError):
    """The policy is not the next version after the one in force."""

    code = "enclave.policy-version"


class XmtpNotFoundError(RequestRefusedError):
    """There is no such XMTP installation or conversation in this enclave."""

    code = "enclave.xmtp-not-found"


class RateLimitedError(UnavailableError):
    """The caller, or the key, is used faster than its limit allows."""

    code = "enclave.rate-limited"


class HandleLimitError(UnavailableError):
    """The caller holds as many handles as it may."""

    code = "enclave.handle-limit"


class AuditUnavailableError(UnavailableError):
    """The audit log cannot be written, so nothing is answered. What was asked for may have been
    done.
    """

    code = "enclave.audit-unavailable"


class CiphertextInvalidError(InvalidEvidenceError):
    """A ciphertext is not authentic under this key, nonce and associated data."""

    code = "enclave.ciphertext-invalid"


class MacInvalidError(InvalidEvidenceError):
    """A message authentication code is not the message's."""

    code = "enclave.mac-invalid"


class AuditTamperedError(InvalidEvidenceError):
    """The audit log was changed, cut or exchanged."""

    code = "enclave.audit-tampered"


class ReceiptInvalidError(InvalidEvidenceError):
    """A receipt, checkpoint or key attestation is not the enclave's, or speaks of something else."""

    code = "enclave.receipt-invalid"


class CallerRefusedError(RefusedByPolicyError):
    """The policy refuses the caller."""

    code = "enclave.caller-refused"


class CallerUnknownError(CallerRefusedError):
    """The policy names no such caller, or its entry has expired."""

    code = "enclave.caller-unknown"


class CallerProofError(CallerRefusedError):
    """The caller did not prove that it holds the key that it claims."""

    code = "enclave.caller-proof"


class CallerLimitError(CallerRefusedError):
    """The caller has made as many requests as the policy lets it make in all."""

    code = "enclave.caller-limit"


class CallerNotAllowedError(CallerRefusedError):
    """The caller has no grant for this operation, or not for this owner."""

    code = "enclave.caller-not-allowed"


class SigningRefusedError(RefusedByPolicyError):
    """What is to be signed was parsed, and the policy does not allow it."""

    code = "enclave.signing-refused"


class ReleaseRefusedError(RefusedByPolicyError):
    """The policy, or the key's own, does not let these bytes out."""

    code = "enclave.release-refused"


class PolicyApprovalError(RefusedByPolicyError):
    """The policy change lacks the signatures that the policy in force demands."""

    code = "enclave.policy-approval"
