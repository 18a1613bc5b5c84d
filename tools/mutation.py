"""What `make mutate` does with one mutant: compiles it, puts it where the tests deploy from, and runs them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutants import Mutant

ROOT = Path(__file__).resolve().parent.parent
# What forge needs to compile. The copy keeps a run apart from edits in the meantime.
COPIED = ("contracts", "tests/contracts", "tools", "foundry.toml", "package.json")
# Seconds for one call of forge; a mutant may loop.
LIMIT = 900


@dataclass(frozen=True)
class Target:
    """A contract that is deployed, the sources that are its own, and the folder of its tests."""

    contract: str
    sources: tuple[str, ...]
    via_ir: bool

    @property
    def file(self) -> str:
        return f"contracts/{self.contract}.sol"

    def files(self) -> list[str]:
        found = [path for pattern in self.sources for path in ROOT.glob(f"contracts/{pattern}")]
        return sorted(path.relative_to(ROOT).as_posix() for path in found)


TARGETS = (
    # The legacy pipeline takes a fifth of the time, where it finds place on the stack.
    Target("EnclavePolicy", ("EnclavePolicy.sol", "policy/*.sol"), via_ir=False),
    Target("EnclaveRegistry", ("Enclave[RWJ]*.sol",), via_ir=True),
    Target("KeyRegistry", ("KeyRegistry.sol", "keys/*.sol"), via_ir=True),
)


class Solc:
    """tools/solc --serve: a compiler that is loaded once."""

    def __init__(self) -> None:
        self._config = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]["default"]
        self._process = subprocess.Popen(
            [ROOT / "tools" / "solc", "--serve", "--base-path", ROOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        with self._process:
            self._process.kill()

    def trees(self, files: Iterable[str]) -> dict[str, Any]:
        sources = {file: (ROOT / file).read_text() for file in files}
        answer = self._ask(sources, {}, {"*": {"": ["ast"]}})
        return {file: answer["sources"][file]["ast"] for file in sources}

    def code(self, target: Target, sources: dict[str, str], *, deployed: bool) -> str | None:
        """Creation code in hex; nothing if the sources are no Solidity.

        :param sources: What stands in the place of files.
        :param deployed: As foundry.toml says, else as fast as can be.
        """
        settings: dict[str, Any] = {"viaIR": target.via_ir, "optimizer": {"enabled": False}}
        if deployed:
            runs = self._config["optimizer_runs"]
            for rule in self._config["compilation_restrictions"]:
                if rule["paths"] == target.file:
                    runs = rule["optimizer_runs"]
            settings = {"viaIR": True, "optimizer": {"enabled": True, "runs": runs}}
        settings["metadata"] = {"bytecodeHash": "none", "appendCBOR": False}
        selection = {target.file: {target.contract: ["evm.bytecode.object"]}}
        sources = {target.file: (ROOT / target.file).read_text(), **sources}
        answer = self._ask(sources, settings, selection)
        if any(error["severity"] == "error" for error in answer.get("errors", [])):
            return None
        code: str = answer["contracts"][target.file][target.contract]["evm"]["bytecode"]["object"]
        return code

    def _ask(
        self, sources: dict[str, str], settings: dict[str, Any], selection: dict[str, Any]
    ) -> dict[str, Any]:
        request = {
            "language": "Solidity",
            "sources": {name: {"content": text} for name, text in sources.items()},
            "settings": {
                **settings,
                "evmVersion": self._config["evm_version"],
                "remappings": self._config["remappings"],
                "outputSelection": selection,
            },
        }
        questions, answers = self._process.stdin, self._process.stdout
        if questions is None or answers is None:
            raise SystemExit("error: tools/solc has no pipes")
        questions.write(json.dumps(request) + "\n")
        questions.flush()
        answer: dict[str, Any] = json.loads(answers.readline())
        return answer


class Forge:
    """A built copy of the project, whose artifacts are replaced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: dict[Path, str] = {}

    def build(self) -> None:
        for name in COPIED:
            source, copy = ROOT / name, self.folder / name
            if source.is_dir():
                ignored = shutil.ignore_patterns(".cache", "__pycache__")
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(source, copy, ignore=ignored)
            else:
                self.folder.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, copy)
        modules = self.folder / "node_modules"
        if not modules.is_symlink():
            modules.symlink_to(ROOT / "node_modules")
        done = self._run("build")
        if done.returncode:
            raise SystemExit(f"error: forge build failed:\n{done.stdout}{done.stderr}")

    def copy(self, folder: Path) -> Forge:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder, symlinks=True)
        return Forge(folder)

    def deploy(self, target: Target, code: str) -> None:
        """From here on the tests find this code, until `restore`."""
        # There is a second one that forge compiled like the tests, under a name that forge chose.
        for path in (self.folder / f".build/forge/out/{target.contract}.sol").glob("*.json"):
            text = self._kept.setdefault(path, path.read_text())
            artifact = json.loads(text)
            if artifact["bytecode"]["object"] != "0x":
                artifact["bytecode"]["object"] = f"0x{code}"
                path.write_text(json.dumps(artifact))

    def restore(self) -> None:
        """The tests find what forge built."""
        for path, text in self._kept.items():
            path.write_text(text)

    def killer(self, *arguments: str) -> str | None:
        """The first test that fails, or nothing."""
        try:
            done = self._run("test", "--fail-fast", "--threads", "1", *arguments)
        except subprocess.TimeoutExpired:
            return "time limit"
        if done.returncode == 0:
            if " passed" not in done.stdout:
                raise SystemExit(f"error: no test ran: {' '.join(arguments)}\n{done.stdout}")
            return None
        # An invariant's name comes behind the sequence of calls that broke it.
        failed = re.search(r"^(?:\[FAIL.*\]| (?=invariant_)) ?(\w+)\(", done.stdout, re.MULTILINE)
        if not failed:
            raise SystemExit(
                f"error: forge failed without a failing test:\n{done.stdout}{done.stderr}"
            )
        return failed.group(1)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["forge", *command],
            cwd=self.folder,
            env={**os.environ, "FOUNDRY_PROFILE": "mutation", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )


class Judge:
    """Compiles and tests mutants, one at a time."""

    def __init__(self, forge: Forge) -> None:
        self._forge = forge
        self._solc = Solc()
        self._originals: dict[tuple[Target, bool], str] = {}

    def close(self) -> None:
        self._solc.close()

    def verdict(self, target: Target, mutant: Mutant) -> str:
        """`killed by TEST`, `no Solidity`, `same code` or `survived`."""
        text = mutant.apply((ROOT / mutant.file).read_bytes()).decode()
        code = self._solc.code(target, {mutant.file: text}, deployed=False)
        if code is None:
            return "no Solidity"
        try:
            killer = self._try(target, code, *first_tests(target))
            if killer:
                return f"killed by {killer}"
            code = self._solc.code(target, {mutant.file: text}, deployed=True)
            if code is None:
                return "no Solidity"
            if code == self.original(target, deployed=True):
                return "same code"
            killer = self._try(target, code)
            return f"killed by {killer}" if killer else "survived"
        finally:
            self._forge.restore()

    def require_green(self, targets: Sequence[Target]) -> None:
        """The originals pass what the mutants will meet: a failure says something about the mutant."""
        self._require_none(self._forge.killer())
        for target in targets:
            code = self.original(target, deployed=False)
            self._require_none(self._try(target, code, *first_tests(target)))
            self._forge.restore()

    @staticmethod
    def _require_none(killer: str | None) -> None:
        if killer:
            raise SystemExit(f"error: {killer} fails without any mutation")

    def original(self, target: Target, *, deployed: bool) -> str:
        key = (target, deployed)
        if key not in self._originals:
            code = self._solc.code(target, {}, deployed=deployed)
            if code is None:
                raise SystemExit(f"error: {target.file} does not compile")
            self._originals[key] = code
        return self._originals[key]

    def _try(self, target: Target, code: str, *arguments: str) -> str | None:
        self._forge.deploy(target, code)
        return self._forge.killer(*arguments)


def first_tests(target: Target) -> list[str]:
    """Figures of gas are the optimised code's, and an invariant's campaign takes longest."""
    return [
        "--match-path",
        f"tests/contracts/{target.contract}/*",
        "--no-match-contract",
        "Gas|Invariants",
        "--no-match-test",
        "least_gas",
    ]
