"""Does the installation I talk to live in an enclave? The network's log and the registry on chain, compared.

An installation's id is its Ed25519 public key. Where a wallet of its inbox has published that very key, and
the registry trusts the enclave that certified it, the installation's private half lives in that enclave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.client.published import KeyState
from xmtp_tee.client.xmtp.errors import ConversationError
from xmtp_tee.client.xmtp.node_api import NodeApi
from xmtp_tee.xmtp.identity_log import Inbox
from xmtp_tee.xmtp.identity_logs import IdentityLogs, LogEntry

if TYPE_CHECKING:
    from xmtp_tee.client.published import PublishedKey
    from xmtp_tee.client.registry_reader import RegistryReader


class ChainPeers:
    """Asks the registry on chain; ``accept_simulated`` lets a development root count, in development only."""

    def __init__(self, reader: RegistryReader, *, accept_simulated: bool = False) -> None:
        self._reader = reader
        self._accept_simulated = accept_simulated

    def standings(
        self, addresses: Sequence[str], installations: Sequence[bytes] = ()
    ) -> dict[str, dict[bytes, str]]:
        """Return, by checksummed address, each active identity key's standing; ``trusted`` is trust.

        The registry lists active bundles alone, in one call. Of ``installations`` that are not among them it is
        asked one by one whether they were revoked.
        """
        found = self._reader.lookup_keys(addresses)
        standings = {
            owner: {key.identity_key: self._word(key) for key in keys}
            for owner, keys in found.items()
        }
        active = {key for keys in standings.values() for key in keys}
        for installation in installations:
            if installation in active:
                continue
            for owner, keys in standings.items():
                if self._reader.key_state(owner, installation) is KeyState.REVOKED:
                    keys[installation] = "revoked"
        return standings

    def _word(self, key: PublishedKey) -> str:
        from xmtp_tee.assurance import AssuranceLevel

        if key.standing.label != "trusted":
            return f"{key.standing.label}: {key.enclave_reason}".rstrip(": ")
        if key.assurance <= AssuranceLevel.SIMULATED and not self._accept_simulated:
            return "simulated"
        return "trusted"


@dataclass(frozen=True, slots=True)
class PeerInstallation:
    """An installation of a peer, and the word of the registry about it; ``no-record`` when there is none."""

    installation_id: bytes
    owner: str | None
    standing: str

    @property
    def attested(self) -> bool:
        """Whether the registry vouches that it lives in an enclave."""
        return self.standing == "trusted"


@dataclass(frozen=True, slots=True)
class PeerReport:
    """A peer's inbox, verified from its log, and all of its installations."""

    address: str
    inbox_id: str
    wallets: tuple[str, ...]
    installations: tuple[PeerInstallation, ...]


async def fetch_inbox(node: NodeApi, address: str) -> Inbox:
    """Return the inbox of a wallet, every update of its log verified.

    :raises ConversationError: the address is not on the network
    :raises XmtpDataError: the log is not what its rules demand, or the wallet is not in it
    """
    wallet = parse_address(address)
    [inbox_id] = await node.inbox_ids(["0x" + wallet.hex()])
    if inbox_id is None:
        raise ConversationError("The address is not on the XMTP network", got=address)
    logs = IdentityLogs()
    entries = (await node.identity_updates([(inbox_id, 0)])).get(inbox_id, ())
    logs.extend(inbox_id, [LogEntry(e.sequence_id, e.update or b"") for e in entries])
    inbox = logs.latest(inbox_id)
    if wallet not in inbox.wallets:
        raise ConversationError("The node names an inbox that the wallet is not in", got=inbox_id)
    return inbox


def report_on(address: str, inbox: Inbox, standings: dict[str, dict[bytes, str]]) -> PeerReport:
    """Compare an inbox with what its wallets have published."""
    wallets = tuple(checksum_address(wallet) for wallet in inbox.wallets)
    return PeerReport(
        checksum_address(parse_address(address)),
        inbox.id,
        wallets,
        tuple(_installation(key, wallets, standings) for key in inbox.installations),
    )


def _installation(
    key: bytes, wallets: Sequence[str], standings: dict[str, dict[bytes, str]]
) -> PeerInstallation:
    found = [(w, standings[w][key]) for w in wallets if key in standings.get(w, {})]
    if not found:
        return PeerInstallation(key, None, "no-record")
    owner, standing = next((each for each in found if each[1] == "trusted"), found[0])
    return PeerInstallation(key, owner, standing)
