"""What ``lookupKeys`` says of a bundle: the bundle, how it stands now, and what stands behind it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.kinds import Provenance, TeeKind
from xmtp_tee.client.abi import error_name
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
    AGENT_TRANSFERRED = 2
    ENCLAVE_NOT_TRUSTED = 3
    PRE_KEY_EXPIRED = 4
    TRUSTED = 5

    @property
    def label(self) -> str:
        """The word that is printed: ``trusted``, ``pre-key-expired`` and so on."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """An active bundle and its standing at the block of the look-up.

    Keys and ``workload`` are 32 bytes, ``expires_at`` is unix seconds, addresses are checksummed.
    ``enclave_reason`` names the error that the enclave's trust fails with, empty when it does not. ``assurance`` is the
    most that may be claimed, NONE unless the enclave is trusted. ``tee`` and ``workload`` are the recorded ones.
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
    tee: TeeKind
    workload: bytes

    @classmethod
    def from_answer(cls, owner: str, answer: Any) -> PublishedKey:
        """Read one PublishedKey of the contract's answer, as the ABI decodes it."""
        bundle, standing, reason, assurance, tee, workload = answer
        identity_key, pre_key, authority, epoch, expires_at, provenance, state = bundle
        return cls(
            owner=owner,
            identity_key=bytes(identity_key),
            pre_key=bytes(pre_key),
            authority=checksum_address(parse_address(authority)),
            epoch=int(epoch),
            expires_at=int(expires_at),
            provenance=Provenance(provenance),
            state=KeyState(state),
            standing=Standing(standing),
            enclave_reason=error_name(bytes(reason)) if any(reason) else "",
            assurance=AssuranceLevel(assurance),
            tee=TeeKind(tee),
            workload=bytes(workload),
        )

    @property
    def standing_in_words(self) -> str:
        """The standing's word, with the enclave's reason where there is one."""
        if not self.enclave_reason:
            return self.standing.label
        return f"{self.standing.label}: {in_words(self.enclave_reason)}"

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
            "level": self.assurance.label,
            "tee": self.tee.label,
            "workload": "0x" + self.workload.hex(),
        }
