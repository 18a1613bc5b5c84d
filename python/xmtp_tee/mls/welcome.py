"""GroupInfo and Welcome (RFC 9420, sections 12.4.3 and 12.4.3.1): their form and their secrets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from cryptography.exceptions import InvalidTag

from xmtp_tee.mls.codec import Reader, decode_whole, opaque, optional, u16, u32, vector
from xmtp_tee.mls.crypto import (
    Entropy,
    HpkeCiphertext,
    SignatureKey,
    decrypt_with_label,
    encrypt_with_label,
    verify,
)
from xmtp_tee.mls.errors import DecryptionError, WelcomeInvalidError, WelcomeNotForUsError
from xmtp_tee.mls.extensions import Extensions, decode_extensions, encode_extensions
from xmtp_tee.mls.key_package import KeyPackage, KeyPackageSecrets
from xmtp_tee.mls.key_schedule import GroupContext, welcome_key
from xmtp_tee.mls.psk import PskId, decode_psk_id
from xmtp_tee.mls.suites import HASH_SIZE, CipherSuite, suite_of
from xmtp_tee.mls.wiping import wipe

_INFO_LABEL: Final = b"GroupInfoTBS"
_WELCOME_LABEL: Final = b"Welcome"


@dataclass(frozen=True)
class GroupInfo:
    """An epoch's context, signed by a member, with what a newcomer needs."""

    context: GroupContext
    extensions: Extensions
    confirmation_tag: bytes
    signer: int
    signature: bytes = b""

    @classmethod
    def decode(cls, reader: Reader) -> GroupInfo:
        """Read one."""
        return cls(
            GroupContext.decode(reader),
            decode_extensions(reader),
            reader.opaque(),
            reader.u32(),
            reader.opaque(),
        )

    @cached_property
    def unsigned(self) -> bytes:
        """Everything in front of the signature."""
        return b"".join(
            (
                self.context.encoded,
                encode_extensions(self.extensions),
                opaque(self.confirmation_tag),
                u32(self.signer),
            )
        )

    def encode(self) -> bytes:
        """Return the bytes."""
        return self.unsigned + opaque(self.signature)

    def signed(self, key: SignatureKey) -> GroupInfo:
        """Return the group info with the signer's signature."""
        return replace(self, signature=key.sign(_INFO_LABEL, self.unsigned))

    def verify(self, public: bytes) -> None:
        """Refuse a group info that the signer has not signed.

        :raises SignatureInvalidError: not authentic
        """
        verify(public, _INFO_LABEL, self.unsigned, self.signature, "a group info")


@dataclass(frozen=True)
class GroupSecrets:
    """What a welcome tells each newcomer."""

    joiner_secret: bytes = field(repr=False)
    path_secret: bytes | None = field(repr=False)
    psks: tuple[PskId, ...]

    @classmethod
    def decode(cls, reader: Reader) -> GroupSecrets:
        """Read them."""
        return cls(reader.opaque(), reader.optional(Reader.opaque), reader.vector(decode_psk_id))

    def encode(self) -> bytes:
        """Return the bytes."""
        path = None if self.path_secret is None else opaque(self.path_secret)
        psks = vector(psk.encode() for psk in self.psks)
        return opaque(self.joiner_secret) + optional(path) + psks


@dataclass(frozen=True)
class EncryptedGroupSecrets:
    """The secrets for the holder of one key package."""

    new_member: bytes
    encrypted: HpkeCiphertext

    @classmethod
    def decode(cls, reader: Reader) -> EncryptedGroupSecrets:
        """Read them."""
        return cls(reader.opaque(), HpkeCiphertext.decode(reader))

    def encode(self) -> bytes:
        """Return the bytes."""
        return opaque(self.new_member) + self.encrypted.encode()


@dataclass(frozen=True)
class Welcome:
    """The secrets of each newcomer, and the group info for all of them."""

    suite: CipherSuite
    secrets: tuple[EncryptedGroupSecrets, ...]
    encrypted_group_info: bytes

    @classmethod
    def decode(cls, reader: Reader) -> Welcome:
        """Read one.

        :raises CipherSuiteUnsupportedError: neither suite 1 nor 3
        """
        return cls(
            suite_of(reader.u16()),
            reader.vector(EncryptedGroupSecrets.decode),
            reader.opaque(),
        )

    def encode(self) -> bytes:
        """Return the bytes."""
        secrets = vector(each.encode() for each in self.secrets)
        return u16(self.suite.id) + secrets + opaque(self.encrypted_group_info)

    def open_secrets(self, keys: KeyPackageSecrets) -> GroupSecrets:
        """Return what the welcome tells the holder of a key package.

        :raises WelcomeInvalidError: its cipher suite is not the key package's, or two entries
        :raises WelcomeNotForUsError: it names another key package
        :raises DecryptionError: the secrets are not for this key
        """
        if self.suite != keys.package.suite:
            raise WelcomeInvalidError(
                "A welcome's cipher suite is not its key package's",
                got=self.suite.id,
                expected=keys.package.suite.id,
            )
        reference = keys.package.reference
        ours = [each for each in self.secrets if each.new_member == reference]
        if not ours:
            raise WelcomeNotForUsError("A welcome does not name the key package")
        if len(ours) > 1:
            raise WelcomeInvalidError("A welcome names the key package twice", got=len(ours))
        plaintext = decrypt_with_label(
            self.suite,
            keys.init_private,
            keys.package.init_key,
            _WELCOME_LABEL,
            self.encrypted_group_info,
            ours[0].encrypted,
        )
        secrets = decode_whole(GroupSecrets.decode, plaintext)
        wipe(plaintext)
        if len(secrets.joiner_secret) != HASH_SIZE:
            raise WelcomeInvalidError(
                "A joiner secret has the wrong length", got=len(secrets.joiner_secret), expected=32
            )
        return secrets

    def open_group_info(self, joiner_secret: bytes, psk: bytes) -> GroupInfo:
        """Return the group info.

        :raises DecryptionError: the secrets do not open it
        """
        key, nonce = welcome_key(joiner_secret, psk, self.suite)
        try:
            plaintext = self.suite.cipher(key).decrypt(nonce, self.encrypted_group_info, b"")
        except InvalidTag:
            raise DecryptionError("A welcome's group info cannot be decrypted") from None
        finally:
            wipe(key, nonce)
        return decode_whole(GroupInfo.decode, plaintext)


def make_welcome(
    suite: CipherSuite,
    info: GroupInfo,
    joiner_secret: bytes,
    psk: bytes,
    psks: tuple[PskId, ...],
    newcomers: list[tuple[KeyPackage, bytes | None]],
    entropy: Entropy,
) -> Welcome:
    """Return the welcome of (key package, path secret) newcomers."""
    key, nonce = welcome_key(joiner_secret, psk, suite)
    sealed = suite.cipher(key).encrypt(nonce, info.encode(), b"")
    wipe(key, nonce)
    secrets = tuple(
        EncryptedGroupSecrets(
            package.reference,
            encrypt_with_label(
                suite,
                package.init_key,
                _WELCOME_LABEL,
                sealed,
                GroupSecrets(joiner_secret, path_secret, psks).encode(),
                entropy,
            ),
        )
        for package, path_secret in newcomers
    )
    return Welcome(suite, secrets, sealed)
