"""Where the real evidence lies; a test that needs it skips when it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def fixtures_folder() -> Path:
    """Return the fixtures' folder (``XMTP_TEE_FIXTURES``), or skip the test."""
    folder = Path(os.environ.get("XMTP_TEE_FIXTURES", ROOT / ".." / "shared" / "fixtures"))
    if not folder.is_dir():
        pytest.skip(f"no fixtures at {folder}; set XMTP_TEE_FIXTURES")
    return folder


def attestation_fixture(name: str) -> Path:
    """Return the path of ``attestation/<name>`` among the fixtures, or skip the test."""
    path = fixtures_folder() / "attestation" / name
    if not path.is_file():
        pytest.skip(f"fixture {path} is absent")
    return path
