"""The forged certificates that forge's tests use are what their generator makes today."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def test_certificate_vectors_are_fresh() -> None:
    result = subprocess.run(
        [sys.executable, ROOT / "tools" / "certificate_vectors.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
