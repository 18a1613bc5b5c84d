"""What is asked of KMS and what it answers: two operations of its JSON protocol. No I/O.

Source: AWS, KMS API Reference, GenerateDataKey and Decrypt, ``Recipient`` and ``CiphertextForRecipient``.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Final

from xmtp_tee.attestation.errors import FieldError, KeyServiceAnswerError, KeyServiceRefusedError
from xmtp_tee.attestation.json_text import load_json

CONTEXT: Final = {"xmtp-tee": "seal-root/v1"}
"""The encryption context: what was made for something else does not open here."""
ROOT_SIZE: Final = 32
MAX_BLOB: Final = 6_144
_TARGET: Final = "TrentService."
_ARN: Final = re.compile(
    r"arn:aws(?:-us-gov)?:kms:([a-z0-9-]{1,32}):[0-9]{12}:key/(?:mrk-)?[0-9a-f-]{32,36}"
)


@dataclass(frozen=True, slots=True)
class KmsKey:
    """A key, by its ARN in full: neither an alias nor an id, which the host's account could turn into another."""

    arn: str

    def __post_init__(self) -> None:
        if _ARN.fullmatch(self.arn) is None:
            raise FieldError(
                "This is no KMS key.",
                got=self.arn[:120],
                expected="arn:aws:kms:REGION:ACCOUNT:key/ID",
            )

    @property
    def region(self) -> str:
        """The region in it."""
        return self.arn.split(":")[3]

    @property
    def host(self) -> str:
        """The server that must answer."""
        return f"kms.{self.region}.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Request:
    """The value of the header ``x-amz-target``, and the body."""

    target: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """``blob``: what Decrypt takes later (empty from Decrypt); ``envelope``: for the recipient."""

    blob: bytes
    envelope: bytes


def generate_request(key: KmsKey, document: bytes) -> Request:
    """Have KMS make 32 random bytes: once under its key, once for the attested recipient."""
    return _request("GenerateDataKey", key, document, {"NumberOfBytes": ROOT_SIZE})


def decrypt_request(key: KmsKey, document: bytes, blob: bytes) -> Request:
    """Have KMS open what it made, for the attested recipient."""
    text = base64.b64encode(blob).decode()
    return _request("Decrypt", key, document, {"CiphertextBlob": text})


def read_answer(key: KmsKey, status: int, body: bytes, *, with_blob: bool) -> Answer:
    """Return what an answer holds.

    :raises KeyServiceRefusedError: KMS says no, for a reason that it names
    :raises KeyServiceAnswerError: it is of another form or another key, or shows the plaintext
    """
    try:
        document = load_json(body.decode())
        if not isinstance(document, dict):
            raise ValueError("no object")
    except ValueError:
        raise KeyServiceAnswerError(
            "The key service's answer is no JSON object.", got=f"HTTP status {status}"
        ) from None
    if status != 200:
        name = str(document.get("__type", "")).rpartition("#")[2]
        raise KeyServiceRefusedError(
            "The key service refuses.",
            got=f"HTTP status {status}, {name[:80] or 'no reason'}",
            expected="a key whose policy releases to this enclave's measurement",
        )
    if document.get("Plaintext"):
        raise KeyServiceAnswerError(
            "The key service answers in clear: it has paid no heed to the attestation document."
        )
    if document.get("KeyId") != key.arn:
        raise KeyServiceAnswerError(
            "The key service used another key.",
            got=str(document.get("KeyId"))[:120],
            expected=key.arn,
        )
    blob = _bytes(document, "CiphertextBlob") if with_blob else b""
    if len(blob) > MAX_BLOB:
        raise KeyServiceAnswerError("The key service's blob is too long.", got=len(blob))
    return Answer(blob, _bytes(document, "CiphertextForRecipient"))


def _request(operation: str, key: KmsKey, document: bytes, more: dict[str, object]) -> Request:
    body = {
        "KeyId": key.arn,
        "EncryptionContext": CONTEXT,
        "Recipient": {
            "AttestationDocument": base64.b64encode(document).decode(),
            "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
        },
        **more,
    }
    return Request(_TARGET + operation, json.dumps(body).encode())


def _bytes(document: dict[str, object], name: str) -> bytes:
    value = document.get(name)
    try:
        if not isinstance(value, str) or not value:
            raise ValueError("no text")
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise KeyServiceAnswerError(f"The key service's answer has no {name}.") from None
