"""The names of operations that a grant can hold."""

from __future__ import annotations

from typing import Final, get_args

from xmtp_tee.wire import messages as wire

OPERATIONS: Final = frozenset(str(kind.__struct_config__.tag) for kind in get_args(wire.Operation))
"""Every operation, by its name on the wire."""

ADMINISTRATIVE: Final = frozenset(
    {
        *("apply-policy", "get-policy", "read-audit"),
        *("export-key", "import-key", "export-recovery"),
        *("hand-over-challenge", "hand-over", "accept-wrap"),
    }
)
"""Operations that ``*`` does not include: they must be granted by name."""

OPEN: Final = frozenset({"ping", "describe", "batch"})
"""Operations that every known caller may ask for: they tell nothing, or check each of their
parts."""
