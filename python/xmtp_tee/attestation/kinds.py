"""Enumerations shared with the contracts: TEE kind, TCB status, provenance. Values are wire format."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from xmtp_tee.attestation.errors import QuoteNotGenuineError


class TeeKind(IntEnum):
    """The kind of trusted execution environment; the first byte of evidence for the chain."""

    NONE = 0
    SGX = 1
    TDX = 2
    NITRO = 3
    SEV_SNP = 4

    @property
    def label(self) -> str:
        """The name as it is printed: ``sgx``, ``tdx``, ``nitro``, ``sev-snp``."""
        return self.name.lower().replace("_", "-")


def kinds_in(bits: int) -> tuple[TeeKind, ...]:
    """Return a set of kinds that the contracts write as a number: bit n stands for the kind of value n.

    :raises ValueError: a bit stands for no kind
    """
    kinds = tuple(kind for kind in TeeKind if kind is not TeeKind.NONE and bits >> kind & 1)
    if bits_of(kinds) != bits:
        raise ValueError(f"a set of TEE kinds has unknown bits: {bits:#x}")
    return kinds


def bits_of(kinds: Iterable[TeeKind]) -> int:
    """Return a set of kinds as the contracts write it; see :func:`kinds_in`."""
    return sum(1 << kind for kind in set(kinds))


class Provenance(IntEnum):
    """Where a private key came from. NONE is never valid in a certificate."""

    NONE = 0
    GENERATED = 1
    DERIVED = 2
    IMPORTED = 3

    @property
    def label(self) -> str:
        """The name as it is printed: ``generated``, ``derived``, ``imported``."""
        return self.name.lower()


class TcbStatus(IntEnum):
    """A platform's security level; the values are those of the contracts' ``TcbStatus``.

    Source of the names: Intel PCS API v4, ``tcbStatus``.
    """

    NONE = 0
    UP_TO_DATE = 1
    SW_HARDENING_NEEDED = 2
    CONFIGURATION_NEEDED = 3
    CONFIGURATION_AND_SW_HARDENING_NEEDED = 4
    OUT_OF_DATE = 5
    OUT_OF_DATE_CONFIGURATION_NEEDED = 6
    REVOKED = 7

    @property
    def intel_name(self) -> str:
        """Intel's spelling, as in TCB info."""
        return _INTEL_NAMES[self]

    @classmethod
    def from_intel_name(cls, name: str) -> TcbStatus:
        """Return the status that Intel calls ``name``.

        :raises QuoteNotGenuineError: the name is not one of the seven; an unknown status is never accepted
        """
        for status, intel_name in _INTEL_NAMES.items():
            if intel_name == name:
                return status
        raise QuoteNotGenuineError(
            "The TCB status is unknown.", got=name, expected=", ".join(_INTEL_NAMES.values())
        )


_INTEL_NAMES = {
    TcbStatus.UP_TO_DATE: "UpToDate",
    TcbStatus.SW_HARDENING_NEEDED: "SWHardeningNeeded",
    TcbStatus.CONFIGURATION_NEEDED: "ConfigurationNeeded",
    TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED: "ConfigurationAndSWHardeningNeeded",
    TcbStatus.OUT_OF_DATE: "OutOfDate",
    TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED: "OutOfDateConfigurationNeeded",
    TcbStatus.REVOKED: "Revoked",
}
