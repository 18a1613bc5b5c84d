"""Brings what owners signed to the chain: one intent, or registrations of many owners in few transactions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from web3.contract.contract import ContractFunction

from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.retirement import require_retirement_signed
from xmtp_tee.client.accounts import Sender
from xmtp_tee.client.batch_plan import (
    TRANSACTION_GAS_LIMIT,
    brings_evidence,
    plan,
    require_fits,
)
from xmtp_tee.client.chain import Chain, Receipt
from xmtp_tee.client.chain_errors import ContractRefused
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.intents import IntentInvalid, IntentKind, OwnerIntent
from xmtp_tee.client.registry_reader import RegistryReader
from xmtp_tee.client.revert import NO_REASON, decode_revert
from xmtp_tee.errors import XmtpTeeError

# An entry that had too little gas is sent again, in batches with so many times more for each.
_GENEROSITY = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one entry: registered in ``receipt``'s transaction, or not, for ``refusal``.

    A refusal is the contract's (``ContractRefused``); or the entry fits no transaction (``IntentInvalid``); or the
    chain was lost after other entries had been registered (``UnavailableError``), and it may come to be registered.
    """

    intent: OwnerIntent
    receipt: Receipt | None
    refusal: XmtpTeeError | None

    @property
    def done(self) -> bool:
        """Whether the bundle is registered."""
        return self.refusal is None

    @property
    def reason(self) -> str | None:
        """The refusal in words; None if the bundle is registered."""
        if isinstance(self.refusal, ContractRefused):
            return self.refusal.text
        return None if self.refusal is None else str(self.refusal)

    def as_dict(self) -> dict[str, object]:
        """Return the outcome as ``--json`` prints it."""
        return {
            "owner": checksum_address(self.intent.owner),
            "identity_key": "0x" + self.intent.identity_key.hex(),
            "done": self.done,
            "transaction": None if self.receipt is None else self.receipt.transaction,
            "refusal": None if self.refusal is None else self.refusal.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class BatchReport:
    """The outcomes in the order of the intents, and the transactions that were needed."""

    outcomes: tuple[Outcome, ...]
    receipts: tuple[Receipt, ...]

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """The entries that were not registered."""
        return tuple(outcome for outcome in self.outcomes if not outcome.done)

    @property
    def gas_used(self) -> int:
        """The gas of all transactions."""
        return sum(receipt.gas_used for receipt in self.receipts)


class Relayer:
    """Sends what others signed, at the sender's cost. It can change nothing of what they signed."""

    def __init__(self, chain: Chain, deployment: Deployment, sender: Sender) -> None:
        chain.require_chain(deployment.chain_id)
        self._chain = chain
        self._deployment = deployment
        self._sender = sender
        self._registry = chain.contract("KeyRegistry", deployment.address("KeyRegistry"))

    def submit(self, intent: OwnerIntent) -> Receipt:
        """Bring one signed intent. A refusal costs nothing: it is rehearsed first.

        When the enclave has been attested in the meantime, the certificate goes alone.

        :raises IntentInvalid: unsigned, of another deployment, or not certified
        :raises ContractRefused: the registry refuses it
        """
        self._require_mine(intent)
        try:
            return self._chain.transact(self._call(intent), self._sender)
        except ContractRefused as refused:
            if refused.error_name != "AttestationNotNewer" or not brings_evidence(intent):
                raise
        return self._chain.transact(self._call(intent.without_evidence()), self._sender)

    def register_all(self, intents: Sequence[OwnerIntent]) -> BatchReport:
        """Register many owners' bundles in as few transactions as the gas limit allows.

        Each entry stands for itself: what the registry refuses, or what fits no transaction, is in the report, with
        its reason, and stops no other. What is refused already in the rehearsal is not sent. Once something was
        registered, a failure of the chain is in the report too, for the entries that it left open.

        :raises IntentInvalid: an intent is no registration, unsigned, of another deployment, or not certified
        :raises XmtpTeeError: the chain fails, or refuses a batch as a whole, before anything was registered
        """
        for intent in intents:
            if intent.kind is not IntentKind.REGISTER:
                raise IntentInvalid(
                    "a batch takes registrations only", got=intent.kind.value, expected="register"
                )
            self._require_mine(intent)
        outcomes: dict[int, Outcome] = {}
        receipts: list[Receipt] = []
        try:
            for places, gas in _rounds(intents, outcomes):
                receipts += self._register_batch(intents, places, gas, outcomes)
        except XmtpTeeError as lost:
            if not receipts:
                raise
            for place in places:
                outcomes[place] = Outcome(intents[place], None, lost)
            for place, intent in enumerate(intents):
                outcomes.setdefault(place, Outcome(intent, None, lost))
        ordered = tuple(outcomes[place] for place in range(len(intents)))
        return BatchReport(ordered, tuple(receipts))

    def cancel_signatures(self) -> Receipt:
        """Void everything that the sender has signed and that was not brought yet."""
        return self._chain.transact(self._registry.functions.cancelSignatures(), self._sender)

    def _require_mine(self, intent: OwnerIntent) -> None:
        here = (self._deployment.chain_id, parse_address(self._deployment.address("KeyRegistry")))
        if (intent.chain_id, intent.key_registry) != here:
            raise IntentInvalid(
                "the intent is for another deployment",
                got=f"chain id {intent.chain_id}, registry {checksum_address(intent.key_registry)}",
                expected=f"chain id {here[0]}, registry {checksum_address(here[1])}",
            )
        if not intent.signature:
            raise IntentInvalid("the intent is not signed", next_command="xmtp-tee intent sign")
        intent.require_certified()

    def _call(self, intent: OwnerIntent) -> ContractFunction:
        function: ContractFunction = getattr(self._registry.functions, intent.function)
        return function(*intent.arguments)

    def _batch_call(self, intents: Sequence[OwnerIntent]) -> ContractFunction:
        return self._registry.functions.registerKeyBundles([intent.arguments for intent in intents])

    def _register_batch(
        self,
        intents: Sequence[OwnerIntent],
        places: Sequence[int],
        gas: int,
        outcomes: dict[int, Outcome],
    ) -> list[Receipt]:
        """Send what of a batch is not refused already; note the outcomes; return the transaction, if any."""
        refused = self._rehearse([intents[place] for place in places], gas)
        for index, refusal in refused.items():
            outcomes[places[index]] = Outcome(intents[places[index]], None, refusal)
        going = [place for index, place in enumerate(places) if index not in refused]
        if not going:
            return []
        receipt = self._send([intents[place] for place in going], gas)
        missed = self._refusals(receipt)
        for index, place in enumerate(going):
            outcomes[place] = Outcome(intents[place], receipt, missed.get(index))
        return [receipt]

    def _rehearse(self, entries: Sequence[OwnerIntent], gas: int) -> dict[int, ContractRefused]:
        """Return what the registry refuses of a batch now, with the reasons."""
        done = self._chain.rehearse(self._batch_call(entries), self._sender.address, gas=gas)
        refused: dict[int, ContractRefused] = {}
        for index, (entry, accepted) in enumerate(zip(entries, done, strict=True)):
            if accepted:
                continue
            try:
                self._chain.rehearse(self._call(entry), self._sender.address)
            except ContractRefused as reason:
                refused[index] = reason
            # What passes by itself fails because of the entries before it; the mined batch says why.
        return refused

    def _send(self, intents: Sequence[OwnerIntent], gas: int) -> Receipt:
        # An estimate would find the least gas at which the batch runs, and with it refuse every entry.
        return self._chain.transact(
            self._batch_call(intents), self._sender, gas=gas, rehearse=False
        )

    def _refusals(self, receipt: Receipt) -> dict[int, ContractRefused]:
        found = self._chain.events(self._registry, "RegistrationRefused", receipt)
        return {
            int(args["index"]): decode_revert(
                bytes(args["reason"]), transaction=receipt.transaction
            )
            for args in found
        }


def retire_enclave(
    reader: RegistryReader, authority: str, signature: bytes, sender: Sender
) -> Receipt:
    """End an enclave's standing for ever, by its authority's signature (65 bytes); anyone may bring it.

    :raises CertificateSignerMismatchError: the signature is not this authority's over its retirement
    """
    where = reader.deployment
    require_retirement_signed(
        where.chain_id,
        parse_address(where.address("EnclaveRegistry")),
        parse_address(authority),
        signature,
    )
    function = reader.enclave_registry.functions.retire(authority, signature)
    return reader.chain.transact(function, sender)


def _rounds(
    intents: Sequence[OwnerIntent], outcomes: dict[int, Outcome]
) -> Iterator[tuple[list[int], int]]:
    """Yield the places of each transaction to be sent, and its gas limit; a starved entry comes again with more gas.

    Notes what fits no transaction; the caller notes the outcomes of a batch before it takes the next one.
    """
    pending = []
    for place, intent in enumerate(intents):
        try:
            require_fits(intent)
        except IntentInvalid as too_large:
            outcomes[place] = Outcome(intent, None, too_large)
        else:
            pending.append(place)
    for generosity in _GENEROSITY:
        again = []
        for batch in plan([intents[place] for place in pending], generosity=generosity):
            places = [pending[index] for index in batch.places]
            yield places, batch.gas
            # Who had a whole transaction gets no more: the refusal stands.
            if len(places) > 1 or batch.gas < TRANSACTION_GAS_LIMIT - 1:
                again += [place for place in places if _starved(outcomes[place])]
        pending = again


def _starved(outcome: Outcome) -> bool:
    """Whether an entry was refused on chain for want of gas alone: then no reason comes back."""
    refusal = outcome.refusal
    mined = outcome.receipt is not None
    return mined and isinstance(refusal, ContractRefused) and refusal.error_name == NO_REASON
