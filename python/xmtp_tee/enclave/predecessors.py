"""Whose stores this release takes over as they are, beside those of enclaves of the very same code.

This is a part of what is measured: a reader of the source behind a workload id sees which older code
the keys may come from. Whoever builds an image that shall take over the stores of an older one lists
the older one's workload id here.
"""

from collections.abc import Mapping
from typing import Final

from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb

WORKLOADS: Final[frozenset[bytes]] = frozenset()
"""Workload ids (32 bytes)."""

TCB_FLOORS: Final[Mapping[ProductLine, Tcb]] = {}
"""The least TCB of a SEV-SNP enclave that a store is taken over from. A product line that is not listed
has none but the successor's own platform's: its enclaves are then of the same line, and as new."""
