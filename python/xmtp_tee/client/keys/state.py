"""How far the enclave's store has come, signed; what others may hold against it; its way in for a safe."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.freshness import anchor_digest
from xmtp_tee.attestation.known_states import KnownState, KnownStates
from xmtp_tee.attestation.statements import require_signed_by
from xmtp_tee.client.answers import address
from xmtp_tee.client.errors import EnclaveMismatchError
from xmtp_tee.client.freshness import proven
from xmtp_tee.client.keys.base import EnclaveClient
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.store_faults import StoreForkedError


@dataclass(frozen=True, slots=True)
class StoreState:
    """The store ``store_id`` (16 bytes) of ``authority`` (20) is at ``epoch``, with ``chain`` (32).

    ``signature``: the authority's, 65 bytes, over a ``FreshnessStatement`` with ``nonce`` (32), and
    with nothing in ``since``.
    """

    authority: bytes
    store_id: bytes
    epoch: int
    chain: bytes
    nonce: bytes
    signature: bytes

    @property
    def known(self) -> KnownStates:
        """The state as something to hold against the enclave later."""
        return KnownStates(self.authority, (KnownState(self.epoch, self.chain),))


@dataclass(frozen=True, slots=True)
class SignedAnchor:
    """What ``FreshnessAnchor.anchor`` takes, for one contract on one chain. ``chain``: 24 bytes."""

    chain_id: int
    contract: bytes
    authority: bytes
    epoch: int
    chain: bytes
    signature: bytes


class KeyStoreState(EnclaveClient):
    """The state of the store as a whole."""

    def store_state(self) -> StoreState:
        """Return the present state of the store; its signature and nonce are verified here."""
        enclave = self._connection.enclave
        answer = proven(enclave.authority, enclave.store_id, None, self._ask_freshness)
        return StoreState(
            enclave.authority,
            answer.store_id,
            answer.epoch,
            answer.chain,
            answer.nonce,
            answer.signature,
        )

    def require_descent(self, known: KnownStates) -> int:
        """Have the enclave prove that its store descends from states that others have seen; return its epoch.

        :raises StoreRolledBackError: if the store was put back behind one
        :raises StoreForkedError: if it descends from another past, or they are of another enclave
        """
        enclave = self._connection.enclave
        if known.authority != enclave.authority:
            raise StoreForkedError("The known states are of another enclave")
        epoch = 0
        for state in known.states:
            earlier = (state.epoch, state.chain)
            answer = proven(enclave.authority, enclave.store_id, earlier, self._ask_freshness)
            epoch = answer.epoch
        return epoch

    def sign_anchor(self, *, chain_id: int, contract: str | bytes) -> SignedAnchor:
        """Have the present state signed for a FreshnessAnchor contract; the signature is verified here.

        :raises FieldError: if an argument has the wrong length or range
        :raises EnclaveMismatchError: if the answer speaks of another enclave
        """
        place = address(contract)
        made = self._ask(wire.SignAnchor, wire.Anchor, chain_id=chain_id, contract=place)
        authority = self._connection.enclave.authority
        if made.authority != authority:
            raise EnclaveMismatchError("The anchor is of another enclave")
        digest = anchor_digest(chain_id, place, authority, made.epoch, made.chain)
        require_signed_by(digest, made.signature, authority)
        return SignedAnchor(chain_id, place, authority, made.epoch, made.chain, made.signature)

    def export_recovery(self, recipient: bytes) -> None:
        """Have the store key sealed to an X25519 public key (32 bytes) that the policy names in
        ``store.recovery``, and kept in the store.

        WARNING: its private half and a copy of the database are together every key in the store.

        :raises SuccessorRefusedError: if the policy does not name it
        """
        self._ask(wire.ExportRecovery, wire.WrapAccepted, recipient=recipient)

    def _ask_freshness(self, ask: wire.GetFreshness) -> wire.Freshness:
        return self._call(ask, wire.Freshness)
