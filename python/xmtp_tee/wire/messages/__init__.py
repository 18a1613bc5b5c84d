"""The typed messages: strict structures, whose lengths and bounds are part of their types.

One module per family of operations; the unions at the end say what may travel in which place.
Addresses are 20 raw bytes, hashes 32, times unix seconds. Key ids are opaque text. An unknown field
is an error everywhere but in the two greetings, which must stay readable to other versions so that
the answer can be a typed ``ProtocolVersionError``.
"""

from xmtp_tee.wire.messages.backup import (
    ExportedKey,
    ExportKey,
    ImportKey,
    SealedInput,
    SealedOutput,
    ShareCount,
)
from xmtp_tee.wire.messages.base import (
    Address,
    Bytes16,
    Bytes32,
    ChainId,
    Count,
    KeyId,
    Label,
    Message,
    PageSize,
    PublicKey,
    RequestId,
    Signature64,
    Signature65,
)
from xmtp_tee.wire.messages.batch import Batch, BatchResult, Outcome
from xmtp_tee.wire.messages.enclave import Describe, Ping, Pong
from xmtp_tee.wire.messages.envelope import Failure, Reply, Request, SignedReceipt
from xmtp_tee.wire.messages.freshness import (
    AcceptWrap,
    Anchor,
    ExportRecovery,
    Freshness,
    GetFreshness,
    HandedOver,
    HandOver,
    HandOverChallenge,
    HandOverNonce,
    SignAnchor,
    WrapAccepted,
)
from xmtp_tee.wire.messages.governance import (
    ApplyPolicy,
    AuditPage,
    Checkpoint,
    GetCheckpoint,
    GetPolicy,
    PolicyInForce,
    ReadAudit,
)
from xmtp_tee.wire.messages.greeting import (
    CallerClaim,
    Challenge,
    EnclaveDescription,
    Hello,
    Proof,
    Welcome,
)
from xmtp_tee.wire.messages.keys import (
    DeriveInstallationKey,
    DeriveKey,
    GenerateIdentityKey,
    GenerateKey,
    GeneratePreKey,
    GetIdentityKey,
    GetKey,
    GetPreKeys,
    GetVersions,
    Key,
    KeyPage,
    Limits,
    ListKeys,
    PreKey,
    PreKeyPage,
    VersionInfo,
    Versions,
)
from xmtp_tee.wire.messages.lifecycle import (
    DeleteKey,
    DestroyKey,
    RestoreKey,
    RotateKey,
    SetMinimumVersion,
    TrimKey,
    UpdateKey,
)
from xmtp_tee.wire.messages.proofs import (
    AttestedKey,
    AttestKey,
    Certificate,
    CertifyKeyBundle,
    GetAttestation,
    Quote,
)
from xmtp_tee.wire.messages.secrets import (
    AeadOpen,
    AeadSeal,
    Ciphertext,
    Closed,
    CloseHandle,
    ComputeMac,
    Handle,
    HpkeOpen,
    HpkeOpenNext,
    HpkeSeal,
    HpkeSealed,
    HpkeSealNext,
    HpkeSender,
    HpkeSetupRecipient,
    HpkeSetupSender,
    Mac,
    Plaintext,
    SecretBytes,
    SharedSecret,
    Verified,
    VerifyMac,
)
from xmtp_tee.wire.messages.signing import (
    OwnerIntent,
    Sign,
    Signature,
    SignIdentityText,
    SignOwnerIntent,
    SignTypedData,
    WalletSignature,
)
from xmtp_tee.wire.messages.xmtp import (
    XmtpChangeMembers,
    XmtpConversation,
    XmtpConversationIds,
    XmtpCreate,
    XmtpDestination,
    XmtpDropCommit,
    XmtpEvent,
    XmtpEvents,
    XmtpFindWelcome,
    XmtpGetConversation,
    XmtpHistory,
    XmtpHistoryMessage,
    XmtpIdentityUpdate,
    XmtpIncoming,
    XmtpJoin,
    XmtpKeyPackage,
    XmtpLearn,
    XmtpLearned,
    XmtpListConversations,
    XmtpLogEntry,
    XmtpMember,
    XmtpNeedsKeyPackages,
    XmtpNeedsLog,
    XmtpNewInstallation,
    XmtpNewKeyPackage,
    XmtpOpenHistory,
    XmtpOutgoing,
    XmtpProcess,
    XmtpRefused,
    XmtpRegister,
    XmtpRegistration,
    XmtpRename,
    XmtpRenewKeys,
    XmtpRevoke,
    XmtpSend,
)

ClientMessage = Hello | Proof | Request
ServerMessage = Challenge | Welcome | Reply | Failure
Operation = (
    Ping
    | Describe
    | GenerateIdentityKey
    | GenerateKey
    | DeriveInstallationKey
    | DeriveKey
    | GeneratePreKey
    | GetIdentityKey
    | GetKey
    | GetPreKeys
    | ListKeys
    | GetVersions
    | RotateKey
    | SetMinimumVersion
    | TrimKey
    | DeleteKey
    | RestoreKey
    | DestroyKey
    | UpdateKey
    | Sign
    | SignIdentityText
    | SignOwnerIntent
    | SignTypedData
    | SharedSecret
    | HpkeSetupSender
    | HpkeSetupRecipient
    | HpkeSealNext
    | HpkeOpenNext
    | HpkeSeal
    | HpkeOpen
    | AeadSeal
    | AeadOpen
    | ComputeMac
    | VerifyMac
    | CloseHandle
    | GetAttestation
    | CertifyKeyBundle
    | ExportKey
    | ImportKey
    | GetFreshness
    | SignAnchor
    | HandOverChallenge
    | HandOver
    | AcceptWrap
    | ExportRecovery
    | Batch
    | GetPolicy
    | ApplyPolicy
    | ReadAudit
    | GetCheckpoint
    | AttestKey
    | XmtpRegister
    | XmtpNewKeyPackage
    | XmtpRevoke
    | XmtpLearn
    | XmtpFindWelcome
    | XmtpJoin
    | XmtpProcess
    | XmtpCreate
    | XmtpChangeMembers
    | XmtpRename
    | XmtpRenewKeys
    | XmtpDropCommit
    | XmtpSend
    | XmtpGetConversation
    | XmtpListConversations
    | XmtpOpenHistory
)
Result = (
    Pong
    | EnclaveDescription
    | Versions
    | Key
    | KeyPage
    | PreKey
    | PreKeyPage
    | Signature
    | WalletSignature
    | OwnerIntent
    | Handle
    | SecretBytes
    | HpkeSender
    | HpkeSealed
    | Ciphertext
    | Plaintext
    | Mac
    | Verified
    | Closed
    | Quote
    | Certificate
    | BatchResult
    | PolicyInForce
    | AuditPage
    | Checkpoint
    | AttestedKey
    | ExportedKey
    | Freshness
    | Anchor
    | HandOverNonce
    | HandedOver
    | WrapAccepted
    | XmtpRegistration
    | XmtpKeyPackage
    | XmtpIdentityUpdate
    | XmtpLearned
    | XmtpNeedsLog
    | XmtpNeedsKeyPackages
    | XmtpRefused
    | XmtpDestination
    | XmtpConversation
    | XmtpConversationIds
    | XmtpOutgoing
    | XmtpEvents
    | XmtpHistory
)

__all__ = [
    "AcceptWrap",
    "Address",
    "AeadOpen",
    "AeadSeal",
    "Anchor",
    "ApplyPolicy",
    "AttestKey",
    "AttestedKey",
    "AuditPage",
    "Batch",
    "BatchResult",
    "Bytes16",
    "Bytes32",
    "CallerClaim",
    "Certificate",
    "CertifyKeyBundle",
    "ChainId",
    "Challenge",
    "Checkpoint",
    "Ciphertext",
    "ClientMessage",
    "CloseHandle",
    "Closed",
    "ComputeMac",
    "Count",
    "DeleteKey",
    "DeriveInstallationKey",
    "DeriveKey",
    "Describe",
    "DestroyKey",
    "EnclaveDescription",
    "ExportKey",
    "ExportRecovery",
    "ExportedKey",
    "Failure",
    "Freshness",
    "GenerateIdentityKey",
    "GenerateKey",
    "GeneratePreKey",
    "GetAttestation",
    "GetCheckpoint",
    "GetFreshness",
    "GetIdentityKey",
    "GetKey",
    "GetPolicy",
    "GetPreKeys",
    "GetVersions",
    "HandOver",
    "HandOverChallenge",
    "HandOverNonce",
    "HandedOver",
    "Handle",
    "Hello",
    "HpkeOpen",
    "HpkeOpenNext",
    "HpkeSeal",
    "HpkeSealNext",
    "HpkeSealed",
    "HpkeSender",
    "HpkeSetupRecipient",
    "HpkeSetupSender",
    "ImportKey",
    "Key",
    "KeyId",
    "KeyPage",
    "Label",
    "Limits",
    "ListKeys",
    "Mac",
    "Message",
    "Operation",
    "Outcome",
    "OwnerIntent",
    "PageSize",
    "Ping",
    "Plaintext",
    "PolicyInForce",
    "Pong",
    "PreKey",
    "PreKeyPage",
    "Proof",
    "PublicKey",
    "Quote",
    "ReadAudit",
    "Reply",
    "Request",
    "RequestId",
    "RestoreKey",
    "Result",
    "RotateKey",
    "SealedInput",
    "SealedOutput",
    "SecretBytes",
    "ServerMessage",
    "SetMinimumVersion",
    "ShareCount",
    "SharedSecret",
    "Sign",
    "SignAnchor",
    "SignIdentityText",
    "SignOwnerIntent",
    "SignTypedData",
    "Signature",
    "Signature64",
    "Signature65",
    "SignedReceipt",
    "TrimKey",
    "UpdateKey",
    "Verified",
    "VerifyMac",
    "VersionInfo",
    "Versions",
    "WalletSignature",
    "Welcome",
    "WrapAccepted",
    "XmtpChangeMembers",
    "XmtpConversation",
    "XmtpConversationIds",
    "XmtpCreate",
    "XmtpDestination",
    "XmtpDropCommit",
    "XmtpEvent",
    "XmtpEvents",
    "XmtpFindWelcome",
    "XmtpGetConversation",
    "XmtpHistory",
    "XmtpHistoryMessage",
    "XmtpIdentityUpdate",
    "XmtpIncoming",
    "XmtpJoin",
    "XmtpKeyPackage",
    "XmtpLearn",
    "XmtpLearned",
    "XmtpListConversations",
    "XmtpLogEntry",
    "XmtpMember",
    "XmtpNeedsKeyPackages",
    "XmtpNeedsLog",
    "XmtpNewInstallation",
    "XmtpNewKeyPackage",
    "XmtpOpenHistory",
    "XmtpOutgoing",
    "XmtpProcess",
    "XmtpRefused",
    "XmtpRegister",
    "XmtpRegistration",
    "XmtpRename",
    "XmtpRenewKeys",
    "XmtpRevoke",
    "XmtpSend",
]
