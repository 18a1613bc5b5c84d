"""What every test may use: the folders of the fixtures and vectors, and hypothesis' profiles."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

ROOT = Path(__file__).resolve().parent.parent

# Function-scoped fixtures are shared by a test's examples on purpose: starting an enclave or a
# chain for each of them would take minutes.
_SHARED = {
    "database": DirectoryBasedExampleDatabase(ROOT / ".build" / "hypothesis"),
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
# Only `proof` searches anew in each run; a failure of the others comes again.
settings.register_profile(
    "default", max_examples=50, derandomize=True, **_SHARED | {"database": None}
)
settings.register_profile("ci", max_examples=200, derandomize=True, **_SHARED | {"database": None})
settings.register_profile("proof", max_examples=5_000, **_SHARED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_configure(config: pytest.Config) -> None:
    """Keeps Ape's notices of compiling and of anvil's start out of the report."""
    if "ape.logging" in sys.modules:
        sys.modules["ape.logging"].logger.set_level("WARNING")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Names a case after its bytes only where they are few.

    Made evidence is long and differs from run to run (so does the length of a DER signature), and a
    test's name must not: what runs tests side by side, or the failed ones again, knows them by name.
    """
    if isinstance(val, bytes) and len(val) > 16:
        return "bytes"
    return None


@pytest.hookimpl(wrapper=True)
def pytest_exception_interact(
    call: pytest.CallInfo[object], report: pytest.TestReport
) -> Generator[None, object, object]:
    """Keeps pytest's own report of a failure.

    Ape's plugin replaces it by one with every local variable of every frame under the project's
    folder, .venv included: hundreds of lines, in which a secret may stand.
    """
    kept = report.longrepr, call.excinfo and call.excinfo.traceback
    result = yield
    report.longrepr = kept[0]
    if call.excinfo and kept[1]:
        call.excinfo.traceback = kept[1]
    return result


def _folder(variable: str, default: str) -> Path:
    folder = Path(os.environ.get(variable) or ROOT.parent / "shared" / default)
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}; {variable} names it")
    return folder.resolve()


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The top of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """Genuine evidence, from XMTP_TEE_FIXTURES; the test is skipped where it is absent."""
    return _folder("XMTP_TEE_FIXTURES", "fixtures")


@pytest.fixture(scope="session")
def vectors_dir() -> Path:
    """Published test vectors, from XMTP_TEE_VECTORS; the test is skipped where they are absent."""
    return _folder("XMTP_TEE_VECTORS", "vectors")
