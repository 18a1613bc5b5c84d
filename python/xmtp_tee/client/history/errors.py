"""How a history fails to be one."""

from __future__ import annotations

from xmtp_tee.errors import InvalidEvidenceError, UsageError


class HistoryBroken(InvalidEvidenceError):
    """The events do not make one unbroken history: the node left some out, or shows another chain's."""

    code = "history.broken"


class CursorInvalid(UsageError):
    """A cursor cannot be read, or belongs to another owner, chain or registry."""

    code = "history.cursor"
