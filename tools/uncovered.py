"""Which lines of contracts/ forge's tests reach: a table, and a comparison with the answers in tools/uncovered.toml.

Exits 1 on a line that no test reaches and no answer covers, and on an answer that covers nothing. An answer's `where`
is `file: text of the line`, or the beginning of that followed by *; the numbers of lines would change with every edit.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ANSWERS = ROOT / "tools" / "uncovered.toml"


def counts(lcov: str) -> Iterator[tuple[str, int, int]]:
    """File, line and how often it ran, for every line of contracts/ in an lcov tracefile (its SF and DA records)."""
    file = ""
    for record in lcov.splitlines():
        name, _, value = record.partition(":")
        if name == "SF":
            file = value
        elif name == "DA" and file.startswith("contracts/"):
            line, times = value.split(",")[:2]
            yield file, int(line), int(times)


def covers(where: str, place: str) -> bool:
    return place.startswith(where[:-1]) if where.endswith("*") else place == where


def main() -> int:
    reached: dict[str, int] = {}
    places: dict[str, list[str]] = {}
    for file, line, times in counts(Path(sys.argv[1]).read_text()):
        reached[file] = reached.get(file, 0) + (times > 0)
        missing = places.setdefault(file, [])
        if not times:
            text = (ROOT / file).read_text().splitlines()[line - 1].strip()
            missing.append(f"{file}: {text}")
    if not reached:
        raise SystemExit("error: no line of contracts/ in the tracefile")
    for file in sorted(reached):
        total = reached[file] + len(places[file])
        print(f"{reached[file] / total:7.1%} {reached[file]:4} of {total:4}  {file}")

    answers = tomllib.loads(ANSWERS.read_text())["answer"]
    patterns = [where for answer in answers for where in answer["where"]]
    missed = [place for file in sorted(places) for place in places[file]]
    opened = [place for place in missed if not any(covers(where, place) for where in patterns)]
    idle = [where for where in patterns if not any(covers(where, place) for place in missed)]
    for place in opened:
        print(f"not reached, without an answer: {place}")
    for where in idle:
        print(f"answer without an unreached line: {where}")
    total = sum(reached.values()) + len(missed)
    print(
        f"coverage: {sum(reached.values())} of {total} lines reached, {len(missed) - len(opened)} answered in "
        f"tools/uncovered.toml, {len(opened)} open"
    )
    return 1 if opened or idle else 0


if __name__ == "__main__":
    sys.exit(main())
