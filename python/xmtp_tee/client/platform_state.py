"""How the platform under an enclave stands now: status, advisories, denials, exceptions."""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.advisories import NO_ADVISORIES
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import ContractRefused
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.reasons import in_words

_FMSPC_SIZE = 6


@dataclass(frozen=True, slots=True)
class PlatformState:
    """A recorded platform, judged under the newest collateral that the chain has.

    ``handle`` is 20 bytes. ``advisories`` is what an exception of the policy must name (32 bytes): Intel's commitment,
    or AMD's product and TCB. ``instance`` is the PPID and ``family`` the FMSPC, left-aligned (16 bytes each).
    ``allowed_until`` is the deadline (unix seconds) of the policy's exception that covers a status other than
    UP_TO_DATE, 0 without one. ``problem`` names the verifier's error when it cannot judge the platform; status is then
    NONE and nothing but ``handle`` is known.
    """

    tee: TeeKind
    handle: bytes
    status: TcbStatus = TcbStatus.NONE
    advisories: bytes = NO_ADVISORIES
    instance: bytes = bytes(16)
    family: bytes = bytes(16)
    platform_denied: bool = False
    family_denied: bool = False
    allowed_until: int = 0
    problem: str = ""

    @property
    def fmspc(self) -> str:
        """The family as Intel writes it: 6 bytes in hex, for SGX and TDX."""
        return self.family[:_FMSPC_SIZE].hex()

    @property
    def in_words(self) -> str:
        """One line for people."""
        if self.problem:
            return f"cannot be judged: {in_words(self.problem)}"
        parts = [self.status.intel_name]
        if self.advisories != NO_ADVISORIES:
            parts.append(f"advisories 0x{self.advisories.hex()}")
        if self.allowed_until:
            parts.append(f"allowed by the policy until {self.allowed_until}")
        if self.platform_denied:
            parts.append("this platform is DENIED by the policy")
        if self.family_denied:
            parts.append(f"its family {self.fmspc} is DENIED by the policy")
        return ", ".join(parts)

    def as_dict(self) -> dict[str, object]:
        """Return the platform as ``--json`` prints it."""
        return {
            "tee": self.tee.label,
            "handle": "0x" + self.handle.hex(),
            "status": None if self.problem else self.status.intel_name,
            "advisories": "0x" + self.advisories.hex(),
            "instance": "0x" + self.instance.hex(),
            "family": "0x" + self.family.hex(),
            "platform_denied": self.platform_denied,
            "family_denied": self.family_denied,
            "allowed_until": self.allowed_until or None,
            "problem": self.problem or None,
        }


def read_platform(
    chain: Chain, deployment: Deployment, tee: TeeKind, handle: bytes, workload: bytes
) -> PlatformState:
    """Judge a recorded platform, for an enclave of this workload (32 bytes), as the chain does now."""
    router = chain.contract("AttestationVerifier", deployment.address("AttestationVerifier"))
    try:
        # Whoever verifies a kind's evidence answers as the router does; the registry asks it directly, too.
        behind = str(chain.read(router.functions.route(int(tee))))
        verifier = chain.contract("AttestationVerifier", behind)
        judged = chain.read(verifier.functions.judgePlatform(handle))
    except ContractRefused as refused:
        return PlatformState(tee, handle, problem=refused.error_name)
    status, advisories = TcbStatus(judged[0]), bytes(judged[1])
    instance, family = bytes(judged[2]), bytes(judged[3])
    policy = chain.contract("EnclavePolicy", deployment.address("EnclavePolicy")).functions
    until = 0
    if status is not TcbStatus.UP_TO_DATE:
        wildcard = bytes(chain.read(policy.anyAdvisories()))
        until = max(
            int(chain.read(policy.statusAllowedUntil(workload, int(status), wanted)))
            for wanted in (advisories, wildcard)
        )
        if until <= chain.block().timestamp:
            until = 0
    return PlatformState(
        tee=tee,
        handle=handle,
        status=status,
        advisories=advisories,
        instance=instance,
        family=family,
        platform_denied=bool(chain.read(policy.isPlatformDenied(int(tee), instance))),
        family_denied=bool(chain.read(policy.isFamilyDenied(int(tee), family))),
        allowed_until=until,
    )
