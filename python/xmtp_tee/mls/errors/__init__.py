"""What the MLS member refuses, and why: one class per rule.

The tree (all exit 2)::

    MlsError
    ├── MlsDecodeError                       mls.decode
    │   ├── TruncatedError                   mls.truncated
    │   ├── TrailingBytesError               mls.trailing-bytes
    │   ├── LengthPrefixError                mls.length-prefix
    │   ├── UnknownVariantError              mls.unknown-variant
    │   ├── TooLargeError                    mls.too-large
    │   ├── PaddingError                     mls.padding
    │   ├── TreeShapeError                   mls.tree-shape
    │   ├── VersionUnsupportedError          mls.version
    │   └── CipherSuiteUnsupportedError      mls.cipher-suite
    ├── MlsCryptoError                       mls.crypto
    │   ├── SignatureInvalidError            mls.signature
    │   ├── MembershipTagError               mls.membership-tag
    │   ├── ConfirmationTagError             mls.confirmation-tag
    │   ├── DecryptionError                  mls.decryption
    │   ├── KeyLengthError                   mls.key-length
    │   └── KeyUnusableError                 mls.key-unusable
    ├── LeafNodeInvalidError                 mls.leaf-node
    │   ├── CredentialRefusedError           mls.credential-refused
    │   ├── LeafSourceError                  mls.leaf-source
    │   ├── LifetimeError                    mls.lifetime
    │   ├── CapabilityMissingError           mls.capability-missing
    │   ├── CredentialUnsupportedError       mls.credential-unsupported
    │   ├── ExtensionUnsupportedError        mls.extension-unsupported
    │   ├── ExtensionRepeatedError           mls.extension-repeated
    │   ├── KeyRepeatedError                 mls.key-repeated
    │   └── InitKeyReusedError               mls.init-key-reused
    ├── TreeInvalidError                     mls.tree
    │   ├── TreeHashError                    mls.tree-hash
    │   ├── ParentHashError                  mls.parent-hash
    │   ├── UnmergedLeavesError              mls.unmerged-leaves
    │   ├── PathShapeError                   mls.path-shape
    │   ├── PathSecretError                  mls.path-secret
    │   ├── LeafIndexError                   mls.leaf-index
    │   └── TreeMissingError                 mls.tree-missing
    ├── ProposalInvalidError                 mls.proposal
    │   ├── ProposalUnknownError             mls.proposal-unknown
    │   ├── ProposalUnsupportedError         mls.proposal-unsupported
    │   ├── ProposalSenderError              mls.proposal-sender
    │   ├── ProposalMisplacedError           mls.proposal-misplaced
    │   ├── UpdateByCommitterError           mls.update-by-committer
    │   ├── CommitterRemovedError            mls.committer-removed
    │   ├── LeafTwiceError                   mls.leaf-twice
    │   ├── ClientTwiceError                 mls.client-twice
    │   ├── PskTwiceError                    mls.psk-twice
    │   ├── PskNonceError                    mls.psk-nonce
    │   ├── PskUsageError                    mls.psk-usage
    │   ├── PskUnknownError                  mls.psk-unknown
    │   ├── GroupContextExtensionsTwiceError mls.extensions-twice
    │   ├── ReInitNotAloneError              mls.reinit-not-alone
    │   ├── ReInitVersionError               mls.reinit-version
    │   ├── ExternalInitError                mls.external-init
    │   ├── ExternalSenderUnknownError       mls.external-sender
    │   └── AppDataError                     mls.app-data
    ├── CommitInvalidError                   mls.commit
    │   ├── PathMissingError                 mls.path-missing
    │   ├── CommitRefusedError               mls.commit-refused
    │   ├── WelcomeNotForUsError             mls.welcome-not-for-us
    │   ├── WelcomeInvalidError              mls.welcome
    │   ├── OwnLeafMissingError              mls.own-leaf-missing
    │   └── GroupInfoInvalidError            mls.group-info
    ├── MessageInvalidError                  mls.message
    │   ├── WrongGroupError                  mls.wrong-group
    │   ├── WrongEpochError                  mls.wrong-epoch
    │   ├── WireFormatError                  mls.wire-format
    │   ├── SenderUnknownError               mls.sender
    │   ├── OwnMessageError                  mls.own-message
    │   ├── MessageReplayedError             mls.replayed
    │   └── GenerationTooFarError            mls.generation-too-far
    └── GroupStateError                      mls.state
        ├── GroupInactiveError               mls.inactive
        ├── CommitPendingError               mls.commit-pending
        ├── NoCommitPendingError             mls.no-commit-pending
        ├── ProposalsPendingError            mls.proposals-pending
        ├── IntentInvalidError               mls.intent
        ├── StateCorruptError                mls.state-corrupt
        └── StateRolledBackError             mls.state-rolled-back
"""

from xmtp_tee.mls.errors.base import MlsError
from xmtp_tee.mls.errors.codec import (
    CipherSuiteUnsupportedError,
    LengthPrefixError,
    MlsDecodeError,
    PaddingError,
    TooLargeError,
    TrailingBytesError,
    TreeShapeError,
    TruncatedError,
    UnknownVariantError,
    VersionUnsupportedError,
)
from xmtp_tee.mls.errors.commits import (
    CommitInvalidError,
    CommitRefusedError,
    GroupInfoInvalidError,
    OwnLeafMissingError,
    PathMissingError,
    WelcomeInvalidError,
    WelcomeNotForUsError,
)
from xmtp_tee.mls.errors.crypto import (
    ConfirmationTagError,
    DecryptionError,
    KeyLengthError,
    KeyUnusableError,
    MembershipTagError,
    MlsCryptoError,
    SignatureInvalidError,
)
from xmtp_tee.mls.errors.leaves import (
    CapabilityMissingError,
    CredentialRefusedError,
    CredentialUnsupportedError,
    ExtensionRepeatedError,
    ExtensionUnsupportedError,
    InitKeyReusedError,
    KeyRepeatedError,
    LeafNodeInvalidError,
    LeafSourceError,
    LifetimeError,
)
from xmtp_tee.mls.errors.messages import (
    GenerationTooFarError,
    MessageInvalidError,
    MessageReplayedError,
    OwnMessageError,
    SenderUnknownError,
    WireFormatError,
    WrongEpochError,
    WrongGroupError,
)
from xmtp_tee.mls.errors.proposals import (
    AppDataError,
    ClientTwiceError,
    CommitterRemovedError,
    ExternalInitError,
    ExternalSenderUnknownError,
    GroupContextExtensionsTwiceError,
    LeafTwiceError,
    ProposalInvalidError,
    ProposalMisplacedError,
    ProposalSenderError,
    ProposalUnknownError,
    ProposalUnsupportedError,
    PskNonceError,
    PskTwiceError,
    PskUnknownError,
    PskUsageError,
    ReInitNotAloneError,
    ReInitVersionError,
    UpdateByCommitterError,
)
from xmtp_tee.mls.errors.states import (
    CommitPendingError,
    GroupInactiveError,
    GroupStateError,
    IntentInvalidError,
    NoCommitPendingError,
    ProposalsPendingError,
    StateCorruptError,
    StateRolledBackError,
)
from xmtp_tee.mls.errors.trees import (
    LeafIndexError,
    ParentHashError,
    PathSecretError,
    PathShapeError,
    TreeHashError,
    TreeInvalidError,
    TreeMissingError,
    UnmergedLeavesError,
)

__all__ = [
    "AppDataError",
    "CapabilityMissingError",
    "CipherSuiteUnsupportedError",
    "ClientTwiceError",
    "CommitInvalidError",
    "CommitPendingError",
    "CommitRefusedError",
    "CommitterRemovedError",
    "ConfirmationTagError",
    "CredentialRefusedError",
    "CredentialUnsupportedError",
    "DecryptionError",
    "ExtensionRepeatedError",
    "ExtensionUnsupportedError",
    "ExternalInitError",
    "ExternalSenderUnknownError",
    "GenerationTooFarError",
    "GroupContextExtensionsTwiceError",
    "GroupInactiveError",
    "GroupInfoInvalidError",
    "GroupStateError",
    "InitKeyReusedError",
    "IntentInvalidError",
    "KeyLengthError",
    "KeyRepeatedError",
    "KeyUnusableError",
    "LeafIndexError",
    "LeafNodeInvalidError",
    "LeafSourceError",
    "LeafTwiceError",
    "LengthPrefixError",
    "LifetimeError",
    "MembershipTagError",
    "MessageInvalidError",
    "MessageReplayedError",
    "MlsCryptoError",
    "MlsDecodeError",
    "MlsError",
    "NoCommitPendingError",
    "OwnLeafMissingError",
    "OwnMessageError",
    "PaddingError",
    "ParentHashError",
    "PathMissingError",
    "PathSecretError",
    "PathShapeError",
    "ProposalInvalidError",
    "ProposalMisplacedError",
    "ProposalSenderError",
    "ProposalUnknownError",
    "ProposalUnsupportedError",
    "ProposalsPendingError",
    "PskNonceError",
    "PskTwiceError",
    "PskUnknownError",
    "PskUsageError",
    "ReInitNotAloneError",
    "ReInitVersionError",
    "SenderUnknownError",
    "SignatureInvalidError",
    "StateCorruptError",
    "StateRolledBackError",
    "TooLargeError",
    "TrailingBytesError",
    "TreeHashError",
    "TreeInvalidError",
    "TreeMissingError",
    "TreeShapeError",
    "TruncatedError",
    "UnknownVariantError",
    "UnmergedLeavesError",
    "UpdateByCommitterError",
    "VersionUnsupportedError",
    "WelcomeInvalidError",
    "WelcomeNotForUsError",
    "WireFormatError",
    "WrongEpochError",
    "WrongGroupError",
]
