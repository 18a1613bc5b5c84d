"""An operator of a deployment: runs the Ape scripts against a chain, in one process that has no compiler."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tests.support.chain import ROOT
from xmtp_tee.demo.processes import environment

NETWORK = ("--network", "ethereum:local:foundry")


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    code: int
    output: str


class Operator:
    """Runs scripts against the chain at ``url``, with the deployment file ``deployment``."""

    def __init__(self, url: str, deployment: Path, folder: Path) -> None:
        self.url = url
        self.deployment = deployment
        # Ape finds no compiler: what is deployed must come from forge.
        empty = folder / "no-compiler"
        empty.mkdir()
        self._environment = environment(ROOT) | {
            "APE_FOUNDRY_HOST": url,
            "SOLCX_BINARY_PATH": str(empty),
            "XMTP_TEE_DEPLOYMENT": str(deployment),
        }
        self._log = (folder / "ape.log").open("w")
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Operator:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.ape_runner"],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process, self._process = self._process, None
        if process is not None:
            _pipe(process.stdin).close()
            process.wait(timeout=30)
            _pipe(process.stdout).close()
        self._log.close()

    def run(self, *words: str) -> Answer:
        """Run a script's command, as ``ape run`` would."""
        assert self._process is not None
        stdin = _pipe(self._process.stdin)
        stdin.write(json.dumps([*words, *NETWORK]) + "\n")
        stdin.flush()
        line = _pipe(self._process.stdout).readline()
        if not line:
            self._log.flush()
            raise AssertionError(f"{words}: " + Path(self._log.name).read_text()[-4000:])
        answer: dict[str, Any] = json.loads(line)
        return Answer(answer["code"], answer["output"])

    def must(self, *words: str) -> str:
        """Run a command that must succeed; return what it printed."""
        answer = self.run(*words)
        assert answer.code == 0, answer.output
        return answer.output

    def refused(self, *words: str) -> str:
        """Run a command that must fail; return what it printed."""
        answer = self.run(*words)
        assert answer.code != 0, answer.output
        return answer.output

    def ape(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``ape run`` itself, as a process of its own."""
        return subprocess.run(
            ["ape", "run", *words, *NETWORK],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
