"""Reads the KeyRegistry: no enclave, no account, no gas. What a peer or an auditor needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.contract import Contract

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.kinds import Provenance, TeeKind
from xmtp_tee.client.abi import AbiEntry, contract_abi, error_name
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import (
    ChainUnavailable,
    NotRegistered,
    SenderError,
)
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.history.errors import HistoryBroken
from xmtp_tee.client.history.events import KeyEvent
from xmtp_tee.client.history.replay import RegistryState, ReplayedBundle
from xmtp_tee.client.history.walk import KeyHistory
from xmtp_tee.client.intents import IntentKind, OwnerIntent
from xmtp_tee.client.on_chain_key import OnChainKey, require_usable
from xmtp_tee.client.platform_state import PlatformState, read_platform
from xmtp_tee.client.published import KeyState, PublishedKey, Standing
from xmtp_tee.client.tee_demand import KindStanding, TeeDemand

# How long an intent counts unless told otherwise.
DEADLINE_SECONDS = 3600


class RegistryReader:
    """The views of one deployment. Construction refuses a node on another chain."""

    def __init__(self, chain: Chain, deployment: Deployment) -> None:
        chain.require_chain(deployment.chain_id)
        self.chain = chain
        self.deployment = deployment
        self.key_registry = self._contract("KeyRegistry")
        self.enclave_registry = self._contract("EnclaveRegistry")
        self.key_history = KeyHistory(chain, deployment)

    def lookup_keys(
        self, addresses: Iterable[str], *, block: int | None = None
    ) -> dict[str, list[PublishedKey]]:
        """Return the active bundles of many owners in one call, by checksummed address, an empty list included.

        ``block`` asks for the state of a past block, which a node keeps for a while only.
        """
        owners = list(dict.fromkeys(address(text) for text in addresses))
        if not owners:
            return {}
        answers = self.chain.read(self.key_registry.functions.lookupKeys(owners), block=block)
        if len(answers) != len(owners):
            raise ChainUnavailable(
                "lookupKeys answered for another number of owners",
                got=len(answers),
                expected=len(owners),
            )
        return {
            owner: [PublishedKey.from_answer(owner, key) for key in keys]
            for owner, keys in zip(owners, answers, strict=True)
        }

    def history(self, owner: str, *, block: int | None = None) -> list[KeyEvent]:
        """Return every change of an owner's bundles up to ``block``, oldest first, along the registry's own links.

        What the events leave is compared with what the registry shows now.

        :raises HistoryBroken: the node's events do not make one unbroken history, or not the present state
        """
        owner = address(owner)
        head = self.chain.block().number
        events = self.key_history.of_owner(owner, head)
        [shown] = self.lookup_keys([owner], block=head).values()
        require_same_state(RegistryState.of(events).active(owner), shown)
        return events if block is None else [e for e in events if e.block_number <= block]

    def state_at(self, block: int, *, owner: str | None = None) -> RegistryState:
        """Return the state after a block, rebuilt from the event log: of one owner, or of everyone.

        It needs no old state of the node, only its logs. Bundles are as published; whether an enclave was trusted
        at that time does not follow from these events.

        :raises HistoryBroken: the node's events do not make one unbroken history
        """
        if owner is not None:
            return RegistryState.of(self.history(owner, block=block))
        return RegistryState.of(self.key_history.of_everyone(last=block))

    def agent_owner(self, agent_id: int) -> str:
        """Return the handle under which an agent's bundles stand (ERC-8004 agent id), checksummed.

        :raises CallRefused: the registry was deployed without an identity registry (AgentsNotSupported)
        """
        if agent_id < 0 or agent_id >> 256:
            raise SenderError("this is no agent id", got=agent_id, expected="0 to 2**256 - 1")
        return str(self.chain.read(self.key_registry.functions.agentOwner(agent_id)))

    def nonce(self, owner: str) -> int:
        """Return the nonce that the owner's next signed intent must carry."""
        return int(self.chain.read(self.key_registry.functions.nonces(address(owner))))

    def deadline(self, seconds: int = DEADLINE_SECONDS) -> int:
        """Return a deadline for an intent: that many seconds after the chain's newest block."""
        return self.chain.block().timestamp + seconds

    def revocation_intent(
        self,
        owner: str,
        identity_key: bytes,
        *,
        nonce: int | None = None,
        deadline: int | None = None,
    ) -> OwnerIntent:
        """Return what an owner must sign to have a bundle revoked by somebody else. No enclave is asked."""
        owner = address(owner)
        return OwnerIntent(
            kind=IntentKind.REVOKE,
            chain_id=self.deployment.chain_id,
            key_registry=parse_address(self.deployment.address("KeyRegistry")),
            owner=parse_address(owner),
            identity_key=identity_key,
            nonce=self.nonce(owner) if nonce is None else nonce,
            deadline=self.deadline() if deadline is None else deadline,
        )

    def key_state(self, owner: str, identity_key: bytes) -> KeyState:
        """Return whether the owner's bundle was never there, is active, or is revoked for ever."""
        function = self.key_registry.functions.keyState(address(owner), identity_key)
        return KeyState(self.chain.read(function))

    def find(self, owner: str, identity_key: bytes) -> OnChainKey:
        """Return the bundle whatever its standing.

        :raises NotRegistered: this owner never registered this identity key
        """
        owner = address(owner)
        functions = self.key_registry.functions
        state = self.key_state(owner, identity_key)
        if state is KeyState.NONE:
            raise NotRegistered(
                "the registry holds no such bundle",
                got=f"owner {owner}, identity key 0x{identity_key.hex()}",
                expected=f"a bundle in the KeyRegistry {self.deployment.address('KeyRegistry')}",
                next_command="xmtp-tee register",
            )
        bundle = self.read("KeyRegistry", "getKeyBundle", owner, identity_key)
        standing, reason = self.chain.read(functions.isTrusted(owner, identity_key))
        authority = to_checksum_address(bundle["authority"])
        return OnChainKey(
            owner=owner,
            identity_key=identity_key,
            pre_key=bytes(bundle["preKey"]),
            authority=authority,
            epoch=int(bundle["epoch"]),
            expires_at=int(bundle["expiresAt"]),
            provenance=Provenance(bundle["provenance"]),
            state=state,
            standing=Standing(standing),
            enclave_reason=error_name(bytes(reason)) if any(reason) else "",
            assurance=self.assurance_of(authority),
            platform=self.platform_of(authority),
        )

    def get_on_chain_key(self, owner: str, identity_key: bytes) -> OnChainKey:
        """Return the bundle if it may be relied on now.

        :raises NotRegistered: there is none
        :raises KeyRevoked: the owner revoked it
        :raises AgentTransferred: it is an agent's, and the agent has another holder since
        :raises KeyExpired: its pre-key has expired
        :raises EnclaveUntrusted: the enclave behind it is not trusted now
        """
        key = self.find(owner, identity_key)
        require_usable(key)
        return key

    def keys_of(self, owner: str) -> list[OnChainKey]:
        """Return every bundle that the owner ever registered, in order of registration."""
        owner = address(owner)
        bundles = RegistryState.of(self.key_history.of_owner(owner)).bundles(owner)
        return [self.find(owner, bundle.identity_key) for bundle in bundles]

    def find_identity_key(self, identity_key: bytes) -> list[OnChainKey]:
        """Return the bundles of an identity key, whoever registered it."""
        events = self.key_history.of_identity_key(identity_key)
        return [self.find(owner, identity_key) for owner in dict.fromkeys(e.owner for e in events)]

    def pre_key_signature(self, key: OnChainKey) -> bytes:
        """Return the 64-byte signature over the bundle's present pre-key, from the event log.

        :raises NotRegistered: no event announces this pre-key
        """
        return self.published_signature(key.owner, key.identity_key, key.pre_key)

    def published_signature(self, owner: str, identity_key: bytes, pre_key: bytes) -> bytes:
        """Return the 64-byte signature that was published with a pre-key of an owner (checksummed).

        :raises NotRegistered: no event announces this pre-key
        """
        head = self.chain.block().number
        change = self.key_history.last_change(owner, block=head)
        for event in self.key_history.newest_first(owner, change, head):
            terms = event.terms
            if event.identity_key == identity_key and terms and terms.pre_key == pre_key:
                return terms.pre_key_signature
        raise NotRegistered(
            "no event of the registry announces this pre-key",
            got="0x" + pre_key.hex(),
            expected=f"an event since block {self.deployment.deployed_at_block}",
            cause="the node does not keep old logs, or the deployment file names a later block",
        )

    def enclave_standing(self, authority: bytes) -> tuple[bool, str]:
        """Return whether the authority (20 bytes) is trusted now, and if not the error's name."""
        trusted, reason = self.chain.read(
            self.enclave_registry.functions.standing(checksum_address(authority))
        )
        return bool(trusted), error_name(bytes(reason)) if any(reason) else ""

    def tee_demand(self) -> TeeDemand:
        """Return how many of which kinds of TEE the policy demands behind an enclave."""
        policy = self._contract("EnclavePolicy")
        return TeeDemand.of(*self.chain.read(policy.functions.teeDemand()))

    def kinds_of(self, authority: str) -> list[KindStanding]:
        """Return the authority's attestations by kind of TEE, each judged by itself now; the first one first."""
        known = to_checksum_address(authority)
        first = TeeKind(self.read("EnclaveRegistry", "enclave", known)["tee"])
        kinds = sorted(
            (kind for kind in TeeKind if kind is not TeeKind.NONE), key=lambda kind: kind != first
        )
        members = _members("EnclaveRegistry", "attestation")
        found = []
        for kind in kinds:
            record, reason = self.chain.read(
                self.enclave_registry.functions.attestation(known, int(kind))
            )
            values = dict(zip(members, record, strict=True))
            if TeeKind(values["tee"]) is TeeKind.NONE:
                continue
            found.append(
                KindStanding(
                    tee=kind,
                    workload=bytes(values["workload"]),
                    platform=bytes(values["platform"]),
                    expires_at=int(values["expiresAt"]),
                    reason=error_name(bytes(reason)) if any(reason) else "",
                )
            )
        return found

    def platform_of(self, authority: str) -> PlatformState:
        """Return how the platform of this authority's recorded attestation stands now."""
        record = self.read("EnclaveRegistry", "enclave", to_checksum_address(authority))
        return read_platform(
            self.chain,
            self.deployment,
            TeeKind(record["tee"]),
            bytes(record["platform"]),
            bytes(record["workload"]),
        )

    def assurance_of(self, authority: str) -> AssuranceLevel:
        """Return the most that may be claimed of bundles that this authority certified."""
        function = self.enclave_registry.functions.assuranceOf(to_checksum_address(authority))
        return AssuranceLevel(self.chain.read(function))

    def read(self, contract: str, function: str, *args: object) -> dict[str, Any]:
        """Call a view that returns one struct, and return its members by name."""
        instance = self.key_registry if contract == "KeyRegistry" else self.enclave_registry
        values = self.chain.read(getattr(instance.functions, function)(*args))
        return dict(zip(_members(contract, function), values, strict=True))

    def _contract(self, name: str) -> Contract:
        return self.chain.contract(name, self.deployment.address(name))


def require_same_state(replayed: list[ReplayedBundle], shown: list[PublishedKey]) -> None:
    """Raise :class:`HistoryBroken` unless the replay's active bundles are those that the registry shows."""
    mine = [(b.identity_key, b.terms.pre_key, b.terms.epoch, b.terms.authority) for b in replayed]
    theirs = [(key.identity_key, key.pre_key, key.epoch, key.authority) for key in shown]
    if mine != theirs:
        raise HistoryBroken(
            "the events do not lead to the state that the registry shows",
            got=", ".join(f"0x{key.hex()} epoch {epoch}" for key, _, epoch, _ in mine) or "nothing",
            expected=", ".join(f"0x{key.hex()} epoch {epoch}" for key, _, epoch, _ in theirs)
            or "nothing",
            cause="the node leaves events out",
        )


def address(text: str) -> str:
    """Return an address checksummed; raise on anything else."""
    if not Web3.is_address(text):
        raise SenderError("this is not an address", got=text[:60], expected="0x and 40 hex digits")
    return str(to_checksum_address(text))


def _members(contract: str, function: str) -> list[str]:
    entry: AbiEntry = next(
        entry
        for entry in contract_abi(contract)
        if entry["type"] == "function" and entry["name"] == function
    )
    return [component["name"] for component in entry["outputs"][0]["components"]]
