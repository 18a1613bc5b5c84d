"""The group context, the key schedule and the transcript hashes (RFC 9420, sections 8 to 8.3)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from xmtp_tee import hpke
from xmtp_tee.mls.codec import Reader, opaque, u16, u64
from xmtp_tee.mls.crypto import derive_secret, expand_with_label, extract, hash_of, mac
from xmtp_tee.mls.errors import VersionUnsupportedError
from xmtp_tee.mls.extensions import Extensions, decode_extensions, encode_extensions
from xmtp_tee.mls.framing import AuthenticatedContent
from xmtp_tee.mls.suites import HASH_SIZE, MLS10, NONCE_SIZE, CipherSuite, suite_of
from xmtp_tee.mls.wiping import wipe

_EXTERNAL_INIT: Final = b"MLS 1.0 external init secret"


@dataclass(frozen=True)
class GroupContext:
    """What all members of an epoch agree on (section 8.1)."""

    suite: CipherSuite
    group_id: bytes
    epoch: int
    tree_hash: bytes
    confirmed_transcript_hash: bytes
    extensions: Extensions

    @classmethod
    def decode(cls, reader: Reader) -> GroupContext:
        """Read one.

        :raises VersionUnsupportedError: not mls10
        :raises CipherSuiteUnsupportedError: neither suite 1 nor 3
        """
        version = reader.u16()
        if version != MLS10:
            raise VersionUnsupportedError("A group's version", got=version, expected=MLS10)
        return cls(
            suite_of(reader.u16()),
            reader.opaque(),
            reader.u64(),
            reader.opaque(),
            reader.opaque(),
            decode_extensions(reader),
        )

    @cached_property
    def encoded(self) -> bytes:
        """The bytes."""
        return b"".join(
            (
                u16(MLS10),
                u16(self.suite.id),
                opaque(self.group_id),
                u64(self.epoch),
                opaque(self.tree_hash),
                opaque(self.confirmed_transcript_hash),
                encode_extensions(self.extensions),
            )
        )

    def with_transcript(self, confirmed: bytes) -> GroupContext:
        """Return the context with another confirmed transcript hash."""
        return replace(self, confirmed_transcript_hash=confirmed)


def confirmed_transcript_hash(interim: bytes, content: AuthenticatedContent) -> bytes:
    """Return the hash over all commits up to this one (section 8.2)."""
    return hash_of(
        b"".join(
            (
                interim,
                u16(content.wire_format),
                content.content.encoded,
                opaque(content.authentication.signature),
            )
        )
    )


def interim_transcript_hash(confirmed: bytes, confirmation_tag: bytes) -> bytes:
    """Return the hash that the next commit starts from (section 8.2)."""
    return hash_of(confirmed + opaque(confirmation_tag))


@dataclass(frozen=True)
class EpochSecrets:
    """The secrets of one epoch, 32 bytes each. Those that have done their work are wiped.

    The encryption secret is not here: the secret tree takes it over at once.
    """

    sender_data: bytes = field(repr=False)
    exporter: bytes = field(repr=False)
    external: bytes = field(repr=False)
    confirmation: bytes = field(repr=False)
    membership: bytes = field(repr=False)
    resumption: bytes = field(repr=False)
    authenticator: bytes = field(repr=False)
    init: bytes = field(repr=False)

    def wipe(self) -> None:
        """Overwrite all but the resumption secret and the sender data secret, which outlive the
        epoch, and the authenticator, which is no secret.
        """
        wipe(self.exporter, self.external, self.confirmation, self.membership, self.init)

    def confirmation_tag(self, confirmed_transcript: bytes) -> bytes:
        """Return the tag (32 bytes) that proves knowledge of the epoch (section 6.1)."""
        return mac(self.confirmation, confirmed_transcript)

    def export(self, label: bytes, context: bytes, length: int) -> bytes:
        """Return MLS-Exporter's output (section 8.5)."""
        derived = derive_secret(self.exporter, label)
        exported = expand_with_label(derived, b"exported", hash_of(context), length)
        wipe(derived)
        return exported

    def external_key_pair(self, suite: CipherSuite) -> tuple[bytes, bytes]:
        """Return the (private, public) key that external commits encapsulate to (section 8.3)."""
        return hpke.derive_key_pair(suite.hpke, self.external)


def joiner_secret(init: bytes, commit_secret: bytes, context: GroupContext) -> bytes:
    """Return the secret from which members and joiners alike go on."""
    extracted = extract(init, commit_secret)
    joiner = expand_with_label(extracted, b"joiner", context.encoded, HASH_SIZE)
    wipe(extracted)
    return joiner


def welcome_key(joiner: bytes, psk: bytes, suite: CipherSuite) -> tuple[bytes, bytes]:
    """Return the (key, nonce) of a welcome's group info (section 12.4.3.1)."""
    intermediate = extract(joiner, psk)
    secret = derive_secret(intermediate, b"welcome")
    key = expand_with_label(secret, b"key", b"", suite.key_size)
    nonce = expand_with_label(secret, b"nonce", b"", NONCE_SIZE)
    wipe(intermediate, secret)
    return key, nonce


def epoch_secret(joiner: bytes, psk: bytes, context: GroupContext) -> bytes:
    """Return the secret of which all the epoch's secrets are made."""
    intermediate = extract(joiner, psk)
    secret = expand_with_label(intermediate, b"epoch", context.encoded, HASH_SIZE)
    wipe(intermediate)
    return secret


def derive_epoch(secret: bytes) -> tuple[EpochSecrets, bytes]:
    """Return (the epoch's secrets, the encryption secret) of an epoch secret, which is wiped."""
    secrets = EpochSecrets(
        sender_data=derive_secret(secret, b"sender data"),
        exporter=derive_secret(secret, b"exporter"),
        external=derive_secret(secret, b"external"),
        confirmation=derive_secret(secret, b"confirm"),
        membership=derive_secret(secret, b"membership"),
        resumption=derive_secret(secret, b"resumption"),
        authenticator=derive_secret(secret, b"authentication"),
        init=derive_secret(secret, b"init"),
    )
    encryption = derive_secret(secret, b"encryption")
    wipe(secret)
    return secrets, encryption


def external_init_send(
    suite: CipherSuite, external_public: bytes, entropy: hpke.Entropy
) -> tuple[bytes, bytes]:
    """Return (kem output, init secret) for an external commit (section 8.3).

    The key has been checked: it is of no low order.
    """
    kem_output, context = hpke.setup_sender(suite.hpke, external_public, b"", entropy=entropy)
    return kem_output, context.export(_EXTERNAL_INIT, HASH_SIZE)


def external_init_receive(suite: CipherSuite, private: bytes, kem_output: bytes) -> bytes:
    """Return the init secret of an external commit.

    :raises HpkeEncapsulationInvalidError: the kem output is no usable key
    """
    context = hpke.setup_recipient(suite.hpke, kem_output, private, b"")
    return context.export(_EXTERNAL_INIT, HASH_SIZE)
