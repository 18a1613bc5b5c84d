"""The identity text: made as libxmtp makes it, and parsed so that nothing hides in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.xmtp.errors import IdentityTextInvalidError, IdentityUpdateInvalidError
from xmtp_tee.xmtp.identity_text import (
    MAX_TEXT,
    ActionKind,
    IdentityText,
    TextAction,
    parse,
)
from xmtp_tee.xmtp.members import Member, MemberKind, inbox_id

WALLET = Member.wallet(bytes.fromhex("11" * 20))
INSTALLATION = Member.installation(bytes.fromhex("ab" * 32))
PASSKEY = Member(MemberKind.PASSKEY, "02" + "cd" * 32)
INBOX = inbox_id(WALLET, 1)
TEXT = f"""XMTP : Authenticate to inbox

Inbox ID: {INBOX}
Current time: 2026-11-22T18:00:00Z

- Create inbox
  (Owner: 0x{"11" * 20})
- Grant messaging access to app
  (ID: {"ab" * 32})

For more info: https://xmtp.org/signatures"""

hex_digits = st.text("0123456789abcdef", min_size=64, max_size=64)
wallets = st.binary(min_size=20, max_size=20).map(Member.wallet)
installations = st.binary(min_size=32, max_size=32).map(Member.installation)
passkeys = st.binary(min_size=32, max_size=32).map(
    lambda x: Member(MemberKind.PASSKEY, "03" + x.hex())
)
actions = st.one_of(
    st.builds(TextAction, st.just(ActionKind.CREATE_INBOX), wallets | passkeys),
    st.builds(TextAction, st.just(ActionKind.ADD_MEMBER), wallets | installations | passkeys),
    st.builds(TextAction, st.just(ActionKind.REVOKE_MEMBER), wallets | installations | passkeys),
    st.builds(TextAction, st.just(ActionKind.CHANGE_RECOVERY), wallets | passkeys),
)
identity_texts = st.builds(
    IdentityText,
    hex_digits,
    st.integers(0, 253_402_300_799),
    st.lists(actions, min_size=1, max_size=6).map(tuple),
)


def test_parse_reads_every_part() -> None:
    parsed = parse(TEXT)
    assert parsed.inbox_id == INBOX
    assert parsed.time == 1_795_370_400
    assert parsed.actions == (
        TextAction(ActionKind.CREATE_INBOX, WALLET),
        TextAction(ActionKind.ADD_MEMBER, INSTALLATION),
    )


@given(identity_texts)
def test_parse_gives_back_what_render_wrote(value: IdentityText) -> None:
    assert parse(value.render()) == value


@given(st.data())
def test_a_text_with_one_character_changed_says_something_else_or_nothing(
    data: st.DataObject,
) -> None:
    index = data.draw(st.integers(0, len(TEXT) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != TEXT[index]))
    try:
        parsed = parse(TEXT[:index] + other + TEXT[index + 1 :])
    except IdentityTextInvalidError:
        return
    assert parsed != parse(TEXT)


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(TEXT + "\n", id="a newline at the end"),
        pytest.param("\n" + TEXT, id="a newline at the start"),
        pytest.param(TEXT.replace("\n", "\r\n"), id="carriage returns"),
        pytest.param(TEXT.replace("inbox\n\n", "inbox\n"), id="a missing blank line"),
        pytest.param(TEXT.replace("2026-11-22", "2026-02-30"), id="a date that is none"),
        pytest.param(TEXT.replace("18:00:00Z", "18:00:00.5Z"), id="a fraction of a second"),
        pytest.param(TEXT.replace("18:00:00Z", "18:00:00+00:00"), id="an offset"),
        pytest.param(TEXT.replace("18:00:00Z", "24:00:00Z"), id="hour 24"),
        pytest.param(TEXT.replace("18:00:00Z", "18:00:60Z"), id="a leap second"),
        pytest.param(TEXT.replace("ab" * 32, "AB" * 32), id="upper case"),
        pytest.param(TEXT.replace("ab" * 32, "ab" * 31), id="a short installation id"),
        pytest.param(TEXT.replace("0x" + "11" * 20, "0x" + "11" * 21), id="a long address"),
        pytest.param(TEXT.replace("(ID:", "(Address:"), id="another label"),
        pytest.param(TEXT.replace("Create inbox", "Create  inbox"), id="two spaces"),
        pytest.param(TEXT.replace("Create inbox", "Delete inbox"), id="an unknown action"),
        pytest.param(
            TEXT.replace("xmtp.org/signatures", "xmtp.org/signatures."), id="another footer"
        ),
        pytest.param(TEXT.replace("XMTP :", "XMTP:"), id="another header"),
        pytest.param(
            TEXT.replace("- Create inbox", "- Create inbox\u200b"), id="an invisible character"
        ),
        pytest.param(TEXT.split("- Create", maxsplit=1)[0] + "For more info", id="no action"),
        pytest.param("", id="nothing"),
        pytest.param("Please send 1 ETH to the attacker", id="another text"),
    ],
)
def test_parse_refuses(lie: str) -> None:
    with pytest.raises(IdentityTextInvalidError):
        parse(lie)


def test_parse_refuses_a_text_beyond_the_limit_before_it_looks_at_it() -> None:
    with pytest.raises(IdentityTextInvalidError, match="too long"):
        parse("x" * (MAX_TEXT + 1))


def test_render_refuses_an_action_without_words() -> None:
    text = IdentityText(INBOX, 0, (TextAction(ActionKind.CREATE_INBOX, INSTALLATION),))
    with pytest.raises(IdentityTextInvalidError, match="no words"):
        text.render()


def test_the_inbox_id_hashes_address_and_nonce() -> None:
    # sha256("0x" + "11" * 20 + "1"), computed with coreutils.
    assert inbox_id(WALLET, 1) == (
        "d4d98b6ffd5375547052cdbce8ff5598c306f439f3d04619f39e30d6eb5eb5e0"
    )
    assert inbox_id(WALLET, 0) != INBOX
    with pytest.raises(IdentityUpdateInvalidError, match="Not an address"):
        inbox_id(Member(MemberKind.ETHEREUM, "0x12"), 1)
    with pytest.raises(IdentityUpdateInvalidError, match="creates no inbox"):
        inbox_id(INSTALLATION, 1)
