"""The sealing root from KMS: released to the measured image alone, whatever the host puts in between."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.kms import ARN, HOST, SECRET, TOKEN, Envelope, Kms, Server
from xmtp_tee.attestation.drivers.kms.envelope import open_envelope
from xmtp_tee.attestation.drivers.kms.line import Line, _parsed
from xmtp_tee.attestation.drivers.kms.service import KmsKey, read_answer
from xmtp_tee.attestation.drivers.kms.signature import Credentials, signed_headers
from xmtp_tee.attestation.drivers.kms.source import KmsConfig, KmsSealSource
from xmtp_tee.attestation.drivers.nitro import NitroDriver
from xmtp_tee.attestation.errors import (
    FieldError,
    KeyServiceAnswerError,
    KeyServiceRefusedError,
    KeyServiceUnavailableError,
)
from xmtp_tee.attestation.simulator.nitro import EmulatedNsm
from xmtp_tee.attestation.simulator.nitro.document import development_pcrs
from xmtp_tee.errors import ExitCode

APPLICATION = hashlib.sha384(b"the released image").digest()
PCR0 = development_pcrs(APPLICATION)[0]
KEY = KmsKey(ARN)


def device(application: bytes = APPLICATION, **options: Any) -> EmulatedNsm:
    return EmulatedNsm(application, lambda: int(time.time()), os.urandom, **options)


@dataclass
class Place:
    """An enclave's configuration, and the service that it meets."""

    server: Server
    config: KmsConfig

    def root(self, nsm: EmulatedNsm | None = None, **changes: Any) -> bytes:
        """What a fresh start gets."""
        source = KmsSealSource(replace(self.config, **changes), nsm or device())
        return bytes(NitroDriver(nsm or device(), source).seal_root())

    def line(self, **changes: Any) -> Line:
        return replace(self.config.line, **changes)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Server(Kms({PCR0}), tmp_path) as server:
        line = Line(HOST, server.address, server.authorities)
        yield Place(server, KmsConfig(KEY, line, tmp_path / "kms-root", server.credentials))


def test_root_is_made_once_and_released_to_every_later_start(place: Place) -> None:
    first = place.root()
    assert len(first) == 32
    assert place.config.blob.stat().st_mode & 0o777 == 0o600
    assert first not in place.config.blob.read_bytes()
    assert [place.root(), place.root()] == [first, first]
    assert place.server.kms.operations == ["GenerateDataKey", "Decrypt", "Decrypt"]
    # Each start asks with a document, and so with a key, of its own.
    assert len(place.server.kms.documents) == 3
    place.config.blob.unlink()
    assert place.root() != first


def test_other_image_gets_nothing(place: Place) -> None:
    place.root()
    for again in (True, False):
        if not again:
            place.config.blob.unlink()
        with pytest.raises(KeyServiceRefusedError, match="AccessDenied") as caught:
            place.root(device(hashlib.sha384(b"a back door").digest()))
        assert caught.value.exit_code is ExitCode.REFUSED_BY_POLICY
    assert not place.config.blob.exists()


def test_enclave_under_debug_gets_nothing(place: Place) -> None:
    with pytest.raises(KeyServiceRefusedError):
        place.root(device(debug=True))


def test_document_of_yesterday_gets_nothing(place: Place) -> None:
    """The verifier would still believe its certificates; freshness is the service's to judge."""
    old = EmulatedNsm(APPLICATION, lambda: int(time.time()) - 600, os.urandom)
    with pytest.raises(KeyServiceRefusedError, match="Validation"):
        place.root(old)


@pytest.mark.parametrize("change", [b"", b"x" * 7000])
def test_blob_of_another_size_is_refused(place: Place, change: bytes) -> None:
    place.config.blob.write_bytes(change)
    with pytest.raises(FieldError):
        place.root()


def test_changed_blob_is_refused_and_not_made_anew(place: Place) -> None:
    place.root()
    blob = bytearray(place.config.blob.read_bytes())
    blob[-1] ^= 1
    place.config.blob.write_bytes(blob)
    with pytest.raises(KeyServiceRefusedError, match="InvalidCiphertext"):
        place.root()
    assert place.config.blob.read_bytes() == blob


def test_two_first_starts_do_not_go_on_with_two_roots(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack or accident: the other one's blob lies there when ours is written."""
    first = place.root()
    monkeypatch.setattr(KmsSealSource, "_read_blob", lambda self: None)
    with pytest.raises(FieldError, match="cannot be written"):
        place.root()
    monkeypatch.undo()
    assert place.root() == first
    assert sorted(p.name for p in place.config.blob.parent.iterdir() if "kms" in p.name) == [
        "kms-root"
    ]


# --- the host in between ----------------------------------------------------------------------------


def test_server_of_another_name_or_root_is_refused(place: Place, tmp_path: Path) -> None:
    """Attack: an answer sealed to our key by somebody else would be a root that he knows."""
    other = tmp_path / "other"
    other.mkdir()
    with Server(Kms({PCR0}), other) as own_root, Server(Kms({PCR0}), other, name="evil") as named:
        for line in (
            place.line(address=own_root.address),
            replace(place.line(address=named.address), authorities=named.authorities),
            place.line(authorities=None),
        ):
            with pytest.raises(KeyServiceUnavailableError):
                place.root(line=line)
        assert own_root.kms.operations == named.kms.operations == []
    assert not place.config.blob.exists()


def test_nobody_answers(place: Place) -> None:
    with pytest.raises(KeyServiceUnavailableError) as caught:
        place.root(line=place.line(address="tcp:127.0.0.1:1"))
    assert caught.value.exit_code is ExitCode.UNAVAILABLE


@pytest.mark.parametrize("secret", ["AccessKeyId", "SecretAccessKey", "Token"])
def test_credentials_that_aws_does_not_know_are_refused_and_not_shown(
    place: Place, secret: str
) -> None:
    document = json.loads(place.config.credentials.read_text())
    place.config.credentials.write_text(json.dumps(document | {secret: "another"}))
    with pytest.raises(KeyServiceRefusedError) as caught:
        place.root()
    assert SECRET not in repr(caught.value.as_dict())
    assert TOKEN not in repr(caught.value.as_dict())


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"AccessKeyId": "a"}', '{"AccessKeyId": "a", "SecretAccessKey": 5}',
             '{"AccessKeyId": "a\\r\\nx", "SecretAccessKey": "s"}', f'{{"SecretAccessKey": "{SECRET}"}}'],
)  # fmt: skip
def test_malformed_credentials_are_refused_and_not_shown(place: Place, text: str) -> None:
    place.config.credentials.write_text(text)
    with pytest.raises(FieldError) as caught:
        place.root()
    assert SECRET not in repr(caught.value.as_dict())


def bent(place: Place, **changes: Any) -> None:
    """The service answers with other fields."""
    place.server.kms.bend = lambda answer: {
        name: value for name, value in (answer | changes).items() if value is not None
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"Plaintext": "AAAA"},
        {"KeyId": ARN[:-1] + "c"},
        {"KeyId": None},
        {"CiphertextForRecipient": None},
        {"CiphertextForRecipient": "!"},
        {"CiphertextForRecipient": ""},
        {"CiphertextForRecipient": "AAAA"},
        {"CiphertextBlob": None},
        {"CiphertextBlob": base64.b64encode(bytes(6145)).decode()},
    ],
)
def test_answer_that_is_not_kms_is_refused(place: Place, changes: dict[str, Any]) -> None:
    bent(place, **changes)
    with pytest.raises(KeyServiceAnswerError):
        place.root()
    assert not place.config.blob.exists()


def test_answer_to_another_start_does_not_open(place: Place) -> None:
    """Attack: an older envelope, replayed."""
    kept: list[Any] = []

    def keep(answer: dict[str, Any]) -> dict[str, Any]:
        kept.append(answer)
        return kept[0]

    place.server.kms.bend = keep
    place.root()
    with pytest.raises(KeyServiceAnswerError, match="cannot be opened"):
        place.root()


@pytest.mark.parametrize("size", [0, 31, 33])
def test_root_of_another_size_is_refused(place: Place, size: int) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    envelope = Envelope(key.public_key()).seal(bytes(size))
    assert len(open_envelope(envelope, key)) == size

    def shorter(answer: dict[str, Any]) -> dict[str, Any]:
        # The recipient's key of this request, from the document that the service has verified.
        return answer | {"CiphertextForRecipient": base64.b64encode(reseal(size)).decode()}

    recipients: list[rsa.RSAPublicKey] = []
    genuine = place.server.kms._recipient

    def remember(recipient: dict[str, str]) -> rsa.RSAPublicKey:
        recipients.append(genuine(recipient))
        return recipients[-1]

    def reseal(length: int) -> bytes:
        return Envelope(recipients[-1]).seal(bytes(length))

    place.server.kms._recipient = remember  # type: ignore[method-assign]
    place.server.kms.bend = shorter
    with pytest.raises(KeyServiceAnswerError, match="no root"):
        place.root()


# --- the parts --------------------------------------------------------------------------------------

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ROOT = bytes(range(32))


@pytest.mark.parametrize("indefinite", [True, False])
@pytest.mark.parametrize("piece", [1, 16, 1000])
def test_envelope_opens_in_both_encodings_and_in_pieces(indefinite: bool, piece: int) -> None:
    sealed = Envelope(RSA.public_key(), indefinite=indefinite, piece=piece).seal(ROOT)
    assert open_envelope(sealed, RSA) == ROOT


def test_every_cut_and_every_appended_byte_is_refused() -> None:
    for indefinite in (True, False):
        sealed = Envelope(RSA.public_key(), indefinite=indefinite).seal(ROOT)
        for end in range(len(sealed)):
            with pytest.raises(KeyServiceAnswerError):
                open_envelope(sealed[:end], RSA)
        with pytest.raises(KeyServiceAnswerError):
            open_envelope(sealed + b"\x00", RSA)


def test_flipped_bit_never_gives_the_same_root_nor_a_foreign_error() -> None:
    """CBC without a MAC: content may come out changed (TLS protects it), never as another kind of error."""
    sealed = Envelope(RSA.public_key(), indefinite=False).seal(ROOT)
    # The 32 bytes that name the recipient are nobody's to check.
    name = range(sealed.index(b"\x80\x20" + bytes(32)) + 2, sealed.index(bytes(32)) + 32)
    refused = 0
    for place in range(0, len(sealed) * 8, 5):
        if place // 8 in name:
            continue
        changed = bytearray(sealed)
        changed[place // 8] ^= 1 << place % 8
        try:
            assert open_envelope(bytes(changed), RSA) != ROOT
        except KeyServiceAnswerError:
            refused += 1
    assert refused > 300


@pytest.mark.parametrize(
    "changes",
    [
        {"cipher": "2.16.840.1.101.3.4.1.2"},
        {"cipher": "1.2.840.113549.3.7"},
        {"algorithm": b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"},
    ],
)
def test_other_algorithms_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(KeyServiceAnswerError):
        open_envelope(Envelope(RSA.public_key(), **changes).seal(ROOT), RSA)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x30", b"\x30\x80" * 2000, bytes(20_000), b"\x04\x80\x00\x00", b"\x30\x85" + bytes(9)],
)
def test_hostile_bytes_are_refused_in_bounds(data: bytes) -> None:
    with pytest.raises(KeyServiceAnswerError):
        open_envelope(data, RSA)


# AWS's own test suite for Signature Version 4: get-vanilla and post-vanilla.
VECTORS = {
    "GET": "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    "POST": "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
}


@pytest.mark.parametrize("method", VECTORS)
def test_signature_is_that_of_awss_vectors(method: str) -> None:
    made = signed_headers(
        Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        region="us-east-1",
        service="service",
        time="20150830T123600Z",
        headers={"host": "example.amazonaws.com"},
        body=b"",
        method=method,
    )
    assert made["authorization"].endswith(f"Signature={VECTORS[method]}")


def test_credentials_are_not_in_the_repr() -> None:
    assert SECRET not in repr(Credentials("a", SECRET, TOKEN))
    assert TOKEN not in repr(Credentials("a", SECRET, TOKEN))


@pytest.mark.parametrize(
    "arn",
    ["", "alias/mine", ARN[:-1] + "/", ARN.replace("key/", "alias/"), ARN.replace("aws", "aws-cn"),
     ARN.replace("eu-central-1", "x.evil.example/")],
)  # fmt: skip
def test_key_is_named_by_its_full_arn(arn: str) -> None:
    with pytest.raises(FieldError):
        KmsKey(arn)


@pytest.mark.parametrize("address", ["", "127.0.0.1:1", "vsock:host:1", "tcp:host", "tcp:a b:1"])
def test_address_that_is_not_understood_is_refused(address: str) -> None:
    with pytest.raises(FieldError):
        Line(HOST, address)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_answer_that_is_not_whole_http_is_refused(answer: bytes) -> None:
    with pytest.raises(KeyServiceAnswerError):
        _parsed(answer)


def test_whole_answer_is_read() -> None:
    assert _parsed(b"HTTP/1.1 400 Bad\r\ncontent-length: 2\r\n\r\n{}") == (400, b"{}")


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"[" * 100_000])
def test_answer_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(KeyServiceAnswerError):
        read_answer(KEY, 200, body, with_blob=True)
