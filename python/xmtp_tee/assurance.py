"""The assurance level: what may be claimed of a key, and what may not."""

from __future__ import annotations

from enum import IntEnum


class AssuranceLevel(IntEnum):
    """From weakest to strongest; the values are those of the contracts' ``AssuranceLevel``."""

    NONE = 0
    SIMULATED = 1
    WALLET = 2
    CVM = 3
    MEMBER = 4

    @property
    def label(self) -> str:
        """The name as it is printed everywhere: ``none``, ``simulated``, ``wallet``, ``cvm``, ``member``."""
        return self.name.lower()

    @property
    def claim(self) -> str:
        """The one sentence that this level allows."""
        return _CLAIMS[self]


_CLAIMS = {
    AssuranceLevel.NONE: "Nothing may be claimed.",
    AssuranceLevel.SIMULATED: "Development only: the evidence stands under a development root that anyone can forge.",
    AssuranceLevel.WALLET: "The account key is in an enclave; the installation key is NOT.",
    AssuranceLevel.CVM: "The program runs in a confidential VM with the stated measurement.",
    AssuranceLevel.MEMBER: "This installation lives in the enclave: wallet, installation key and MLS state.",
}
