"""What can go wrong between an application and its enclave, beside what the enclave itself answers.

The enclave's own answers are raised as the classes of ``xmtp_tee.wire.faults``.

The tree::

    EnclaveUnavailableError (exit 3)   client.enclave-unavailable
    └── EnclaveTimeoutError            client.enclave-timeout
    EnclaveMismatchError    (exit 2)   client.enclave-mismatch
    ReceiptsUnreadableError (exit 2)   client.receipts-unreadable
    EnclaveNotVerifiedError (exit 4)   client.enclave-not-verified
    WalletKeyNotFoundError  (exit 1)   client.wallet-key-not-found
"""

from xmtp_tee.errors import InvalidEvidenceError, RefusedByPolicyError, UnavailableError, UsageError


class EnclaveUnavailableError(UnavailableError):
    """No enclave can be reached, or the connection is over. A new ``KeyManager`` connects anew.

    A change that was under way may have been made: ask before making it again.
    """

    code = "client.enclave-unavailable"


class EnclaveTimeoutError(EnclaveUnavailableError):
    """The enclave did not answer in time; the connection is given up, as its answers would be out
    of step.
    """

    code = "client.enclave-timeout"


class EnclaveMismatchError(InvalidEvidenceError):
    """What came back is not what was asked for, or speaks of another enclave."""

    code = "client.enclave-mismatch"


class EnclaveNotVerifiedError(RefusedByPolicyError):
    """A secret would go to an enclave whose attestation was not verified on this connection."""

    code = "client.enclave-not-verified"


class ReceiptsUnreadableError(InvalidEvidenceError):
    """The file with the client's receipts is damaged; without it a roll-back would go unnoticed."""

    code = "client.receipts-unreadable"


class CallerKeyError(UsageError):
    """The key by which the client makes itself known cannot be read or written, or is none."""

    code = "client.caller-key"


class WalletKeyNotFoundError(UsageError):
    """The enclave holds no wallet key with this address that is in use."""

    code = "client.wallet-key-not-found"
