"""The errors of xmtp-tee.

Every failure that a caller can cause or must handle is an :class:`XmtpTeeError`. It says what failed, what
was got and what was expected, the likely cause and the next command to run, and carries a stable code that
``docs/ERRORS.md`` lists. Secrets never appear in any of these fields.

The tree::

    XmtpTeeError
    ├── UsageError               exit 1: the call itself is wrong
    ├── InvalidEvidenceError     exit 2: evidence, certificate or stored data is not genuine
    ├── UnavailableError         exit 3: a socket, a chain or collateral could not be reached or has lapsed
    └── RefusedByPolicyError     exit 4: genuine, but policy refuses it (debug, TCB, expired, simulated)
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the exit codes of ``xmtp-tee`` mean."""

    VERIFIED = 0
    USAGE = 1
    INVALID_EVIDENCE = 2
    UNAVAILABLE = 3
    REFUSED_BY_POLICY = 4


class XmtpTeeError(Exception):
    """The base of all errors.

    Subclasses set ``code``, a stable identifier in kebab-case with a dotted area (``enclave.key-not-found``).
    ``got`` and ``expected`` are public values only, already formatted for a person.
    """

    code: ClassVar[str] = "xmtp-tee.error"
    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(
        self,
        message: str,
        *,
        got: object | None = None,
        expected: object | None = None,
        cause: str | None = None,
        next_command: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.got = None if got is None else str(got)
        self.expected = None if expected is None else str(expected)
        self.cause = cause
        self.next_command = next_command

    def __str__(self) -> str:
        parts = [self.message]
        if self.got is not None:
            parts.append(f"got {self.got}")
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        return "; ".join(parts)

    def as_dict(self) -> dict[str, str | int | None]:
        """Return the error as the object that ``--json`` prints."""
        return {
            "code": self.code,
            "message": self.message,
            "got": self.got,
            "expected": self.expected,
            "cause": self.cause,
            "next_command": self.next_command,
            "exit_code": int(self.exit_code),
        }


class UsageError(XmtpTeeError):
    """The call is wrong: a bad argument, an unknown name, a missing file."""

    code = "xmtp-tee.usage"
    exit_code = ExitCode.USAGE


class InvalidEvidenceError(XmtpTeeError):
    """Evidence, a certificate or stored data does not prove what it claims."""

    code = "xmtp-tee.invalid-evidence"
    exit_code = ExitCode.INVALID_EVIDENCE


class UnavailableError(XmtpTeeError):
    """Something needed could not be reached, or has lapsed: nothing is known, which is not a failure of proof."""

    code = "xmtp-tee.unavailable"
    exit_code = ExitCode.UNAVAILABLE


class RefusedByPolicyError(XmtpTeeError):
    """The evidence is genuine, and policy refuses it."""

    code = "xmtp-tee.refused-by-policy"
    exit_code = ExitCode.REFUSED_BY_POLICY
