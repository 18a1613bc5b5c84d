"""scripts/_artifacts.py, tools/project.py: which of forge's artifacts is deployed, and what counts as the same code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tools.project as project
from scripts._artifacts import Build

RUNTIME = bytes(range(100))


def build(*immutables: tuple[int, int]) -> Build:
    return Build("C", [], b"", RUNTIME, immutables)


def test_code_is_the_same_whatever_the_constructor_wrote() -> None:
    written = bytearray(RUNTIME)
    written[10:42] = b"\xaa" * 32
    assert build((10, 32)).is_deployed_as(bytes(written))
    assert not build().is_deployed_as(bytes(written))


@pytest.mark.parametrize("position", [0, 9, 42, 99])
def test_one_flipped_bit_outside_of_what_the_constructor_writes_is_another_code(
    position: int,
) -> None:
    flipped = bytearray(RUNTIME)
    flipped[position] ^= 1
    assert not build((10, 32)).is_deployed_as(bytes(flipped))


@pytest.mark.parametrize("code", [b"", RUNTIME[:-1], RUNTIME + b"\0"])
def test_code_of_another_length_is_another_code(code: bytes) -> None:
    assert not build((10, 32)).is_deployed_as(code)


@pytest.fixture
def forge_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(project, "ROOT", tmp_path)
    monkeypatch.setattr(project, "ARTIFACTS", tmp_path)
    monkeypatch.setattr(project, "CACHE", tmp_path / "cache.json")
    (tmp_path / "foundry.toml").write_text(
        "[profile.default]\noptimizer_runs = 200\n"
        'compilation_restrictions = [{paths = "contracts/Hot.sol", optimizer_runs = 1000000}]\n'
    )
    return tmp_path


def remember(folder: Path, source: str, runs: dict[str, int]) -> None:
    """Forge's cache names an artifact for each profile, made with so many runs; 0: without the optimizer."""
    for profile, count in runs.items():
        settings = {"optimizer": {"enabled": count > 0, "runs": count}}
        made = {"made": profile, "metadata": {"settings": settings}}
        (folder / f"{profile}.json").write_text(json.dumps(made))
    artifacts = {"C": {"0.8.37": {profile: {"path": f"{profile}.json"} for profile in runs}}}
    (folder / "cache.json").write_text(json.dumps({"files": {source: {"artifacts": artifacts}}}))


@pytest.mark.parametrize(
    ("source", "runs", "expected"),
    [
        ("Cool", {"default": 200}, "default"),
        ("Cool", {"tests": 0, "default": 200}, "default"),
        ("Cool", {"default": 200, "tests": 0}, "default"),
        ("Cool", {"arithmetic": 1_000_000, "default": 200, "tests": 0}, "default"),
        # Whoever imports a restricted source is compiled like it.
        ("Cool", {"tests": 0, "arithmetic": 1_000_000}, "arithmetic"),
        ("Hot", {"arithmetic": 1_000_000, "tests": 0}, "arithmetic"),
        # Left over from before the restriction.
        ("Hot", {"default": 200, "arithmetic": 1_000_000}, "arithmetic"),
    ],
)
def test_what_is_deployed_is_what_foundry_toml_says_whatever_else_forge_has_made(
    forge_output: Path, source: str, runs: dict[str, int], expected: str
) -> None:
    remember(forge_output, f"contracts/{source}.sol", runs)
    assert project.compiled(f"contracts/{source}.sol", "C").artifact["made"] == expected


def test_what_forge_has_not_compiled_is_refused(forge_output: Path) -> None:
    with pytest.raises(project.NotBuiltError, match="make build"):
        project.compiled("contracts/C.sol", "C")
    remember(forge_output, "contracts/C.sol", {"default": 200})
    (forge_output / "default.json").unlink()
    with pytest.raises(project.NotBuiltError, match="C is not compiled"):
        project.compiled("contracts/C.sol", "C")
