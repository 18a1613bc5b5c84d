"""The FreshnessAnchor contract: what it has of an enclave's store, and moving it on."""

from __future__ import annotations

from typing import Final

from web3 import Web3

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.known_states import KnownState, KnownStates
from xmtp_tee.client.abi import contract_abi
from xmtp_tee.client.accounts import Sender
from xmtp_tee.client.chain import Chain, Receipt
from xmtp_tee.client.chain_errors import AnchorMissing, DeploymentInvalid, LogMalformed
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.keys.state import SignedAnchor
from xmtp_tee.client.log_search import find_logs
from xmtp_tee.client.logs import decode_log, event_entry, topic_of

CONTRACT: Final = "FreshnessAnchor"

GAS_LIMIT: Final = 100_000
"""More than a call ever takes: the first of an authority writes an empty word."""


def contract_of(deployment: Deployment) -> str:
    """Return the contract's address.

    :raises DeploymentInvalid: if the deployment has none
    """
    address = deployment.contracts.get(CONTRACT)
    if address is None:
        raise DeploymentInvalid(f"the deployment has no {CONTRACT}", next_command="ape run deploy")
    return address


def calldata(anchor: SignedAnchor) -> bytes:
    """Return the call of ``FreshnessAnchor.anchor``, for who sends it by other means."""
    contract = Web3().eth.contract(abi=contract_abi(CONTRACT))
    return bytes.fromhex(contract.encode_abi("anchor", args=_arguments(anchor)).removeprefix("0x"))


def _arguments(anchor: SignedAnchor) -> list[object]:
    authority = Web3.to_checksum_address(anchor.authority)
    return [authority, anchor.epoch, anchor.chain, anchor.signature]


class FreshnessAnchors:
    """One deployment's FreshnessAnchor."""

    def __init__(self, chain: Chain, deployment: Deployment) -> None:
        """Find the contract.

        :raises DeploymentInvalid: if the deployment has none
        """
        self._chain = chain
        self._deployed_at = deployment.deployed_at_block
        self._contract = chain.contract(CONTRACT, contract_of(deployment))
        self.address: str = self._contract.address

    def latest(self, authority: bytes, *, block: int | None = None) -> KnownState | None:
        """Return the newest anchor of an authority (20 bytes), None if there is none (at ``block``)."""
        function = self._contract.functions.latest(checksum_address(authority))
        epoch, chain = self._chain.read(function, block=block)
        return KnownState(int(epoch), bytes(chain)) if epoch else None

    def all(self, authority: bytes) -> KnownStates | None:
        """Return every anchor that an authority ever had, oldest first, None if there is none.

        The newest alone does not show that a fork was anchored over another branch: the older ones do.

        :raises LogMalformed: if the node's events do not lead to what the contract says
        """
        entry = event_entry(CONTRACT, "Anchored")
        head = self._chain.block().number
        topics = [topic_of(entry), bytes(12) + authority]
        logs = find_logs(self._chain, self.address, topics, self._deployed_at, head)
        found = [decode_log(entry, log) for log in logs]
        states = tuple(KnownState(int(each["epoch"]), bytes(each["chain"])) for each in found)
        newest = self.latest(authority, block=head)
        if list(states) != sorted(states) or (newest is not None and newest not in states):
            raise LogMalformed(
                "the node leaves anchors out, or shows them out of order",
                got=f"{len(states)} events, the last at epoch {states[-1].epoch if states else 0}",
                expected=f"the contract's anchor at epoch {newest.epoch if newest else 0} among them",
            )
        return KnownStates(authority, states) if states else None

    def require_all(self, authority: bytes) -> KnownStates:
        """Return every anchor of an authority, oldest first; there must be one.

        :raises AnchorMissing: if there is none
        """
        found = self.all(authority)
        if found is None:
            raise AnchorMissing(
                "no state of this enclave's store is anchored",
                got=checksum_address(authority),
                next_command="xmtp-tee anchor submit",
            )
        return found

    def submit(
        self, anchor: SignedAnchor, sender: Sender, *, max_fee: int | None = None
    ) -> Receipt:
        """Bring an anchor to the contract, for at most ``GAS_LIMIT`` gas at ``max_fee`` wei a unit.

        :raises CallRefused: ``AnchorNotNewer``: the contract is as far already; nothing was spent
        :raises FeeTooHigh: gas is dearer now
        """
        function = self._contract.functions.anchor(*_arguments(anchor))
        return self._chain.transact(function, sender, gas=GAS_LIMIT, max_fee=max_fee)
