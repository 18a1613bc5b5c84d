"""The logs of the inboxes that a member deals with: verified once, asked often.

The node orders a log and gives each entry a sequence id; a group's membership names inboxes by id and
sequence id. Whoever feeds this can withhold entries or lie about their ids, but cannot make one up: every
update is verified against the state before it.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from xmtp_tee.xmtp.errors import (
    IdentityLogMissingError,
    IdentityUpdateRefusedError,
    StateTooLargeError,
)
from xmtp_tee.xmtp.identity_log import Inbox, apply
from xmtp_tee.xmtp.members import MemberKind
from xmtp_tee.xmtp.proto.identity import IdentityUpdate
from xmtp_tee.xmtp.signatures import WalletJudge

MAX_WEIGHT: Final = 50_000
"""Members in all states of all logs that are kept: the logs of a few hundred inboxes, some tens of megabytes."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An identity update, encoded, under the node's sequence id."""

    sequence_id: int
    update: bytes


@dataclass(slots=True)
class _Log:
    """``states`` and ``digests`` are those after each entry; before the newest, of installations alone."""

    sequence_ids: list[int] = field(default_factory=list)
    states: list[Inbox] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    weight: int = 0

    def append(self, entry: LogEntry, state: Inbox) -> None:
        if self.states:
            self.weight -= len(self.states[-1].members)
            self.states[-1] = _of_installations(self.states[-1])
            self.weight += len(self.states[-1].members)
        self.sequence_ids.append(entry.sequence_id)
        self.states.append(state)
        self.digests.append(_digest(entry))
        self.weight += len(state.members)


class IdentityLogs:
    """Verified logs, the least recently used forgotten when they become too many. ``judge`` answers for smart
    contract wallets; without it theirs are refused.
    """

    def __init__(self, judge: WalletJudge | None = None) -> None:
        """Know nothing yet."""
        self._judge = judge
        self._logs: OrderedDict[str, _Log] = OrderedDict()

    def extend(self, inbox_id: str, entries: Iterable[LogEntry], *, after: int = 0) -> None:
        """Verify more entries of a log. Entries that are known already must be the same.

        ``after``: the sequence id of the entry before them, 0 for none.

        :raises IdentityLogMissingError: the log is not known up to ``after``
        :raises IdentityUpdateInvalidError, IdentityUpdateRefusedError: an entry does not follow, or the log
            is another than the one that is known; what followed before it is kept
        :raises ProtobufMalformedError: an entry cannot be read
        :raises StateTooLargeError: the log alone has more than MAX_WEIGHT
        """
        log = self._logs.get(inbox_id, _Log())
        if self.newest(inbox_id) < after:
            raise IdentityLogMissingError(inbox_id, self.newest(inbox_id), after)
        for entry in sorted(entries, key=lambda entry: entry.sequence_id):
            if log.sequence_ids and entry.sequence_id <= log.sequence_ids[-1]:
                self._require_known(inbox_id, log, entry)
                continue
            update = IdentityUpdate.decode(entry.update)
            if update.inbox_id != inbox_id:
                raise IdentityUpdateRefusedError(
                    "A log holds another inbox's update",
                    got=update.inbox_id[:80],
                    expected=inbox_id,
                )
            state = apply(log.states[-1] if log.states else None, update, self._judge)
            if log.weight + len(state.members) > MAX_WEIGHT:
                raise StateTooLargeError("An inbox's log is too large to be kept", got=inbox_id)
            log.append(entry, state)
            self._logs[inbox_id] = log
            self._logs.move_to_end(inbox_id)
        self._forget_oldest()

    def at(self, inbox_id: str, sequence_id: int) -> Inbox:
        """Return the state after the newest update whose id is at most ``sequence_id``. Of the newest state all
        members are known, of those before it the installations.

        :raises IdentityLogMissingError: the log is not known that far; fetch it after ``known``
        """
        log = self._logs.get(inbox_id)
        if log is None or sequence_id > log.sequence_ids[-1]:
            raise IdentityLogMissingError(inbox_id, self.newest(inbox_id), sequence_id)
        self._logs.move_to_end(inbox_id)
        index = bisect_right(log.sequence_ids, sequence_id)
        if index == 0:
            raise IdentityUpdateRefusedError(
                "The inbox did not exist yet", got=sequence_id, expected=log.sequence_ids[0]
            )
        return log.states[index - 1]

    def newest(self, inbox_id: str) -> int:
        """Return the newest sequence id that is known of a log; 0 for none."""
        log = self._logs.get(inbox_id)
        return 0 if log is None else log.sequence_ids[-1]

    def latest(self, inbox_id: str) -> Inbox:
        """Return the newest state that is known.

        :raises IdentityLogMissingError: nothing is
        """
        return self.at(inbox_id, max(self.newest(inbox_id), 1))

    def _forget_oldest(self) -> None:
        weight = sum(log.weight for log in self._logs.values())
        while weight > MAX_WEIGHT:
            _, log = self._logs.popitem(last=False)
            weight -= log.weight

    @staticmethod
    def _require_known(inbox_id: str, log: _Log, entry: LogEntry) -> None:
        index = bisect_right(log.sequence_ids, entry.sequence_id) - 1
        same = index >= 0 and log.sequence_ids[index] == entry.sequence_id
        if not same or log.digests[index] != _digest(entry):
            raise IdentityUpdateRefusedError(
                "A log is another than the one that was known",
                got=f"entry {entry.sequence_id} of {inbox_id}",
            )


def _digest(entry: LogEntry) -> bytes:
    return hashlib.sha256(entry.update).digest()


def _of_installations(state: Inbox) -> Inbox:
    """What is asked of a state that is not the newest: nobody signs under it any more."""
    members = {
        member: membership
        for member, membership in state.members.items()
        if member.kind is MemberKind.INSTALLATION
    }
    return replace(state, members=members, seen=frozenset())
