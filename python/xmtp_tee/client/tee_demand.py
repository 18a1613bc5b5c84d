"""How many of which kinds of TEE the policy demands behind an enclave, and which stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xmtp_tee.attestation.kinds import TeeKind, kinds_in
from xmtp_tee.client.reasons import in_words


@dataclass(frozen=True, slots=True)
class TeeDemand:
    """``required`` of ``kinds`` must stand; 0 of none: the enclave's first attestation suffices."""

    required: int
    kinds: tuple[TeeKind, ...]

    @classmethod
    def of(cls, required: int, kinds: int) -> TeeDemand:
        """Read what ``EnclavePolicy.teeDemand`` returns; bit n of ``kinds`` stands for the kind of value n.

        :raises ValueError: a bit stands for no kind
        """
        return cls(required, kinds_in(kinds))

    @property
    def words(self) -> str:
        """The demand for people."""
        if not self.required:
            return "no number of kinds is demanded"
        return f"at least {self.required} of {labels(self.kinds)}"

    def is_met_by(self, standing: Iterable[TeeKind]) -> bool:
        """Whether enough of the kinds that count are among those that stand."""
        return len(set(standing) & set(self.kinds)) >= self.required


@dataclass(frozen=True, slots=True)
class KindStanding:
    """An enclave's attestation by one kind of TEE, as the chain judges it now.

    ``workload`` is 32 bytes, ``platform`` 20, ``expires_at`` unix seconds. ``reason`` names the error that the
    attestation fails with, empty while it stands.
    """

    tee: TeeKind
    workload: bytes
    platform: bytes
    expires_at: int
    reason: str

    @property
    def stands(self) -> bool:
        """Whether it stands by itself."""
        return not self.reason

    @property
    def words(self) -> str:
        """The kind and how it stands, for people."""
        return f"{self.tee.label}: {in_words(self.reason) or 'stands'}"

    def as_dict(self) -> dict[str, object]:
        """Return it as ``--json`` prints it."""
        return {
            "tee": self.tee.label,
            "workload": "0x" + self.workload.hex(),
            "platform": "0x" + self.platform.hex(),
            "expires_at": self.expires_at,
            "reason": self.reason or None,
            "reason_in_words": in_words(self.reason) or None,
        }


def labels(kinds: Iterable[TeeKind]) -> str:
    """Return the kinds as they are printed, ``none`` for none."""
    return ", ".join(kind.label for kind in kinds) or "none"
