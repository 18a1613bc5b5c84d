"""The world of the stories."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.libxmtp import bindings


@pytest.fixture
def world(tmp_path: Path) -> Iterator[object]:
    bindings()
    from tests.e2e.xmtp.support import World
    from tests.enclave.support import EnclaveProcess
    from xmtp_tee.devnode import DevNode

    with DevNode() as node:
        made = World(node, tmp_path, EnclaveProcess(tmp_path))
        try:
            yield made
        finally:
            made.close()
