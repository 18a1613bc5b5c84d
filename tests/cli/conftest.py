"""What the command's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from xmtp_tee.client.deployment import CONTRACTS, Deployment


@pytest.fixture
def deployment_file(tmp_path: Path) -> Path:
    """A well-formed deployment file of a chain that nobody runs."""
    path = tmp_path / "deployment.json"
    Deployment(
        network="ethereum:local",
        chain_id=31337,
        development_root=True,
        deployed_at_block=0,
        contracts={name: f"0x{index + 1:040x}" for index, name in enumerate(CONTRACTS)},
    ).save(path)
    return path
