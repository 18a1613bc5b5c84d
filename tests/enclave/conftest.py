"""Places and enclaves for the tests of the enclave."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.enclave.operating import Desk
from tests.enclave.places import Place, PostgresPlace, SqlitePlace
from tests.enclave.support import EnclaveProcess, FixedDriver, open_enclave
from tests.support.postgres import Cluster, running_cluster
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


@pytest.fixture(scope="session")
def maybe_cluster() -> Iterator[Cluster | None]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(maybe_cluster: Cluster | None) -> Cluster:
    """A PostgreSQL server of the tests' own."""
    if maybe_cluster is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return maybe_cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, folder: Path) -> Place:
    """Where a store may lie: each test that takes this runs over both."""
    if request.param == "sqlite":
        return SqlitePlace(folder / "keys.sqlite")
    return PostgresPlace(request.getfixturevalue("cluster"))


@pytest.fixture
def desk(folder: Path) -> Iterator[Desk]:
    opened = Desk(folder / "keys.sqlite")
    yield opened
    opened.close()
