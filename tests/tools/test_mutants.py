"""The operators of the mutation test, its account, and the file of answers."""

from __future__ import annotations

import importlib
import json
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tools.mutants import Mutant, mutants_of

ROOT = Path(__file__).resolve().parent.parent.parent
HEAD = "// SPDX-License-Identifier: MIT\npragma solidity 0.8.37;\n"


def tree_of(source: str) -> dict[str, Any]:
    question = {
        "language": "Solidity",
        "sources": {"A.sol": {"content": source}},
        "settings": {"outputSelection": {"*": {"": ["ast"]}}},
    }
    answer = subprocess.run(
        [str(ROOT / "tools" / "solc"), "--standard-json"],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
    )
    tree: dict[str, Any] = json.loads(answer.stdout)["sources"]["A.sol"]["ast"]
    return tree


def mutants(body: str) -> list[Mutant]:
    source = f"{HEAD}contract A {{\n{body}\n}}\n"
    return list(mutants_of("A.sol", source.encode(), tree_of(source)))


def changes(body: str) -> set[tuple[str, str, str]]:
    return {(mutant.operator, mutant.was, mutant.becomes) for mutant in mutants(body)}


def test_a_check_is_dropped_its_operands_and_its_bound_are_changed() -> None:
    body = """
    error Refused(uint256 value);
    function f(uint256 a, bool b) external pure { if (a < 7 || b) revert Refused(a); }
    """
    assert changes(body) == {
        ("condition", "a < 7 || b", "false"),
        ("operand", "a < 7 || b", "(a < 7)"),
        ("operand", "a < 7 || b", "(b)"),
        ("boundary", "a < 7", "a <= 7"),
        ("number", "7", "8"),
        ("argument", "a", "(a) ^ 1"),
    }


def test_a_branch_that_does_not_only_revert_is_also_always_taken() -> None:
    body = "uint256 x; function f(bool b) external { if (b) x = 1; }"
    assert ("condition", "b", "false") in changes(body)
    assert ("condition", "b", "true") in changes(body)


def test_statements_events_and_modifiers_are_removed() -> None:
    body = """
    event Done(address by);
    uint256 x;
    modifier only() { _; }
    function f(uint256 a) external only { x = a; emit Done(msg.sender); delete x; }
    """
    assert {
        ("modifier", "only", ""),
        ("statement", "x = a;", "{}"),
        ("statement", "delete x;", "{}"),
        ("event", "emit Done(msg.sender);", "{}"),
        ("argument", "msg.sender", "address(uint160(msg.sender) ^ 1)"),
    } <= changes(body)


def test_arguments_of_one_type_change_places_and_others_do_not() -> None:
    body = """
    function g(uint256 a, uint256 b, bool c) internal pure returns (uint256) { return c ? a : b; }
    function f(uint256 a, uint256 b, bool c) external pure returns (uint256) { return g(a, b, c); }
    """
    assert [mutant.becomes for mutant in mutants(body) if mutant.operator == "swap"] == ["b, a"]


def test_enum_members_and_results_become_others() -> None:
    body = """
    enum State { NONE, OPEN }
    State state;
    function f() external { state = State.OPEN; }
    function g() external view returns (bool) { return state == State.NONE; }
    """
    found = changes(body)
    assert ("member", "State.OPEN", "type(State).min") in found
    assert ("return", "state == State.NONE", "!(state == State.NONE)") in found
    # A side of == stands still: the result as a whole is changed.
    assert not any(was == "State.NONE" for _, was, _ in found)


def test_assembly_is_changed_like_the_rest() -> None:
    body = """
    function f(uint256 a) external pure returns (uint256 b) {
        assembly ("memory-safe") { if gt(a, 3) { b := add(a, 4) } }
    }
    """
    assert {
        ("condition", "gt(a, 3)", "0"),
        ("condition", "gt(a, 3)", "1"),
        ("arithmetic", "gt", "lt"),
        ("arithmetic", "add", "sub"),
        ("number", "3", "4"),
        ("statement", "b := add(a, 4)", "{}"),
    } <= changes(body)


def test_a_mutant_changes_its_own_place_alone() -> None:
    source = f"{HEAD}/* ä */ contract A {{ function f(uint256 a) external pure returns (bool) {{ return a < 7; }} }}"
    for mutant in mutants_of("A.sol", source.encode(), tree_of(source)):
        changed = mutant.apply(source.encode())
        assert changed[: mutant.start] == source.encode()[: mutant.start]
        assert changed.endswith(source.encode()[mutant.end :])
        assert changed != source.encode()


def test_a_name_survives_what_happens_elsewhere_and_repetitions_are_counted() -> None:
    function = "function f(uint256 a) external pure returns (bool) { return a < 7 || a < 7; }"
    before = [mutant.name for mutant in mutants(function)]
    after = [mutant.name for mutant in mutants(f"uint256 public x = 3;\n\n{function}")]
    assert len(set(before)) == len(before)
    assert set(before) <= set(after)
    assert "A.sol A.f boundary: `a < 7` -> `a <= 7` (2)" in before


# --- the account ------------------------------------------------------------------------------------


@pytest.fixture
def mutate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("mutate")


def named(text: str) -> Mutant:
    return Mutant("A.sol", "A.f", "number", text, "0", 0, 1)


@pytest.mark.parametrize(
    ("answered", "whole", "code", "line"),
    [
        (["two"], True, 0, "1 survived and are answered"),
        (["two"], False, 0, "1 survived and are answered"),
        ([], True, 1, "survived without an answer: A.sol A.f number: `two`"),
        ([], False, 1, "survived without an answer: A.sol A.f number: `two`"),
        (["two", "one"], True, 1, "answer without a survivor: A.sol A.f number: `one`"),
        (["two", "one"], False, 0, "1 survived and are answered"),
    ],
)
def test_the_account_fails_on_survivors_without_answer_and_answers_without_survivor(
    mutate: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    answered: list[str],
    whole: bool,
    code: int,
    line: str,
) -> None:
    answers = tmp_path / "mutants.toml"
    names = [named(text).name for text in answered]
    answers.write_text(f"[[answer]]\nmutants = {json.dumps(names)}\nanswer = 'because'\n")
    monkeypatch.setattr(mutate, "ANSWERS", answers)
    verdicts = {named("one").name: "killed by test_one", named("two").name: "survived"}
    assert mutate.report([named("one"), named("two")], verdicts, whole=whole) == code
    assert line in capsys.readouterr().out


def test_every_answer_to_a_survivor_names_mutants_that_there_are_and_a_reason(
    mutate: ModuleType,
) -> None:
    names = {mutant.name for _, mutant in mutate.all_mutants()}
    answers = tomllib.loads((ROOT / "tools" / "mutants.toml").read_text())["answer"]
    answered = [name for answer in answers for name in answer["mutants"]]
    assert len(set(answered)) == len(answered)
    assert set(answered) <= names, sorted(set(answered) - names)
    for answer in answers:
        assert set(answer) == {"mutants", "answer"}
        assert len(answer["answer"]) > 30, answer["mutants"]
