"""The container: bytes in, header and sealed body out.

::

    magic 8 | version u16 | length of the header u32 | header (MessagePack) | sealed body

The header is readable by everyone and associated data of everything that is sealed: the ways in are
bound to the facts of the key, the body to the whole header. Parsing decides nothing about genuineness;
it refuses what could not have been written here, before anything costly is done with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from xmtp_tee.wire.backup_faults import BackupMalformedError, BackupVersionError

MAGIC: Final = b"XTEEBKUP"
VERSION: Final = 1
MAX_HEADER: Final = 96 << 10
"""Bytes: 64 public keys of X-Wing (1,216 each) and eight ways in."""
MAX_SECRET: Final = 64 * 32
"""Bytes of private key: up to 64 versions of 32 bytes."""
MAX_WAYS: Final = 8
NONCE: Final = 12
OVERHEAD: Final = NONCE + 16
_PREFIX: Final = len(MAGIC) + 2 + 4
MAX_CONTAINER: Final = _PREFIX + MAX_HEADER + OVERHEAD + MAX_SECRET

_Label = Annotated[str, Meta(min_length=1, max_length=64)]
_Text = Annotated[str, Meta(max_length=64)]
_U31 = Annotated[int, Meta(ge=0, le=(1 << 31) - 1)]
_Time = Annotated[int, Meta(ge=0, le=(1 << 40) - 1)]
_Count = Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]
_Uses = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
_PublicKey = Annotated[bytes, Meta(max_length=1216)]
_Wrapped = Annotated[bytes, Meta(min_length=32 + OVERHEAD, max_length=32 + OVERHEAD)]


class VersionFacts(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An older version of a key that is in the backup."""

    number: _U31
    public_key: _PublicKey
    created_at: _Time


class LimitFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the key may be used: see ``enclave.records.KeyLimits``. ``uses``: of the current version,
    that were reserved when the key left.
    """

    expires_at: _Time | None = None
    max_uses: _Count | None = None
    rate_count: _Count | None = None
    rate_seconds: _Count | None = None
    uses: _Uses = 0


class KeyFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is said of the key: see ``enclave.records.KeyRecord``. ``id`` is the one it had.

    ``pre_key_epoch``: the epoch of an identity key's last pre-key, so that none is used twice.
    ``identity_updates``, ``installations``: what it has signed of XMTP's identity texts, likewise.
    """

    id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    key_type: _Label
    purpose: _Label
    owner: Annotated[bytes, Meta(min_length=20, max_length=20)] | None
    public_key: _PublicKey
    provenance: _Label
    created_at: _Time
    version: Annotated[int, Meta(ge=1, le=(1 << 31) - 1)]
    minimum_version: Annotated[int, Meta(ge=1, le=(1 << 31) - 1)]
    older: Annotated[tuple[VersionFacts, ...], Meta(max_length=63)] = ()
    pre_key_epoch: _U31 = 0
    label: _Text = ""
    releases: bool = False
    limits: LimitFacts = LimitFacts()
    identity_updates: _U31 = 0
    installations: Annotated[
        tuple[Annotated[bytes, Meta(min_length=32, max_length=32)], ...], Meta(max_length=256)
    ] = ()


class PasswordWay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="password"):
    """The data key under Argon2id of a password (RFC 9106). ``memory``: KiB."""

    salt: Annotated[bytes, Meta(min_length=16, max_length=16)]
    memory: _U31
    iterations: _U31
    lanes: _U31
    wrapped: _Wrapped


class PublicKeyWay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="public-key"):
    """The data key for a public key, by HPKE (RFC 9180) in mode base.

    ``kem``: 0x0020 X25519, 0x647A X-Wing; with ChaCha20-Poly1305. ``recipient``: SHA-256 of the
    public key. ``successor``: the public key is an enclave's transport key.
    """

    kem: Annotated[int, Meta(ge=0, le=0xFFFF)]
    recipient: Annotated[bytes, Meta(min_length=32, max_length=32)]
    enc: Annotated[bytes, Meta(min_length=32, max_length=1120)]
    wrapped: Annotated[bytes, Meta(min_length=48, max_length=48)]
    successor: bool = False


class SharesWay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="shares"):
    """The data key under a key that SLIP-39 shares hold, ``threshold`` of ``count``."""

    threshold: Annotated[int, Meta(ge=1, le=16)]
    count: Annotated[int, Meta(ge=1, le=16)]
    wrapped: _Wrapped


Way = PasswordWay | PublicKeyWay | SharesWay


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The header. ``commitment``: 32 bytes that only the true data key gives."""

    store_id: Annotated[bytes, Meta(min_length=16, max_length=16)]
    exported_at: _Time
    key: KeyFacts
    commitment: Annotated[bytes, Meta(min_length=32, max_length=32)]
    ways: Annotated[tuple[Way, ...], Meta(max_length=MAX_WAYS)]

    def core(self) -> bytes:
        """Return 32 bytes that stand for everything but the ways in, to which each is bound."""
        bare = msgspec.structs.replace(self, ways=())
        return sha256(prefix(b"") + _encoder.encode(bare)).digest()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Header)


@dataclass(frozen=True, slots=True)
class Container:
    """A parsed container. ``data``: its bytes in front of the body, the body's associated data."""

    header: Header
    data: bytes
    body: bytes


def prefix(header: bytes) -> bytes:
    """Return what stands in front of the header."""
    return MAGIC + VERSION.to_bytes(2, "big") + len(header).to_bytes(4, "big")


def encode_header(header: Header) -> bytes:
    """Return the container up to its body."""
    encoded = _encoder.encode(header)
    return prefix(encoded) + encoded


def parse(data: bytes) -> Container:
    """Return the parts of a container.

    :raises BackupMalformedError: if it is none, is cut, or has another spelling than ours
    :raises BackupVersionError: if it is of another version
    """
    if len(data) > MAX_CONTAINER or len(data) < _PREFIX or not data.startswith(MAGIC):
        raise BackupMalformedError(
            "This is not a backup of xmtp-tee",
            got=f"{len(data)} bytes beginning with {data[:8].hex() or 'nothing'}",
            expected=f"at most {MAX_CONTAINER} bytes beginning with {MAGIC.hex()}",
        )
    version = int.from_bytes(data[8:10], "big")
    if version != VERSION:
        raise BackupVersionError("The backup has another version", got=version, expected=VERSION)
    end = _PREFIX + int.from_bytes(data[10:14], "big")
    body = data[end:]
    if end - _PREFIX > MAX_HEADER or end > len(data):
        raise BackupMalformedError(
            "The backup's header is cut or too long", got=f"{end - _PREFIX} bytes"
        )
    if not OVERHEAD < len(body) <= OVERHEAD + MAX_SECRET or (len(body) - OVERHEAD) % 32:
        raise BackupMalformedError("The backup's body has an impossible length", got=len(body))
    try:
        header = _decoder.decode(data[_PREFIX:end])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        # msgspec names the field and the rule; values are not in its texts.
        detail = str(error)[:200] if isinstance(error, msgspec.ValidationError) else None
        raise BackupMalformedError("The backup's header is malformed", got=detail) from None
    if _encoder.encode(header) != data[_PREFIX:end]:
        raise BackupMalformedError("The backup's header is spelled in another way than ours")
    return Container(header, data[:end], body)
