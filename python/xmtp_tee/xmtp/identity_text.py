"""The text that a member signs when an inbox changes: made, and parsed back by its exact grammar.

``render`` gives what libxmtp gives, byte for byte::

    XMTP : Authenticate to inbox

    Inbox ID: <64 hex digits>
    Current time: <RFC 3339, whole seconds, Z>

    - Create inbox
      (Owner: 0x<40 hex digits>)
    - Grant messaging access to app
      (ID: <64 hex digits>)

    For more info: https://xmtp.org/signatures

``parse`` accepts a text only if ``render`` gives it again, so nothing can hide in it: no other line, no other
spacing, no upper case in an identifier, no date that the calendar does not have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from xmtp_tee.xmtp.calendar_time import from_text, to_text
from xmtp_tee.xmtp.errors import IdentityTextInvalidError
from xmtp_tee.xmtp.members import Member, MemberKind

MAX_TEXT: Final = 8_192
"""How long a text may be, in characters, to be parsed at all."""

_HEADER: Final = "XMTP : Authenticate to inbox"
_FOOTER: Final = "For more info: https://xmtp.org/signatures"
_SHAPE: Final = re.compile(
    rf"{re.escape(_HEADER)}\n\n"
    r"Inbox ID: (?P<inbox>[0-9a-f]{64})\n"
    r"Current time: (?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)\n\n"
    r"(?P<actions>(?:- [A-Za-z ]{1,40}\n  \([A-Za-z]{1,10}: [0-9a-fx]{1,140}\)\n)+)\n"
    rf"{re.escape(_FOOTER)}"
)
_ACTION: Final = re.compile(r"- ([A-Za-z ]+)\n  \(([A-Za-z]+): ([0-9a-fx]+)\)\n")


class ActionKind(StrEnum):
    """What an action does to an inbox."""

    CREATE_INBOX = "create-inbox"
    ADD_MEMBER = "add-member"
    REVOKE_MEMBER = "revoke-member"
    CHANGE_RECOVERY = "change-recovery"


@dataclass(frozen=True, slots=True)
class TextAction:
    """An action as the text names it. ``member`` is who is created with, added, revoked or put in charge."""

    kind: ActionKind
    member: Member


@dataclass(frozen=True, slots=True)
class IdentityText:
    """What a member agrees to by signing. ``time``: unix seconds, as the text shows them."""

    inbox_id: str
    time: int
    actions: tuple[TextAction, ...]

    def render(self) -> str:
        """Return the text.

        :raises IdentityTextInvalidError: an action that XMTP has no words for, or a time outside the years
            1970 to 9999
        """
        try:
            time = to_text(self.time)
        except ValueError:
            raise IdentityTextInvalidError("No such time", got=self.time) from None
        actions = "\n".join(_action_text(action) for action in self.actions)
        return f"{_HEADER}\n\nInbox ID: {self.inbox_id}\nCurrent time: {time}\n\n{actions}\n\n{_FOOTER}"


_WORDS: Final = {
    (ActionKind.CREATE_INBOX, MemberKind.ETHEREUM): ("Create inbox", "Owner"),
    (ActionKind.CREATE_INBOX, MemberKind.PASSKEY): ("Create inbox", "Owner"),
    (ActionKind.ADD_MEMBER, MemberKind.INSTALLATION): ("Grant messaging access to app", "ID"),
    (ActionKind.ADD_MEMBER, MemberKind.ETHEREUM): ("Link address to inbox", "Address"),
    (ActionKind.ADD_MEMBER, MemberKind.PASSKEY): ("Link passkey to inbox", "Passkey"),
    (ActionKind.REVOKE_MEMBER, MemberKind.INSTALLATION): ("Revoke messaging access from app", "ID"),
    (ActionKind.REVOKE_MEMBER, MemberKind.ETHEREUM): ("Unlink address from inbox", "Address"),
    (ActionKind.REVOKE_MEMBER, MemberKind.PASSKEY): ("Unlink passkey from inbox", "Passkey"),
    (ActionKind.CHANGE_RECOVERY, MemberKind.ETHEREUM): ("Change inbox recovery address", "Address"),
    (ActionKind.CHANGE_RECOVERY, MemberKind.PASSKEY): ("Change inbox recovery address", "Address"),
}
_IDENTIFIERS: Final = {
    MemberKind.ETHEREUM: re.compile(r"0x[0-9a-f]{40}"),
    MemberKind.INSTALLATION: re.compile(r"[0-9a-f]{64}"),
    MemberKind.PASSKEY: re.compile(r"0[23][0-9a-f]{64}|04[0-9a-f]{128}"),
}


def parse(text: str) -> IdentityText:
    """Read a text that a member is asked to sign.

    :raises IdentityTextInvalidError: it is not, to the letter, a text that :meth:`IdentityText.render` gives
    """
    if len(text) > MAX_TEXT:
        raise IdentityTextInvalidError(
            "The text is too long", got=f"{len(text)} characters", expected=f"at most {MAX_TEXT}"
        )
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise IdentityTextInvalidError(
            "The text is not an XMTP identity text",
            expected="header, inbox id, time, actions, footer",
        )
    try:
        time = from_text(shape["time"])
    except ValueError:
        raise IdentityTextInvalidError("No such time", got=shape["time"]) from None
    actions = tuple(_parse_action(*found) for found in _ACTION.findall(shape["actions"]))
    parsed = IdentityText(shape["inbox"], time, actions)
    if parsed.render() != text:
        raise IdentityTextInvalidError("The text is not in its one spelling")
    return parsed


def _action_text(action: TextAction) -> str:
    words = _WORDS.get((action.kind, action.member.kind))
    if words is None:
        raise IdentityTextInvalidError(
            "XMTP has no words for this action", got=f"{action.kind} of {action.member.kind}"
        )
    return f"- {words[0]}\n  ({words[1]}: {action.member.value})"


def _parse_action(words: str, label: str, value: str) -> TextAction:
    for (kind, member_kind), expected in _WORDS.items():
        if expected == (words, label) and _IDENTIFIERS[member_kind].fullmatch(value):
            return TextAction(kind, Member(member_kind, value))
    raise IdentityTextInvalidError(
        "An action that is not known", got=f"{words} ({label}: {value})"[:200]
    )
