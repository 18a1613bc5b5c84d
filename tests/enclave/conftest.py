"""Places and enclaves for the tests of the enclave."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.enclave.support import EnclaveProcess, FixedDriver, open_enclave
from xmtp_tee.enclave.service import Enclave


@pytest.fixture
def folder() -> Iterator[Path]:
    """A private folder whose path is short enough for a Unix socket, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="xt-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def driver() -> FixedDriver:
    return FixedDriver()


@pytest.fixture
def enclave(folder: Path, driver: FixedDriver) -> Iterator[Enclave]:
    opened = open_enclave(folder / "keys.sqlite", driver)
    yield opened
    opened.close()


@pytest.fixture
def process(folder: Path) -> Iterator[EnclaveProcess]:
    with EnclaveProcess(folder) as running:
        yield running
