"""Why an enclave refuses to start. What it answers to requests stands in ``xmtp_tee.wire.faults``.

The tree::

    StateDirectoryUnsafeError   exit 4  enclave.state-directory-unsafe
    SocketUnsafeError           exit 4  enclave.socket-unsafe
    SocketPathTooLongError      exit 1  enclave.socket-path-too-long
    EnclaveAlreadyRunningError  exit 3  enclave.already-running
    DriverUnknownError          exit 1  enclave.driver-unknown
    ConfigurationError          exit 1  enclave.configuration
    StoreMissingError           exit 1  enclave.store-missing
    StoreTamperedError          exit 2  enclave.store-tampered (in wire.faults: it also ends
    requests) ├── StoreNotADatabaseError  exit 2  enclave.store-not-a-database
    └── StoreIncompleteError    exit 2  enclave.store-incomplete
    StoreSealedElsewhereError   exit 4  enclave.store-sealed-elsewhere
    StoreSchemaUnsupportedError exit 1  enclave.store-schema-unsupported
    PredecessorRefusedError     exit 4  enclave.predecessor-refused

and StoreTamperedError with its kinds, which can end a request too and stand in ``wire.faults``.
"""

from xmtp_tee.errors import RefusedByPolicyError, UnavailableError, UsageError
from xmtp_tee.wire.store_faults import (
    StoreIncompleteError,
    StoreNotADatabaseError,
    StoreTamperedError,
)

__all__ = [
    "ConfigurationError",
    "DriverUnknownError",
    "EnclaveAlreadyRunningError",
    "PredecessorRefusedError",
    "SocketPathTooLongError",
    "SocketUnsafeError",
    "StateDirectoryUnsafeError",
    "StoreIncompleteError",
    "StoreMissingError",
    "StoreNotADatabaseError",
    "StoreSchemaUnsupportedError",
    "StoreSealedElsewhereError",
    "StoreTamperedError",
]


class StateDirectoryUnsafeError(RefusedByPolicyError):
    """Others than the enclave's user can reach into the state directory."""

    code = "enclave.state-directory-unsafe"


class SocketUnsafeError(RefusedByPolicyError):
    """The socket's path is taken by something that is no socket, or others can reach its
    directory.
    """

    code = "enclave.socket-unsafe"


class SocketPathTooLongError(UsageError):
    """The kernel limits the path of a Unix socket to 107 bytes."""

    code = "enclave.socket-path-too-long"


class EnclaveAlreadyRunningError(UnavailableError):
    """Another enclave holds the state directory or answers on the socket."""

    code = "enclave.already-running"


class DriverUnknownError(UsageError):
    """No driver has this name."""

    code = "enclave.driver-unknown"


class ConfigurationError(UsageError):
    """The options contradict each other."""

    code = "enclave.configuration"


class StoreMissingError(UsageError):
    """There is no store, and a new one was not asked for."""

    code = "enclave.store-missing"


class StoreSealedElsewhereError(RefusedByPolicyError):
    """The store key is wrapped for another platform, enclave or driver than this one."""

    code = "enclave.store-sealed-elsewhere"


class StoreSchemaUnsupportedError(UsageError):
    """The store was written by another version of xmtp-tee."""

    code = "enclave.store-schema-unsupported"


class PredecessorRefusedError(RefusedByPolicyError):
    """A store key comes from something that is not shown to be an enclave of trusted code."""

    code = "enclave.predecessor-refused"
