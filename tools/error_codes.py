"""Writes docs/ERRORS.md from the error classes, or checks that it is fresh.

python tools/error_codes.py            write
python tools/error_codes.py --check    exit 1 when the file differs
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import pkgutil
import sys
from pathlib import Path

import xmtp_tee
from xmtp_tee.errors import XmtpTeeError

PAGE = Path(__file__).resolve().parent.parent / "docs" / "ERRORS.md"

HEAD = """\
# Errors

Every error of `xmtp-tee` says what failed, what was got and what was expected, the likely cause, the next
command, and one of the codes below. With `--json` it is the one object on stdout:
`{"ok": false, "error": {"code": ..., "message": ..., "got": ..., "expected": ..., "cause": ...,
"next_command": ..., "exit_code": ...}}`.

| exit code | meaning |
|---|---|
| 0 | verified, or done |
| 1 | usage: the call itself is wrong |
| 2 | invalid evidence: it does not prove what it claims, or there is no record |
| 3 | unavailable: a socket, a chain or collateral could not be reached or has lapsed; nothing is known |
| 4 | refused by policy: genuine, and debug, TCB level, expiry or simulation is not acceptable |

A contract's refusal has the code `chain.refused`; `contract_error` names the custom error, whose meaning stands
in docs/SPECIFICATION.md, and the exit code follows from it. An error that is not known by name counts as 2.

| code | exit | meaning |
|---|---|---|
"""


def classes() -> list[type[XmtpTeeError]]:
    """Every error class of the package."""
    for module in pkgutil.walk_packages(xmtp_tee.__path__, "xmtp_tee."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: list[type[XmtpTeeError]] = []
    pending: list[type[XmtpTeeError]] = [XmtpTeeError]
    while pending:
        kind = pending.pop()
        if kind not in found:
            found.append(kind)
            pending += kind.__subclasses__()
    return [kind for kind in found if kind.__module__.startswith("xmtp_tee")]


def render() -> str:
    """The page's text: a line per code; classes that share a code share the line of the first."""
    lines: dict[str, tuple[set[int], str]] = {}
    for kind in sorted(classes(), key=lambda kind: len(kind.__mro__)):
        text = (
            (inspect.getdoc(kind) or "")
            .split("\n\n")[0]
            .replace("\n", " ")
            .replace("|", "\\|")
            .replace("``", "`")
        )
        exits, first = lines.get(kind.code, (set(), text))
        lines[kind.code] = (exits | {int(kind.exit_code)}, first)
    rows = [
        f"| `{code}` | {', '.join(str(n) for n in sorted(exits))} | {text} |"
        for code, (exits, text) in sorted(lines.items())
    ]
    return HEAD + "\n".join(rows) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Write or check docs/ERRORS.md.")
    parser.add_argument("--check", action="store_true", help="exit 1 when the page is stale")
    arguments = parser.parse_args()
    text = render()
    if not arguments.check:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")
        print(f"{PAGE.name}: written")
        return 0
    if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        print("error: docs/ERRORS.md is stale; run: python tools/error_codes.py", file=sys.stderr)
        return 1
    print(f"{PAGE.name}: fresh")
    return 0


if __name__ == "__main__":
    sys.exit(main())
