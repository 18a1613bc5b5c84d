"""The files that commands write: whole or not at all, and nothing beside them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from xmtp_tee.commands import files
from xmtp_tee.commands.files import require_absent, write_secret, write_text
from xmtp_tee.errors import UsageError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def test_text_replaces_a_file_and_leaves_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "intent.json"
    file.write_text("old")
    file.chmod(0o600)
    write_text(file, "new", "intent")
    assert (file.read_text(), mode(file), names(tmp_path)) == ("new", 0o600, [file.name])


def test_new_text_has_the_users_usual_mode(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_text(tmp_path / "new", "text", "file")
    assert mode(tmp_path / "new") == mode(tmp_path / "usual")


def test_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    write_text(tmp_path / "link", "new", "file")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_device_is_written_to_and_not_replaced() -> None:
    before = Path("/dev/null").stat()
    write_text(Path("/dev/null"), "text", "file")
    after = Path("/dev/null").stat()
    assert stat.S_ISCHR(after.st_mode)
    assert after.st_ino == before.st_ino


@pytest.mark.parametrize("place", ["rename", "fsync"])
def test_crash_while_writing_leaves_the_old_file_alone(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "cursor"
    file.write_text("old")
    monkeypatch.setattr(*((Path, "replace") if place == "rename" else (os, "fsync")), full)
    with pytest.raises(UsageError) as refused:
        write_text(file, "new", "cursor")
    assert refused.value.cause == "No space left on device"
    assert (file.read_text(), names(tmp_path)) == ("old", ["cursor"])


def test_secret_is_private_and_overwrites_nothing(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    write_secret(file, b"secret", "backup")
    assert (file.read_bytes(), mode(file)) == (b"secret", 0o600)
    with pytest.raises(UsageError):
        write_secret(file, b"other", "backup")
    assert file.read_bytes() == b"secret"
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(UsageError):
        write_secret(tmp_path / "dangling", b"other", "backup")


def test_half_a_secret_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError):
        write_secret(tmp_path / "backup", b"secret", "backup")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["", "none/file", "x" * 300, "~nobody-of-this-name/file"])
def test_place_that_cannot_be_written_is_a_usage_error(name: str, tmp_path: Path) -> None:
    path = Path(name) if name.startswith("~") else tmp_path / name
    with pytest.raises(UsageError):
        write_text(path, "text", "file")
    with pytest.raises(UsageError):
        write_secret(path, b"secret", "file")


def test_absence_is_told_before_work_is_done(tmp_path: Path) -> None:
    require_absent(tmp_path / "none", "backup")
    (tmp_path / "dangling").symlink_to("nowhere")
    for path in (tmp_path, tmp_path / "dangling", tmp_path / ("x" * 300)):
        with pytest.raises(UsageError):
            require_absent(path, "backup")


def test_file_that_its_user_may_not_write_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "evidence"
    file.write_text("old")
    monkeypatch.setattr(files.os, "access", lambda *_: False)
    with pytest.raises(UsageError, match="cannot be written"):
        write_text(file, "new", "evidence")
    assert file.read_text() == "old"
