"""Secrets in memory for one caller each: keys from shared secrets, and HPKE contexts.

They go when they are closed, when their time is over (with the first request after it), when the key
that they came from is deleted, and when the enclave stops.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from xmtp_tee.enclave.symmetric import SymmetricKey
from xmtp_tee.hpke import RecipientContext, SenderContext
from xmtp_tee.wire.refusals import HandleKindError, HandleLimitError, HandleNotFoundError

LIFETIME: Final = 3600
"""Seconds from its opening."""

MAX_HANDLES: Final = 256
"""Of one caller."""

PREFIX: Final = "h-"
"""What tells a handle's id from a key's."""

Content = SymmetricKey | SenderContext | RecipientContext


@dataclass(frozen=True, slots=True)
class Handle:
    """``key_id``, ``owner``: of the key that it came from; None for a sender's context."""

    id: str
    caller: str
    kind: str
    key_id: str | None
    owner: bytes | None
    expires_at: int
    content: Content


class Handles:
    """All handles of an enclave."""

    def __init__(self) -> None:
        self._callers: dict[str, OrderedDict[str, Handle]] = {}

    def open(
        self,
        caller: str,
        kind: str,
        key_id: str | None,
        owner: bytes | None,
        content: Content,
        now: int,
    ) -> Handle:
        """Keep ``content``, which comes from a key of ``owner``, for ``caller``.

        :raises HandleLimitError: if the caller holds MAX_HANDLES
        """
        own = self._callers.setdefault(caller, OrderedDict())
        if len(own) >= MAX_HANDLES:
            content.close()
            raise HandleLimitError(
                "The caller holds as many handles as it may",
                got=len(own),
                expected=f"fewer than {MAX_HANDLES}",
                next_command="close-handle",
            )
        made = Handle(
            PREFIX + os.urandom(16).hex(), caller, kind, key_id, owner, now + LIFETIME, content
        )
        own[made.id] = made
        return made

    def get(self, caller: str, handle_id: str, now: int) -> Handle:
        """Return a handle of this caller.

        :raises HandleNotFoundError: if there is none, also if it is another caller's
        """
        own = self._callers.get(caller)
        found = None if own is None else own.get(handle_id)
        if found is None or found.expires_at <= now:
            raise HandleNotFoundError("No handle of this caller has this id", got=repr(handle_id))
        return found

    def close(self, caller: str, handle_id: str) -> None:
        """Forget a handle.

        :raises HandleNotFoundError: if there is none
        """
        found = self._callers.get(caller, OrderedDict()).pop(handle_id, None)
        if found is None:
            raise HandleNotFoundError("No handle of this caller has this id", got=repr(handle_id))
        found.content.close()

    def expire(self, now: int) -> None:
        """Forget every handle whose time is over. Costs a look at each caller's oldest."""
        for own in self._callers.values():
            while own and (oldest := next(iter(own.values()))).expires_at <= now:
                del own[oldest.id]
                oldest.content.close()

    def close_of(self, key_id: str) -> None:
        """Forget what came from a key."""
        for own in self._callers.values():
            for each in [each for each in own.values() if each.key_id == key_id]:
                del own[each.id]
                each.content.close()

    def close_all(self) -> None:
        """Forget everything."""
        for own in self._callers.values():
            for each in own.values():
                each.content.close()
        self._callers.clear()


def require_kind(handle: Handle, *kinds: str) -> None:
    """Refuse a handle that is for another use.

    :raises HandleKindError: if it is
    """
    if handle.kind not in kinds:
        raise HandleKindError(
            "The handle is for another use", got=handle.kind, expected=" or ".join(kinds)
        )
