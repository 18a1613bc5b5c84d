"""The logs of the inboxes that a member deals with: verified once, asked often.

The node orders a log and gives each entry a sequence id; a group's membership names inboxes by id and
sequence id. Whoever feeds this can withhold entries or lie about their ids, but cannot make one up: every
update is verified against the state before it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from xmtp_tee.xmtp.errors import IdentityLogMissingError, IdentityUpdateRefusedError
from xmtp_tee.xmtp.identity_log import Inbox, apply
from xmtp_tee.xmtp.proto.identity import IdentityUpdate
from xmtp_tee.xmtp.signatures import WalletJudge


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An identity update, encoded, under the node's sequence id."""

    sequence_id: int
    update: bytes


@dataclass(slots=True)
class _Log:
    sequence_ids: list[int] = field(default_factory=list)
    states: list[Inbox] = field(default_factory=list)
    updates: list[bytes] = field(default_factory=list)


class IdentityLogs:
    """Verified logs. ``judge`` answers for smart contract wallets; without it theirs are refused."""

    def __init__(self, judge: WalletJudge | None = None) -> None:
        """Know nothing yet."""
        self._judge = judge
        self._logs: dict[str, _Log] = {}

    def extend(self, inbox_id: str, entries: Iterable[LogEntry]) -> None:
        """Verify more entries of a log. Entries that are known already must be the same.

        :raises IdentityUpdateInvalidError, IdentityUpdateRefusedError: an entry does not follow, or the log
            is another than the one that is known; what followed before it is kept
        :raises ProtobufMalformedError: an entry cannot be read
        """
        log = self._logs.setdefault(inbox_id, _Log())
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
            log.sequence_ids.append(entry.sequence_id)
            log.states.append(state)
            log.updates.append(entry.update)

    def at(self, inbox_id: str, sequence_id: int) -> Inbox:
        """Return the state after the newest update whose id is at most ``sequence_id``.

        :raises IdentityLogMissingError: the log is not known that far; fetch it after ``known``
        """
        log = self._logs.get(inbox_id, _Log())
        if not log.sequence_ids or sequence_id > log.sequence_ids[-1]:
            raise IdentityLogMissingError(inbox_id, self.newest(inbox_id), sequence_id)
        index = bisect_right(log.sequence_ids, sequence_id)
        if index == 0:
            raise IdentityUpdateRefusedError(
                "The inbox did not exist yet", got=sequence_id, expected=log.sequence_ids[0]
            )
        return log.states[index - 1]

    def newest(self, inbox_id: str) -> int:
        """Return the newest sequence id that is known of a log; 0 for none."""
        log = self._logs.get(inbox_id)
        return log.sequence_ids[-1] if log is not None and log.sequence_ids else 0

    def latest(self, inbox_id: str) -> Inbox:
        """Return the newest state that is known.

        :raises IdentityLogMissingError: nothing is
        """
        return self.at(inbox_id, max(self.newest(inbox_id), 1))

    @staticmethod
    def _require_known(inbox_id: str, log: _Log, entry: LogEntry) -> None:
        index = bisect_right(log.sequence_ids, entry.sequence_id) - 1
        same = index >= 0 and log.sequence_ids[index] == entry.sequence_id
        if not same or log.updates[index] != entry.update:
            raise IdentityUpdateRefusedError(
                "A log is another than the one that was known",
                got=f"entry {entry.sequence_id} of {inbox_id}",
            )
