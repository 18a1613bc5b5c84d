"""The rules of the repository itself: who imports whom, what is pinned, what is never committed."""

from __future__ import annotations

import ast
import json
import re
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / "python"
PACKAGE = PYTHON / "xmtp_tee"
CONTRACTS = ROOT / "contracts"
SPECIFICATION = (ROOT / "docs" / "SPECIFICATION.md").read_text()

# --- what Python modules import -------------------------------------------------------------------


def module_name(path: Path) -> str:
    parts = list(path.relative_to(PYTHON).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def imports_of(source: str, module: str, *, is_package: bool) -> set[str]:
    """Every module that the source names in an import, at any depth, relative ones resolved.

    `from a import b` counts as a and as a.b, because b may be a module.
    """
    package = module if is_package else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                parents = parents[: len(parents) - (node.level - 1)]
                base = ".".join([*parents, base] if base else parents)
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            found.update(_dynamic_import(node))
    return found


def _dynamic_import(node: ast.Call) -> Iterator[str]:
    """The module in import_module("x") or __import__("x")."""
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in {"import_module", "__import__"} and node.args:
        argument = node.args[0]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value


def is_within(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


def offences(area: str, forbidden: set[str], allowed: frozenset[str] = frozenset()) -> list[str]:
    """Imports of a forbidden module (or of one inside it) by the modules of an area."""
    folder = PACKAGE / area
    found = []
    for path in sorted(folder.rglob("*.py")):
        module = module_name(path)
        names = imports_of(
            path.read_text(encoding="utf-8"), module, is_package=path.name == "__init__.py"
        )
        found += [
            f"{module} imports {name}"
            for name in sorted(names)
            if any(is_within(name, prefix) for prefix in forbidden)
            and not any(is_within(name, prefix) for prefix in allowed)
        ]
    return found


CHAIN = {"web3", "ape", "ape_foundry", "ape_solidity", "eth_account", "eth_abi", "eth_utils"}
INPUT_OUTPUT = {
    *("asyncio", "http", "multiprocessing", "os", "random", "secrets", "select", "selectors"),
    *("socket", "socketserver", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time"),
    *("urllib", "datetime", "pathlib", "httpx", "requests", "aiohttp"),
}
EDGE_FOLDERS = ("client", "commands")
EDGE_MODULES = ("cli.py", "demo.py", "demo")


def require_area(area: str) -> None:
    if not (PACKAGE / area).is_dir():
        pytest.skip(f"xmtp_tee/{area} does not exist yet")


@pytest.mark.parametrize(
    ("source", "module", "is_package", "expected"),
    [
        ("import web3.auto", "xmtp_tee.enclave.keys", False, "web3.auto"),
        ("from xmtp_tee import client", "xmtp_tee.enclave.keys", False, "xmtp_tee.client"),
        ("from ..client import registry", "xmtp_tee.enclave.keys", False, "xmtp_tee.client"),
        ("from .. import client", "xmtp_tee.enclave.keys", False, "xmtp_tee.client"),
        ("from ..client import x", "xmtp_tee.enclave", True, "xmtp_tee.client.x"),
        ("def f():\n    import web3", "xmtp_tee.enclave.keys", False, "web3"),
        ("importlib.import_module('web3')", "xmtp_tee.enclave.keys", False, "web3"),
    ],
)
def test_imports_of_sees_every_form(
    source: str, module: str, is_package: bool, expected: str
) -> None:
    assert expected in imports_of(source, module, is_package=is_package)


def test_enclave_imports_neither_client_nor_cli_nor_chain() -> None:
    require_area("enclave")
    outer = {"client", "cli", "commands", "demo", "devnode"}
    assert offences("enclave", {f"xmtp_tee.{area}" for area in outer} | CHAIN) == []


def test_attestation_imports_neither_enclave_nor_client_nor_chain() -> None:
    require_area("attestation")
    forbidden = {"xmtp_tee.enclave", "xmtp_tee.client", "xmtp_tee.cli", "xmtp_tee.commands"}
    assert offences("attestation", forbidden | CHAIN - {"eth_abi"}) == []


def test_wire_imports_only_error_modules_of_the_package_and_does_no_io() -> None:
    require_area("wire")
    allowed = frozenset({"xmtp_tee.errors", "xmtp_tee.attestation.errors", "xmtp_tee.wire"})
    # `from xmtp_tee.attestation import errors` names its package too.
    packages = ("imports xmtp_tee", "imports xmtp_tee.attestation")
    strangers = [
        line for line in offences("wire", {"xmtp_tee"}, allowed) if not line.endswith(packages)
    ]
    assert strangers == []
    assert offences("wire", INPUT_OUTPUT | CHAIN) == []


@pytest.mark.parametrize("area", ["hpke", "mls", "xmtp"])
def test_protocol_core_imports_neither_enclave_nor_client_and_does_no_io(area: str) -> None:
    require_area(area)
    outer = {"enclave", "client", "cli", "commands", "demo", "devnode"}
    forbidden = {f"xmtp_tee.{name}" for name in outer} | INPUT_OUTPUT | CHAIN
    assert offences(area, forbidden) == []


def test_web3_and_ape_are_imported_at_the_edges_only() -> None:
    libraries = {"web3", "ape", "ape_foundry", "ape_solidity", "eth_account"}
    inner = []
    for path in sorted(PACKAGE.rglob("*.py")):
        top = path.relative_to(PACKAGE).parts[0]
        if top in EDGE_FOLDERS or top in EDGE_MODULES:
            continue
        module = module_name(path)
        names = imports_of(
            path.read_text(encoding="utf-8"), module, is_package=path.name == "__init__.py"
        )
        inner += [f"{module} imports {n}" for n in names if n.split(".")[0] in libraries]
    assert inner == []


def test_key_manager_imports_no_chain_library() -> None:
    path = PACKAGE / "client" / "key_manager.py"
    if not path.is_file():
        pytest.skip("xmtp_tee/client/key_manager.py does not exist yet")
    names = imports_of(
        path.read_text(encoding="utf-8"), "xmtp_tee.client.key_manager", is_package=False
    )
    assert not [n for n in names if n.split(".")[0] in CHAIN]


# --- what contracts import ------------------------------------------------------------------------

SOLIDITY_IMPORT = re.compile(r"""^\s*import\b[^;]*?["']([^"']+)["']\s*;""", re.MULTILINE)


def solidity_imports(path: Path) -> list[str]:
    """Imported files as paths under contracts/, or as written when they belong to a package."""
    result = []
    for name in SOLIDITY_IMPORT.findall(path.read_text(encoding="utf-8")):
        if name.startswith("."):
            result.append((path.parent / name).resolve().relative_to(CONTRACTS).as_posix())
        else:
            result.append(name)
    return result


def contract_sources(area: str = "") -> list[Path]:
    return [p for p in sorted((CONTRACTS / area).rglob("*.sol")) if ".cache" not in p.parts]


@pytest.mark.parametrize("area", ["crypto", "encoding"])
def test_contract_library_knows_no_registry_policy_or_attestation(area: str) -> None:
    if not (CONTRACTS / area).is_dir():
        pytest.skip(f"contracts/{area} does not exist yet")
    strangers = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in contract_sources(area)
        for name in solidity_imports(path)
        if not name.startswith(("crypto/", "encoding/", "@openzeppelin/contracts/", "solady/"))
        # The one contract among them; its documentation stands where every interface does.
        and name != "interfaces/IP384.sol"
    ]
    assert strangers == []


def test_attestation_contracts_know_no_registry() -> None:
    strangers = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in contract_sources("attestation")
        for name in solidity_imports(path)
        if re.search(r"(Key|Enclave)(Registry|Policy)\.sol$", name)
    ]
    assert strangers == []


def test_interfaces_import_no_contract() -> None:
    """Types of a library may stand in an interface; what implements it may not."""
    strangers = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in contract_sources("interfaces")
        for name in solidity_imports(path)
        if (CONTRACTS / name).is_file()
        and re.search(r"^(abstract )?contract ", (CONTRACTS / name).read_text(), re.MULTILINE)
    ]
    assert strangers == []


def test_every_deployable_contract_stands_in_the_table_of_the_specification() -> None:
    head = SPECIFICATION[: SPECIFICATION.index("## Vocabulary")]
    table = re.findall(r"^\| ([\w, ]+) \|.*\| no \|$", head, re.MULTILINE)
    rows = [name for row in table for name in row.split(", ")]
    assert sorted(rows) == sorted(json.loads((PACKAGE / "client" / "abi.json").read_text()))


def test_every_contract_that_a_deployment_names_has_a_section_in_the_specification() -> None:
    from scripts._plan import ALWAYS, FOR_NITRO, FOR_SEV_SNP

    sections = re.findall(r"^## (\w+)$", SPECIFICATION, re.MULTILINE)
    assert {*ALWAYS, *FOR_NITRO, *FOR_SEV_SNP} - set(sections) == set()


def test_contracts_pin_the_compiler() -> None:
    version = json.loads((ROOT / "package.json").read_text())["dependencies"]["solc"]
    loose = [
        str(path.relative_to(ROOT))
        for path in contract_sources()
        if f"pragma solidity {version};" not in path.read_text(encoding="utf-8")
    ]
    assert loose == []


# --- one set of settings --------------------------------------------------------------------------


def test_forge_and_ape_compile_with_the_same_settings() -> None:
    forge = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]["default"]
    config = yaml.safe_load((ROOT / "ape-config.yaml").read_text())
    ape = config["solidity"]
    assert forge["src"] == config["contracts_folder"]
    assert forge["evm_version"] == ape["evm_version"] == config["foundry"]["evm_version"]
    assert forge["optimizer"] is ape["optimize"] is True
    assert forge["optimizer_runs"] == ape["optimization_runs"]
    assert forge["via_ir"] is ape["via_ir"] is True


def test_ape_takes_the_versions_that_npm_pins() -> None:
    pinned = json.loads((ROOT / "package.json").read_text())["dependencies"]
    config = yaml.safe_load((ROOT / "ape-config.yaml").read_text())
    assert config["solidity"]["version"] == pinned["solc"]
    for dependency in config["dependencies"]:
        assert dependency["version"] == pinned[dependency["npm"]], dependency["name"]


# --- locks ----------------------------------------------------------------------------------------


def test_npm_packages_are_pinned_exactly_and_locked_with_hashes_without_hosts() -> None:
    manifest = json.loads((ROOT / "package.json").read_text())
    for kind in ("dependencies", "devDependencies", "optionalDependencies"):
        for name, version in manifest[kind].items():
            assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} {version}"
    lock = json.loads((ROOT / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    for name, entry in packages.items():
        assert "resolved" not in entry, name
        assert entry["integrity"].startswith("sha512-"), name


@pytest.mark.parametrize(
    ("lock", "at_least"),
    [("requirements.lock", 50), ("tools/slither.lock", 30), ("tools/halmos.lock", 15)],
)
def test_python_lock_pins_every_package_with_hashes_and_names_no_host(
    lock: str, at_least: int
) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(--index|--extra-index|--find-links|-i |-f )", text, re.MULTILINE)
    blocks = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    assert len(blocks) > at_least
    for block in blocks:
        first = block.splitlines()[0]
        assert re.match(r"[A-Za-z0-9._-]+==[^\s;]+", first), first
        assert "--hash=sha256:" in block, first


def test_python_lock_holds_every_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["chain"],
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]
    locked = set(
        re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )
    names = {re.match(r"[A-Za-z0-9._-]+", text)[0].lower() for text in declared}  # type: ignore[index]
    assert names - locked == set()


# --- hygiene --------------------------------------------------------------------------------------


def committed_files() -> list[Path]:
    """What git tracks or would add; where there is no git, the tree without what is installed."""
    answer = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if answer.returncode == 0:
        names = [name for name in answer.stdout.decode().split("\0") if name]
        paths = [ROOT / name for name in names]
    else:
        skipped = {".git", ".venv", ".tools", ".build", "node_modules", "__pycache__", ".cache"}
        paths = [p for p in ROOT.rglob("*") if not skipped & set(p.relative_to(ROOT).parts)]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


# Spelt in pieces, so that this file passes its own check.
FORBIDDEN_TEXT = {
    "a registry's host": re.compile(
        r"registry\."
        r"npmjs\.|registry\."
        r"yarnpkg\.|files\."
        r"pythonhosted\.|py"
        r"pi\.org"
        r"|npm\."
        r"pkg\.github|bina"
        r"ries\.soliditylang|(?:artifactory|nexus)\.[a-z]"
    ),
    "an absolute machine path": re.compile(
        r"(?<![\w./$}~-])/(?:ro"
        r"ot|wo"
        r"rk|ho"
        r"me/\w+|Us"
        r"ers/\w+|private/var|tm"
        # A name that goes on after a dot is a file's or a route's.
        r"p/bash_)(?:/|\b(?!\.\w))"
    ),
    "a private key": re.compile(r"-----BEGIN (?:EC |RSA |OPENSSH )?PRIVATE" r" KEY-----"),
    "a merge conflict": re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE),
}


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a registry's host", "https://registry." + "npmjs.org/solc"),
        ("a registry's host", "https://files." + "pythonhosted.org/x"),
        ("an absolute machine path", 'open("/ro' + 'ot/x")'),
        ("an absolute machine path", "cd /wo" + "rk/main"),
        ("a private key", "-----BEGIN PRIVATE" + " KEY-----"),
    ],
)
def test_forbidden_text_is_recognised(what: str, text: str) -> None:
    assert FORBIDDEN_TEXT[what].search(text)


def test_committed_files_hold_no_host_no_machine_path_no_secret() -> None:
    files = committed_files()
    assert len(files) > 10
    found = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for what, pattern in FORBIDDEN_TEXT.items():
            match = pattern.search(text)
            if match:
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{path.relative_to(ROOT)}:{line} holds {what}")
    assert found == []


def test_committed_text_ends_with_one_newline_and_has_no_trailing_blank() -> None:
    suffixes = {".py", ".sol", ".toml", ".yaml", ".yml", ".json", ".js", ".sh"}
    found = []
    for path in committed_files():
        if path.suffix not in suffixes and path.name != "Makefile":
            continue
        text = path.read_text(encoding="utf-8")
        if text and not text.endswith("\n"):
            found.append(f"{path.relative_to(ROOT)} lacks the final newline")
        if re.search(r"[ \t]+$", text, re.MULTILINE):
            found.append(f"{path.relative_to(ROOT)} has trailing blanks")
        if "\r" in text:
            found.append(f"{path.relative_to(ROOT)} has carriage returns")
    assert found == []


def test_shell_and_node_tools_are_executable() -> None:
    for name in (".ci/run", "tools/solc", "tools/prerequisites.sh", "tools/install-python.sh"):
        assert (ROOT / name).stat().st_mode & 0o111, name


# --- the command starts quickly -------------------------------------------------------------------


def test_help_of_the_command_answers_within_300_ms() -> None:
    if not (PACKAGE / "cli.py").is_file():
        pytest.skip("xmtp_tee/cli.py does not exist yet")
    command = [str(Path(sys.executable).with_name("xmtp-tee")), "--help"]
    times = []
    for attempt in range(8):
        begin = time.perf_counter()
        answer = subprocess.run(command, capture_output=True, check=True, text=True)
        if attempt:  # the first one compiles modules
            times.append(time.perf_counter() - begin)
        assert "Usage" in answer.stdout
    assert statistics.median(times) < 0.3, times


# --- the compiler shim ----------------------------------------------------------------------------


def run_solc(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "tools" / "solc"), *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def test_solc_answers_its_pinned_version() -> None:
    version = json.loads((ROOT / "package.json").read_text())["dependencies"]["solc"]
    assert f"Version: {version}+commit." in run_solc("--version").stdout


def test_solc_prints_only_json_and_reads_the_include_path(tmp_path: Path) -> None:
    (tmp_path / "B.sol").write_text(
        "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.0;\nlibrary B {}\n"
    )
    source = (
        '// SPDX-License-Identifier: MIT\npragma solidity ^0.8.0;\nimport "B.sol";\ncontract A {}\n'
    )
    question = {
        "language": "Solidity",
        "sources": {"A.sol": {"content": source}},
        "settings": {"outputSelection": {"*": {"*": ["abi"]}}},
    }
    answer = run_solc(
        "--standard-json",
        *("--base-path", str(ROOT), "--include-path", str(tmp_path), "--allow-paths", "/"),
        text=json.dumps(question),
    )
    output = json.loads(answer.stdout)
    assert output.get("errors", []) == []
    assert output["contracts"]["A.sol"]["A"]["abi"] == []
    assert "B.sol" in output["sources"]


def test_solc_serves_one_request_a_line() -> None:
    def question(source: str) -> str:
        settings = {"outputSelection": {"*": {"*": ["abi"]}}}
        sources = {"A.sol": {"content": source}}
        return json.dumps({"language": "Solidity", "sources": sources, "settings": settings})

    text = f"{question('contract A {}')}\n{question('contract {')}\n{question('contract B {}')}\n"
    first, broken, last = (
        json.loads(line) for line in run_solc("--serve", text=text).stdout.splitlines()
    )
    assert list(first["contracts"]["A.sol"]) == ["A"]
    assert any(error["severity"] == "error" for error in broken["errors"])
    assert list(last["contracts"]["A.sol"]) == ["B"]


def test_solc_refuses_an_unknown_option() -> None:
    answer = run_solc("--standard-json", "--frobnicate")
    assert answer.returncode != 0
    assert "--frobnicate" in answer.stderr
    assert answer.stdout == ""


# --- slither's answers ------------------------------------------------------------------------------


def test_every_answer_to_slither_names_a_place_and_a_reason() -> None:
    answers = tomllib.loads((ROOT / "tools" / "slither.toml").read_text())["answer"]
    assert answers
    for answer in answers:
        assert set(answer) == {"check", "where", "answer"}, answer
        assert answer["where"], answer["check"]
        assert len(answer["answer"]) > 30, answer["check"]
    # Only of what slither itself calls informational, and of the clock, may everything be answered at once.
    broad = {answer["check"] for answer in answers if "*" in answer["where"]}
    assert broad <= {"assembly", "naming-convention", "too-many-digits", "timestamp"}


def test_slither_reports_what_has_no_answer_and_what_answers_nothing(tmp_path: Path) -> None:
    def report(*found: tuple[str, str, str]) -> str:
        detectors = [
            {
                "check": check,
                "impact": "High",
                "description": "described",
                "elements": [
                    {
                        "type": "function",
                        "name": function,
                        "type_specific_fields": {"parent": {"type": "contract", "name": contract}},
                    }
                ],
            }
            for check, contract, function in found
        ]
        return json.dumps({"success": True, "results": {"detectors": detectors}})

    path = tmp_path / "report.json"
    path.write_text(report(("arbitrary-send-eth", "KeyRegistry", "drain"), ("assembly", "X", "f")))
    answer = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "slither.py"), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert "High arbitrary-send-eth in KeyRegistry.drain" in answer.stdout
    assert "assembly in X" not in answer.stdout
    assert "answer without a finding: timestamp" in answer.stdout
