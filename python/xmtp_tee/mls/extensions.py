"""Extensions (RFC 9420, sections 5.3.3, 7.2, 11.1, 12.1.8.1, 12.4.3.2 and 13).

Extensions are opaque in their lists; those that MLS itself gives a meaning are decoded here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Final

from xmtp_tee.mls.codec import (
    Reader,
    decode_whole,
    opaque,
    read_u16_list,
    u16,
    u16_list,
    vector,
)
from xmtp_tee.mls.credentials import Credential, decode_credential
from xmtp_tee.mls.errors import AppDataError, ExtensionRepeatedError


class ExtensionType(IntEnum):
    """The extensions that have a meaning here."""

    APPLICATION_ID = 0x0001
    RATCHET_TREE = 0x0002
    REQUIRED_CAPABILITIES = 0x0003
    EXTERNAL_PUB = 0x0004
    EXTERNAL_SENDERS = 0x0005
    APP_DATA_DICTIONARY = 0x0006
    LAST_RESORT = 0x000A


DEFAULT_EXTENSIONS: Final = frozenset(range(0x0001, 0x0006))
"""Everybody supports these, and nobody lists them (section 7.2)."""


@dataclass(frozen=True)
class Extension:
    """An extension: its type and its data."""

    type: int
    data: bytes

    @classmethod
    def decode(cls, reader: Reader) -> Extension:
        """Read one."""
        return cls(reader.u16(), reader.opaque())

    def encode(self) -> bytes:
        """Return the bytes."""
        return u16(self.type) + opaque(self.data)


Extensions = tuple[Extension, ...]


def decode_extensions(reader: Reader) -> Extensions:
    """Read a list of extensions.

    :raises ExtensionRepeatedError: a type occurs twice
    """
    extensions = reader.vector(Extension.decode)
    require_distinct(extensions)
    return extensions


def require_distinct(extensions: Extensions) -> None:
    """Refuse a list in which a type occurs twice.

    :raises ExtensionRepeatedError: naming the type
    """
    if len(extensions) < 2:
        return
    seen = set()
    for extension in extensions:
        if extension.type in seen:
            raise ExtensionRepeatedError(
                "An extension occurs twice in a list", got=f"{extension.type:#06x}"
            )
        seen.add(extension.type)


def encode_extensions(extensions: Extensions) -> bytes:
    """Return a list's bytes."""
    return vector(extension.encode() for extension in extensions)


def find(extensions: Extensions, kind: int) -> bytes | None:
    """Return an extension's data, or None when the list has no such extension."""
    return next((each.data for each in extensions if each.type == kind), None)


def replace(extensions: Extensions, kind: int, data: bytes | None) -> Extensions:
    """Return the list with an extension set, in its old place if it had one, or taken out."""
    kept = tuple(
        Extension(kind, data) if each.type == kind and data is not None else each
        for each in extensions
        if each.type != kind or data is not None
    )
    if data is None or any(each.type == kind for each in extensions):
        return kept
    return (*kept, Extension(kind, data))


@dataclass(frozen=True)
class RequiredCapabilities:
    """What every member must support beyond the defaults (section 11.1)."""

    extensions: tuple[int, ...] = ()
    proposals: tuple[int, ...] = ()
    credentials: tuple[int, ...] = ()

    @classmethod
    def decode(cls, reader: Reader) -> RequiredCapabilities:
        """Read the extension's data."""
        return cls(read_u16_list(reader), read_u16_list(reader), read_u16_list(reader))

    @classmethod
    def of(cls, extensions: Extensions) -> RequiredCapabilities:
        """Return what a group context's extensions require, which may be nothing.

        :raises MlsDecodeError: the extension is malformed
        """
        data = find(extensions, ExtensionType.REQUIRED_CAPABILITIES)
        return cls() if data is None else decode_whole(cls.decode, data)

    def encode(self) -> bytes:
        """Return the extension's data."""
        return u16_list(self.extensions) + u16_list(self.proposals) + u16_list(self.credentials)

    def extension(self) -> Extension:
        """Return the extension."""
        return Extension(ExtensionType.REQUIRED_CAPABILITIES, self.encode())


@dataclass(frozen=True)
class ExternalSender:
    """Somebody outside the group who may make proposals (section 12.1.8.1)."""

    signature_key: bytes
    credential: Credential

    @classmethod
    def decode(cls, reader: Reader) -> ExternalSender:
        """Read one."""
        return cls(reader.opaque(), decode_credential(reader))

    def encode(self) -> bytes:
        """Return the bytes."""
        return opaque(self.signature_key) + self.credential.encode()


def external_senders(extensions: Extensions) -> tuple[ExternalSender, ...]:
    """Return the external senders of a group context's extensions.

    :raises MlsDecodeError: the extension is malformed
    """
    data = find(extensions, ExtensionType.EXTERNAL_SENDERS)
    if data is None:
        return ()
    return decode_whole(lambda reader: reader.vector(ExternalSender.decode), data)


def external_senders_extension(senders: Iterable[ExternalSender]) -> Extension:
    """Return the extension that names external senders."""
    return Extension(ExtensionType.EXTERNAL_SENDERS, vector(sender.encode() for sender in senders))


def external_public_key(extensions: Extensions) -> bytes | None:
    """Return the key for external commits out of a group info's extensions (section 12.4.3.2).

    :raises MlsDecodeError: the extension is malformed
    """
    data = find(extensions, ExtensionType.EXTERNAL_PUB)
    return None if data is None else decode_whole(Reader.opaque, data)


def decode_app_data(data: bytes) -> dict[int, bytes]:
    """Return an AppDataDictionary (draft-ietf-mls-extensions-08, section 4.6) by component id.

    :raises MlsDecodeError: the extension is malformed
    :raises AppDataError: component ids not strictly ascending
    """
    entries = decode_whole(lambda r: r.vector(lambda e: (e.u16(), e.opaque())), data)
    identifiers = [identifier for identifier, _ in entries]
    if any(a >= b for a, b in pairwise(identifiers)):
        raise AppDataError("Component ids are not strictly ascending", got=identifiers)
    return dict(entries)


def encode_app_data(dictionary: dict[int, bytes]) -> bytes:
    """Return the bytes of an AppDataDictionary; components in ascending order."""
    return vector(u16(key) + opaque(value) for key, value in sorted(dictionary.items()))
