"""One world and one enclave for the end-to-end tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.world import World, enclave_process, open_world
from xmtp_tee.client.key_manager import KeyManager


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with open_world() as opened:
        yield opened


@pytest.fixture(scope="module")
def enclave_socket() -> Iterator[Path]:
    with enclave_process() as socket:
        yield socket


@pytest.fixture
def keys(enclave_socket: Path) -> Iterator[KeyManager]:
    with KeyManager(enclave_socket) as manager:
        yield manager
