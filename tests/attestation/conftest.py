"""The genuine evidence, where it is present."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attestation.support import Genuine


@pytest.fixture(scope="session")
def genuine(fixtures_dir: Path) -> Genuine:
    return Genuine(fixtures_dir / "attestation")
