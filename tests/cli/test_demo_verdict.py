"""The demonstration fails when a step fails, and when a cheat is not refused with its own error."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from xmtp_tee.client.chain_errors import ContractRefused, refusal
from xmtp_tee.commands.console import Console
from xmtp_tee.demo import agent, story
from xmtp_tee.demo.processes import Process, ProcessFailed
from xmtp_tee.demo.report import Done, Outcome, closing, outcome_table
from xmtp_tee.demo.stage import Attempt, Stage
from xmtp_tee.errors import UnavailableError


class ChainThatRefuses:
    """Stands for a chain that refuses with one error, or accepts."""

    def __init__(self, error: ContractRefused | None) -> None:
        self._error = error

    def transact(self, *arguments: Any, **keywords: Any) -> Any:
        assert keywords["rehearse"] is False  # a refusal must be mined
        if self._error is not None:
            raise self._error

        class Receipt:
            transaction = "0xab"

        return Receipt()


def outcome_of_cheat(tmp_path: Path, error: ContractRefused | None) -> Outcome:
    with ExitStack() as stack:
        stage = Stage(root=tmp_path, folder=tmp_path, stack=stack)
        stage.chain = ChainThatRefuses(error)  # type: ignore[assignment]
        attempt = Attempt(None, None)  # type: ignore[arg-type]
        return story._run_step(
            Console(), "cheat", lambda: story._cheat(stage, lambda _: attempt, "BlockTooOld")
        )


def test_cheat_refused_with_its_own_error_is_a_success(tmp_path: Path) -> None:
    outcome = outcome_of_cheat(tmp_path, refusal("BlockTooOld", {"got": 1}, gas_used=7))
    assert (outcome.ok, outcome.gas) == (True, 7)
    assert "BlockTooOld" in outcome.result


def test_cheat_refused_with_another_error_is_a_failure(tmp_path: Path) -> None:
    outcome = outcome_of_cheat(tmp_path, refusal("EvidenceTooShort", {}))
    assert not outcome.ok
    assert "EvidenceTooShort" in outcome.result


def test_cheat_that_is_not_refused_is_a_failure(tmp_path: Path) -> None:
    outcome = outcome_of_cheat(tmp_path, None)
    assert not outcome.ok
    assert "NOT refused" in outcome.result


@pytest.mark.parametrize(
    "error", [RuntimeError("x"), UnavailableError("y"), KeyError("z"), refusal("Any", {})]
)
def test_step_that_raises_is_a_failure(error: Exception) -> None:
    def step() -> Done:
        raise error

    assert not story._run_step(Console(), "step", step).ok


def test_skipped_step_is_named_at_the_end_and_never_counted_as_done() -> None:
    outcome = story._run_step(Console(), "converse", lambda: Done("skipped: none", skipped=True))
    assert (outcome.ok, outcome.skipped, outcome.as_dict()["skipped"]) == (True, True, True)
    done = Outcome("act", True, "fine", None, 0.1)
    assert "Every step did what it should" in closing([done], 1.0)
    partly = closing([done, outcome], 1.0)
    assert "Every step did" not in partly
    assert "SKIPPED: converse" in partly
    failed = closing([done, outcome, Outcome("bad", False, "no", None, 0.1)], 1.0)
    assert failed == "1 step(s) did NOT do what they should."


def test_acts_without_the_genuine_client_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "peers_installed", lambda: False)
    with ExitStack() as stack:
        stage = Stage(root=tmp_path, folder=tmp_path, stack=stack)
        acts = (agent.start_network, agent.converse, agent.check_agent)
        assert all(act(stage).skipped for act in acts)


def test_table_has_step_result_and_gas() -> None:
    lines = outcome_table(
        [
            Outcome("good", True, "fine", 1234, 0.1),
            Outcome("bad", False, "first line\nlast line", None, 0.1),
        ]
    )
    assert lines[0].split() == ["#", "step", "result", "gas"]
    assert "1,234" in lines[2]
    assert "FAILED: last line" in lines[3]


def test_process_that_ends_early_is_reported_with_its_last_words(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo the reason; exit 3"]
    with (
        Process("it", command, tmp_path / "log") as process,
        pytest.raises(ProcessFailed) as failed,
    ):
        process.wait_until(lambda: False, seconds=5)
    assert "the reason" in str(failed.value)


def test_process_is_stopped_when_the_block_is_left_by_an_error(tmp_path: Path) -> None:
    started: list[int] = []

    def leave() -> None:
        with Process("it", ["sleep", "60"], tmp_path / "log") as it:
            started.append(it.pid)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        leave()
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


def test_every_cheat_of_the_story_is_there() -> None:
    assert [expected for _, _, expected in story.CHEATS] == [
        "QuoteSignatureInvalid",
        "WorkloadNotTrusted",
        "CertificateSignerMismatch",
        "BlockTooOld",
        "EpochNotGreater",
    ]
    assert len(story.STORY) == 12
