"""Leaf nodes (RFC 9420, section 7.2): what a member says about itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import Final

from xmtp_tee.mls.codec import Reader, opaque, split_u16, u8, u16_list, u32, u64
from xmtp_tee.mls.credentials import Credential, decode_credential
from xmtp_tee.mls.crypto import (
    SignatureKey,
    require_encryption_key,
    require_public_key,
    verify,
)
from xmtp_tee.mls.errors import UnknownVariantError
from xmtp_tee.mls.extensions import Extensions, decode_extensions, encode_extensions

_LABEL: Final = b"LeafNodeTBS"


class LeafSource(IntEnum):
    """How a leaf node came into its tree."""

    KEY_PACKAGE = 1
    UPDATE = 2
    COMMIT = 3


@dataclass(frozen=True)
class Capabilities:
    """What a client supports, by number, beyond the defaults. Unknown numbers are welcome."""

    versions: tuple[int, ...]
    cipher_suites: tuple[int, ...]
    extensions: tuple[int, ...]
    proposals: tuple[int, ...]
    credentials: tuple[int, ...]

    def encode(self) -> bytes:
        """Return the bytes."""
        return b"".join(
            map(
                u16_list,
                (
                    self.versions,
                    self.cipher_suites,
                    self.extensions,
                    self.proposals,
                    self.credentials,
                ),
            )
        )


# Most members of a group say the same, so most of them share one object.
@lru_cache(maxsize=256)
def _capabilities(*lists: bytes) -> Capabilities:
    return Capabilities(*map(split_u16, lists))


def decode_capabilities(reader: Reader) -> Capabilities:
    """Read capabilities."""
    opaque_ = reader.opaque
    return _capabilities(opaque_(), opaque_(), opaque_(), opaque_(), opaque_())


@dataclass(frozen=True)
class Lifetime:
    """From when to when a key package may be used, in seconds since 1970, both included."""

    not_before: int
    not_after: int

    def encode(self) -> bytes:
        """Return the bytes."""
        return u64(self.not_before) + u64(self.not_after)


@dataclass(frozen=True)
class LeafNode:
    """A member's leaf. ``lifetime`` goes with KEY_PACKAGE alone, ``parent_hash`` with COMMIT."""

    encryption_key: bytes
    signature_key: bytes
    credential: Credential
    capabilities: Capabilities
    source: LeafSource
    lifetime: Lifetime | None
    parent_hash: bytes
    extensions: Extensions
    signature: bytes = b""

    @classmethod
    def decode(cls, reader: Reader) -> LeafNode:
        """Read a leaf node.

        :raises UnknownVariantError: a source other than the three
        :raises ExtensionRepeatedError: an extension type twice
        """
        start = reader.position
        encryption_key, signature_key = reader.opaque(), reader.opaque()
        credential = decode_credential(reader)
        capabilities = decode_capabilities(reader)
        lifetime, parent_hash, number = None, b"", reader.u8()
        if number == LeafSource.KEY_PACKAGE:
            lifetime = Lifetime(reader.u64(), reader.u64())
        elif number == LeafSource.COMMIT:
            parent_hash = reader.opaque()
        elif number != LeafSource.UPDATE:
            raise UnknownVariantError("A leaf node's source is 1, 2 or 3", got=number)
        extensions = decode_extensions(reader)
        unsigned = reader.since(start)
        leaf = cls(
            encryption_key,
            signature_key,
            credential,
            capabilities,
            LeafSource(number),
            lifetime,
            parent_hash,
            extensions,
            reader.opaque(),
        )
        # What was read is what would be written, so it need not be written again.
        leaf.__dict__["unsigned"] = unsigned
        leaf.__dict__["encoded"] = reader.since(start)
        return leaf

    @cached_property
    def unsigned(self) -> bytes:
        """Everything in front of the signature."""
        if self.lifetime is not None:
            origin = self.lifetime.encode()
        else:
            origin = opaque(self.parent_hash) if self.source is LeafSource.COMMIT else b""
        return b"".join(
            (
                opaque(self.encryption_key),
                opaque(self.signature_key),
                self.credential.encode(),
                self.capabilities.encode(),
                u8(self.source),
                origin,
                encode_extensions(self.extensions),
            )
        )

    @cached_property
    def encoded(self) -> bytes:
        """The bytes."""
        return self.unsigned + opaque(self.signature)

    def encode(self) -> bytes:
        """Return the bytes."""
        return self.encoded

    def _to_be_signed(self, group_id: bytes, leaf: int) -> bytes:
        if self.source is LeafSource.KEY_PACKAGE:
            return self.unsigned
        return self.unsigned + opaque(group_id) + u32(leaf)

    def signed(self, key: SignatureKey, group_id: bytes = b"", leaf: int = 0) -> LeafNode:
        """Return the leaf node with a signature of ``key``, bound to its place in its group."""
        return replace(self, signature=key.sign(_LABEL, self._to_be_signed(group_id, leaf)))

    def verify_signature(self, group_id: bytes, leaf: int) -> None:
        """Refuse a forged leaf node, or one from another group or place.

        :raises SignatureInvalidError: not signed by its own signature key, for this place
        :raises KeyLengthError: a key that has not 32 bytes
        :raises KeyUnusableError: an encryption key of low order
        """
        require_encryption_key("A leaf node's encryption key", self.encryption_key)
        require_public_key("A leaf node's signature key", self.signature_key)
        content = self._to_be_signed(group_id, leaf)
        verify(self.signature_key, _LABEL, content, self.signature, f"leaf node {leaf}")
