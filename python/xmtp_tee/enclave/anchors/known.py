"""States of the store that others have seen, brought by the host to a start.

Why they need no proof: a state that somebody made up can only keep the enclave from starting, which the
host can do anyway. Why they prove nothing to others: the enclave cannot tell whether it was shown the
newest one. They protect the operator from what lies below it (a disk, a database, a restored backup);
who does not trust the operator asks the enclave (``get-freshness``) with a state of their own.
"""

from __future__ import annotations

from pathlib import Path

from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.known_states import KnownStates
from xmtp_tee.wire.store_faults import AnchorUnavailableError


def read_known_states(path: Path) -> KnownStates:
    """Return the states in a file.

    :raises AnchorUnavailableError: if it cannot be read, which is not the same as none
    """
    try:
        return KnownStates.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, FieldError) as error:
        raise AnchorUnavailableError(
            "The known states cannot be read",
            got=f"{path}: {error.got if isinstance(error, FieldError) else type(error).__name__}",
            next_command="xmtp-tee anchor show --save FILE",
        ) from None
