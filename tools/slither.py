"""Runs slither over contracts/ and compares what it finds with the answers in tools/slither.toml.

Exits 1 on a finding without an answer, and on an answer without a finding. slither lives in an environment
of its own (.tools/slither, from tools/slither.lock), because its dependencies are not this project's.
"""

from __future__ import annotations

import fnmatch
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ANSWERS = ROOT / "tools" / "slither.toml"
SLITHER = ROOT / ".tools" / "slither" / "bin" / "slither"
# What forge needs to compile: slither cleans and rebuilds, which must not touch the project's own build.
COPIED = ("contracts", "tools", "foundry.toml", "package.json")


@dataclass(frozen=True)
class Finding:
    """One of slither's results: the detector and the place, `Contract.function`."""

    check: str
    where: str
    impact: str
    text: str


def findings(report: dict[str, Any]) -> Iterator[Finding]:
    if not report.get("success"):
        raise SystemExit(f"error: slither failed: {report.get('error')}")
    for result in report["results"].get("detectors", []):
        element = result["elements"][0]
        yield Finding(result["check"], place(element), result["impact"], result["description"])


def place(element: dict[str, Any]) -> str:
    """`Contract.function` of an element, whatever lies between; the element's own name alone otherwise."""
    names = [element["name"]] if element["type"] in {"function", "contract"} else []
    parent = element.get("type_specific_fields", {}).get("parent")
    while parent:
        if parent["type"] in {"function", "contract"}:
            names.insert(0, parent["name"])
        parent = parent.get("type_specific_fields", {}).get("parent")
    return ".".join(names) or element["name"]


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="slither-") as folder:
        copy = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(
                    source, copy / name, ignore=shutil.ignore_patterns(".cache", "__pycache__")
                )
            else:
                shutil.copy2(source, copy / name)
        (copy / "tests").mkdir()
        (copy / "node_modules").symlink_to(ROOT / "node_modules")
        output = copy / "slither.json"
        done = subprocess.run(
            [SLITHER, ".", "--filter-paths", "node_modules", "--json", str(output)],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
        if not output.is_file():
            raise SystemExit(f"error: slither wrote no report:\n{done.stderr[-4000:]}")
        report: dict[str, Any] = json.loads(output.read_text())
        return report


def main() -> int:
    report = json.loads(Path(sys.argv[1]).read_text()) if len(sys.argv) > 1 else run()
    answers = tomllib.loads(ANSWERS.read_text())["answer"]
    used = set()
    open_findings = []
    answered = 0
    for finding in findings(report):
        covering = [
            (index, pattern)
            for index, answer in enumerate(answers)
            for pattern in answer["where"]
            if answer["check"] == finding.check and fnmatch.fnmatchcase(finding.where, pattern)
        ]
        used.update(covering)
        if covering:
            answered += 1
        else:
            open_findings.append(finding)
    for finding in open_findings:
        print(f"{finding.impact} {finding.check} in {finding.where}\n    {finding.text.strip()}")
    idle = [
        f"{answer['check']} in {pattern}"
        for index, answer in enumerate(answers)
        for pattern in answer["where"]
        if (index, pattern) not in used
    ]
    for line in idle:
        print(f"answer without a finding: {line}")
    print(f"slither: {answered} findings answered in tools/slither.toml, {len(open_findings)} open")
    return 1 if open_findings or idle else 0


if __name__ == "__main__":
    sys.exit(main())
