"""Runs the Ape scripts one after the other in one process, as `ape run` would each in its own.

Reads a JSON list of words per line (``["policy", "list", "--network", ...]``) and answers with a JSON object per line:
``{"code": 0, "output": "..."}``. Starting Ape takes seconds, so a test module starts it once.
"""

from __future__ import annotations

import importlib
import json
import sys

from click.testing import CliRunner


def main() -> None:
    answers = sys.stdout
    # Whatever else writes to standard output must not get between the answers.
    sys.stdout = sys.stderr
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        command = importlib.import_module(f"scripts.{name}").cli
        done = CliRunner().invoke(command, arguments)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        answers.write(json.dumps({"code": done.exit_code, "output": done.output}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
