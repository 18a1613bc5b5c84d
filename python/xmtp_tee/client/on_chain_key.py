"""One bundle in depth, as the chain has it, and whether it may be relied on."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.client.chain_errors import (
    AgentTransferred,
    EnclaveUntrusted,
    KeyExpired,
    KeyRevoked,
)
from xmtp_tee.client.platform_state import PlatformState
from xmtp_tee.client.published import KeyState, Standing
from xmtp_tee.client.reasons import in_words


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
            "standing": self.standing.label,
            "enclave_reason": self.enclave_reason or None,
            "enclave_reason_in_words": in_words(self.enclave_reason) or None,
            "platform": self.platform.as_dict(),
            "level": self.assurance.label,
        }


def require_usable(key: OnChainKey) -> None:
    """Raise unless the bundle's standing is TRUSTED; each other standing has its own error."""
    where = f"owner {key.owner}, identity key 0x{key.identity_key.hex()}"
    if key.state is KeyState.REVOKED or key.standing is Standing.REVOKED:
        raise KeyRevoked("the owner revoked this bundle", got=where)
    if key.standing is Standing.AGENT_TRANSFERRED:
        raise AgentTransferred(
            "the agent has another holder since it registered the bundle", got=where
        )
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
