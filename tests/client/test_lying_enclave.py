"""KeyManager against an enclave that lies, stalls, hangs up or speaks another language."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.client.key_manager_support import answering, lying_enclave
from tests.enclave.support import CHAIN_ID, NOW, OWNER, REGISTRY, STRANGER, open_enclave
from xmtp_tee.attestation.errors import (
    CertificateInvalidError,
    CertificateSignerMismatchError,
    FieldError,
    PreKeySignatureInvalidError,
)
from xmtp_tee.client.errors import (
    EnclaveMismatchError,
    EnclaveTimeoutError,
    EnclaveUnavailableError,
)
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import encode, reply
from xmtp_tee.wire.errors import (
    FrameTooLargeError,
    FrameTruncatedError,
    MessageFieldInvalidError,
    MessageMalformedError,
    MessageUnexpectedError,
    ProtocolVersionError,
)
from xmtp_tee.wire.faults import EnclaveInternalError, KeyNotFoundError
from xmtp_tee.wire.limits import PROTOCOL_VERSION

replace = msgspec.structs.replace
Change = Callable[[wire.Operation], wire.Result]


@pytest.fixture
def enclave(tmp_path: Path) -> Iterator[Enclave]:
    opened = open_enclave(tmp_path / "keys.sqlite")
    yield opened
    opened.close()


class Honest:
    """Answers prepared by a genuine enclave, to be bent by the tests."""

    def __init__(self, enclave: Enclave) -> None:
        self.about = enclave.describe()
        self.identity = enclave.handle(wire.GenerateIdentityKey(owner=OWNER), NOW)
        assert isinstance(self.identity, wire.Key)
        self.other = enclave.handle(wire.GenerateIdentityKey(owner=STRANGER), NOW)
        assert isinstance(self.other, wire.Key)
        self.pre_key = enclave.handle(wire.GeneratePreKey(identity_key_id=self.identity.id), NOW)
        assert isinstance(self.pre_key, wire.PreKey)
        self.certificate = enclave.handle(
            wire.CertifyKeyBundle(
                identity_key_id=self.identity.id,
                pre_key_id=self.pre_key.id,
                chain_id=CHAIN_ID,
                key_registry=REGISTRY,
            ),
            NOW,
        )
        assert isinstance(self.certificate, wire.Certificate)
        self.quote = enclave.handle(
            wire.GetAttestation(
                chain_id=CHAIN_ID, enclave_registry=REGISTRY, block_number=5, block_hash=bytes(32)
            ),
            NOW,
        )
        assert isinstance(self.quote, wire.Quote)


@pytest.fixture
def honest(enclave: Enclave) -> Honest:
    return Honest(enclave)


def refused(
    honest: Honest,
    result: wire.Result,
    call: Callable[[KeyManager], object],
    error: type[XmtpTeeError],
) -> None:
    with (
        lying_enclave(honest.about, answering(lambda _: result)) as path,
        KeyManager(path, timeout=5) as keys,
        pytest.raises(error),
    ):
        call(keys)


def test_true_answers_are_accepted(honest: Honest) -> None:
    with (
        lying_enclave(honest.about, answering(lambda _: honest.certificate)) as path,
        KeyManager(path) as keys,
    ):
        keys.certify_key_bundle("i", "p", chain_id=CHAIN_ID, key_registry=REGISTRY)


@pytest.mark.parametrize(
    ("bent", "error"),
    [
        ({"signature": bytes(64)}, PreKeySignatureInvalidError),
        ({"epoch": 2}, PreKeySignatureInvalidError),
        ({"expires_at": NOW}, PreKeySignatureInvalidError),
        ({"owner": STRANGER}, PreKeySignatureInvalidError),
        ({"public_key": bytes(32)}, PreKeySignatureInvalidError),
        ({"identity_key": bytes(32)}, PreKeySignatureInvalidError),
        ({"identity_key_id": "another"}, EnclaveMismatchError),
    ],
    ids=str,
)
def test_bent_pre_key_is_refused(
    honest: Honest, bent: dict[str, object], error: type[XmtpTeeError]
) -> None:
    pre_key = replace(honest.pre_key, **bent)
    refused(honest, pre_key, lambda keys: keys.generate_pre_key(honest.identity.id), error)
    page = wire.PreKeyPage(pre_keys=(honest.pre_key, pre_key))
    refused(honest, page, lambda keys: keys.get_pre_keys(honest.identity.id), error)


def test_pre_key_with_another_expiry_than_asked_for_is_refused(honest: Honest) -> None:
    refused(
        honest,
        honest.pre_key,
        lambda keys: keys.generate_pre_key(honest.identity.id, expires_at=NOW + 5),
        EnclaveMismatchError,
    )


@pytest.mark.parametrize(
    ("bent", "error"),
    [
        ({"owner": STRANGER}, CertificateSignerMismatchError),
        ({"identity_key": bytes(32)}, CertificateSignerMismatchError),
        ({"pre_key": bytes(32)}, CertificateSignerMismatchError),
        ({"epoch": 2}, CertificateSignerMismatchError),
        ({"provenance": "imported"}, CertificateSignerMismatchError),
        ({"provenance": "heaven-sent"}, FieldError),
        ({"signature": bytes(65)}, CertificateInvalidError),
        ({"chain_id": 1}, EnclaveMismatchError),
        ({"key_registry": STRANGER}, EnclaveMismatchError),
    ],
    ids=str,
)
def test_bent_certificate_is_refused(
    honest: Honest, bent: dict[str, object], error: type[XmtpTeeError]
) -> None:
    refused(
        honest,
        replace(honest.certificate, **bent),
        lambda keys: keys.certify_key_bundle("i", "p", chain_id=CHAIN_ID, key_registry=REGISTRY),
        error,
    )


def test_certificate_of_another_authority_than_the_greeted_one_is_refused(honest: Honest) -> None:
    honest.about = replace(honest.about, authority=STRANGER)
    refused(
        honest,
        honest.certificate,
        lambda keys: keys.certify_key_bundle("i", "p", chain_id=CHAIN_ID, key_registry=REGISTRY),
        CertificateSignerMismatchError,
    )


@pytest.mark.parametrize(
    "bent",
    [
        {"authority": STRANGER},
        {"transport_key": bytes(32)},
        {"chain_id": 1},
        {"enclave_registry": STRANGER},
        {"block_number": 6},
        {"block_hash": b"\x01" * 32},
        {"tee": "abacus"},
    ],
    ids=str,
)
def test_bent_quote_is_refused(honest: Honest, bent: dict[str, object]) -> None:
    refused(
        honest,
        replace(honest.quote, **bent),
        lambda keys: keys.get_attestation(
            chain_id=CHAIN_ID, enclave_registry=REGISTRY, block_number=5, block_hash=bytes(32)
        ),
        EnclaveMismatchError,
    )


def test_another_owners_key_is_refused(honest: Honest) -> None:
    refused(honest, honest.other, lambda keys: keys.get_identity_key(OWNER), EnclaveMismatchError)
    refused(
        honest, honest.other, lambda keys: keys.get_key(honest.identity.id), EnclaveMismatchError
    )
    refused(
        honest,
        replace(honest.identity, purpose="pre-key"),
        lambda keys: keys.generate_identity_key(OWNER),
        EnclaveMismatchError,
    )


def test_listing_that_never_ends_is_refused(honest: Honest) -> None:
    page = wire.KeyPage(keys=(), next=7)
    refused(honest, page, lambda keys: keys.list_keys(), EnclaveMismatchError)


def test_description_of_another_enclave_than_the_greeted_one_is_refused(honest: Honest) -> None:
    another = replace(honest.about, authority=STRANGER)
    refused(honest, another, lambda keys: keys.info(), EnclaveMismatchError)


def test_answer_to_another_question_is_refused(honest: Honest) -> None:
    refused(honest, wire.Pong(), lambda keys: keys.sign("k", b""), MessageUnexpectedError)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda m: encode(reply(m.id + 1, wire.Pong())), MessageUnexpectedError),
        (
            lambda m: encode(wire.Failure(id=m.id + 1, code="enclave.busy", message="no")),
            MessageUnexpectedError,
        ),
        (lambda _: b"\xff\xff\xff\xff", FrameTooLargeError),
        (lambda _: b"\x00\x00\x00\x01\xc1", MessageMalformedError),
        (
            lambda m: b"".join(
                [encode(wire.Reply(id=m.id, result=msgspec.Raw(b"\x81\xa4type\xa9signature")))]
            ),
            MessageFieldInvalidError,
        ),
    ],
    ids=["another id", "failure of another id", "oversized", "malformed", "field missing"],
)
def test_broken_answer_is_a_typed_error(
    honest: Honest, answer: Callable[[wire.Request], bytes], error: type[XmtpTeeError]
) -> None:
    with (
        lying_enclave(honest.about, answer) as path,
        KeyManager(path, timeout=5) as keys,
        pytest.raises(error),
    ):
        keys.ping()


def test_connection_out_of_step_is_over(honest: Honest) -> None:
    with (
        lying_enclave(honest.about, lambda m: encode(reply(m.id + 1, wire.Pong()))) as path,
        KeyManager(path, timeout=5) as keys,
    ):
        with pytest.raises(MessageUnexpectedError):
            keys.ping()
        with pytest.raises(EnclaveUnavailableError):
            keys.ping()


def test_silence_is_a_timeout_and_ends_the_connection(honest: Honest) -> None:
    """A late answer must not be taken for the next request's."""
    with (
        lying_enclave(honest.about, lambda _: b"") as path,
        KeyManager(path, timeout=0.3) as keys,
    ):
        begun = time.monotonic()
        with pytest.raises(EnclaveTimeoutError, match=r"0\.3 s"):
            keys.ping()
        assert time.monotonic() - begun < 3
        with pytest.raises(EnclaveUnavailableError, match="closed"):
            keys.ping()


def test_failure_of_the_request_leaves_the_connection_open(honest: Honest) -> None:
    answers = iter([KeyNotFoundError.code, "some.future-code", KeyNotFoundError.code])
    with (
        lying_enclave(
            honest.about,
            lambda m: encode(wire.Failure(id=m.id, code=next(answers), message="no")),
        ) as path,
        KeyManager(path) as keys,
    ):
        with pytest.raises(KeyNotFoundError):
            keys.ping()
        with pytest.raises(EnclaveInternalError, match=r"some\.future-code"):
            keys.ping()
        with pytest.raises(KeyNotFoundError):
            keys.ping()


@pytest.mark.parametrize(
    ("welcome", "error"),
    [
        (
            lambda about: encode(wire.Welcome(version=PROTOCOL_VERSION + 1, enclave=about)),
            ProtocolVersionError,
        ),
        (
            lambda _: encode(wire.Failure(id=0, code="wire.protocol-version", message="no")),
            ProtocolVersionError,
        ),
        (lambda _: encode(reply(1, wire.Pong())), MessageUnexpectedError),
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", FrameTooLargeError),
    ],
    ids=["another version", "refused version", "reply", "another protocol"],
)
def test_greeting_that_is_none_is_a_typed_error(
    honest: Honest,
    welcome: Callable[[wire.EnclaveDescription], bytes],
    error: type[XmtpTeeError],
) -> None:
    bytes_sent = welcome(honest.about)
    with (
        lying_enclave(honest.about, lambda _: b"", bytes_sent) as path,
        pytest.raises(error),
    ):
        KeyManager(path, timeout=5)


def test_enclave_that_hangs_up_in_the_middle_of_an_answer_is_a_typed_error(
    honest: Honest,
) -> None:
    def half(_: wire.Request) -> bytes:
        raise OSError("hangs up")

    with (
        lying_enclave(honest.about, half) as path,
        KeyManager(path, timeout=5) as keys,
        pytest.raises((EnclaveUnavailableError, FrameTruncatedError)),
    ):
        keys.ping()
