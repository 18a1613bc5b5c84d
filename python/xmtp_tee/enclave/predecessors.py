"""Whose stores this release takes over as they are, beside those of enclaves of the very same code.

This is a part of what is measured: a reader of the source behind a workload id sees which older code
the keys may come from. Whoever builds an image that shall take over the stores of an older one lists
the older one's workload id here.
"""

from typing import Final

WORKLOADS: Final[frozenset[bytes]] = frozenset()
"""Workload ids (32 bytes)."""
