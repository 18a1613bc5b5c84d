"""Messaging Layer Security: a member of RFC 9420 groups, without any I/O.

Bytes and typed calls go in; bytes and events come out. Time (seconds since 1970) and randomness
are passed in. A group's state is one object, :class:`Group`, that saves itself to bytes.

Rule 1: a message or an intent that breaks a rule raises that rule's error and changes nothing.
Rule 2: no call signs, decrypts or derives for a caller's own purpose with an MLS key, but for the
exporter.
Rule 3: a key that has been used is gone, so a state is saved after every call, and a state that was
saved earlier is never used again.

WARNING: credentials mean what the ``Config.identities`` make of them; the default believes them.
"""

from xmtp_tee.mls.config import BasicIdentities, Config, IdentityPolicy
from xmtp_tee.mls.credentials import BasicCredential, Credential, X509Credential
from xmtp_tee.mls.crypto import SignatureKey
from xmtp_tee.mls.errors import MlsError
from xmtp_tee.mls.events import (
    ApplicationMessage,
    CommitApplied,
    CommitEffect,
    Event,
    ProposalReceived,
)
from xmtp_tee.mls.extensions import (
    Extension,
    Extensions,
    ExtensionType,
    ExternalSender,
    RequiredCapabilities,
)
from xmtp_tee.mls.group import Group
from xmtp_tee.mls.intents import CommitIntent, CommitMessages
from xmtp_tee.mls.joining import Predecessor
from xmtp_tee.mls.key_package import KeyPackage, KeyPackageSecrets, generate_key_package
from xmtp_tee.mls.leaf_node import Capabilities, LeafNode, Lifetime
from xmtp_tee.mls.membership import Standing
from xmtp_tee.mls.message import decode_key_package, decode_message, encode_message
from xmtp_tee.mls.proposals import (
    Add,
    AppDataUpdate,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ProposalType,
    ReInit,
    Remove,
    Update,
)
from xmtp_tee.mls.psk import ExternalPskId, PskStore, PskUsage, ResumptionPskId, fresh_nonce
from xmtp_tee.mls.suites import SUITE_1, SUITE_3, CipherSuite

__all__ = [
    "SUITE_1",
    "SUITE_3",
    "Add",
    "AppDataUpdate",
    "ApplicationMessage",
    "BasicCredential",
    "BasicIdentities",
    "Capabilities",
    "CipherSuite",
    "CommitApplied",
    "CommitEffect",
    "CommitIntent",
    "CommitMessages",
    "Config",
    "Credential",
    "Event",
    "Extension",
    "ExtensionType",
    "Extensions",
    "ExternalPskId",
    "ExternalSender",
    "Group",
    "GroupContextExtensions",
    "IdentityPolicy",
    "KeyPackage",
    "KeyPackageSecrets",
    "LeafNode",
    "Lifetime",
    "MlsError",
    "PreSharedKey",
    "Predecessor",
    "Proposal",
    "ProposalReceived",
    "ProposalType",
    "PskStore",
    "PskUsage",
    "ReInit",
    "Remove",
    "RequiredCapabilities",
    "ResumptionPskId",
    "SignatureKey",
    "Standing",
    "Update",
    "X509Credential",
    "decode_key_package",
    "decode_message",
    "encode_message",
    "fresh_nonce",
    "generate_key_package",
]
