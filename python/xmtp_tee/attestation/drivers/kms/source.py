"""The sealing root from KMS: made by the first start, released to each later one that proves what code it runs."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from xmtp_tee.attestation.drivers.kms.envelope import open_envelope
from xmtp_tee.attestation.drivers.kms.line import Line
from xmtp_tee.attestation.drivers.kms.service import (
    MAX_BLOB,
    ROOT_SIZE,
    Answer,
    KmsKey,
    Request,
    decrypt_request,
    generate_request,
    read_answer,
)
from xmtp_tee.attestation.drivers.kms.signature import Credentials, signed_headers
from xmtp_tee.attestation.drivers.nsm import NsmTransport, attest
from xmtp_tee.attestation.drivers.sealing import SEAL_ROOT_SIZE
from xmtp_tee.attestation.errors import FieldError, KeyServiceAnswerError

_INFO: Final = b"xmtp-tee/kms/seal-root/v1"
_KEY_SIZE: Final = 2048
"""RSA: what KMS encrypts to. The key lives for one answer."""


@dataclass(frozen=True, slots=True)
class KmsConfig:
    """Which key, and the way to it.

    ``key``: should stand in the measured image, because it decides who may have the root. ``blob``: the file in which
    the root lies under that key, written by the first start; it must be given to every later one. ``credentials``: the
    host's, read anew each time, because a role's last some hours.
    """

    key: KmsKey
    line: Line
    blob: Path
    credentials: Path


class KmsSealSource:
    """See :class:`xmtp_tee.attestation.drivers.sealing.SealSource`."""

    def __init__(
        self,
        config: KmsConfig,
        transport: NsmTransport,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``transport``: the Nitro Secure Module, whose documents KMS verifies. ``clock``: unix seconds."""
        self._config = config
        self._transport = transport
        self._clock = clock

    def root(self) -> bytearray:
        """Return the 32-byte root, HKDF of what KMS releases; the caller wipes it.

        :raises KeyServiceRefusedError: the key's policy does not release to this enclave, or these credentials
        :raises KeyServiceUnavailableError: KMS does not answer
        :raises KeyServiceAnswerError: what answers is not what KMS answers
        :raises FieldError: blob or credentials cannot be read, or the blob cannot be written
        """
        key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_SIZE)
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        document = attest(self._transport, None, public_key=public)
        config, blob = self._config, self._read_blob()
        if blob is None:
            answer = self._ask(generate_request(config.key, document), with_blob=True)
        else:
            answer = self._ask(decrypt_request(config.key, document, blob), with_blob=False)
        released = open_envelope(answer.envelope, key)
        try:
            if len(released) != ROOT_SIZE:
                raise KeyServiceAnswerError(
                    "What the key service releases is no root.",
                    got=f"{len(released)} bytes",
                    expected=f"{ROOT_SIZE} bytes",
                )
            if blob is None:
                self._write_blob(answer.blob)
            root = bytearray(SEAL_ROOT_SIZE)
            HKDF(hashes.SHA256(), SEAL_ROOT_SIZE, None, _INFO).derive_into(released, root)
            return root
        finally:
            released[:] = bytes(len(released))

    def _ask(self, request: Request, *, with_blob: bool) -> Answer:
        config = self._config
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        headers = signed_headers(
            self._credentials(),
            region=config.key.region,
            service="kms",
            time=moment,
            headers={
                "host": config.key.host,
                "content-type": "application/x-amz-json-1.1",
                "x-amz-target": request.target,
            },
            body=request.body,
        )
        status, body = config.line.post(headers, request.body)
        return read_answer(config.key, status, body, with_blob=with_blob)

    def _credentials(self) -> Credentials:
        path = self._config.credentials
        try:
            return Credentials.from_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise FieldError(f"{path} cannot be read.", cause=type(error).__name__) from None

    def _read_blob(self) -> bytes | None:
        path = self._config.blob
        try:
            with path.open("rb") as file:
                blob = file.read(MAX_BLOB + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FieldError(f"{path} cannot be read.", cause=error.strerror) from None
        if not 0 < len(blob) <= MAX_BLOB:
            raise FieldError(f"{path} is no blob of KMS.", got=f"{len(blob)} bytes")
        return blob

    def _write_blob(self, blob: bytes) -> None:
        """Write it whole before anything is sealed under what is in it; the first of two processes wins."""
        path = self._config.blob
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(blob)
                    file.flush()
                    os.fsync(file.fileno())
                os.link(draft, path)
            finally:
                draft.unlink()
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise FieldError(f"{path} cannot be written.", cause=error.strerror) from None
