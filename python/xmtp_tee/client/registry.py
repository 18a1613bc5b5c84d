"""Publishes what the enclave certifies, and compares chain and enclave.

:class:`RegistrySync` brings together the enclave (:class:`KeyManager`), a chain with a deployment, and the
account that sends. The owner of a bundle is the sender of its transaction, or whoever signed an intent for it, or an
agent (ERC-8004) that the sender controls.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.certificate import KeyBundleCertificate
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.client.accounts import Sender
from xmtp_tee.client.chain import Block, Chain, Receipt
from xmtp_tee.client.chain_errors import ContractRefused, SenderError
from xmtp_tee.client.comparison import judge_registration, require_verified
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.evidence_encoding import encode_evidence
from xmtp_tee.client.history.cursor import Cursor
from xmtp_tee.client.history.events import KeyEvent
from xmtp_tee.client.history.replay import RegistryState
from xmtp_tee.client.history.watch import CONFIRMATIONS, Watch
from xmtp_tee.client.intents import IntentKind, OwnerIntent
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.client.on_chain_key import OnChainKey
from xmtp_tee.client.proof import Evidence, encode_proof
from xmtp_tee.client.published import PublishedKey
from xmtp_tee.client.registry_reader import RegistryReader, address
from xmtp_tee.client.relay import Relayer, retire_enclave
from xmtp_tee.client.signing import sign_intent
from xmtp_tee.client.tee_demand import KindStanding
from xmtp_tee.verdict import Verdict

# A quote binds a block that a small reorganisation does not take away. The chain keeps at least 255 more.
QUOTED_BLOCK_DEPTH = 2
_PUBLISHING = {
    IntentKind.REGISTER: "registerKeyBundleWithAttestation",
    IntentKind.ROTATE: "rotatePreKey",
}


@dataclass(frozen=True, slots=True)
class Published:
    """A registration or rotation that was mined. ``with_quote``: the evidence was part of it.

    ``further``: the transactions that attested the enclave by further kinds of TEE, in order.
    """

    receipt: Receipt
    certificate: KeyBundleCertificate
    authority: str
    with_quote: bool
    further: tuple[Receipt, ...] = ()


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
        self,
        identity_key_id: str,
        pre_key_id: str | None = None,
        *,
        with_quote: bool | None = None,
        for_owner: Sender | None = None,
        agent_id: int | None = None,
    ) -> Published:
        """Register a bundle of the sender; ``pre_key_id`` defaults to the newest.

        With ``for_owner`` the owner signs an intent, and the sender brings and pays it. With ``agent_id`` the
        bundle is the agent's, whose handle (:meth:`RegistryReader.agent_owner`) the identity key was made for.

        The quote comes along only while the enclave is not trusted on chain yet (``with_quote`` forces
        the choice). When somebody else submits the evidence first, which anyone who sees the transaction can,
        the enclave is attested all the same and the certificate alone is sent. Any other refusal raises
        :class:`ContractRefused`, before anything is sent unless the chain moved in between.

        Where several kinds of TEE vouch for the enclave, those that do not stand on chain yet are attested too, each
        in a transaction of its own: before the registration when the enclave is attested by its first kind and lacks
        another, else after it.
        """
        certificate = self.certify(identity_key_id, pre_key_id)
        before: list[Receipt] = []
        if self.reader.enclave_standing(certificate.recover_authority())[1] == "TooFewTeeKinds":
            before = self.attest_further_on_chain()
        done = self._publish(IntentKind.REGISTER, certificate, with_quote, for_owner, agent_id)
        return replace(done, further=(*before, *self.attest_further_on_chain()))

    def rotate_pre_key_on_chain(
        self,
        identity_key_id: str,
        pre_key_id: str | None = None,
        *,
        with_quote: bool | None = None,
        for_owner: Sender | None = None,
        agent_id: int | None = None,
    ) -> Published:
        """Replace the bundle's pre-key by a newer one, by default the newest that the enclave has."""
        certificate = self.certify(identity_key_id, pre_key_id)
        return self._publish(IntentKind.ROTATE, certificate, with_quote, for_owner, agent_id)

    def attest_on_chain(self, tee: TeeKind | None = None) -> Receipt:
        """Renew the enclave's attestation with a fresh quote. Anyone may send it; no bundle changes.

        ``tee``: by which kind, where the enclave has several; by default the first. The kind that is brought first of
        all is the enclave's first kind for ever.
        """
        evidence = self.evidence(tee=tee)
        attestation = evidence.attestation
        function = self.reader.enclave_registry.functions.attest(
            checksum_address(attestation.authority),
            attestation.transport_key,
            attestation.block_number,
            evidence.encoded,
        )
        return self._chain.transact(function, self._sender)

    def attest_further_on_chain(self) -> list[Receipt]:
        """Bring the evidence of every further kind of TEE that the enclave has and that does not stand on chain."""
        info = self._keys.info()
        if not info.further_tees:
            return []
        kinds: list[KindStanding] = self.reader.kinds_of(info.authority)
        standing = {kind.tee.label for kind in kinds if kind.stands}
        return [self.attest_on_chain(tee) for tee in self.further_tees if tee.label not in standing]

    @property
    def further_tees(self) -> tuple[TeeKind, ...]:
        """The kinds of TEE that vouch for the enclave besides its first."""
        wanted = self._keys.info().further_tees
        return tuple(kind for kind in TeeKind if kind.label in wanted)

    def revoke_on_chain(
        self,
        identity_key: bytes,
        *,
        for_owner: Sender | None = None,
        agent_id: int | None = None,
    ) -> Receipt:
        """Revoke a bundle by its identity key (32 bytes), for ever: the sender's, an owner's or an agent's."""
        functions = self.reader.key_registry.functions
        if for_owner is not None:
            intent = self.revocation_intent(for_owner.address, identity_key)
            return self.relayer.submit(self.sign(intent, for_owner))
        if agent_id is not None:
            return self._chain.transact(
                functions.revokeKeyBundleForAgent(agent_id, identity_key), self._sender
            )
        return self._chain.transact(functions.revokeKeyBundle(identity_key), self._sender)

    def retire_on_chain(self, authority: str, signature: bytes) -> Receipt:
        """End an enclave's standing for ever, by its authority's signature; see :func:`relay.retire_enclave`."""
        return retire_enclave(self.reader, authority, signature, self._sender)

    # --- what owners sign --------------------------------------------------------------------------

    def publication_intent(
        self,
        kind: IntentKind,
        identity_key_id: str,
        pre_key_id: str | None = None,
        *,
        with_quote: bool | None = None,
        nonce: int | None = None,
        deadline: int | None = None,
    ) -> OwnerIntent:
        """Return what the key's owner must sign to have it registered or rotated by somebody else.

        ``nonce`` is the owner's present one by default, ``deadline`` an hour from the chain's time.
        """
        certificate = self.certify(identity_key_id, pre_key_id)
        proof, _ = self.proof(certificate, with_quote=with_quote)
        owner = checksum_address(certificate.owner)
        return OwnerIntent.publishing(
            kind,
            certificate,
            proof,
            nonce=self.reader.nonce(owner) if nonce is None else nonce,
            deadline=self.reader.deadline() if deadline is None else deadline,
        )

    def revocation_intent(
        self,
        owner: str,
        identity_key: bytes,
        *,
        nonce: int | None = None,
        deadline: int | None = None,
    ) -> OwnerIntent:
        """See :meth:`RegistryReader.revocation_intent`."""
        return self.reader.revocation_intent(owner, identity_key, nonce=nonce, deadline=deadline)

    def sign(self, intent: OwnerIntent, owner: Sender) -> OwnerIntent:
        """Return the intent with the owner's signature.

        :raises SenderError: the account is not the intent's owner
        """
        return sign_intent(intent, owner, self._chain)

    @property
    def relayer(self) -> Relayer:
        """Brings signed intents at the sender's cost: one, or registrations of many owners at once."""
        return Relayer(self._chain, self._deployment, self._sender)

    # --- reading -----------------------------------------------------------------------------------

    def lookup_keys(self, addresses: Iterable[str]) -> dict[str, list[PublishedKey]]:
        """Return the active bundles of many owners in one call; see :meth:`RegistryReader.lookup_keys`."""
        return self.reader.lookup_keys(addresses)

    def history(self, owner: str) -> list[KeyEvent]:
        """Return every change of an owner's bundles; see :meth:`RegistryReader.history`."""
        return self.reader.history(owner)

    def state_at(self, block: int, *, owner: str | None = None) -> RegistryState:
        """Return the state after a block, from events; see :meth:`RegistryReader.state_at`."""
        return self.reader.state_at(block, owner=owner)

    def watch(
        self, owner: str, *, cursor: Cursor | None = None, confirmations: int = CONFIRMATIONS
    ) -> Watch:
        """Return a watch of an owner's entry: iterate over ``run()`` or ``run_async()``, or ``poll()`` it."""
        return Watch(self.reader, address(owner), cursor=cursor, confirmations=confirmations)

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

    def evidence(self, block: Block | None = None, tee: TeeKind | None = None) -> Evidence:
        """Have the enclave attest itself for this deployment, encoded for the chain's router.

        ``tee``: by which kind, where the enclave has several; by default the first.

        A platform whose certificate the verifier knows is named by its id; a new one brings it along.
        """
        bound = recent_block(self._chain) if block is None else block
        attestation = self._keys.get_attestation(
            chain_id=self._deployment.chain_id,
            enclave_registry=self._deployment.address("EnclaveRegistry"),
            block_number=bound.number,
            block_hash=bound.hash,
            tee=tee,
        )
        evidence = encode_evidence(self._chain, self._deployment, attestation)
        return Evidence(attestation, evidence)

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
        self,
        kind: IntentKind,
        certificate: KeyBundleCertificate,
        with_quote: bool | None,
        for_owner: Sender | None,
        agent_id: int | None,
    ) -> Published:
        self._require_owner(certificate, for_owner, agent_id)
        proof, quoted = self.proof(certificate, with_quote=with_quote)
        try:
            receipt = self._send(kind, certificate, proof, for_owner, agent_id)
        except ContractRefused as refused:
            if not (quoted and refused.error_name == "AttestationNotNewer"):
                raise
            proof, quoted = self.proof(certificate, with_quote=False)
            receipt = self._send(kind, certificate, proof, for_owner, agent_id)
        authority = checksum_address(certificate.recover_authority())
        return Published(receipt, certificate, authority, quoted)

    def _require_owner(
        self, certificate: KeyBundleCertificate, for_owner: Sender | None, agent_id: int | None
    ) -> None:
        if agent_id is not None:
            if for_owner is not None:
                raise SenderError("an agent's bundle is published by its holder, not by signature")
            got, who = self.reader.agent_owner(agent_id), f"handle of agent {agent_id}"
        else:
            publisher = self._sender if for_owner is None else for_owner
            got, who = publisher.address, "sender" if for_owner is None else "signer"
        if certificate.owner != parse_address(got):
            raise SenderError(
                "a bundle is published by its owner",
                got=f"{who} {got}",
                expected=f"owner {checksum_address(certificate.owner)}",
                next_command="send from the owner's account (--keystore)",
            )

    def _send(
        self,
        kind: IntentKind,
        certificate: KeyBundleCertificate,
        proof: bytes,
        for_owner: Sender | None,
        agent_id: int | None,
    ) -> Receipt:
        if for_owner is not None:
            intent = OwnerIntent.publishing(
                kind,
                certificate,
                proof,
                nonce=self.reader.nonce(for_owner.address),
                deadline=self.reader.deadline(),
            )
            return self.relayer.submit(self.sign(intent, for_owner))
        arguments = (
            certificate.identity_key,
            certificate.pre_key,
            certificate.pre_key_signature,
            proof,
        )
        functions, name = self.reader.key_registry.functions, _PUBLISHING[kind]
        if agent_id is None:
            return self._chain.transact(getattr(functions, name)(*arguments), self._sender)
        function = getattr(functions, f"{name}ForAgent")(agent_id, *arguments)
        return self._chain.transact(function, self._sender)


def recent_block(chain: Chain) -> Block:
    """Return the block that a quote is to bind: recent, and a little below the head."""
    head = chain.block()
    return chain.block(max(head.number - QUOTED_BLOCK_DEPTH, 0))
