"""What the enclave vouches for: itself, and key bundles."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.certificate import KeyBundleCertificate
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.judgement import WORKLOAD, Expectations
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.client.answers import address, attestation_of, built, certificate_of
from xmtp_tee.client.errors import EnclaveMismatchError
from xmtp_tee.client.keys.base import EnclaveClient
from xmtp_tee.verdict import Verdict
from xmtp_tee.wire import messages as wire

if TYPE_CHECKING:
    from xmtp_tee.attestation.offline import Trust


class KeyProofs(EnclaveClient):
    """Attestations and certificates."""

    def get_attestation(
        self,
        *,
        chain_id: int,
        enclave_registry: str | bytes,
        block_number: int,
        block_hash: bytes,
        tee: TeeKind | None = None,
    ) -> Attestation:
        """Have a TEE vouch for this enclave, bound to a chain, a registry and a recent block.

        ``tee``: which, where the enclave has several (:attr:`EnclaveInfo.tees`); by default the first.

        WARNING: nothing of the quote is verified here; :meth:`verify_attestation` does.

        :raises FieldError: if an argument has the wrong length or range
        :raises EnclaveMismatchError: if the quote was made for something else than asked
        """
        operation = built(
            wire.GetAttestation,
            chain_id=chain_id,
            enclave_registry=address(enclave_registry),
            block_number=block_number,
            block_hash=block_hash,
            tee="" if tee is None else tee.label,
        )
        attestation = attestation_of(self._call(operation, wire.Quote), operation)
        self._require_own(attestation)
        return attestation

    def verify_attestation(
        self,
        attestation: Attestation,
        collateral: Collateral,
        root_ca_der: bytes,
        now: int,
        expected_workloads: Collection[bytes] | None = None,
    ) -> Verdict:
        """Verify an attestation of THIS enclave completely, under a pinned root at ``now``; or
        raise.

        To verify another enclave's, use :func:`xmtp_tee.attestation.judge.verify_attestation`.
        ``expected_workloads``: 32-byte workload ids; without them that line says ``not checked``, and the enclave
        gets no password, share or data key on this connection.

        :raises EnclaveMismatchError: if it attests another enclave than the one on this connection
        :raises InvalidEvidenceError: if it proves nothing
        :raises UnavailableError: if collateral is not in force
        :raises RefusedByPolicyError: if it is genuine, and refused
        """
        from xmtp_tee.attestation.offline import Trust

        trust = Trust(root=root_ca_der, collateral=collateral)
        return self.verify_attestation_under(
            attestation, trust, now, Expectations(expected_workloads)
        )

    def verify_attestation_under(
        self,
        attestation: Attestation,
        trust: Trust,
        now: int,
        expected: Expectations | None = None,
    ) -> Verdict:
        """Like :meth:`verify_attestation`, for a TEE of any kind: ``trust`` has what its evidence is judged by.

        :raises EnclaveMismatchError: if it attests another enclave than the one on this connection
        :raises XmtpTeeError: as :func:`xmtp_tee.attestation.offline.verify_offline`
        """
        from xmtp_tee.attestation.offline import verify_offline

        self._require_own(attestation)
        verdict = verify_offline(attestation, trust, now, expected)
        # Genuine hardware runs any code: only trusted code may have secrets.
        self._verified = verdict.passed(WORKLOAD)
        return verdict

    def certify_key_bundle(
        self,
        identity_key_id: str,
        pre_key_id: str,
        *,
        chain_id: int,
        key_registry: str | bytes,
    ) -> KeyBundleCertificate:
        """Have the authority certify a bundle for a KeyRegistry; both signatures are verified here.

        :raises KeyNotFoundError: if there is no such key
        :raises OperationNotAllowedError: if one of the keys has another purpose
        :raises PreKeyMismatchError: if the pre-key belongs to another identity key
        :raises PreKeyExpiredError: if the pre-key has expired
        :raises FieldError: if an argument has the wrong length or range
        :raises CertificateInvalidError: if what came back does not verify under this enclave's
        authority
        """
        operation = built(
            wire.CertifyKeyBundle,
            identity_key_id=identity_key_id,
            pre_key_id=pre_key_id,
            chain_id=chain_id,
            key_registry=address(key_registry),
        )
        made = self._call(operation, wire.Certificate)
        return certificate_of(made, operation, self._connection.enclave.authority)

    def _require_own(self, attestation: Attestation) -> None:
        enclave = self._connection.enclave
        if (attestation.authority, attestation.transport_key) != (
            enclave.authority,
            enclave.transport_key,
        ):
            raise EnclaveMismatchError(
                "The attestation is of another enclave than the one on this connection",
                got=checksum_address(attestation.authority),
                expected=checksum_address(enclave.authority),
            )
