"""What the steps of the demonstration share."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from xmtp_tee.demo.tees import TEES, Tee

if TYPE_CHECKING:
    from web3.contract.contract import ContractFunction

    from xmtp_tee.client.accounts import Sender
    from xmtp_tee.client.chain import Chain
    from xmtp_tee.client.deployment import Deployment
    from xmtp_tee.client.key_manager import KeyInfo, KeyManager, PreKeyInfo
    from xmtp_tee.client.registry import Published, RegistrySync

T = TypeVar("T")

# The roles, by their index among anvil's unlocked accounts.
ROLES = {"deployer": 0, "owner": 1, "second owner": 2, "stranger": 3}


@dataclass
class Stage:
    """Filled step by step; :meth:`need` refuses what an earlier step has not made."""

    root: Path
    folder: Path
    stack: ExitStack
    tee: Tee = TEES["tdx"]
    rpc_url: str = ""
    chain: Chain | None = None
    deployment: Deployment | None = None
    keys: KeyManager | None = None
    senders: dict[str, Sender] = field(default_factory=dict)
    identity: dict[str, KeyInfo] = field(default_factory=dict)
    pre_keys: dict[str, PreKeyInfo] = field(default_factory=dict)
    published: dict[str, Published] = field(default_factory=dict)
    xmtp_url: str = ""
    agent: str = ""

    @staticmethod
    def need(value: T | None) -> T:
        """Return a part of the stage that an earlier step made."""
        if value is None:
            raise RuntimeError("an earlier step of the demonstration did not run")
        return value

    def registry(self, role: str) -> RegistrySync:
        """Return the registry as this role uses it."""
        from xmtp_tee.client.registry import RegistrySync

        return RegistrySync(
            self.need(self.chain),
            self.need(self.deployment),
            self.need(self.keys),
            self.senders[role],
        )


@dataclass(frozen=True)
class Attempt:
    """A transaction that must be refused."""

    function: ContractFunction
    sender: Sender
