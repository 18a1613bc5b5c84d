"""What can go wrong between an application and its enclave, beside what the enclave itself answers.

The enclave's own answers are raised as the classes of ``xmtp_tee.wire.faults``.

The tree::

    EnclaveUnavailableError (exit 3)   client.enclave-unavailable
    └── EnclaveTimeoutError            client.enclave-timeout
    EnclaveMismatchError    (exit 2)   client.enclave-mismatch
"""

from xmtp_tee.errors import InvalidEvidenceError, UnavailableError


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
