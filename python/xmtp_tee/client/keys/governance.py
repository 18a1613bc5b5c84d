"""Policy, audit, and what the authority vouches for of single keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xmtp_tee.attestation.statements import AuditCheckpoint, KeyAttestation, require_signed_by
from xmtp_tee.audit.entry import AuditEntry, chain_start
from xmtp_tee.audit.verify import LogVerifier
from xmtp_tee.client.errors import EnclaveMismatchError
from xmtp_tee.client.keys.base import EnclaveClient
from xmtp_tee.policy import Policy, decode_policy, encode_policy
from xmtp_tee.policy.text import policy_digest
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.refusals import AuditTamperedError

_PAGE = 400


class KeyGovernance(EnclaveClient):
    """Policy and audit."""

    def get_policy(self) -> Policy:
        """Return the policy in force."""
        return _policy(self._call(wire.GetPolicy(), wire.PolicyInForce))

    def apply_policy(self, policy: Policy, signatures: Sequence[bytes] = ()) -> Policy:
        """Have ``policy``, the next version, put in force.

        ``signatures``: of the owners of the policy in force, 65 bytes each, over
        ``xmtp_tee.policy.approval_digest``.

        :raises PolicyInvalidError: if it contradicts itself
        :raises PolicyVersionError: if it is not the next version
        :raises PolicyApprovalError: if signatures are missing or somebody else's
        """
        answer = self._ask(
            wire.ApplyPolicy,
            wire.PolicyInForce,
            document=encode_policy(policy),
            signatures=tuple(signatures),
        )
        made = _policy(answer)
        if made != policy:
            raise EnclaveMismatchError(
                "Another policy is in force than the one that was applied", got=made.version
            )
        return made

    def audit_log(self, after: int = 0) -> Iterator[AuditEntry]:
        """Yield the audit log's entries after the counter ``after``, as they are, up to now.

        The chain and every checkpoint in it are verified on the way.

        :raises AuditTamperedError: if an entry does not follow the one before
        """
        verifier: LogVerifier | None = None
        last: int | None = None
        while last is None or after < last:
            page = self._ask(wire.ReadAudit, wire.AuditPage, after=after, limit=_PAGE)
            if last is None:
                last = page.last
            if verifier is None:
                after = max(after, page.first_kept - 1)
                verifier = self._verifier(page, after)
            if not page.entries:
                return
            for data in page.entries:
                yield verifier.follow(data)
            after = verifier.counter

    def audit_tail(self, count: int = 20) -> list[AuditEntry]:
        """Return the newest entries."""
        last = self._ask(wire.ReadAudit, wire.AuditPage, after=0, limit=1).last
        return list(self.audit_log(max(0, last - count)))[-count:]

    def verify_audit_log(self) -> tuple[AuditCheckpoint, int]:
        """Verify the whole audit log; return the signed checkpoint that it leads to, and the
        counter of its first entry (1, unless old segments were removed).

        :raises AuditTamperedError: if it is not the log that the authority signs
        """
        checkpoint = self.audit_checkpoint()
        page = self._ask(wire.ReadAudit, wire.AuditPage, after=0, limit=_PAGE)
        first, after = page.first_kept, page.first_kept - 1
        verifier = self._verifier(page, after)
        while verifier.counter < checkpoint.counter:
            if not page.entries:
                raise AuditTamperedError(
                    "The audit log ends before its checkpoint",
                    got=verifier.counter,
                    expected=checkpoint.counter,
                )
            for data in page.entries:
                if verifier.counter < checkpoint.counter:
                    verifier.follow(data)
            page = self._ask(wire.ReadAudit, wire.AuditPage, after=verifier.counter, limit=_PAGE)
        if (verifier.counter, verifier.chain) != (checkpoint.counter, checkpoint.chain):
            raise AuditTamperedError(
                "The audit log does not lead to what the authority has signed",
                got=verifier.chain.hex(),
                expected=checkpoint.chain.hex(),
            )
        return checkpoint, first

    def audit_checkpoint(self) -> AuditCheckpoint:
        """Return where the audit log stands, signed by the authority (verified here)."""
        made = self._call(wire.GetCheckpoint(), wire.Checkpoint)
        if made.store_id.hex() != self._connection.enclave.store_id:
            raise EnclaveMismatchError("The checkpoint is of another store")
        checkpoint = AuditCheckpoint(
            made.store_id, made.log_id, made.counter, made.chain, made.time
        )
        require_signed_by(checkpoint.digest(), made.signature, self._connection.enclave.authority)
        return checkpoint

    def attest_key(self, key_id: str, challenge: bytes) -> tuple[KeyAttestation, bytes]:
        """Return what the authority vouches for of a key, and its signature (verified here).

        ``challenge``: 32 bytes of whoever wants to be shown the key.
        """
        made = self._ask(wire.AttestKey, wire.AttestedKey, key_id=key_id, challenge=challenge)
        statement = KeyAttestation(
            store_id=made.store_id,
            key_id=made.key_id,
            key_type=made.key_type,
            purpose=made.purpose,
            owner=made.owner,
            public_key=made.public_key,
            version=made.version,
            provenance=made.provenance,
            state=made.state,
            created_at=made.created_at,
            time=made.time,
            challenge=made.challenge,
        )
        if (made.key_id, made.challenge) != (key_id, challenge):
            raise EnclaveMismatchError("Another key, or another challenge, was attested")
        require_signed_by(statement.digest(), made.signature, self._connection.enclave.authority)
        return statement, made.signature

    def _verifier(self, page: wire.AuditPage, after: int) -> LogVerifier:
        about = self._connection.enclave
        store_id = bytes.fromhex(about.store_id)
        if after == 0 and page.chain != chain_start(store_id, page.log_id):
            raise AuditTamperedError("The audit log does not begin at its beginning")
        return LogVerifier(store_id, page.log_id, about.authority, counter=after, chain=page.chain)


def _policy(answer: wire.PolicyInForce) -> Policy:
    policy = decode_policy(answer.document)
    if policy.version != answer.version or policy_digest(policy) != answer.digest:
        raise EnclaveMismatchError("The policy is not the one of its digest", got=answer.version)
    return policy
