"""AWS KMS, emulated over real TLS: it verifies signature and attestation document, judges the PCRs as a key's policy
does, and answers to the attested key alone. Written from AWS's documentation; it has never met the real one.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import padding as block_padding
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)
from cryptography.x509.oid import NameOID

from xmtp_tee.attestation.nitro.verify import verify_document
from xmtp_tee.attestation.simulator.nitro import development_nitro_root
from xmtp_tee.errors import XmtpTeeError

ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
HOST = "kms.eu-central-1.amazonaws.com"
ACCESS_KEY, SECRET, TOKEN = "AKIDTEST", "a secret of the host", "a token"
MAX_AGE = 300
"""Seconds that a document is taken for fresh."""


class RefusedError(Exception):
    """KMS answers with this error's name."""


# --- RFC 5652, by hand: DER, or BER with lengths that end where they end ----------------------------


def element(tag: int, content: bytes, *, indefinite: bool = False) -> bytes:
    if indefinite:
        return bytes([tag, 0x80]) + content + b"\x00\x00"
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = bytes([40 * first + second])
    for number in rest:
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.insert(0, 0x80 | number & 0x7F)
        content += bytes(digits)
    return element(0x06, content)


SHA256 = element(0x30, oid("2.16.840.1.101.3.4.2.1"))
OAEP = element(
    0x30,
    oid("1.2.840.113549.1.1.7")
    + element(
        0x30,
        element(0xA0, SHA256) + element(0xA1, element(0x30, oid("1.2.840.113549.1.1.8") + SHA256)),
    ),
)


@dataclass
class Envelope:
    """How an answer is put together; every part can be bent."""

    key: rsa.RSAPublicKey
    content_key: bytes = field(default_factory=lambda: os.urandom(32))
    iv: bytes = field(default_factory=lambda: os.urandom(16))
    algorithm: bytes = OAEP
    cipher: str = "2.16.840.1.101.3.4.1.42"
    indefinite: bool = True
    piece: int = 16

    def seal(self, plaintext: bytes) -> bytes:
        padder = block_padding.PKCS7(128).padder()
        padded = padder.update(plaintext) + padder.finalize()
        encryptor = Cipher(AES256(self.content_key), CBC(self.iv)).encryptor()
        return self.around(encryptor.update(padded) + encryptor.finalize())

    def around(self, sealed: bytes) -> bytes:
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        encrypted_key = self.key.encrypt(self.content_key, oaep)
        recipient = element(
            0x30,
            element(0x02, b"\x02")
            + element(0x80, bytes(32))
            + self.algorithm
            + element(0x04, encrypted_key),
        )
        if self.indefinite:
            pieces = [
                element(0x04, sealed[at : at + self.piece])
                for at in range(0, len(sealed), self.piece)
            ]
            content = element(0xA0, b"".join(pieces), indefinite=True)
        else:
            content = element(0x80, sealed)
        cipher = element(0x30, oid(self.cipher) + element(0x04, self.iv))
        encrypted = self._open(0x30, oid("1.2.840.113549.1.7.1") + cipher + content)
        enveloped = self._open(0x30, element(0x02, b"\x02") + element(0x31, recipient) + encrypted)
        return self._open(0x30, oid("1.2.840.113549.1.7.3") + self._open(0xA0, enveloped))

    def _open(self, tag: int, content: bytes) -> bytes:
        return element(tag, content, indefinite=self.indefinite)


# --- the service ------------------------------------------------------------------------------------


@dataclass
class Kms:
    """One key and its policy. ``released_to``: the PCR0 of the images that may have what is under it.

    ``bend`` changes an answer before it is sent: what a man in the middle of AWS would do.
    """

    released_to: set[bytes]
    clock: Callable[[], float] = time.time
    bend: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    operations: list[str] = field(default_factory=list)
    documents: set[bytes] = field(default_factory=set)
    _master: bytes = field(default_factory=lambda: os.urandom(32), repr=False)

    def answer(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        try:
            self._require_signature(headers, body)
            operation = headers["x-amz-target"].removeprefix("TrentService.")
            self.operations.append(operation)
            found = self._operate(operation, json.loads(body))
        except RefusedError as error:
            return 400, json.dumps({"__type": f"com.amazonaws.kms#{error}"}).encode()
        return 200, json.dumps(self.bend(found) if self.bend else found).encode()

    def _operate(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if request["KeyId"] != ARN:
            raise RefusedError("NotFoundException")
        recipient = self._recipient(request["Recipient"])
        context = json.dumps(request["EncryptionContext"], sort_keys=True).encode()
        if operation == "GenerateDataKey":
            plaintext = os.urandom(request["NumberOfBytes"])
            nonce = os.urandom(12)
            blob = nonce + AESGCM(self._master).encrypt(nonce, plaintext, context)
        elif operation == "Decrypt":
            blob = base64.b64decode(request["CiphertextBlob"])
            try:
                plaintext = AESGCM(self._master).decrypt(blob[:12], blob[12:], context)
            except (InvalidTag, ValueError):
                raise RefusedError("InvalidCiphertextException") from None
        else:
            raise RefusedError("AccessDeniedException")
        answer = {
            "KeyId": ARN,
            "CiphertextForRecipient": base64.b64encode(
                Envelope(recipient).seal(plaintext)
            ).decode(),
        }
        if operation == "GenerateDataKey":
            answer["CiphertextBlob"] = base64.b64encode(blob).decode()
        return answer

    def _recipient(self, recipient: dict[str, str]) -> rsa.RSAPublicKey:
        """Return the attested key, or refuse as the policy's condition does."""
        if recipient["KeyEncryptionAlgorithm"] != "RSAES_OAEP_SHA_256":
            raise RefusedError("ValidationException")
        raw, now = base64.b64decode(recipient["AttestationDocument"]), int(self.clock())
        try:
            verified = verify_document(raw, development_nitro_root(), now)
        except XmtpTeeError:
            raise RefusedError("ValidationException") from None
        document = verified.document
        if now - verified.made_at > MAX_AGE or document.public_key is None:
            raise RefusedError("ValidationException")
        if document.pcrs[0] not in self.released_to:
            raise RefusedError("AccessDeniedException")
        self.documents.add(raw)
        key = load_der_public_key(document.public_key)
        assert isinstance(key, rsa.RSAPublicKey)
        return key

    def _require_signature(self, headers: dict[str, str], body: bytes) -> None:
        """AWS's side of Signature Version 4, from what arrived."""
        algorithm, _, rest = headers["authorization"].partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        access, day, region, service, end = parts["Credential"].split("/")
        names = parts["SignedHeaders"].split(";")
        if headers.get("x-amz-security-token") != TOKEN or access != ACCESS_KEY:
            raise RefusedError("UnrecognizedClientException")
        moment = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(
            tzinfo=datetime.UTC
        )
        if abs(moment.timestamp() - self.clock()) > MAX_AGE or not {"host", "x-amz-date"} <= set(
            names
        ):
            raise RefusedError("InvalidSignatureException")
        lines = "".join(f"{name}:{headers[name]}\n" for name in names)
        canonical = f"POST\n/\n\n{lines}\n{parts['SignedHeaders']}\n{sha256(body)}"
        scope = f"{day}/{region}/{service}/{end}"
        text = f"{algorithm}\n{headers['x-amz-date']}\n{scope}\n{sha256(canonical.encode())}"
        key = ("AWS4" + SECRET).encode()
        for part in (day, region, service, end):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        if (region, service) != ("eu-central-1", "kms") or parts["Signature"] != expected:
            raise RefusedError("InvalidSignatureException")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Server:
    """TLS in front of a :class:`Kms`, under a root of its own."""

    def __init__(self, kms: Kms, folder: Path, *, name: str = HOST) -> None:
        self.kms = kms
        self.authorities = folder / "authorities.pem"
        self.credentials = folder / "credentials.json"
        self.credentials.write_text(
            json.dumps({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET, "Token": TOKEN})
        )
        chain = folder / "server.pem"
        _issue(name, self.authorities, chain)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(chain)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp:127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            with plain:
                plain.settimeout(10)
                try:
                    with self._context.wrap_socket(plain, server_side=True) as secure:
                        self._answer(secure)
                except OSError:
                    continue

    def _answer(self, connection: ssl.SSLSocket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65_536)
        head, _, body = data.partition(b"\r\n\r\n")
        request, *lines = head.decode().split("\r\n")
        assert request == "POST / HTTP/1.1"
        headers = dict(line.split(": ", 1) for line in lines)
        while len(body) < int(headers["content-length"]):
            body += connection.recv(65_536)
        status, answer = self.kms.answer(headers, body)
        reply = f"HTTP/1.1 {status} x\r\nContent-Length: {len(answer)}\r\n\r\n"
        connection.sendall(reply.encode() + answer)


def _issue(name: str, authorities: Path, chain: Path) -> None:
    """Write a root, and a certificate under it with its key."""
    now = datetime.datetime.now(datetime.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("test root", name)
    ]
    made = []
    for index in (0, 1):
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[index])
            .issuer_name(names[0])
            .public_key(keys[index].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=index == 0, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        )
        made.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(Encoding.PEM))
    authorities.write_bytes(made[0])
    private = keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain.write_bytes(made[1] + private)
