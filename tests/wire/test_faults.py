"""Errors cross the wire as the same class, with their public fields and nothing else."""

from __future__ import annotations

import importlib

import pytest

from xmtp_tee.attestation.errors import BindingMismatchError
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire.codec import ServerMessageDecoder, encode
from xmtp_tee.wire.errors import FrameTooLargeError
from xmtp_tee.wire.faults import (
    CLASSES_BY_CODE,
    PACKAGES,
    EnclaveInternalError,
    KeyNotFoundError,
    to_exception,
    to_failure,
)
from xmtp_tee.wire.messages import Failure
from xmtp_tee.wire.store_faults import StoreTamperedError


def error_classes(module: str) -> list[type[XmtpTeeError]]:
    """Every error class that a module shows and that has a code of its own."""
    shown = vars(importlib.import_module(module)).values()
    found = {c for c in shown if isinstance(c, type) and issubclass(c, XmtpTeeError)}
    own = [
        c
        for c in found
        if c.__module__.startswith(module) and "code" in vars(c) and "__init__" not in vars(c)
    ]
    assert own
    return sorted(own, key=lambda c: c.code)


def passed(error: XmtpTeeError) -> XmtpTeeError:
    (message,) = ServerMessageDecoder().feed(encode(to_failure(4, error)))
    assert isinstance(message, Failure)
    assert message.id == 4
    return to_exception(message)


@pytest.mark.parametrize("code", sorted(CLASSES_BY_CODE))
def test_error_crosses_as_its_own_class(code: str) -> None:
    error = CLASSES_BY_CODE[code]("what", got="g", expected="e", cause="c", next_command="n")
    arrived = passed(error)
    assert type(arrived) is type(error)
    assert arrived.as_dict() == error.as_dict()


def test_codes_are_told_apart() -> None:
    for example in (KeyNotFoundError, StoreTamperedError, FrameTooLargeError, BindingMismatchError):
        assert CLASSES_BY_CODE[example.code] is example


@pytest.mark.parametrize("package", PACKAGES)
def test_errors_of_the_packages_in_the_enclave_cross_as_their_own_class(package: str) -> None:
    for error_class in error_classes(f"xmtp_tee.{package}.errors"):
        error = error_class("what", got="g", expected="e")
        arrived = passed(error)
        assert type(arrived) is error_class
        assert arrived.as_dict() == error.as_dict()


@pytest.mark.parametrize(
    "code", ["mls.future", "os.path", "client.errors", "mls", ".", "xmtp.identity-log-missing"]
)
def test_unknown_code_of_a_package_fails_closed(code: str) -> None:
    arrived = to_exception(Failure(id=1, code=code, message="no"))
    assert type(arrived) is EnclaveInternalError
    assert code in arrived.message


def test_unknown_code_is_named_and_fails_closed() -> None:
    arrived = to_exception(Failure(id=1, code="future.refusal", message="no"))
    assert type(arrived) is EnclaveInternalError
    assert "future.refusal" in arrived.message


def test_attributes_beyond_the_public_fields_do_not_cross() -> None:
    error = KeyNotFoundError("what")
    error.private = "private"  # type: ignore[attr-defined]
    assert b"private" not in encode(to_failure(1, error))


def test_long_texts_are_clipped() -> None:
    failure = to_failure(1, KeyNotFoundError("m" * 10_000, got="g" * 10_000))
    assert len(failure.message) == 500
    assert len(failure.got or "") == 500
