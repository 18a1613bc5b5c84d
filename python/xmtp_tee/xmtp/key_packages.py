"""Key packages as libxmtp makes and reads them: how an installation is added while it is away.

MLS suite 0x0003. Beyond RFC 9420's own parts: the credential is the protobuf ``MlsCredential`` with the
inbox id; the leaf carries the inbox id as application_id; the key package is of last resort, because it stays
at the node until it is rotated; 0xff03 holds the X-Wing key that welcomes are wrapped to, 0xff04 the ciphers
of welcomes behind pointers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from xmtp_tee import hpke
from xmtp_tee.mls.codec import decode_whole, opaque
from xmtp_tee.mls.credentials import BasicCredential, Credential, CredentialType
from xmtp_tee.mls.crypto import Entropy, SignatureKey
from xmtp_tee.mls.errors import CredentialRefusedError, MlsError
from xmtp_tee.mls.extensions import Extension, ExternalSender, find
from xmtp_tee.mls.key_package import KeyPackage, KeyPackageSecrets, generate_key_package
from xmtp_tee.mls.leaf_node import Capabilities, LeafNode, Lifetime
from xmtp_tee.mls.proposals import ProposalType
from xmtp_tee.mls.suites import CipherSuite, suite_of
from xmtp_tee.mls.wiping import wipe
from xmtp_tee.xmtp.commit_rules import Participant
from xmtp_tee.xmtp.errors import KeyPackageInvalidError, ProtobufMalformedError
from xmtp_tee.xmtp.group_state import ExtensionType
from xmtp_tee.xmtp.proto.groups import AeadTypes, WelcomeWrapperEncryption
from xmtp_tee.xmtp.proto.identity import MlsCredential
from xmtp_tee.xmtp.proto.mls_api import WelcomeWrapperAlgorithm
from xmtp_tee.xmtp.welcome import AEAD_CHACHA20_POLY1305

SUITE: Final[CipherSuite] = suite_of(0x0003)
"""MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519, XMTP's one suite."""

LIFETIME_SECONDS: Final = 84 * 24 * 3600
ROTATION_SECONDS: Final = 30 * 24 * 3600
"""How old a key package may grow before a new one takes its place."""

_CLOCK_SKEW: Final = 3600
CAPABILITIES: Final = Capabilities(
    versions=(1,),
    cipher_suites=(SUITE.id,),
    extensions=(
        ExtensionType.LAST_RESORT,
        ExtensionType.APPLICATION_ID,
        ExtensionType.GROUP_PERMISSIONS,
        ExtensionType.MUTABLE_METADATA,
        ExtensionType.GROUP_MEMBERSHIP,
        ExtensionType.WELCOME_WRAPPER_ENCRYPTION,
        ExtensionType.WELCOME_POINTEE_AEAD_TYPES,
        ExtensionType.IMMUTABLE_METADATA,
    ),
    proposals=(ProposalType.GROUP_CONTEXT_EXTENSIONS,),
    credentials=(CredentialType.BASIC,),
)


@dataclass(frozen=True)
class InstallationKeyPackage:
    """A key package of our own with its private keys. ``created_at``: unix seconds."""

    secrets: KeyPackageSecrets
    wrapper_private: bytes = field(repr=False)
    wrapper_public: bytes
    created_at: int

    @property
    def encoded(self) -> bytes:
        """What is uploaded: a KeyPackage, TLS presentation."""
        return self.secrets.package.encoded

    def wipe(self) -> None:
        """Overwrite the private keys."""
        self.secrets.wipe()
        wipe(self.wrapper_private)

    def is_named_by(self, public_key: bytes) -> bool:
        """Whether a welcome that was wrapped to this public key uses this key package: old clients wrap to
        the init key, others to the wrapper key.
        """
        return public_key in (self.secrets.package.init_key, self.wrapper_public)

    def wrapper_key(self, algorithm: WelcomeWrapperAlgorithm) -> bytes:
        """Return the private key that a welcome wrapped so opens with."""
        if algorithm is WelcomeWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6:
            return self.wrapper_private
        return self.secrets.init_private


@dataclass(frozen=True)
class PeerKeyPackage:
    """A verified key package of another installation."""

    package: KeyPackage
    participant: Participant
    wrapper_key: bytes
    wrapper_algorithm: WelcomeWrapperAlgorithm
    reads_pointers: bool


def make_key_package(
    signature_key: SignatureKey, inbox_id: str, now: int, *, entropy: Entropy
) -> InstallationKeyPackage:
    """Make a key package of the installation with this signature key. ``now``: unix seconds."""
    private, public = hpke.derive_key_pair(hpke.XWING_OBSOLETE_CHACHA20_POLY1305, entropy(32))
    wrapper = WelcomeWrapperEncryption(
        pub_key=public, algorithm=WelcomeWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6
    )
    ciphers = AeadTypes(supported_aead_types=(AEAD_CHACHA20_POLY1305,))
    secrets = generate_key_package(
        SUITE,
        signature_key,
        credential_of(inbox_id),
        CAPABILITIES,
        Lifetime(now - _CLOCK_SKEW, now + LIFETIME_SECONDS),
        entropy=entropy,
        extensions=(
            Extension(ExtensionType.LAST_RESORT, b""),
            Extension(ExtensionType.WELCOME_POINTEE_AEAD_TYPES, ciphers.encode()),
            Extension(ExtensionType.WELCOME_WRAPPER_ENCRYPTION, wrapper.encode()),
        ),
        leaf_extensions=leaf_extensions(inbox_id),
    )
    return InstallationKeyPackage(secrets, private, public, now)


def read_key_package(encoded: bytes, installation: bytes, now: int) -> PeerKeyPackage:
    """Verify a key package that the node gave for an installation.

    :raises KeyPackageInvalidError: it is not valid MLS, has expired, is another installation's, or says
        something about welcomes that cannot be read
    """
    try:
        package = decode_whole(KeyPackage.decode, encoded)
        package.verify()
    except MlsError as error:
        raise KeyPackageInvalidError("A key package is not valid", cause=str(error)) from error
    if package.suite.id != SUITE.id:
        raise KeyPackageInvalidError(
            "A key package is of another cipher suite", got=package.suite.id, expected=SUITE.id
        )
    lifetime = package.leaf.lifetime
    if lifetime is None or not lifetime.not_before <= now <= lifetime.not_after:
        raise KeyPackageInvalidError("A key package is outside its lifetime")
    participant = participant_of(package.leaf)
    if participant.installation != installation:
        raise KeyPackageInvalidError(
            "A key package is another installation's",
            got=participant.installation.hex(),
            expected=installation.hex(),
        )
    key, algorithm = _wrapper(package)
    return PeerKeyPackage(package, participant, key, algorithm, _reads_pointers(package))


def credential_of(inbox_id: str) -> BasicCredential:
    """Return the MLS credential of an inbox's installations."""
    return BasicCredential(MlsCredential(inbox_id=inbox_id).encode())


def leaf_extensions(inbox_id: str) -> tuple[Extension, ...]:
    """Return the extensions of an installation's leaf."""
    return (Extension(ExtensionType.APPLICATION_ID, opaque(inbox_id.encode())),)


def participant_of(leaf: LeafNode) -> Participant:
    """Return who a leaf claims to be. Whether it is, the inbox's log says.

    :raises KeyPackageInvalidError: the credential is none of XMTP's
    """
    return Participant(_inbox_id(leaf.credential), leaf.signature_key)


class XmtpIdentities:
    """What MLS asks about identities, answered for XMTP: a leaf is an installation, for ever."""

    def check_leaf(self, leaf: LeafNode) -> None:
        """Refuse a credential that is none of XMTP's."""
        try:
            participant_of(leaf)
        except KeyPackageInvalidError as error:
            raise CredentialRefusedError(error.message, got=error.got) from error

    def check_successor(self, old: LeafNode, new: LeafNode) -> None:
        """Refuse a new leaf that is another inbox's or another installation's."""
        if old.credential != new.credential or old.signature_key != new.signature_key:
            raise CredentialRefusedError("A member's leaf becomes another installation's")

    def check_external_sender(self, sender: ExternalSender) -> None:
        """Refuse: XMTP's groups have no external senders."""
        raise CredentialRefusedError("A group has an external sender")

    def client(self, leaf: LeafNode) -> bytes:
        """Return what an installation is, and no two of them share."""
        return leaf.signature_key


def _inbox_id(credential: Credential) -> str:
    if not isinstance(credential, BasicCredential):
        raise KeyPackageInvalidError("A credential is not basic", got=credential.type.name)
    try:
        inbox_id = MlsCredential.decode(credential.identity).inbox_id
    except ProtobufMalformedError as error:
        raise KeyPackageInvalidError("A credential cannot be read") from error
    if not inbox_id:
        raise KeyPackageInvalidError("A credential names no inbox")
    return inbox_id


def _wrapper(package: KeyPackage) -> tuple[bytes, WelcomeWrapperAlgorithm]:
    """The key that welcomes are wrapped to: the wrapper's, or the init key of an old client."""
    encoded = find(package.extensions, ExtensionType.WELCOME_WRAPPER_ENCRYPTION)
    if encoded is None:
        return package.init_key, WelcomeWrapperAlgorithm.CURVE25519
    try:
        wrapper = WelcomeWrapperEncryption.decode(encoded)
    except ProtobufMalformedError as error:
        raise KeyPackageInvalidError("A key package's wrapper key cannot be read") from error
    if wrapper.algorithm in (
        WelcomeWrapperAlgorithm.UNSPECIFIED,
        WelcomeWrapperAlgorithm.CURVE25519,
    ):
        return wrapper.pub_key, WelcomeWrapperAlgorithm.CURVE25519
    if wrapper.algorithm == WelcomeWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6:
        return wrapper.pub_key, WelcomeWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6
    raise KeyPackageInvalidError(
        "A key package names an unknown wrapping of welcomes", got=wrapper.algorithm
    )


def _reads_pointers(package: KeyPackage) -> bool:
    encoded = find(package.extensions, ExtensionType.WELCOME_POINTEE_AEAD_TYPES)
    if encoded is None:
        return False
    try:
        return AEAD_CHACHA20_POLY1305 in AeadTypes.decode(encoded).supported_aead_types
    except ProtobufMalformedError as error:
        raise KeyPackageInvalidError("A key package's ciphers cannot be read") from error
