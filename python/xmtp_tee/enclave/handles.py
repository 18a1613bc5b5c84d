"""Secrets in memory for one caller each: keys from shared secrets, and HPKE contexts.

They go when they are closed, when their time is over, and when the enclave stops.
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
    """``owner``: of the key that it came from, None for a sender's context."""

    id: str
    caller: str
    kind: str
    owner: bytes | None
    expires_at: int
    content: Content


class Handles:
    """All handles of an enclave."""

    def __init__(self) -> None:
        self._callers: dict[str, OrderedDict[str, Handle]] = {}

    def open(
        self, caller: str, kind: str, owner: bytes | None, content: Content, now: int
    ) -> Handle:
        """Keep ``content`` for ``caller``.

        :raises HandleLimitError: if the caller holds MAX_HANDLES
        """
        own = self._callers.setdefault(caller, OrderedDict())
        while own and next(iter(own.values())).expires_at <= now:
            _forget(own.popitem(last=False)[1])
        if len(own) >= MAX_HANDLES:
            _forget_content(content)
            raise HandleLimitError(
                "The caller holds as many handles as it may",
                got=len(own),
                expected=f"fewer than {MAX_HANDLES}",
                next_command="close-handle",
            )
        made = Handle(PREFIX + os.urandom(16).hex(), caller, kind, owner, now + LIFETIME, content)
        own[made.id] = made
        return made

    def get(self, caller: str, handle_id: str, now: int) -> Handle:
        """Return a handle of this caller.

        :raises HandleNotFoundError: if there is none, also if it is another caller's
        """
        own = self._callers.get(caller)
        found = None if own is None else own.get(handle_id)
        if found is None or found.expires_at <= now:
            if found is not None:
                self.close(caller, handle_id)
            raise HandleNotFoundError("No handle of this caller has this id", got=repr(handle_id))
        return found

    def close(self, caller: str, handle_id: str) -> None:
        """Forget a handle.

        :raises HandleNotFoundError: if there is none
        """
        found = self._callers.get(caller, OrderedDict()).pop(handle_id, None)
        if found is None:
            raise HandleNotFoundError("No handle of this caller has this id", got=repr(handle_id))
        _forget(found)

    def close_all(self) -> None:
        """Forget everything."""
        for own in self._callers.values():
            for each in own.values():
                _forget(each)
        self._callers.clear()


def require_kind(handle: Handle, *kinds: str) -> None:
    """Refuse a handle that is for another use.

    :raises HandleKindError: if it is
    """
    if handle.kind not in kinds:
        raise HandleKindError(
            "The handle is for another use", got=handle.kind, expected=" or ".join(kinds)
        )


def _forget(handle: Handle) -> None:
    _forget_content(handle.content)


def _forget_content(content: Content) -> None:
    if isinstance(content, SymmetricKey):
        content.close()
