"""Logs as they are kept: what is verified once, what is forgotten, and who tries to have them wrong."""

from __future__ import annotations

import pytest

from tests.xmtp.conversation_support import User
from tests.xmtp.identity_support import (
    InstallationActor,
    WalletActor,
    add,
    create,
    revoke,
    update,
)
from xmtp_tee.xmtp import identity_logs
from xmtp_tee.xmtp.errors import (
    IdentityLogMissingError,
    IdentityUpdateRefusedError,
    StateTooLargeError,
    XmtpDataError,
)
from xmtp_tee.xmtp.identity_logs import IdentityLogs, LogEntry
from xmtp_tee.xmtp.members import inbox_id

OWNER, PHONE, LAPTOP = (
    WalletActor("owner"),
    InstallationActor("phone"),
    InstallationActor("laptop"),
)
INBOX = inbox_id(OWNER.member, 1)
LOG = [
    LogEntry(3, update(INBOX, create(by=OWNER), add(PHONE, by=OWNER)).encode()),
    LogEntry(5, update(INBOX, add(LAPTOP, by=OWNER)).encode()),
    LogEntry(9, update(INBOX, revoke(PHONE, by=OWNER)).encode()),
]


def test_each_state_of_a_log_tells_its_installations_and_the_newest_its_wallets() -> None:
    logs = IdentityLogs()
    logs.extend(INBOX, LOG)
    found = {at: set(logs.at(INBOX, at).installations) for at in (3, 4, 5, 8, 9)}
    both = {PHONE.public_key, LAPTOP.public_key}
    assert found == {
        3: {PHONE.public_key},
        4: {PHONE.public_key},
        5: both,
        8: both,
        9: {LAPTOP.public_key},
    }
    assert "0x" + logs.latest(INBOX).wallets[0].hex() == OWNER.member.value
    with pytest.raises(IdentityUpdateRefusedError, match="did not exist yet"):
        logs.at(INBOX, 2)


def test_entries_that_are_brought_again_change_nothing_and_others_are_refused() -> None:
    logs = IdentityLogs()
    logs.extend(INBOX, LOG)
    logs.extend(INBOX, LOG[:2])
    assert logs.newest(INBOX) == 9
    with pytest.raises(IdentityUpdateRefusedError, match="another than the one"):
        logs.extend(INBOX, [LogEntry(3, LOG[1].update)])


def test_a_signature_acts_once_however_many_updates_lie_between() -> None:
    logs = IdentityLogs()
    logs.extend(INBOX, LOG)
    with pytest.raises(IdentityUpdateRefusedError, match="acts once"):
        logs.extend(INBOX, [LogEntry(12, LOG[1].update)])


def test_entries_behind_a_gap_say_from_where_the_log_is_needed() -> None:
    logs = IdentityLogs()
    with pytest.raises(IdentityLogMissingError) as missing:
        logs.extend(INBOX, LOG[1:], after=3)
    assert (missing.value.known, missing.value.needed) == (0, 3)
    logs.extend(INBOX, LOG[:1])
    logs.extend(INBOX, LOG[1:], after=3)
    assert logs.newest(INBOX) == 9


@pytest.mark.parametrize("entry", [b"\xff\xff", LOG[1].update], ids=["noise", "no first update"])
def test_attack_inboxes_without_a_valid_update_fill_the_memory(entry: bytes) -> None:
    logs = IdentityLogs()
    for number in range(5):
        with pytest.raises(XmtpDataError):
            logs.extend(INBOX if entry else f"{number:064x}", [LogEntry(1, entry)])
    assert not logs._logs


def test_attack_many_inboxes_fill_the_memory_and_the_least_used_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A user's log has one state of two members: the wallet and the phone.
    monkeypatch.setattr(identity_logs, "MAX_WEIGHT", 6)
    logs = IdentityLogs()
    first, second, third = (User(role, logs) for role in ("first", "second", "third"))
    logs.latest(first.inbox_id)
    User("fourth", logs)
    assert [logs.newest(each.inbox_id) for each in (first, second, third)] == [10, 0, 10]
    with pytest.raises(IdentityLogMissingError):
        logs.latest(second.inbox_id)


def test_attack_one_log_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    # When the third entry comes: one installation, the second state's three members, and the newest's two.
    monkeypatch.setattr(identity_logs, "MAX_WEIGHT", 6)
    IdentityLogs().extend(INBOX, LOG)
    monkeypatch.setattr(identity_logs, "MAX_WEIGHT", 5)
    logs = IdentityLogs()
    with pytest.raises(StateTooLargeError):
        logs.extend(INBOX, LOG)
    assert logs.newest(INBOX) == 5
