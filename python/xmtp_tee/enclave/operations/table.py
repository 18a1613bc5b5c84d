"""The table of operations: which function answers which message. What is not in it is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from xmtp_tee.enclave.operations import (
    about,
    backup,
    freshness,
    governance,
    handover,
    hpke,
    identity,
    lifecycle,
    listing,
    making,
    proofs,
    sharing,
    signing,
    symmetric,
    wallet,
)
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.operations.xmtp import conversations, installation, joining, reading
from xmtp_tee.wire import messages as wire

Handler = Callable[[Call, Any], wire.Result]

HANDLERS: Final[Mapping[type[wire.Message], Handler]] = MappingProxyType(
    {
        wire.Ping: about.ping,
        wire.Describe: about.describe,
        wire.GenerateIdentityKey: identity.generate_identity_key,
        wire.GeneratePreKey: identity.generate_pre_key,
        wire.GetIdentityKey: identity.get_identity_key,
        wire.GetPreKeys: identity.get_pre_keys,
        wire.GenerateKey: making.generate_key,
        wire.DeriveInstallationKey: making.derive_installation_key,
        wire.DeriveKey: making.derive_key,
        wire.GetKey: listing.get_key,
        wire.ListKeys: listing.list_keys,
        wire.GetVersions: lifecycle.get_versions,
        wire.RotateKey: lifecycle.rotate_key,
        wire.SetMinimumVersion: lifecycle.set_minimum_version,
        wire.TrimKey: lifecycle.trim_key,
        wire.DeleteKey: lifecycle.delete_key,
        wire.RestoreKey: lifecycle.restore_key,
        wire.DestroyKey: lifecycle.destroy_key,
        wire.UpdateKey: lifecycle.update_key,
        wire.Sign: signing.sign,
        wire.SignIdentityText: wallet.sign_identity_text,
        wire.SignOwnerIntent: wallet.sign_owner_intent,
        wire.SignTypedData: wallet.sign_typed_data,
        wire.SharedSecret: sharing.agree,
        wire.CloseHandle: sharing.close_handle,
        wire.HpkeSeal: hpke.seal,
        wire.HpkeOpen: hpke.open_,
        wire.HpkeSetupSender: hpke.setup_sender,
        wire.HpkeSetupRecipient: hpke.setup_recipient,
        wire.HpkeSealNext: hpke.seal_next,
        wire.HpkeOpenNext: hpke.open_next,
        wire.AeadSeal: symmetric.seal,
        wire.AeadOpen: symmetric.open_,
        wire.ComputeMac: symmetric.compute_mac,
        wire.VerifyMac: symmetric.verify_mac,
        wire.GetAttestation: proofs.get_attestation,
        wire.AttestKey: proofs.attest_key,
        wire.CertifyKeyBundle: proofs.certify_key_bundle,
        wire.ExportKey: backup.export_key,
        wire.ImportKey: backup.import_key,
        wire.GetFreshness: freshness.get_freshness,
        wire.SignAnchor: freshness.sign_anchor,
        wire.HandOverChallenge: handover.challenge,
        wire.HandOver: handover.hand_over,
        wire.AcceptWrap: handover.accept_wrap,
        wire.ExportRecovery: handover.export_recovery,
        wire.GetPolicy: governance.get_policy,
        wire.ApplyPolicy: governance.apply_policy,
        wire.ReadAudit: governance.read_audit,
        wire.GetCheckpoint: governance.get_checkpoint,
        wire.XmtpRegister: installation.register,
        wire.XmtpNewKeyPackage: installation.new_key_package,
        wire.XmtpRevoke: installation.revoke,
        wire.XmtpLearn: joining.learn,
        wire.XmtpFindWelcome: joining.find_welcome,
        wire.XmtpJoin: joining.join,
        wire.XmtpProcess: reading.process,
        wire.XmtpCreate: conversations.create,
        wire.XmtpChangeMembers: conversations.change_members,
        wire.XmtpRename: conversations.rename,
        wire.XmtpRenewKeys: conversations.renew_keys,
        wire.XmtpDropCommit: conversations.drop_commit,
        wire.XmtpSend: conversations.send,
        wire.XmtpGetConversation: conversations.get_conversation,
        wire.XmtpListConversations: conversations.list_conversations,
        wire.XmtpOpenHistory: reading.open_history,
    }
)
"""Every operation but ``Batch``, which is the service's own."""
