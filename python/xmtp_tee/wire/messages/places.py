"""What may travel in which place: to the enclave, from it, as an operation, as an operation's result."""

from xmtp_tee.wire.messages import (
    backup,
    batch,
    enclave,
    envelope,
    freshness,
    governance,
    greeting,
    keys,
    lifecycle,
    proofs,
    secrets,
    signing,
    xmtp,
)

ClientMessage = greeting.Hello | greeting.Proof | envelope.Request
ServerMessage = greeting.Challenge | greeting.Welcome | envelope.Reply | envelope.Failure
Operation = (
    enclave.Ping
    | enclave.Describe
    | keys.GenerateIdentityKey
    | keys.GenerateKey
    | keys.DeriveInstallationKey
    | keys.DeriveKey
    | keys.GeneratePreKey
    | keys.GetIdentityKey
    | keys.GetKey
    | keys.GetPreKeys
    | keys.ListKeys
    | keys.GetVersions
    | lifecycle.RotateKey
    | lifecycle.SetMinimumVersion
    | lifecycle.TrimKey
    | lifecycle.DeleteKey
    | lifecycle.RestoreKey
    | lifecycle.DestroyKey
    | lifecycle.UpdateKey
    | signing.Sign
    | signing.SignIdentityText
    | signing.SignOwnerIntent
    | signing.SignTypedData
    | secrets.SharedSecret
    | secrets.HpkeSetupSender
    | secrets.HpkeSetupRecipient
    | secrets.HpkeSealNext
    | secrets.HpkeOpenNext
    | secrets.HpkeSeal
    | secrets.HpkeOpen
    | secrets.AeadSeal
    | secrets.AeadOpen
    | secrets.ComputeMac
    | secrets.VerifyMac
    | secrets.CloseHandle
    | proofs.GetAttestation
    | proofs.CertifyKeyBundle
    | backup.ExportKey
    | backup.ImportKey
    | freshness.GetFreshness
    | freshness.SignAnchor
    | freshness.HandOverChallenge
    | freshness.HandOver
    | freshness.AcceptWrap
    | freshness.ExportRecovery
    | batch.Batch
    | governance.GetPolicy
    | governance.ApplyPolicy
    | governance.ReadAudit
    | governance.GetCheckpoint
    | proofs.AttestKey
    | xmtp.XmtpRegister
    | xmtp.XmtpNewKeyPackage
    | xmtp.XmtpRevoke
    | xmtp.XmtpLearn
    | xmtp.XmtpFindWelcome
    | xmtp.XmtpJoin
    | xmtp.XmtpProcess
    | xmtp.XmtpCreate
    | xmtp.XmtpChangeMembers
    | xmtp.XmtpRename
    | xmtp.XmtpRenewKeys
    | xmtp.XmtpDropCommit
    | xmtp.XmtpSend
    | xmtp.XmtpGetConversation
    | xmtp.XmtpListConversations
    | xmtp.XmtpOpenHistory
)
Result = (
    enclave.Pong
    | greeting.EnclaveDescription
    | keys.Versions
    | keys.Key
    | keys.KeyPage
    | keys.PreKey
    | keys.PreKeyPage
    | signing.Signature
    | signing.WalletSignature
    | signing.OwnerIntent
    | secrets.Handle
    | secrets.SecretBytes
    | secrets.HpkeSender
    | secrets.HpkeSealed
    | secrets.Ciphertext
    | secrets.Plaintext
    | secrets.Mac
    | secrets.Verified
    | secrets.Closed
    | proofs.Quote
    | proofs.Certificate
    | batch.BatchResult
    | governance.PolicyInForce
    | governance.AuditPage
    | governance.Checkpoint
    | proofs.AttestedKey
    | backup.ExportedKey
    | freshness.Freshness
    | freshness.Anchor
    | freshness.HandOverNonce
    | freshness.HandedOver
    | freshness.WrapAccepted
    | xmtp.XmtpRegistration
    | xmtp.XmtpKeyPackage
    | xmtp.XmtpIdentityUpdate
    | xmtp.XmtpLearned
    | xmtp.XmtpNeedsLog
    | xmtp.XmtpNeedsKeyPackages
    | xmtp.XmtpRefused
    | xmtp.XmtpDestination
    | xmtp.XmtpConversation
    | xmtp.XmtpConversationIds
    | xmtp.XmtpOutgoing
    | xmtp.XmtpEvents
    | xmtp.XmtpHistory
)
