"""Publishes what the enclave certifies, and compares chain and enclave.

:class:`RegistrySync` brings together the enclave (:class:`KeyManager`), a chain with a deployment, and the
account that sends. The owner of a bundle is the sender of its transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.certificate import KeyBundleCertificate
from xmtp_tee.client.accounts import Sender
from xmtp_tee.client.chain import Block, Chain, Receipt
from xmtp_tee.client.chain_errors import ContractRefused, SenderError
from xmtp_tee.client.collateral import CollateralSync
from xmtp_tee.client.comparison import judge_registration, require_verified
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.client.proof import Evidence, encode_proof
from xmtp_tee.client.registry_reader import OnChainKey, RegistryReader
from xmtp_tee.verdict import Verdict

# A quote binds a block that a small reorganisation does not take away. The chain keeps at least 255 more.
CONFIRMATIONS = 2


@dataclass(frozen=True, slots=True)
class Published:
    """A registration or rotation that was mined. ``with_quote``: the evidence was part of it."""

    receipt: Receipt
    certificate: KeyBundleCertificate
    authority: str
    with_quote: bool


class RegistrySync:
    """Keeps a registry in step with an enclave.

    :raises WrongChain: the node is on another chain than the deployment, before any gas is spent
    """

    def __init__(
        self, chain: Chain, deployment: Deployment, keys: KeyManager, sender: Sender
    ) -> None:
        self.reader = RegistryReader(chain, deployment)
        self._chain = chain
        self._deployment = deployment
        self._keys = keys
        self._sender = sender

    def register_on_chain(
        self, identity_key_id: str, pre_key_id: str | None = None, *, with_quote: bool | None = None
    ) -> Published:
        """Register a bundle of the sender; ``pre_key_id`` defaults to the newest.

        The quote comes along only while the enclave is not trusted on chain yet (``with_quote`` forces
        the choice). When somebody else submits the evidence first, which anyone who sees the transaction can,
        the enclave is attested all the same and the certificate alone is sent. Any other refusal raises
        :class:`ContractRefused`, before anything is sent unless the chain moved in between.
        """
        return self._publish(
            "registerKeyBundleWithAttestation", identity_key_id, pre_key_id, with_quote
        )

    def rotate_pre_key_on_chain(
        self, identity_key_id: str, pre_key_id: str | None = None, *, with_quote: bool | None = None
    ) -> Published:
        """Replace the bundle's pre-key by a newer one, by default the newest that the enclave has."""
        return self._publish("rotatePreKey", identity_key_id, pre_key_id, with_quote)

    def attest_on_chain(self) -> Receipt:
        """Renew the enclave's attestation with a fresh quote. Anyone may send it; no bundle changes."""
        evidence = self.evidence()
        attestation = evidence.attestation
        function = self.reader.enclave_registry.functions.attest(
            checksum_address(attestation.authority),
            attestation.transport_key,
            attestation.block_number,
            evidence.encoded,
        )
        return self._chain.transact(function, self._sender)

    def revoke_on_chain(self, identity_key: bytes) -> Receipt:
        """Revoke the sender's bundle of this identity key (32 bytes), for ever."""
        function = self.reader.key_registry.functions.revokeKeyBundle(identity_key)
        return self._chain.transact(function, self._sender)

    def get_on_chain_key(self, owner: str, identity_key: bytes) -> OnChainKey:
        """Return the bundle if it may be relied on now; see :meth:`RegistryReader.get_on_chain_key`."""
        return self.reader.get_on_chain_key(owner, identity_key)

    def verify_registration(
        self, owner: str, identity_key: bytes, *, accept_simulated: bool = False
    ) -> Verdict:
        """Compare every field of the chain's bundle with the enclave's; return the verdict.

        :raises NotRegistered: there is nothing to compare
        :raises RegistrationMismatch: a field differs
        :raises RegistrationRefused: it is genuine, and revoked, expired, untrusted or simulated
        """
        verdict = judge_registration(
            self.reader, owner, identity_key, keys=self._keys, accept_simulated=accept_simulated
        )
        require_verified(verdict)
        return verdict

    def evidence(self, block: Block | None = None) -> Evidence:
        """Have the enclave attest itself for this deployment, encoded for the chain's router.

        A platform whose certificate the verifier knows is named by its id; a new one brings it along.
        """
        bound = recent_block(self._chain) if block is None else block
        attestation = self._keys.get_attestation(
            chain_id=self._deployment.chain_id,
            enclave_registry=self._deployment.address("EnclaveRegistry"),
            block_number=bound.number,
            block_hash=bound.hash,
        )
        collateral = CollateralSync(self._chain, self._deployment)
        return Evidence(attestation, collateral.encode_quote(attestation.quote))

    def proof(
        self, certificate: KeyBundleCertificate, *, with_quote: bool | None = None
    ) -> tuple[bytes, bool]:
        """Return the encoded ``attestationProof`` for a certificate, and whether it carries evidence."""
        authority = certificate.recover_authority()
        if with_quote is None:
            with_quote = not self.reader.enclave_standing(authority)[0]
        evidence = self.evidence() if with_quote else None
        return encode_proof(certificate, authority, evidence), with_quote

    def certify(self, identity_key_id: str, pre_key_id: str | None = None) -> KeyBundleCertificate:
        """Have the enclave certify a bundle for this deployment's KeyRegistry."""
        if pre_key_id is None:
            pre_keys = self._keys.get_pre_keys(identity_key_id)
            newest = max(pre_keys, key=lambda pre_key: pre_key.epoch, default=None)
            if newest is None:
                newest = self._keys.generate_pre_key(identity_key_id)
            pre_key_id = newest.id
        return self._keys.certify_key_bundle(
            identity_key_id,
            pre_key_id,
            chain_id=self._deployment.chain_id,
            key_registry=self._deployment.address("KeyRegistry"),
        )

    def _publish(
        self, function: str, identity_key_id: str, pre_key_id: str | None, with_quote: bool | None
    ) -> Published:
        certificate = self.certify(identity_key_id, pre_key_id)
        if certificate.owner != parse_address(self._sender.address):
            raise SenderError(
                "a bundle is published by its owner",
                got=f"sender {self._sender.address}",
                expected=f"owner {checksum_address(certificate.owner)}",
                next_command="send from the owner's account (--keystore)",
            )
        proof, quoted = self.proof(certificate, with_quote=with_quote)
        try:
            receipt = self._send(function, certificate, proof)
        except ContractRefused as refused:
            if not (quoted and refused.error_name == "AttestationNotNewer"):
                raise
            proof, quoted = self.proof(certificate, with_quote=False)
            receipt = self._send(function, certificate, proof)
        authority = checksum_address(certificate.recover_authority())
        return Published(receipt, certificate, authority, quoted)

    def _send(self, function: str, certificate: KeyBundleCertificate, proof: bytes) -> Receipt:
        call = getattr(self.reader.key_registry.functions, function)(
            certificate.identity_key,
            certificate.pre_key,
            certificate.pre_key_signature,
            proof,
        )
        return self._chain.transact(call, self._sender)


def recent_block(chain: Chain) -> Block:
    """Return the block that a quote is to bind: recent, and a little below the head."""
    head = chain.block()
    return chain.block(max(head.number - CONFIRMATIONS, 0))
