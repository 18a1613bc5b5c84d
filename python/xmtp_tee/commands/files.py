"""The files that commands are given: read whole, up to a limit, and every failure is a usage error."""

from __future__ import annotations

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
        raise UsageError(
            f"the {what} cannot be read",
            got=path,
            cause=getattr(error, "strerror", None) or type(error).__name__,
        ) from error
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
    try:
        return read_file(path, what).decode("utf-8")
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


def _bounded(data: bytes, what: str, path: Path) -> bytes:
    if len(data) > MAX_FILE:
        raise UsageError(f"the {what} is too long", got=path, expected=f"at most {MAX_FILE} bytes")
    return data
