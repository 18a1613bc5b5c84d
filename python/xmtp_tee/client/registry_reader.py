"""Reads the KeyRegistry: no enclave, no account, no gas. What a peer or an auditor needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.contract import Contract
from web3.types import EventData

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.kinds import Provenance, TeeKind
from xmtp_tee.client.abi import AbiEntry, contract_abi, error_name
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import (
    EnclaveUntrusted,
    KeyExpired,
    KeyRevoked,
    NotRegistered,
    SenderError,
)
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.platform_state import PlatformState, read_platform
from xmtp_tee.client.reasons import in_words


class KeyState(IntEnum):
    """A bundle's life: never there, active, revoked for ever. The values are the contract's."""

    NONE = 0
    ACTIVE = 1
    REVOKED = 2


class Standing(IntEnum):
    """What the registry says of a bundle now; the first that holds. The values are the contract's."""

    NONE = 0
    REVOKED = 1
    ENCLAVE_NOT_TRUSTED = 2
    PRE_KEY_EXPIRED = 3
    TRUSTED = 4


@dataclass(frozen=True, slots=True)
class OnChainKey:
    """A bundle as the chain has it. Keys are 32 bytes, times unix seconds, addresses checksummed.

    ``enclave_reason`` names the error that the enclave's trust fails with, empty when it does not. ``platform`` is
    how the platform under the enclave stands now, whatever the enclave's standing.
    """

    owner: str
    identity_key: bytes
    pre_key: bytes
    authority: str
    epoch: int
    expires_at: int
    provenance: Provenance
    state: KeyState
    standing: Standing
    enclave_reason: str
    assurance: AssuranceLevel
    platform: PlatformState

    def as_dict(self) -> dict[str, object]:
        """Return the bundle as ``--json`` prints it."""
        return {
            "owner": self.owner,
            "identity_key": "0x" + self.identity_key.hex(),
            "pre_key": "0x" + self.pre_key.hex(),
            "authority": self.authority,
            "epoch": self.epoch,
            "expires_at": self.expires_at,
            "provenance": self.provenance.label,
            "state": self.state.name.lower(),
            "standing": self.standing.name.lower().replace("_", "-"),
            "enclave_reason": self.enclave_reason or None,
            "enclave_reason_in_words": in_words(self.enclave_reason) or None,
            "platform": self.platform.as_dict(),
            "level": self.assurance.label,
        }


class RegistryReader:
    """The views of one deployment. Construction refuses a node on another chain."""

    def __init__(self, chain: Chain, deployment: Deployment) -> None:
        chain.require_chain(deployment.chain_id)
        self.chain = chain
        self.deployment = deployment
        self.key_registry = self._contract("KeyRegistry")
        self.enclave_registry = self._contract("EnclaveRegistry")

    def find(self, owner: str, identity_key: bytes) -> OnChainKey:
        """Return the bundle whatever its standing.

        :raises NotRegistered: this owner never registered this identity key
        """
        owner = address(owner)
        functions = self.key_registry.functions
        state = KeyState(self.chain.read(functions.keyState(owner, identity_key)))
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
        :raises KeyExpired: its pre-key has expired
        :raises EnclaveUntrusted: the enclave behind it is not trusted now
        """
        key = self.find(owner, identity_key)
        require_usable(key)
        return key

    def keys_of(self, owner: str) -> list[OnChainKey]:
        """Return every bundle that the owner ever registered, in order of registration."""
        owner = address(owner)
        found = self._registrations({"owner": owner})
        return [self.find(owner, identity_key) for _, identity_key in found]

    def find_identity_key(self, identity_key: bytes) -> list[OnChainKey]:
        """Return the bundles of an identity key, whoever registered it."""
        found = self._registrations({"identityKey": identity_key})
        return [self.find(owner, key) for owner, key in found]

    def pre_key_signature(self, key: OnChainKey) -> bytes:
        """Return the 64-byte signature over the bundle's present pre-key, from the event log.

        :raises NotRegistered: no event announces this pre-key
        """
        filters = {"owner": key.owner, "identityKey": key.identity_key}
        for name in ("PreKeyRotated", "KeyBundleRegistered"):
            for event in reversed(self._logs(name, filters)):
                if bytes(event["args"]["preKey"]) == key.pre_key:
                    return bytes(event["args"]["preKeySignature"])
        raise NotRegistered(
            "no event of the registry announces this pre-key",
            got="0x" + key.pre_key.hex(),
            expected=f"an event since block {self.deployment.deployed_at_block}",
            cause="the node does not keep old logs, or the deployment file names a later block",
        )

    def enclave_standing(self, authority: bytes) -> tuple[bool, str]:
        """Return whether the authority (20 bytes) is trusted now, and if not the error's name."""
        trusted, reason = self.chain.read(
            self.enclave_registry.functions.standing(checksum_address(authority))
        )
        return bool(trusted), error_name(bytes(reason)) if any(reason) else ""

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

    def _registrations(self, filters: dict[str, Any]) -> list[tuple[str, bytes]]:
        events = self._logs("KeyBundleRegistered", filters)
        pairs = [(str(e["args"]["owner"]), bytes(e["args"]["identityKey"])) for e in events]
        return list(dict.fromkeys(pairs))

    def _logs(self, event: str, filters: dict[str, Any]) -> Sequence[EventData]:
        return self.chain.logs(self.key_registry, event, filters, self.deployment.deployed_at_block)

    def _contract(self, name: str) -> Contract:
        return self.chain.contract(name, self.deployment.address(name))


def require_usable(key: OnChainKey) -> None:
    """Raise unless the bundle's standing is TRUSTED; each other standing has its own error."""
    where = f"owner {key.owner}, identity key 0x{key.identity_key.hex()}"
    if key.state is KeyState.REVOKED or key.standing is Standing.REVOKED:
        raise KeyRevoked("the owner revoked this bundle", got=where)
    if key.standing is Standing.PRE_KEY_EXPIRED:
        raise KeyExpired(
            "the bundle's pre-key has expired",
            got=f"{where}, expired at {key.expires_at}",
            next_command="xmtp-tee rotate",
        )
    if key.standing is not Standing.TRUSTED:
        raise EnclaveUntrusted(
            "the enclave behind this bundle is not trusted now",
            got=f"{where}: {in_words(key.enclave_reason) or key.standing.name}",
            expected=f"enclave {key.authority} attested, its workload and TCB level accepted",
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
