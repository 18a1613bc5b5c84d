"""Key packages (RFC 9420, section 10): how a client is added while it is away."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from xmtp_tee.mls.codec import Reader, decode_whole, opaque, opaque_part, u16
from xmtp_tee.mls.credentials import Credential
from xmtp_tee.mls.crypto import (
    Entropy,
    SignatureKey,
    generate_key_pair,
    ref_hash,
    require_encryption_key,
    verify,
)
from xmtp_tee.mls.errors import (
    InitKeyReusedError,
    LeafSourceError,
    StateCorruptError,
    VersionUnsupportedError,
)
from xmtp_tee.mls.extensions import (
    Extensions,
    ExtensionType,
    decode_extensions,
    encode_extensions,
    find,
    require_distinct,
)
from xmtp_tee.mls.leaf_node import Capabilities, LeafNode, LeafSource, Lifetime
from xmtp_tee.mls.suites import MLS10, CipherSuite, suite_of
from xmtp_tee.mls.wiping import wipe

_LABEL: Final = b"KeyPackageTBS"
_SECRETS_VERSION: Final = 1


@dataclass(frozen=True)
class KeyPackage:
    """A client's offer to be added to a group of this version and cipher suite."""

    suite: CipherSuite
    init_key: bytes
    leaf: LeafNode
    extensions: Extensions = ()
    signature: bytes = b""

    @classmethod
    def decode(cls, reader: Reader) -> KeyPackage:
        """Read a key package.

        :raises VersionUnsupportedError: not mls10
        :raises CipherSuiteUnsupportedError: neither suite 1 nor 3
        """
        start = reader.position
        version = reader.u16()
        if version != MLS10:
            raise VersionUnsupportedError("A key package's version", got=version, expected=MLS10)
        suite, init_key = suite_of(reader.u16()), reader.opaque()
        leaf, extensions = LeafNode.decode(reader), decode_extensions(reader)
        unsigned = reader.since(start)
        package = cls(suite, init_key, leaf, extensions, reader.opaque())
        package.__dict__["unsigned"] = unsigned
        package.__dict__["encoded"] = reader.since(start)
        return package

    @cached_property
    def unsigned(self) -> bytes:
        """Everything in front of the signature."""
        return b"".join(
            (
                u16(MLS10),
                u16(self.suite.id),
                opaque(self.init_key),
                self.leaf.encoded,
                encode_extensions(self.extensions),
            )
        )

    @cached_property
    def encoded(self) -> bytes:
        """The bytes, without MLSMessage's head."""
        return self.unsigned + opaque(self.signature)

    def encode(self) -> bytes:
        """Return the bytes."""
        return self.encoded

    @cached_property
    def reference(self) -> bytes:
        """KeyPackageRef (32 bytes)."""
        return ref_hash(b"KeyPackage Reference", self.encoded)

    @property
    def is_last_resort(self) -> bool:
        """Whether it may be used more than once (draft-ietf-mls-extensions, last_resort)."""
        return find(self.extensions, ExtensionType.LAST_RESORT) is not None

    def verify(self) -> None:
        """Refuse a key package that is wrong in itself (section 10.1); its leaf's place in a group
        is judged in ``leaf_rules``.

        :raises LeafSourceError: its leaf was not made for a key package
        :raises InitKeyReusedError: the init key is the encryption key
        :raises SignatureInvalidError: one of the two signatures does not verify
        :raises KeyLengthError: a key that has not 32 bytes
        """
        require_encryption_key("A key package's init key", self.init_key)
        if self.leaf.source is not LeafSource.KEY_PACKAGE:
            raise LeafSourceError(
                "A key package's leaf", got=self.leaf.source.name, expected="KEY_PACKAGE"
            )
        if self.init_key == self.leaf.encryption_key:
            raise InitKeyReusedError("A key package's init key is its encryption key")
        self.leaf.verify_signature(b"", 0)
        verify(self.leaf.signature_key, _LABEL, self.unsigned, self.signature, "a key package")


@dataclass(frozen=True)
class KeyPackageSecrets:
    """A key package and its two private keys (32 bytes each), until a welcome uses them up."""

    package: KeyPackage
    init_private: bytes = field(repr=False)
    encryption_private: bytes = field(repr=False)

    def wipe(self) -> None:
        """Overwrite both private keys. A key package of last resort is kept until it is rotated."""
        wipe(self.init_private, self.encryption_private)

    def save(self) -> bytes:
        """Return the secret bytes, for the caller to seal and to wipe."""
        return b"".join(
            (
                u16(_SECRETS_VERSION),
                opaque(self.package.encoded),
                *opaque_part(self.init_private),
                *opaque_part(self.encryption_private),
            )
        )

    @classmethod
    def restore(cls, data: bytes) -> KeyPackageSecrets:
        """Return what :meth:`save` wrote.

        :raises StateCorruptError: another version
        :raises MlsDecodeError: other bytes
        """
        return decode_whole(cls._decode, data)

    @classmethod
    def _decode(cls, reader: Reader) -> KeyPackageSecrets:
        version = reader.u16()
        if version != _SECRETS_VERSION:
            raise StateCorruptError("Saved in an unknown version", got=version, expected=1)
        package = decode_whole(KeyPackage.decode, reader.opaque())
        return cls(package, reader.opaque(), reader.opaque())


def generate_key_package(
    suite: CipherSuite,
    signature_key: SignatureKey,
    credential: Credential,
    capabilities: Capabilities,
    lifetime: Lifetime,
    *,
    entropy: Entropy,
    extensions: Extensions = (),
    leaf_extensions: Extensions = (),
) -> KeyPackageSecrets:
    """Return a new key package with its private keys.

    :raises ExtensionRepeatedError: an extension type twice in a list
    """
    require_distinct(extensions)
    require_distinct(leaf_extensions)
    init_private, init_key = generate_key_pair(suite, entropy)
    encryption_private, encryption_key = generate_key_pair(suite, entropy)
    leaf = LeafNode(
        encryption_key,
        signature_key.public,
        credential,
        capabilities,
        LeafSource.KEY_PACKAGE,
        lifetime,
        b"",
        leaf_extensions,
    ).signed(signature_key)
    package = KeyPackage(suite, init_key, leaf, extensions)
    package = replace(package, signature=signature_key.sign(_LABEL, package.unsigned))
    return KeyPackageSecrets(package, init_private, encryption_private)
