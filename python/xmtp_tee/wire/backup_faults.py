"""Why a backup is not made or not taken; a part of ``xmtp_tee.wire.faults``.

The tree::

    BackupError (exit 2)
    ├── BackupMalformedError         backup.malformed
    ├── BackupDoesNotOpenError       backup.does-not-open
    └── BackupSharesInvalidError     backup.shares-invalid
    BackupVersionError (exit 1)      backup.version
    BackupWayMissingError (exit 1)   backup.way-missing
    BackupRecipientError (exit 1)    backup.recipient
    BackupKdfError (exit 4)          backup.kdf
    BackupPasswordError (exit 4)     backup.password
    KeyNotExportableError (exit 4)   enclave.key-not-exportable
"""

from __future__ import annotations

from xmtp_tee.errors import InvalidEvidenceError, RefusedByPolicyError, UsageError


class BackupError(InvalidEvidenceError):
    """A backup cannot be taken."""

    code = "backup.error"


class BackupMalformedError(BackupError):
    """The bytes are no backup container of xmtp-tee, or a cut one."""

    code = "backup.malformed"


class BackupDoesNotOpenError(BackupError):
    """The password or key is wrong, or the container was changed: which of them is not told."""

    code = "backup.does-not-open"


class BackupSharesInvalidError(BackupError):
    """The SLIP-39 shares are too few, of different sets, or mistyped."""

    code = "backup.shares-invalid"


class BackupVersionError(UsageError):
    """Another version of xmtp-tee has written the container."""

    code = "backup.version"


class BackupWayMissingError(UsageError):
    """The container cannot be opened this way: it was not made for it."""

    code = "backup.way-missing"


class BackupRecipientError(UsageError):
    """A recipient is not understood, or there is none, or there are too many."""

    code = "backup.recipient"


class BackupKdfError(RefusedByPolicyError):
    """The container's key derivation is too weak to protect it, or would cost an absurd amount."""

    code = "backup.kdf"


class BackupPasswordError(RefusedByPolicyError):
    """The password is too short to protect a key, or too long."""

    code = "backup.password"


class KeyNotExportableError(RefusedByPolicyError):
    """The key may not leave in a backup: that is decided at its birth."""

    code = "enclave.key-not-exportable"
