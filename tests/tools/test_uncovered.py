"""The account of coverage: every line that no test reaches has its answer, and every answer such a line."""

from __future__ import annotations

import importlib
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def uncovered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """tools/uncovered.py over a project of one file, of which line 2 is not reached."""
    module = importlib.import_module("tools.uncovered")
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "A.sol").write_text("first();\n    second();\nthird();\n")
    (tmp_path / "lcov.info").write_text(
        "TN:\nSF:contracts/A.sol\nDA:1,4\nDA:2,0\nDA:3,1\nend_of_record\n"
        "SF:tests/contracts/B.sol\nDA:1,0\nend_of_record\n"
    )
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "ANSWERS", tmp_path / "answers.toml")
    monkeypatch.setattr(sys, "argv", ["uncovered.py", str(tmp_path / "lcov.info")])
    return module


@pytest.mark.parametrize(
    ("where", "code", "line"),
    [
        ('"contracts/A.sol: second();"', 0, "2 of 3 lines reached, 1 answered"),
        ('"contracts/A*"', 0, "2 of 3 lines reached, 1 answered"),
        ("", 1, "not reached, without an answer: contracts/A.sol: second();"),
        ('"contracts/A.sol: second"', 1, "answer without an unreached line"),
        ('"contracts/A*", "contracts/A.sol: first();"', 1, "answer without an unreached line"),
    ],
)
def test_the_account_fails_on_lines_without_answer_and_answers_without_line(
    uncovered: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    where: str,
    code: int,
    line: str,
) -> None:
    (tmp_path / "answers.toml").write_text(f"[[answer]]\nwhere = [{where}]\nanswer = 'because'\n")
    assert uncovered.main() == code
    printed = capsys.readouterr().out
    assert line in printed
    assert "66.7%    2 of    3  contracts/A.sol" in printed
    assert "tests/" not in printed


def test_an_empty_tracefile_is_refused(uncovered: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "lcov.info").write_text("")
    with pytest.raises(SystemExit, match="no line of contracts"):
        uncovered.main()


def test_every_answer_names_lines_that_there_are_and_a_reason() -> None:
    answers = tomllib.loads((ROOT / "tools" / "uncovered.toml").read_text())["answer"]
    for answer in answers:
        assert set(answer) == {"where", "answer"}
        assert len(answer["answer"]) > 30, answer["where"]
        for where in answer["where"]:
            file, _, text = where.rstrip("*").partition(": ")
            lines = [line.strip() for line in (ROOT / file).read_text().splitlines()]
            assert any(line.startswith(text) for line in lines), where
