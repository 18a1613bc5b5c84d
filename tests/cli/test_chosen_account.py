"""Which account signs and sends: flags, the environment behind them, and never one in the other's place."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
from eth_account import Account

from xmtp_tee.commands.config import SettingMissing
from xmtp_tee.commands.options import SenderChoice
from xmtp_tee.commands.relaying import OwnerChoice
from xmtp_tee.errors import UsageError

KEY = bytes(range(1, 33))
ADDRESS = Account.from_key(KEY).address


@pytest.fixture
def keystore(tmp_path: Path) -> str:
    path = tmp_path / "keystore"
    path.write_text(json.dumps(Account.encrypt(KEY, "the right password", iterations=2)))
    return str(path)


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("the right password\n")
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions; each is answered with the right password."""
    questions: list[str] = []

    def prompt(text: str, **_: Any) -> str:
        questions.append(text)
        return "the right password"

    monkeypatch.setattr(click, "prompt", prompt)
    return questions


def owner(**given: Any) -> OwnerChoice:
    nothing = dict.fromkeys(field.name for field in fields(OwnerChoice))
    return OwnerChoice(**nothing | {"for_owner": ADDRESS} | given)


@pytest.mark.parametrize("variable", ["ETH_PASSWORD", "XMTP_TEE_PASSWORD_FILE"])
def test_senders_password_does_not_open_the_owners_keystore(
    variable: str, keystore: str, password: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(password))
    signer = owner(owner_keystore=keystore).open()
    assert signer is not None
    assert signer.address == ADDRESS
    assert len(asked) == 1


def test_owners_keystore_opens_with_its_own_password_file(
    keystore: str, password: Path, asked: list[str]
) -> None:
    signer = owner(owner_keystore=keystore, owner_password_file=password).open()
    assert signer is not None
    assert asked == []


def test_senders_keystore_and_password_may_come_from_the_environment(
    keystore: str, password: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETH_KEYSTORE", keystore)
    monkeypatch.setenv("ETH_PASSWORD", str(password))
    assert SenderChoice(None, None, None, None).open().address == ADDRESS
    assert asked == []


def test_owner_is_never_taken_from_the_environment(
    keystore: str, password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETH_KEYSTORE", keystore)
    with pytest.raises(UsageError):
        owner(owner_password_file=password).open()


def test_password_for_what_has_none_and_two_accounts_are_refused(
    keystore: str, password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bad in (
        (None, password, None, ADDRESS),
        (None, password, "VARIABLE", None),
        (keystore, None, None, ADDRESS),
        (None, None, "VARIABLE", ADDRESS),
    ):
        with pytest.raises(UsageError):
            SenderChoice(*bad)
    for variable in ("XMTP_TEE_KEYSTORE", "ETH_KEYSTORE", "ETH_KEYSTORE_ACCOUNT"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(SettingMissing):
        SenderChoice(None, None, None, None).open()
