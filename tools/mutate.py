"""Mutation test of the registries: changes their sources in one place at a time and runs their tests.

A mutant that no test notices has either its answer in tools/mutants.toml or a test that is missing. Exits 1 on a
survivor without an answer, and on an answer without a survivor.

A mutant is compiled without the optimizer and put in the place of forge's artifact, from which the tests deploy; forge
has nothing to compile. It meets the tests of its own contract first, with few fuzz runs. What survives is compiled as
it is deployed and meets every test of the registries, invariants too. What then is byte for byte the original's code
changed nothing.

A verdict "killed" is kept in .build/mutation until contracts/ changes, so a run that was stopped goes on where it was;
`--fresh` forgets. Survivors are tried again every time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import queue
import sys
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed

from mutants import Mutant, mutants_of
from mutation import ROOT, TARGETS, Forge, Judge, Solc, Target

ANSWERS = ROOT / "tools" / "mutants.toml"
WORK = ROOT / ".build" / "mutation"
VERDICTS = WORK / "verdicts.json"


def contracts_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted((ROOT / "contracts").rglob("*.sol")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Verdicts:
    """What is known of these contracts' mutants, on disk after every one."""

    def __init__(self, *, fresh: bool) -> None:
        self._digest = contracts_digest()
        self.known: dict[str, str] = {}
        if not fresh and VERDICTS.is_file():
            stored = json.loads(VERDICTS.read_text())
            if stored["contracts"] == self._digest:
                self.known = stored["verdicts"]

    def add(self, mutant: Mutant, verdict: str) -> None:
        self.known[mutant.name] = verdict
        content = {"contracts": self._digest, "verdicts": self.known}
        written = VERDICTS.with_suffix(".new")
        written.write_text(json.dumps(content, indent=1))
        written.replace(VERDICTS)


def all_mutants() -> list[tuple[Target, Mutant]]:
    solc = Solc()
    try:
        found = []
        for target in TARGETS:
            for file, tree in solc.trees(target.files()).items():
                source = (ROOT / file).read_bytes()
                found += [(target, mutant) for mutant in mutants_of(file, source, tree)]
        return found
    finally:
        solc.close()


def in_lot(mutant: Mutant) -> str:
    """An order that has nothing to do with the text's, and is the same every time: its head is a sample."""
    return hashlib.sha256(mutant.name.encode()).hexdigest()


def run(todo: list[tuple[Target, Mutant]], verdicts: Verdicts, jobs: int) -> None:
    built = Forge(WORK / "project")
    built.build()
    judges = [Judge(built.copy(WORK / f"worker-{index}")) for index in range(jobs)]
    idle: queue.SimpleQueue[Judge] = queue.SimpleQueue()
    for judge in judges:
        idle.put(judge)

    def work(target: Target, mutant: Mutant) -> tuple[Mutant, str]:
        judge = idle.get()
        try:
            return mutant, judge.verdict(target, mutant)
        finally:
            idle.put(judge)

    pool = ThreadPoolExecutor(jobs)
    try:
        judges[0].require_green(
            [one for one in TARGETS if any(one == target for target, _ in todo)]
        )
        for done in as_completed([pool.submit(work, *item) for item in todo]):
            mutant, verdict = done.result()
            verdicts.add(mutant, verdict)
            print(f"{verdict}: {mutant.name}", flush=True)
    finally:
        pool.shutdown(cancel_futures=True)
        for judge in judges:
            judge.close()


def report(chosen: list[Mutant], verdicts: dict[str, str], *, whole: bool) -> int:
    """Prints the account and returns the exit code."""
    answers = tomllib.loads(ANSWERS.read_text())["answer"]
    answered = {mutant for answer in answers for mutant in answer["mutants"]}
    count = Counter(verdicts[mutant.name].partition(" by ")[0] for mutant in chosen)
    survivors = [mutant.name for mutant in chosen if verdicts[mutant.name] == "survived"]
    opened = [name for name in survivors if name not in answered]
    idle = sorted(answered - set(survivors)) if whole else []
    for name in opened:
        print(f"survived without an answer: {name}")
    for name in idle:
        print(f"answer without a survivor: {name}")
    print(
        f"mutants: {len(chosen) - count['no Solidity']}, of which {count['killed']} were killed, "
        f"{count['same code']} compile to the same code, {len(survivors) - len(opened)} survived and are "
        f"answered in tools/mutants.toml, {len(opened)} survived without an answer"
    )
    return 1 if opened or idle else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--sample", type=int, metavar="N", help="try N mutants only, always the same"
    )
    parser.add_argument(
        "--only", nargs="+", metavar="TEXT", help="try those whose name contains one of these"
    )
    parser.add_argument("--list", action="store_true", help="name the mutants, try none")
    parser.add_argument("--fresh", action="store_true", help="forget earlier verdicts")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    options = parser.parse_args()

    found = sorted(all_mutants(), key=lambda item: in_lot(item[1]))
    if options.only:
        found = [item for item in found if any(text in item[1].name for text in options.only)]
    found = found[: options.sample]
    if options.list:
        for _, mutant in sorted(found, key=lambda item: (item[1].file, item[1].start)):
            print(mutant.name)
        return 0
    WORK.mkdir(parents=True, exist_ok=True)
    verdicts = Verdicts(fresh=options.fresh)
    todo = [item for item in found if verdicts.known.get(item[1].name, "survived") == "survived"]
    print(f"{len(found)} mutants, {len(found) - len(todo)} with a verdict from before", flush=True)
    if todo:
        run(todo, verdicts, options.jobs)
    whole = options.sample is None and options.only is None
    return report([mutant for _, mutant in found], verdicts.known, whole=whole)


if __name__ == "__main__":
    sys.exit(main())
