"""The key pair for a safe, to which an enclave seals its store key; see ``xmtp_tee.enclave.recovery``."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from xmtp_tee.errors import UsageError


class RecoveryKeyError(UsageError):
    """The file for a recovery key is there already, or cannot be written."""

    code = "client.recovery-key"


def new_recovery_key(path: Path) -> bytes:
    """Make an X25519 key pair; write the private key (32 raw bytes, mode 0600) and return the public one.

    :raises RecoveryKeyError: if the file is there already or cannot be written
    """
    key = X25519PrivateKey.generate()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes_raw())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RecoveryKeyError(
            "The recovery key cannot be written", got=path, cause=error.strerror
        ) from None
    return key.public_key().public_bytes_raw()
