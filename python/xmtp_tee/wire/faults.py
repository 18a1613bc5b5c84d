"""The errors that the enclave answers with, and their passage over the wire.

Both ends know the same classes: the enclave raises one, its code and public fields travel in a
``Failure``, and the client raises the same class again. Whatever is not an :class:`XmtpTeeError`
leaves the enclave as ``enclave.internal`` without a word of detail, because a foreign exception's
text may hold anything.

The tree::

    RequestRefusedError (exit 1)
    ├── KeyNotFoundError             enclave.key-not-found
    ├── IdentityKeyNotFoundError     enclave.identity-key-not-found
    ├── IdentityKeyExistsError       enclave.identity-key-exists
    ├── OperationNotAllowedError     enclave.operation-not-allowed
    ├── OwnerInvalidError            enclave.owner-invalid
    ├── RegistryInvalidError         enclave.registry-invalid
    ├── SignedMessageTooLargeError   enclave.signed-message-too-large
    ├── ExpiryInvalidError           enclave.expiry-invalid
    ├── PreKeyExpiredError           enclave.pre-key-expired
    └── PreKeyMismatchError          enclave.pre-key-mismatch
    EnclaveBusyError (exit 3)        enclave.busy
    EnclaveInternalError (exit 3)    enclave.internal
    PeerRefusedError (exit 4)        enclave.peer-refused
    and those of ``wire.refusals``, ``wire.store_faults`` and ``wire.backup_faults``, and of the packages
    that run in the enclave: ``hpke``, ``mls`` and ``xmtp``
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from xmtp_tee.attestation import errors as attestation_errors
from xmtp_tee.errors import (
    RefusedByPolicyError,
    UnavailableError,
    XmtpTeeError,
)
from xmtp_tee.wire import backup_faults, refusals, store_faults
from xmtp_tee.wire import errors as wire_errors
from xmtp_tee.wire.messages import Failure
from xmtp_tee.wire.refusals import RequestRefusedError


class KeyNotFoundError(RequestRefusedError):
    """No key has this id."""

    code = "enclave.key-not-found"


class IdentityKeyNotFoundError(RequestRefusedError):
    """The owner has no identity key."""

    code = "enclave.identity-key-not-found"


class IdentityKeyExistsError(RequestRefusedError):
    """The owner has an identity key already: it is its first installation and stays the only one
    made so.
    """

    code = "enclave.identity-key-exists"


class OperationNotAllowedError(RequestRefusedError):
    """The key's purpose does not include the operation. One key has one type and one purpose."""

    code = "enclave.operation-not-allowed"


class OwnerInvalidError(RequestRefusedError):
    """The owner is not an Ethereum address that can own keys."""

    code = "enclave.owner-invalid"


class RegistryInvalidError(RequestRefusedError):
    """The contract's address is not one that can be bound."""

    code = "enclave.registry-invalid"


class SignedMessageTooLargeError(RequestRefusedError):
    """The message to sign is longer than the limit."""

    code = "enclave.signed-message-too-large"


class ExpiryInvalidError(RequestRefusedError):
    """The expiry lies in the past, or does not fit the contracts' 40 bits."""

    code = "enclave.expiry-invalid"


class PreKeyExpiredError(RequestRefusedError):
    """The pre-key is past its expiry and is not certified any more."""

    code = "enclave.pre-key-expired"


class PreKeyMismatchError(RequestRefusedError):
    """The pre-key was not signed by this identity key."""

    code = "enclave.pre-key-mismatch"


class EnclaveBusyError(UnavailableError):
    """The enclave serves as many connections as it may."""

    code = "enclave.busy"


class EnclaveInternalError(UnavailableError):
    """A fault inside the enclave. Its log names the kind; nothing more leaves it."""

    code = "enclave.internal"


class PeerRefusedError(RefusedByPolicyError):
    """The connecting process runs under another user than the enclave's."""

    code = "enclave.peer-refused"


def _classes_by_code() -> dict[str, type[XmtpTeeError]]:
    homes = (
        globals(),
        vars(wire_errors),
        vars(attestation_errors),
        vars(store_faults),
        vars(backup_faults),
        vars(refusals),
    )
    return dict(sorted(_defined_in(homes).items()))


def _defined_in(homes: Iterable[dict[str, Any]]) -> dict[str, type[XmtpTeeError]]:
    # A class with a constructor of its own carries more than a Failure does, and cannot be made from one.
    return {
        value.code: value
        for home in homes
        for value in home.values()
        if isinstance(value, type)
        and issubclass(value, XmtpTeeError)
        and value.__module__.startswith(home["__name__"])
        and value.__init__ is XmtpTeeError.__init__
    }


CLASSES_BY_CODE: dict[str, type[XmtpTeeError]] = _classes_by_code()
"""The classes that a ``Failure`` may be raised as, by their codes, but for those of ``PACKAGES``."""

PACKAGES = ("hpke", "mls", "xmtp")
"""Packages that run in the enclave and whose errors a caller may meet; loaded when one of them is met."""


def to_failure(request_id: int, error: XmtpTeeError) -> Failure:
    """Return the ``Failure`` that carries ``error``'s code and public fields; long texts are
    clipped.
    """
    return Failure(
        id=request_id,
        code=error.code,
        message=_clip(error.message) or "",
        got=_clip(error.got),
        expected=_clip(error.expected),
        cause=_clip(error.cause),
        next_command=_clip(error.next_command),
        exit_code=int(error.exit_code),
    )


def to_exception(failure: Failure) -> XmtpTeeError:
    """Return the exception that ``failure`` stands for.

    A code that this side does not know (the enclave is newer, or the fault is its TEE driver's)
    becomes an
    :class:`EnclaveInternalError` that names it.
    """
    known = CLASSES_BY_CODE.get(failure.code) or _class_in_package(failure.code)
    message = failure.message if known else f"{failure.message} [{failure.code}]"
    return (known or EnclaveInternalError)(
        message,
        got=failure.got,
        expected=failure.expected,
        cause=failure.cause,
        next_command=failure.next_command,
    )


def _class_in_package(code: str) -> type[XmtpTeeError] | None:
    package = code.partition(".")[0]
    if package not in PACKAGES:
        return None
    home = vars(import_module(f"xmtp_tee.{package}.errors"))
    return _defined_in([home]).get(code)


def _clip(text: str | None, limit: int = 500) -> str | None:
    return text if text is None or len(text) <= limit else text[: limit - 1] + "…"
