"""CMS EnvelopedData (RFC 5652), as KMS answers to a recipient: RSAES-OAEP with SHA-256, AES-256-CBC. No I/O.

KMS writes BER: lengths may be indefinite, and the encrypted content may come in pieces. Both forms are read; every
algorithm but these is refused. CBC protects nothing from being changed: TLS to the service does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

from xmtp_tee.attestation.errors import KeyServiceAnswerError

MAX_SIZE: Final = 16_384
_MAX_DEPTH: Final = 16
_BLOCK: Final = 16

_INTEGER, _OCTETS, _OID, _NULL = 0x02, 0x04, 0x06, 0x05
_SEQUENCE, _SET, _CONTEXT_0, _CONTEXT_1 = 0x30, 0x31, 0xA0, 0xA1
_PRIMITIVE_0: Final = 0x80
_CONSTRUCTED: Final = 0x20
_INDEFINITE: Final = 0x80

_ENVELOPED_DATA: Final = bytes.fromhex("2a864886f70d010703")
_DATA: Final = bytes.fromhex("2a864886f70d010701")
_RSAES_OAEP: Final = bytes.fromhex("2a864886f70d010107")
_MGF1: Final = bytes.fromhex("2a864886f70d010108")
_SHA256: Final = bytes.fromhex("608648016503040201")
_AES256_CBC: Final = bytes.fromhex("60864801650304012a")


@dataclass(frozen=True, slots=True)
class _Node:
    """One element: its identifier octet, and its content, or the elements in it."""

    tag: int
    value: bytes = b""
    children: tuple[_Node, ...] = ()


def open_envelope(data: bytes, private_key: RSAPrivateKey) -> bytearray:
    """Return what was sealed to ``private_key``; the caller wipes it.

    :raises KeyServiceAnswerError: not an envelope of this form, or it does not open
    """
    encrypted_key, iv, content = _parts(data)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    try:
        key = private_key.decrypt(encrypted_key, oaep)
        decryptor = Cipher(AES256(key), CBC(iv)).decryptor()
    except ValueError:
        raise _malformed("the key in it is sealed to another key") from None
    plaintext = bytearray(len(content) + _BLOCK - 1)
    size = decryptor.update_into(content, plaintext)
    pad = plaintext[size - 1]
    if not 1 <= pad <= _BLOCK or plaintext[size - pad : size] != bytes([pad]) * pad:
        plaintext[:] = bytes(len(plaintext))
        raise _malformed("its padding is wrong")
    for place in range(size - pad, len(plaintext)):
        plaintext[place] = 0
    del plaintext[size - pad :]
    return plaintext


def _parts(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return encrypted key, IV and encrypted content."""
    if len(data) > MAX_SIZE:
        raise _malformed(f"{len(data)} bytes")
    outer, end = _read(data, 0, 0)
    if end != len(data):
        raise _malformed("bytes behind it")
    kind, wrapped = _members(outer, _SEQUENCE, 2)
    _require_oid(kind, _ENVELOPED_DATA)
    (enveloped,) = _members(wrapped, _CONTEXT_0, 1)
    version, recipients, encrypted = _members(enveloped, _SEQUENCE, 3)
    _require(version, _INTEGER, b"\x02")
    (recipient,) = _members(recipients, _SET, 1)
    version, name, algorithm, key = _members(recipient, _SEQUENCE, 4)
    _require(version, _INTEGER, b"\x02")
    # Which key it is sealed to shows when it is opened; what it is called is not looked at.
    if name.tag != _PRIMITIVE_0:
        raise _malformed("its recipient is of another form")
    _require_oaep(algorithm)
    kind, cipher, content = _members(encrypted, _SEQUENCE, 3)
    _require_oid(kind, _DATA)
    name, iv = _members(cipher, _SEQUENCE, 2)
    _require_oid(name, _AES256_CBC)
    sealed = _octets(content, _PRIMITIVE_0, _CONTEXT_0)
    if key.tag != _OCTETS or iv.tag != _OCTETS or len(iv.value) != _BLOCK:
        raise _malformed("its key or its IV is of another form")
    if not sealed or len(sealed) % _BLOCK:
        raise _malformed("its content is not of whole blocks")
    return key.value, iv.value, sealed


def _require_oaep(algorithm: _Node) -> None:
    name, parameters = _members(algorithm, _SEQUENCE, 2)
    _require_oid(name, _RSAES_OAEP)
    digest, mask = _members(parameters, _SEQUENCE, 2)
    (hashed,) = _members(digest, _CONTEXT_0, 1)
    _require_sha256(hashed)
    (generator,) = _members(mask, _CONTEXT_1, 1)
    name, hashed = _members(generator, _SEQUENCE, 2)
    _require_oid(name, _MGF1)
    _require_sha256(hashed)


def _require_sha256(node: _Node) -> None:
    if node.tag != _SEQUENCE or len(node.children) not in (1, 2):
        raise _malformed("a digest is of another form")
    _require_oid(node.children[0], _SHA256)
    for parameters in node.children[1:]:
        _require(parameters, _NULL, b"")


def _require_oid(node: _Node, oid: bytes) -> None:
    _require(node, _OID, oid)


def _require(node: _Node, tag: int, value: bytes) -> None:
    if (node.tag, node.value, node.children) != (tag, value, ()):
        raise _malformed(f"{node.tag:02x} {node.value[:20].hex()} in the place of {value.hex()}")


def _members(node: _Node, tag: int, count: int) -> tuple[_Node, ...]:
    if node.tag != tag or len(node.children) != count:
        raise _malformed(f"{len(node.children)} members under {node.tag:02x}")
    return node.children


def _octets(node: _Node, primitive: int, constructed: int) -> bytes:
    if node.tag == primitive:
        return node.value
    if node.tag == constructed and all(piece.tag == _OCTETS for piece in node.children):
        return b"".join(piece.value for piece in node.children)
    raise _malformed("its content is of another form")


def _read(data: bytes, at: int, depth: int) -> tuple[_Node, int]:
    """Return the element at ``at``, and the place behind it."""
    if depth > _MAX_DEPTH or at + 2 > len(data):
        raise _malformed("too deep, or cut")
    tag, length, at = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F or tag == 0:
        raise _malformed(f"an element with the identifier {tag:02x}")
    constructed = bool(tag & _CONSTRUCTED)
    if length == _INDEFINITE:
        if not constructed:
            raise _malformed("a value without an end")
        children = []
        while data[at : at + 2] != b"\x00\x00":
            child, at = _read(data, at, depth + 1)
            children.append(child)
        return _Node(tag, children=tuple(children)), at + 2
    if length > _INDEFINITE:
        size = length - _INDEFINITE
        length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if size > 4:
            raise _malformed("a length of too many bytes")
    end = at + length
    if end > len(data):
        raise _malformed("cut")
    if not constructed:
        return _Node(tag, data[at:end]), end
    children = []
    while at < end:
        child, at = _read(data[:end], at, depth + 1)
        children.append(child)
    return _Node(tag, children=tuple(children)), end


def _malformed(got: str) -> KeyServiceAnswerError:
    return KeyServiceAnswerError(
        "The key service's envelope cannot be opened.",
        got=got,
        expected="EnvelopedData to our key, RSAES-OAEP with SHA-256, AES-256-CBC",
    )
