"""Keeps a FreshnessAnchor contract as far as an enclave's store: one look at a time.

It stands beside the enclave and asks it like any client, so nothing that a chain does can hold the
enclave up. Before anything is anchored the enclave has to prove that its store descends from every
anchor there is: an honest keeper never moves the anchor to a fork.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from xmtp_tee.attestation.known_states import KnownState, KnownStates
from xmtp_tee.client.accounts import Sender
from xmtp_tee.client.anchor_schedule import Pace, Schedule, matters
from xmtp_tee.client.anchors import FreshnessAnchors
from xmtp_tee.client.chain import Chain, Receipt
from xmtp_tee.client.chain_errors import CallRefused, TransactionNotMined
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.wire.refusals import CallerRefusedError

_NOT_NEWER: Final = "AnchorNotNewer"


@dataclass(frozen=True, slots=True)
class Look:
    """What was found: the store's epoch, the contract's (0: none), and the transaction that was sent."""

    authority: bytes
    epoch: int
    anchored: int
    sent: Receipt | None = None

    @property
    def settled(self) -> bool:
        """Whether the contract is as far as the store was."""
        return self.anchored >= self.epoch


def anchor_once(
    keys: KeyManager,
    anchors: FreshnessAnchors,
    chain: Chain,
    sender: Sender,
    *,
    max_fee: int | None = None,
) -> Look:
    """Move the contract's anchor to the store's present state, unless it is there.

    :raises StoreRolledBackError: the store was put back behind an anchor; nothing is sent
    :raises StoreForkedError: the store descends from another past; nothing is sent
    :raises XmtpTeeError: as :meth:`FreshnessAnchors.submit`
    """
    state = keys.store_state()
    require_descent_from_all(keys, anchors, state.authority)
    newest = anchors.latest(state.authority)
    anchored = 0 if newest is None else newest.epoch
    if anchored >= state.epoch:
        return Look(state.authority, state.epoch, anchored)
    return _submit(keys, anchors, chain, sender, max_fee)


def require_descent_from_all(
    keys: KeyManager, anchors: FreshnessAnchors, authority: bytes
) -> KnownStates | None:
    """Have the enclave prove that its store descends from every anchor it ever had; return them."""
    known = anchors.all(authority)
    if known is not None:
        keys.require_descent(known)
    return known


class AnchorKeeper:
    """Looks, waits as its schedule says, and moves the anchor."""

    def __init__(
        self,
        connect: Callable[[], KeyManager],
        anchors: FreshnessAnchors,
        chain: Chain,
        sender: Sender,
        pace: Pace,
        *,
        max_fee: int | None = None,
    ) -> None:
        """``connect`` opens a connection to the enclave, anew for every look."""
        self._connect = connect
        self._anchors = anchors
        self._chain = chain
        self._sender = sender
        self._max_fee = max_fee
        self._seen: KnownStates | None = None
        self._counter = 0
        self.schedule = Schedule(pace)

    def look(self, now: float) -> Look:
        """Compare the enclave with the contract, and move the anchor if it is time. ``now``: seconds.

        :raises StoreRolledBackError: the store was put back behind an anchor
        :raises StoreForkedError: the store descends from another past
        :raises XmtpTeeError: enclave or chain do not answer (exit code 3: to be tried again), or refuse
        """
        with self._connect() as keys:
            state = keys.store_state()
            newest = self._compare(keys, state.authority)
            anchored = 0 if newest is None else newest.epoch
            if anchored >= state.epoch:
                self.schedule.settled()
            elif self._seen is None or state.epoch != self._seen.states[0].epoch:
                self.schedule.changed(now, matters=self._matters(keys))
            self._seen = state.known
            if not self.schedule.may_call(now):
                return Look(state.authority, state.epoch, anchored)
            self.schedule.called(now)
            done = _submit(keys, self._anchors, self._chain, self._sender, self._max_fee)
            self.schedule.settled()
            return done

    def _compare(self, keys: KeyManager, authority: bytes) -> KnownState | None:
        """Compare the store with every anchor at first, later with what was seen last and the newest
        anchor; return that.
        """
        newest = self._anchors.latest(authority)
        if self._seen is None:
            require_descent_from_all(keys, self._anchors, authority)
        else:
            keys.require_descent(self._seen)
            if newest is not None:
                keys.require_descent(KnownStates(authority, (newest,)))
        return newest

    def _matters(self, keys: KeyManager) -> bool:
        """Whether more than traffic has happened since the last look; yes where that cannot be told."""
        try:
            if self._seen is None:
                self._counter = max((e.counter for e in keys.audit_tail(1)), default=0)
                return True
            entries = list(keys.audit_log(self._counter))
        except CallerRefusedError:
            return True
        self._counter = max((e.counter for e in entries), default=self._counter)
        return not entries or matters(entries, self._seen.states[0].epoch)


def _submit(
    keys: KeyManager,
    anchors: FreshnessAnchors,
    chain: Chain,
    sender: Sender,
    max_fee: int | None,
) -> Look:
    if waiting := chain.unmined(sender.address):
        # One more behind it would not be mined earlier, and both would be paid for.
        raise TransactionNotMined(
            "an earlier transaction of this account is not mined yet",
            got=f"{waiting} waiting",
            expected="an account that sends nothing else, or some patience",
        )
    signed = keys.sign_anchor(chain_id=chain.chain_id, contract=anchors.address)
    try:
        receipt = anchors.submit(signed, sender, max_fee=max_fee)
    except CallRefused as error:
        if error.error_name != _NOT_NEWER:
            raise
        # Somebody else has brought the same state, or a later one.
        receipt = None
    return Look(signed.authority, signed.epoch, signed.epoch, receipt)
