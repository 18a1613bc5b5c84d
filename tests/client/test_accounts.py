"""Sending accounts: opened from keystores, and never showing a key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account

from xmtp_tee.client.accounts import from_environment, from_keystore, from_node
from xmtp_tee.client.chain_errors import SenderError

KEY = bytes(range(1, 33))
PASSWORD = "correct horse"


@pytest.fixture
def keystore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A keystore as `cast wallet import` writes it, with a cheap scrypt."""
    monkeypatch.setenv("FOUNDRY_DIR", str(tmp_path))
    folder = tmp_path / "keystores"
    folder.mkdir()
    path = folder / "owner"
    path.write_text(json.dumps(Account.encrypt(KEY, PASSWORD, iterations=2)))
    return path


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    return path


def test_keystore_opens_by_name_and_by_path(keystore: Path, password_file: Path) -> None:
    expected = Account.from_key(KEY).address
    by_name = from_keystore("owner", password_file=password_file, prompt=None)
    by_path = from_keystore(str(keystore), password_file=None, prompt=lambda text: PASSWORD)
    assert by_name.address == by_path.address == expected


def test_repr_of_a_sender_shows_the_address_alone(keystore: Path, password_file: Path) -> None:
    sender = from_keystore("owner", password_file=password_file, prompt=None)
    assert repr(sender) == f"LocalSender({sender.address})"
    assert KEY.hex() not in repr(sender) + str(vars(sender))


def test_wrong_password_says_neither_password_nor_key(keystore: Path) -> None:
    with pytest.raises(SenderError) as refused:
        from_keystore("owner", password_file=None, prompt=lambda text: "wrong-secret")
    text = str(refused.value) + str(refused.value.as_dict())
    assert "wrong-secret" not in text
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe", b"{}", b"[]", b"7"])
def test_file_that_is_no_keystore_is_refused(
    keystore: Path, password_file: Path, content: bytes
) -> None:
    keystore.write_bytes(content)
    with pytest.raises(SenderError):
        from_keystore("owner", password_file=password_file, prompt=None)


def test_password_file_that_is_no_text_is_not_repeated(keystore: Path, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"wrong-secret\xff")
    with pytest.raises(SenderError) as refused:
        from_keystore("owner", password_file=tmp_path / "binary", prompt=None)
    assert "wrong-secret" not in str(refused.value.as_dict())
    assert refused.value.__suppress_context__


def test_missing_keystore_names_the_folder(keystore: Path) -> None:
    with pytest.raises(SenderError, match="no such keystore"):
        from_keystore("nobody", password_file=None, prompt=None)


def test_keystore_without_a_password_source_is_refused(keystore: Path) -> None:
    with pytest.raises(SenderError, match="needs a password"):
        from_keystore("owner", password_file=None, prompt=None)


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json"])
def test_malformed_keystore_is_refused(keystore: Path, content: str) -> None:
    keystore.write_text(content)
    with pytest.raises(SenderError):
        from_keystore("owner", password_file=None, prompt=lambda text: PASSWORD)


@pytest.mark.parametrize("value", ["", "0x12", "zz" * 32, KEY.hex() + "00", "0x" + "00" * 32])
def test_variable_without_a_key_is_refused_without_quoting_it(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SOME_KEY", value)
    with pytest.raises(SenderError) as refused:
        from_environment("SOME_KEY")
    if value:
        assert value not in str(refused.value.as_dict())
    assert refused.value.__cause__ is None


def test_variable_with_a_key_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "0x" + KEY.hex())
    assert from_environment("SOME_KEY").address == Account.from_key(KEY).address


@pytest.mark.parametrize("text", ["", "0x", "nobody.eth", "0x" + "1" * 39])
def test_node_account_must_be_an_address(text: str) -> None:
    with pytest.raises(SenderError):
        from_node(text)
