"""Policy and audit."""

from __future__ import annotations

from typing import Final

from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.certificate import recover_authority
from xmtp_tee.attestation.errors import SignatureMalformedError
from xmtp_tee.attestation.statements import AuditCheckpoint
from xmtp_tee.enclave.callers import PolicyInForce
from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.policy import Policy, approval_digest, check_policy, decode_policy, encode_policy
from xmtp_tee.policy.text import policy_digest
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.refusals import PolicyApprovalError, PolicyInvalidError, PolicyVersionError

DOCUMENT: Final = "policy"
"""The store's document that holds the policy."""

_PAGE_BYTES: Final = 512 << 10


def get_policy(call: Call, operation: wire.GetPolicy) -> wire.PolicyInForce:
    """Return the policy in force."""
    return _view(call.policy)


def apply_policy(call: Call, operation: wire.ApplyPolicy) -> wire.PolicyInForce:
    """Put the next policy in force, under the rule of the one before."""
    present, asked = call.policy, decode_policy(operation.document)
    if encode_policy(asked) != operation.document:
        raise PolicyInvalidError("The policy is not in its one encoding")
    if asked == present:
        # Applied already, and its answer was lost.
        return _view(present)
    if asked.version != present.version + 1:
        raise PolicyVersionError(
            "The policy is not the next version",
            got=asked.version,
            expected=present.version + 1,
            next_command="xmtp-tee policy show",
        )
    # Whoever may propose a policy gets no work out of the enclave before its owners want it.
    _require_approval(call, asked, operation.signatures)
    check_policy(asked)
    with call.mutation() as draft:
        draft.put_document(DOCUMENT, operation.document)
        call.store.withdraw_recovery(bytes.fromhex(each) for each in asked.store.recovery)
    call.parts.policy = PolicyInForce(asked)
    return _view(asked)


def read_audit(call: Call, operation: wire.ReadAudit) -> wire.AuditPage:
    """Return a page of the audit log, as it stands in the log."""
    audit = call.parts.audit
    audit.flush(call.parts.sign_statement, call.now)
    chain, entries = audit.read(operation.after, operation.limit)
    size, kept = 0, []
    for entry in entries:
        size += len(entry)
        if size > _PAGE_BYTES:
            break
        kept.append(entry)
    return wire.AuditPage(
        log_id=audit.log_id,
        chain=chain,
        entries=tuple(kept),
        last=audit.counter,
        first_kept=audit.first_kept,
    )


def get_checkpoint(call: Call, operation: wire.GetCheckpoint) -> wire.Checkpoint:
    """Have the authority sign where the audit log stands."""
    audit = call.parts.audit
    checkpoint = AuditCheckpoint(
        call.store.store_id, audit.log_id, audit.counter, audit.chain, call.now
    )
    return wire.Checkpoint(
        store_id=checkpoint.store_id,
        log_id=checkpoint.log_id,
        counter=checkpoint.counter,
        chain=checkpoint.chain,
        time=checkpoint.time,
        signature=call.parts.sign_statement(checkpoint.digest()),
    )


def _require_approval(call: Call, asked: Policy, signatures: tuple[bytes, ...]) -> None:
    rule = call.policy.change
    if not rule.owners:
        return
    owners = {parse_address(owner) for owner in rule.owners}
    digest = approval_digest(call.store.store_id, asked)
    signers = set()
    for signature in signatures:
        try:
            signer = recover_authority(digest, signature)
        except SignatureMalformedError as error:
            raise PolicyApprovalError(
                "An approval is not a signature", got=error.got, expected=error.expected
            ) from None
        if signer not in owners:
            raise PolicyApprovalError(
                "An approval is of somebody who is no owner of the policy, or of another policy",
                got=checksum_address(signer),
                expected="one of " + ", ".join(rule.owners),
            )
        signers.add(signer)
    if len(signers) < rule.quorum:
        raise PolicyApprovalError(
            "Too few owners have approved the policy",
            got=f"{len(signers)} of {len(owners)}",
            expected=f"{rule.quorum}",
            next_command="xmtp-tee policy check --digest",
        )


def _view(policy: Policy) -> wire.PolicyInForce:
    return wire.PolicyInForce(
        document=encode_policy(policy), digest=policy_digest(policy), version=policy.version
    )
