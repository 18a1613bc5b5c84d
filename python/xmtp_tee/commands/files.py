"""The files of commands: read whole, up to a limit; written all at once. Every failure is a usage error."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
from pathlib import Path

from xmtp_tee.errors import UsageError

MAX_FILE = 16 << 20
"""Bytes; above every file that a command reads, a list of a hundred thousand owners included."""


def read_file(path: Path, what: str) -> bytes:
    """Return a file's content. ``what`` names it in errors: "the ... cannot be read".

    :raises UsageError: it cannot be read, or is longer than ``MAX_FILE``
    """
    try:
        with path.expanduser().open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except (OSError, ValueError, RuntimeError) as error:
        raise _failed(f"the {what} cannot be read", path, error) from error
    return _bounded(data, what, path)


def read_input(source: Path) -> bytes:
    """Return a file's content, or stdin's for ``-``.

    :raises UsageError: it cannot be read, or is longer than ``MAX_FILE``
    """
    if str(source) != "-":
        return read_file(source, "input")
    return _bounded(sys.stdin.buffer.read(MAX_FILE + 1), "input", source)


def read_text(path: Path, what: str) -> str:
    """Return a file's text, in UTF-8. Errors do not show it: it may be a secret.

    :raises UsageError: it cannot be read, or is no UTF-8
    """
    return text_of(read_file(path, what), path, what)


def text_of(data: bytes, path: Path, what: str) -> str:
    """Return the text that was read from a file, as :func:`read_text` does.

    :raises UsageError: it is no UTF-8
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"the {what} is not text", got=path, expected="UTF-8") from None


def read_root(path: Path, what: str = "root") -> bytes:
    """Return a root certificate in DER. Vendors publish theirs in DER, or in PEM with those below it before it.

    :raises UsageError: it cannot be read, or has PEM's mark and holds no certificates
    """
    content = read_file(path, what)
    if b"-----BEGIN" not in content:
        return content
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        return x509.load_pem_x509_certificates(content)[-1].public_bytes(Encoding.DER)
    except ValueError as error:
        raise UsageError(
            f"the {what} is not a certificate in PEM", got=path, cause=str(error)[:200]
        ) from error


def write_text(path: Path, text: str, what: str) -> None:
    """Write a file all at once: whoever reads it, also after a crash, finds the old content or the new one.

    A file that is there keeps its mode. A pipe or a device is written to as it is.

    :raises UsageError: it cannot be written, and is what it was
    """
    try:
        target = path.expanduser().resolve()
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")
        else:
            _replace(target, text.encode())
    except (OSError, ValueError, RuntimeError) as error:
        raise _failed(f"the {what} cannot be written", path, error) from error


def write_secret(path: Path, data: bytes, what: str) -> None:
    """Write a new file of mode 0600; what was there stays, and what cannot be written whole is removed again.

    :raises UsageError: it is there already, or cannot be written
    """
    try:
        target = path.expanduser()
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        _fill(descriptor, target, data)
    except (OSError, ValueError, RuntimeError) as error:
        raise _failed(f"the {what} cannot be written", path, error) from error


def require_absent(path: Path, what: str) -> None:
    """Refuse a file that is there, before work is done for it.

    :raises UsageError: it is there, or its folder cannot be looked into
    """
    if is_there(path, what):
        raise UsageError(f"the {what} is there already", got=path)


def expanded(path: Path, what: str) -> Path:
    """Return a path with ``~`` resolved.

    :raises UsageError: there is no such user
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise _failed(f"the {what} cannot be found", path, error) from error


def is_there(path: Path, what: str) -> bool:
    """Return whether there is a file, of whatever kind.

    :raises UsageError: its folder cannot be looked into
    """
    try:
        path.expanduser().lstat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError, RuntimeError) as error:
        raise _failed(f"the {what} cannot be looked for", path, error) from error
    return True


def _replace(target: Path, data: bytes) -> None:
    mode = None
    if target.exists():
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        mode = stat.S_IMODE(target.stat().st_mode)
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    if mode is not None:
        os.fchmod(descriptor, mode)
    _fill(descriptor, temporary, data)
    try:
        temporary.replace(target)
    except OSError:
        temporary.unlink()
        raise


def _fill(descriptor: int, path: Path, data: bytes) -> None:
    """Write and close a file that this process has just made; remove it where that fails."""
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _failed(message: str, path: Path, error: Exception) -> UsageError:
    cause = getattr(error, "strerror", None) or type(error).__name__
    return UsageError(message, got=path, cause=cause)


def _bounded(data: bytes, what: str, path: Path) -> bytes:
    if len(data) > MAX_FILE:
        raise UsageError(f"the {what} is too long", got=path, expected=f"at most {MAX_FILE} bytes")
    return data
